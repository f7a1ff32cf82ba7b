"""Checksums and body framings: all five algorithms, in a header and behind the body, signed and not."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import servers
from clients import raw, tls
from clients.conftest import Connect
from clients.digests import DIGESTS, checksum, md5

CONTENT = os.urandom(200_001)
OTHER = os.urandom(16)
ALGORITHMS = pytest.mark.parametrize("algorithm", DIGESTS)
FRAMINGS = pytest.mark.parametrize("payload", [raw.SIGNED_TRAILER, raw.UNSIGNED_TRAILER], ids=["signed", "unsigned"])


def refused(answer: raw.Answer) -> str:
    """The code of an error's document."""
    code: bytes = answer.body.partition(b"<Code>")[2].partition(b"</Code>")[0]
    return code.decode()


@pytest.fixture(scope="module")
def secure(server: servers.Server, connect: Connect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client that speaks TLS, over which boto3 puts checksums into trailers."""
    with tls.terminated(server.s3, tmp_path_factory.mktemp("tls")) as (endpoint, certificate):
        client = connect(endpoint=endpoint, verify=str(certificate))
        yield client
        client.close()


@ALGORITHMS
def test_a_checksum_in_a_header_is_verified_and_kept(s3: Any, bucket: str, algorithm: str) -> None:
    """The checksum that boto3 computes comes back with the answer and on reads, where boto3 verifies the body by it."""
    name, value = f"Checksum{algorithm}", checksum(algorithm, CONTENT)
    answer = s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm)
    assert (answer[name], answer["ChecksumType"]) == (value, "FULL_OBJECT")
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (read[name], read["ChecksumType"]) == (value, "FULL_OBJECT")
    assert read["Body"].read() == CONTENT
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (value, "FULL_OBJECT")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")


@ALGORITHMS
def test_a_wrong_checksum_in_a_header_stores_nothing(s3: Any, bucket: str, algorithm: str) -> None:
    """BadDigest, and what was there stays."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    wrong = {f"Checksum{algorithm}": checksum(algorithm, OTHER)}
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm, **wrong)
    assert error.value.response["Error"]["Code"] == "BadDigest"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, **{f"Checksum{algorithm}": "no base64!"})
    assert error.value.response["Error"]["Code"] == "InvalidRequest"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


def test_content_md5_is_verified(s3: Any, bucket: str) -> None:
    """A right Content-MD5 passes, a wrong one is BadDigest, one that is none InvalidDigest."""
    right, wrong = (base64.b64encode(md5(data)).decode() for data in (CONTENT, OTHER))
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ContentMD5=right)
    for given, expected in ((wrong, "BadDigest"), ("nonsense", "InvalidDigest")):
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key="other", Body=CONTENT, ContentMD5=given)
        assert error.value.response["Error"]["Code"] == expected
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@ALGORITHMS
def test_boto3_sends_trailers_over_tls(secure: Any, bucket: str, algorithm: str) -> None:
    """STREAMING-UNSIGNED-PAYLOAD-TRAILER as boto3 frames it: the object is the body without its framing."""
    answer = secure.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm, ContentEncoding="x-own")
    assert answer[f"Checksum{algorithm}"] == checksum(algorithm, CONTENT)
    read = secure.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert read["Body"].read() == CONTENT
    assert read["ContentEncoding"] == "x-own"


def test_boto3_sends_parts_of_unseekable_bodies_over_tls(secure: Any, bucket: str) -> None:
    """The transfer manager's parts come with trailers too, and nothing of the framing is kept."""

    class Unseekable(io.RawIOBase):
        """Bytes that can be read once."""

        def __init__(self, content: bytes) -> None:
            super().__init__()
            self._content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            count: int = self._content.readinto(buffer)
            return count

    content = CONTENT * 50
    secure.upload_fileobj(Unseekable(content), bucket, "k")
    read = secure.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == content
    assert "ContentEncoding" not in read


@ALGORITHMS
@FRAMINGS
def test_a_trailer_is_verified_and_kept(server: servers.Server, s3: Any, bucket: str, algorithm: str, payload: str) -> None:
    """A checksum behind the body counts as one in a header; each framing gives the same object."""
    value = checksum(algorithm, CONTENT)
    trailer = {f"x-amz-checksum-{algorithm.lower()}": value}
    answer = raw.send_streaming(server, f"/{bucket}/k", CONTENT, payload=payload, trailer=trailer)
    assert answer.status == 200, answer.body
    assert answer.headers[f"x-amz-checksum-{algorithm.lower()}"] == value
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert read["Body"].read() == CONTENT
    assert read[f"Checksum{algorithm}"] == value
    assert "ContentEncoding" not in read


