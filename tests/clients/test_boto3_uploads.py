"""boto3: multipart uploads."""

from __future__ import annotations

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from clients.digests import md5
from clients.keys import ODD_KEYS, by_bytes

MIB = 1 << 20
BLOCK = os.urandom(MIB)
FIRST = BLOCK * 5
SECOND = BLOCK[::-1] * 6
LAST = b"the last part may be short"


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    """The S3 code and the HTTP status."""
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


class Upload:
    """An upload of one key, with the parts that were sent."""

    def __init__(self, s3: Any, bucket: str, key: str = "k", **given: Any) -> None:
        self.s3, self.named = s3, {"Bucket": bucket, "Key": key}
        self.begun = s3.create_multipart_upload(**self.named, **given)
        self.named_upload = {**self.named, "UploadId": self.begun["UploadId"]}
        self.parts: dict[int, dict[str, Any]] = {}

    def part(self, number: int, content: bytes) -> str:
        """Send a part; returns its ETag."""
        etag: str = self.s3.upload_part(**self.named_upload, PartNumber=number, Body=content)["ETag"]
        assert etag == f'"{md5(content).hex()}"'
        self.parts[number] = {"PartNumber": number, "ETag": etag}
        return etag

    def complete(self, *numbers: int, **given: Any) -> dict[str, Any]:
        """Make the object of these parts, of all by default."""
        parts = [self.parts[number] for number in numbers or sorted(self.parts)]
        answer: dict[str, Any] = self.s3.complete_multipart_upload(**self.named_upload, MultipartUpload={"Parts": parts}, **given)
        return answer


def test_parts_make_an_object(s3: Any, bucket: str) -> None:
    """Parts sent out of order, one of them twice, make one object with a composite ETag and the upload's metadata."""
    upload = Upload(s3, bucket, Metadata={"a": "b"}, ContentType="text/plain", StorageClass="STANDARD_IA")
    upload.part(7, LAST)
    upload.part(2, FIRST)
    upload.part(5, FIRST)
    upload.part(5, SECOND)
    etag = f'"{md5(md5(FIRST) + md5(SECOND) + md5(LAST)).hex()}-3"'
    answer = upload.complete()
    assert (answer["ETag"], answer["Bucket"], answer["Key"]) == (etag, bucket, "k")
    read = s3.get_object(**upload.named)
    assert (read["ETag"], read["Metadata"], read["ContentType"]) == (etag, {"a": "b"}, "text/plain")
    assert read["Body"].read() == FIRST + SECOND + LAST
    assert s3.head_object(**upload.named, PartNumber=1)["PartsCount"] == 3
    for number, content in enumerate((FIRST, SECOND, LAST), 1):
        part = s3.get_object(**upload.named, PartNumber=number)
        assert part["Body"].read() == content
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError) as error:
        s3.get_object(**upload.named, PartNumber=4)
    assert code(error) == ("InvalidPartNumber", 416)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD_IA"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_range_goes_across_parts(s3: Any, bucket: str) -> None:
    """A range that begins in one part and ends in another is the bytes of the whole."""
    upload = Upload(s3, bucket)
    for number, content in enumerate((FIRST, SECOND, LAST), 1):
        upload.part(number, content)
    upload.complete()
    whole = FIRST + SECOND + LAST
    for first, last in ((5 * MIB - 1, 5 * MIB), (0, len(whole) - 1), (11 * MIB - 3, 11 * MIB + 3), (MIB, 10 * MIB)):
        read = s3.get_object(**upload.named, Range=f"bytes={first}-{last}")
        assert read["Body"].read() == whole[first : last + 1]


def test_parts_are_copied_from_objects(s3: Any, bucket: str) -> None:
    """UploadPartCopy takes an object or a range of it, from a key of any kind, and its ETag is that of the bytes."""
    source = {"Bucket": bucket, "Key": "a//b +%2F\u00fc?#"}
    s3.put_object(**source, Body=FIRST + SECOND)
    upload = Upload(s3, bucket)
    first, last = MIB + 17, 7 * MIB + 3
    pieces = [FIRST + SECOND, (FIRST + SECOND)[first : last + 1]]
    for number, span in ((1, {}), (2, {"CopySourceRange": f"bytes={first}-{last}"})):
        copied = s3.upload_part_copy(**upload.named_upload, PartNumber=number, CopySource=source, **span)["CopyPartResult"]
        assert copied["ETag"] == f'"{md5(pieces[number - 1]).hex()}"'
        upload.parts[number] = {"PartNumber": number, "ETag": copied["ETag"]}
    upload.part(3, LAST)
    s3.delete_object(**source)
    answer = upload.complete()
    assert answer["ETag"] == f'"{md5(b"".join(md5(piece) for piece in (*pieces, LAST))).hex()}-3"'
    assert s3.get_object(**upload.named)["Body"].read() == b"".join((*pieces, LAST))


def test_a_part_is_not_copied_from_what_is_not_there(s3: Any, bucket: str) -> None:
    """A range beyond the source, a missing source and a condition that does not hold are typed, and make no part."""
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_object(**source, Body=LAST)
    upload = Upload(s3, bucket)
    for expected, wrong in (
        (("InvalidRange", 416), {"CopySource": source, "CopySourceRange": "bytes=0-1000"}),
        (("InvalidArgument", 400), {"CopySource": source, "CopySourceRange": "bytes=9-1"}),
        (("NoSuchKey", 404), {"CopySource": {"Bucket": bucket, "Key": "absent"}}),
        (("PreconditionFailed", 412), {"CopySource": source, "CopySourceIfMatch": '"other"'}),
    ):
        with pytest.raises(ClientError) as error:
            s3.upload_part_copy(**upload.named_upload, PartNumber=1, **wrong)
        assert code(error) == expected
    assert "Parts" not in s3.list_parts(**upload.named_upload)


def test_parts_are_listed(s3: Any, bucket: str) -> None:
    """ListParts pages by number, with size and ETag."""
    upload = Upload(s3, bucket)
    for number in (3, 1, 10_000, 7):
        upload.part(number, LAST * number)
    pages = list(s3.get_paginator("list_parts").paginate(**upload.named_upload, PaginationConfig={"PageSize": 3}))
    found = [(part["PartNumber"], part["Size"], part["ETag"]) for page in pages for part in page["Parts"]]
    assert found == [(number, len(LAST) * number, upload.parts[number]["ETag"]) for number in (1, 3, 7, 10_000)]
    assert [len(page["Parts"]) for page in pages] == [3, 1]
    s3.abort_multipart_upload(**upload.named_upload)


def test_uploads_of_odd_keys_are_listed(s3: Any, bucket: str) -> None:
    """ListMultipartUploads names each key's uploads, page by page, in the order of the keys' bytes."""
    uploads = {key: Upload(s3, bucket, key) for key in ODD_KEYS.values()}
    for size in (1000, 4):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        found = [(item["Key"], item["UploadId"]) for page in pages for item in page["Uploads"]]
        assert found == [(key, uploads[key].begun["UploadId"]) for key in by_bytes(ODD_KEYS)]
    rolled = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [item["Prefix"] for item in rolled["CommonPrefixes"]] == ["a/../", "a//"]
    for upload in uploads.values():
        s3.abort_multipart_upload(**upload.named_upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
def test_an_odd_key_is_uploaded_in_parts(s3: Any, bucket: str, key: str) -> None:
    """Every call of an upload, and its answers, name the key as it is."""
    upload = Upload(s3, bucket, key)
    assert upload.begun["Key"] == key
    upload.part(1, LAST)
    assert s3.list_parts(**upload.named_upload)["Key"] == key
    assert upload.complete()["Key"] == key
    assert s3.get_object(**upload.named)["Body"].read() == LAST


def test_a_completed_upload_answers_again(s3: Any, bucket: str) -> None:
    """Completing twice gives the same answer (a retry whose answer was lost); the object is there once."""
    upload = Upload(s3, bucket)
    upload.part(1, LAST)
    first, second = upload.complete(), upload.complete()
    assert first["ETag"] == second["ETag"]


def test_an_aborted_upload_is_gone(s3: Any, bucket: str) -> None:
    """After the abort, parts, listing, completion and a second abort are NoSuchUpload; no object was made."""
    upload = Upload(s3, bucket)
    upload.part(1, LAST)
    s3.abort_multipart_upload(**upload.named_upload)
    for call in (
        lambda: upload.part(2, LAST),
        upload.complete,
        lambda: s3.list_parts(**upload.named_upload),
        lambda: s3.abort_multipart_upload(**upload.named_upload),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert code(error) == ("NoSuchUpload", 404)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_parts_that_make_no_object_are_refused(s3: Any, bucket: str) -> None:
    """Too small, unknown, wrongly tagged, wrongly ordered or no parts: typed, and the upload can still be completed."""
    upload = Upload(s3, bucket)
    for number, content in ((1, FIRST), (2, LAST), (3, LAST)):
        upload.part(number, content)
    upload.parts[9] = {"PartNumber": 9, "ETag": upload.parts[1]["ETag"]}
    for expected, numbers in (
        (("EntityTooSmall", 400), (1, 2, 3)),
        (("InvalidPart", 400), (1, 9)),
        (("InvalidPartOrder", 400), (2, 1)),
        (("InvalidPartOrder", 400), (1, 1)),
    ):
        with pytest.raises(ClientError) as error:
            upload.complete(*numbers)
        assert code(error) == expected
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**upload.named_upload, MultipartUpload={"Parts": []})
    assert code(error) == ("MalformedXML", 400)
    right, upload.parts[1] = upload.parts[1], {"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}
    with pytest.raises(ClientError) as error:
        upload.complete(1, 2)
    assert code(error) == ("InvalidPart", 400)
    upload.parts[1] = right
    upload.complete(1, 2)
    assert s3.get_object(**upload.named)["Body"].read() == FIRST + LAST


def test_a_completion_obeys_its_conditions(s3: Any, bucket: str) -> None:
    """If-None-Match: * and If-Match hold for the completion as for a put, and the object's size where it is named."""
    upload = Upload(s3, bucket)
    upload.part(1, LAST)
    etag = s3.put_object(**upload.named, Body=b"before")["ETag"]
    for wrong in ({"IfNoneMatch": "*"}, {"IfMatch": '"00000000000000000000000000000000"'}):
        with pytest.raises(ClientError) as error:
            upload.complete(**wrong)
        assert code(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        upload.complete(MpuObjectSize=1)
    assert code(error) == ("InvalidRequest", 400)
    assert s3.get_object(**upload.named)["Body"].read() == b"before"
    upload.complete(IfMatch=etag, MpuObjectSize=len(LAST))
    assert s3.get_object(**upload.named)["Body"].read() == LAST


@pytest.mark.parametrize("number", [0, 10_001])
def test_a_part_number_has_limits(s3: Any, bucket: str, number: int) -> None:
    """1 to 10,000; others are InvalidArgument."""
    upload = Upload(s3, bucket)
    with pytest.raises(ClientError) as error:
        s3.upload_part(**upload.named_upload, PartNumber=number, Body=b"x")
    assert code(error) == ("InvalidArgument", 400)