@ALGORITHMS
@FRAMINGS
def test_a_wrong_trailer_stores_nothing(server: servers.Server, s3: Any, bucket: str, algorithm: str, payload: str) -> None:
    """BadDigest where the trailer is well signed and not the body's."""
    trailer = {f"x-amz-checksum-{algorithm.lower()}": checksum(algorithm, OTHER)}
    answer = raw.send_streaming(server, f"/{bucket}/k", CONTENT, payload=payload, trailer=trailer)
    assert (answer.status, refused(answer)) == (400, "BadDigest")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_001], ids=str)
def test_signed_chunks_make_an_object(server: servers.Server, s3: Any, bucket: str, size: int) -> None:
    """STREAMING-AWS4-HMAC-SHA256-PAYLOAD without a trailer, at the borders of its chunks."""
    answer = raw.send_streaming(server, f"/{bucket}/k", CONTENT[:size], payload=raw.SIGNED)
    assert answer.status == 200, answer.body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == CONTENT[:size]


@pytest.mark.parametrize("payload", [raw.SIGNED, raw.SIGNED_TRAILER])
def test_a_changed_chunk_stores_nothing(server: servers.Server, s3: Any, bucket: str, payload: str) -> None:
    """SignatureDoesNotMatch where a byte of a chunk is another than was signed."""
    trailer = {"x-amz-checksum-crc32": checksum("CRC32", CONTENT)} if payload == raw.SIGNED_TRAILER else {}
    answer = raw.send_streaming(server, f"/{bucket}/k", CONTENT, payload=payload, trailer=trailer, spoil=OTHER)
    assert (answer.status, refused(answer)) == (403, "SignatureDoesNotMatch")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_changed_unsigned_chunk_stores_nothing(server: servers.Server, s3: Any, bucket: str) -> None:
    """The trailer's checksum catches what no signature covers."""
    trailer = {"x-amz-checksum-sha256": checksum("SHA256", CONTENT)}
    answer = raw.send_streaming(server, f"/{bucket}/k", CONTENT, payload=raw.UNSIGNED_TRAILER, trailer=trailer, spoil=OTHER)
    assert (answer.status, refused(answer)) == (400, "BadDigest")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("payload", ["STREAMING-AWS4-HMAC-SHA512-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD", "nonsense"])
def test_an_unknown_framing_stores_nothing(server: servers.Server, s3: Any, bucket: str, payload: str) -> None:
    """What the server cannot take out of its framing it does not store."""
    answer = raw.send(server, "PUT", f"/{bucket}/k", body=CONTENT, payload=payload)
    assert (answer.status, refused(answer)) == (400, "InvalidArgument")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_signed_hash_is_that_of_the_body(server: servers.Server, s3: Any, bucket: str) -> None:
    """Another body under a signed x-amz-content-sha256 is XAmzContentSHA256Mismatch and stores nothing."""
    answer = raw.send(server, "PUT", f"/{bucket}/k", body=OTHER, payload=hashlib.sha256(CONTENT).hexdigest())
    assert (answer.status, refused(answer)) == (400, "XAmzContentSHA256Mismatch")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
@ALGORITHMS
def test_an_upload_has_the_checksum_of_its_parts(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    """Composite: the digest of the parts' digests and their number; full: that of all bytes, for the CRCs (AWS's table)."""
    supported = {"CRC64NVME": {"FULL_OBJECT"}, "SHA1": {"COMPOSITE"}, "SHA256": {"COMPOSITE"}}.get(algorithm, {"COMPOSITE", "FULL_OBJECT"})
    named = {"Bucket": bucket, "Key": "k"}
    if kind not in supported:
        with pytest.raises(ClientError) as error:
            s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)
        assert error.value.response["Error"]["Code"] == "InvalidRequest"
        return
    parts = [CONTENT * 27, OTHER]
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (upload["ChecksumAlgorithm"], upload["ChecksumType"]) == (algorithm, kind)
    done, name = [], f"Checksum{algorithm}"
    for number, part in enumerate(parts, 1):
        one = s3.upload_part(**named, UploadId=upload["UploadId"], PartNumber=number, Body=part, ChecksumAlgorithm=algorithm)
        assert one[name] == checksum(algorithm, part)
        done.append({"PartNumber": number, "ETag": one["ETag"], name: one[name]})
    answer = s3.complete_multipart_upload(**named, UploadId=upload["UploadId"], MultipartUpload={"Parts": done})
    composite = base64.b64encode(DIGESTS[algorithm](b"".join(DIGESTS[algorithm](part) for part in parts))).decode() + "-2"
    expected = checksum(algorithm, b"".join(parts)) if kind == "FULL_OBJECT" else composite
    assert (answer[name], answer["ChecksumType"]) == (expected, kind)
    read = s3.get_object(**named, ChecksumMode="ENABLED")
    assert (read[name], read["ChecksumType"]) == (expected, kind)
    assert read["Body"].read() == b"".join(parts)
