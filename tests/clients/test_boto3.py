"""boto3: objects, one by one."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

import servers
from clients import raw
from clients.digests import md5
from clients.keys import NO_XML_KEYS, ODD_KEYS

CONTENT = os.urandom(300_000)
"""Larger than what is stored inline, and more than four checksum blocks."""


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    """The S3 code and the HTTP status."""
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def listed(s3: Any, bucket: str) -> list[str]:
    """The keys of a bucket, as its listing has them."""
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("key", [*ODD_KEYS.values(), *NO_XML_KEYS.values()], ids=[*ODD_KEYS, *NO_XML_KEYS])
def test_an_odd_key_makes_the_round_trip(s3: Any, bucket: str, key: str) -> None:
    """What was put under a key is got, headed, listed, copied from and to, and deleted under it, and under no other."""
    content = b"of " + key.encode()
    etag = f'"{md5(content).hex()}"'
    assert s3.put_object(Bucket=bucket, Key=key, Body=content)["ETag"] == etag
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(content), etag)
    assert listed(s3, bucket) == [key]

    s3.copy_object(Bucket=bucket, Key="plain", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == content
    s3.delete_object(Bucket=bucket, Key=key)
    assert listed(s3, bucket) == ["plain"]
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key=key)

    copied = s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": "plain"})
    assert copied["CopyObjectResult"]["ETag"] == etag
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content


def test_odd_keys_are_different_objects(s3: Any, bucket: str) -> None:
    """No two of the keys share an object, and a batch deletes all of them."""
    for key in ODD_KEYS.values():
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ODD_KEYS.values():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    batch = [{"Key": key} for key in ODD_KEYS.values()]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch})
    assert [deleted["Key"] for deleted in answer["Deleted"]] == list(ODD_KEYS.values())
    assert "Errors" not in answer
    assert listed(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)


def test_a_quiet_batch_names_only_failures(s3: Any, bucket: str) -> None:
    """Quiet answers nothing where all went well; a key whose condition does not hold stays and is named."""
    for key in ("one", "two"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    batch = [{"Key": "one"}, {"Key": "two", "ETag": '"00000000000000000000000000000000"'}, {"Key": "absent"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    assert "Deleted" not in answer
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]] == [("two", "PreconditionFailed")]
    assert listed(s3, bucket) == ["two"]


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_536, 65_537, 9_000_000], ids=str)
def test_every_size_comes_back(s3: Any, bucket: str, size: int) -> None:
    """An empty body, the borders of inline storage and of blocks, and several chunks come back whole."""
    content = (CONTENT * (size // len(CONTENT) + 1))[:size]
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["ContentLength"] == size
    assert answer["Body"].read() == content


RANGES = {
    "first": ("bytes=0-0", 0, 1),
    "inside": ("bytes=65530-65545", 65_530, 16),
    "open": ("bytes=299990-", 299_990, 10),
    "suffix": ("bytes=-7", 299_993, 7),
    "long-suffix": ("bytes=-999999", 0, 300_000),
    "past-the-end": ("bytes=299999-400000", 299_999, 1),
    "all": ("bytes=0-299999", 0, 300_000),
}


@pytest.mark.parametrize(("text", "first", "length"), RANGES.values(), ids=RANGES)
def test_a_range_is_exactly_what_was_asked(s3: Any, bucket: str, text: str, first: int, length: int) -> None:
    """206 with the bytes, their length and Content-Range; HeadObject says the same."""
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT)
    answer = s3.get_object(Bucket=bucket, Key="k", Range=text)
    assert answer["Body"].read() == CONTENT[first : first + length]
    assert answer["ContentRange"] == f"bytes {first}-{first + length - 1}/300000"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="k", Range=text)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (length, 206)


@pytest.mark.parametrize("text", ["bytes=300000-", "bytes=400000-500000", "bytes=-0"])
def test_a_range_of_nothing_is_refused(s3: Any, bucket: str, text: str) -> None:
    """A range that covers no byte is 416 InvalidRange (RFC 9110 section 15.5.17)."""
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range=text)
    assert code(error) == ("InvalidRange", 416)


@pytest.mark.parametrize("text", ["bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b"])
def test_a_range_that_is_none_reads_everything(s3: Any, bucket: str, text: str) -> None:
    """A malformed range, several of them or another unit are ignored (RFC 9110 section 14.2; S3 serves one range)."""
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT)
    answer = s3.get_object(Bucket=bucket, Key="k", Range=text)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Body"].read() == CONTENT


def test_reads_obey_their_conditions(s3: Any, bucket: str) -> None:
    """If-Match and If-Unmodified-Since fail with 412, If-None-Match and If-Modified-Since with 304 (RFC 9110 section 13)."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    past, future = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    named = {"Bucket": bucket, "Key": "k"}
    for good in ({"IfMatch": etag}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": past}, {"IfUnmodifiedSince": future}):
        assert s3.get_object(**named, **good)["Body"].read() == b"x"
        assert s3.head_object(**named, **good)["ETag"] == etag
    for bad, status in (
        ({"IfMatch": '"other"'}, 412),
        ({"IfUnmodifiedSince": past}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": datetime.now(UTC) + timedelta(seconds=1)}, 304),
    ):
        for read in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as error:
                read(**named, **bad)
            assert code(error)[1] == status
    # If-Match that holds outweighs If-Unmodified-Since (section 13.2.2)
    assert s3.get_object(**named, IfMatch=etag, IfUnmodifiedSince=past)["Body"].read() == b"x"


def test_writes_obey_their_conditions(s3: Any, bucket: str) -> None:
    """If-None-Match: * creates once; If-Match replaces only what it names; what fails changes nothing."""
    named = {"Bucket": bucket, "Key": "k"}
    first = s3.put_object(**named, Body=b"first", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(**named, Body=b"second", IfNoneMatch="*")
    assert code(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.put_object(**named, Body=b"second", IfMatch='"00000000000000000000000000000000"')
    assert code(error) == ("PreconditionFailed", 412)
    assert s3.get_object(**named)["Body"].read() == b"first"
    s3.put_object(**named, Body=b"second", IfMatch=first)
    assert s3.get_object(**named)["Body"].read() == b"second"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="absent", Body=b"x", IfMatch=first)
    assert code(error) == ("NoSuchKey", 404)


def test_deletes_obey_their_conditions(s3: Any, bucket: str) -> None:
    """If-Match deletes only what it names; deleting what is not there is no error without a condition."""
    named = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**named, Body=b"x")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.delete_object(**named, IfMatch='"00000000000000000000000000000000"')
    assert code(error) == ("PreconditionFailed", 412)
    assert listed(s3, bucket) == ["k"]
    s3.delete_object(**named, IfMatch=etag)
    assert listed(s3, bucket) == []
    assert s3.delete_object(**named)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_metadata_come_back_as_they_were_given(s3: Any, bucket: str) -> None:
    """The system headers of the object and the user's metadata are handed back on GET and HEAD, and by a copy."""
    expires = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {
        "ContentType": "text/x-test; charset=utf-8",
        "CacheControl": "max-age=7, private",
        "ContentDisposition": "attachment; filename=\"a b.txt\"; filename*=UTF-8''%c3%bc.txt",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de-CH",
        "Metadata": {"a": "1", "upper-case": "Value With  Spaces", "coded": "=?UTF-8?B?w7w=?=", "empty": ""},
        "WebsiteRedirectLocation": "/elsewhere",
        "StorageClass": "STANDARD_IA",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **given)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"}, StorageClass="STANDARD_IA")
    for key in ("k", "copy"):
        for answer in (s3.head_object(Bucket=bucket, Key=key), s3.get_object(Bucket=bucket, Key=key)):
            found = {name: answer.get(name) for name in given}
            if key == "copy":  # AWS, CopyObject: the redirect is not copied
                assert found.pop("WebsiteRedirectLocation") is None
            assert found == {name: value for name, value in given.items() if name in found}
            assert answer["ExpiresString"] == "Thu, 02 Jan 2031 03:04:05 GMT"


def test_the_standard_class_goes_unnamed(s3: Any, bucket: str) -> None:
    """Reads name every storage class but STANDARD (AWS, GetObject: x-amz-storage-class); listings name that too."""
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x", StorageClass="STANDARD")
    s3.put_object(Bucket=bucket, Key="rare", Body=b"x", StorageClass="ONEZONE_IA")
    for key, named in (("plain", None), ("rare", "ONEZONE_IA")):
        assert s3.head_object(Bucket=bucket, Key=key).get("StorageClass") == named
    assert [item["StorageClass"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["STANDARD", "ONEZONE_IA"]


def test_metadata_are_replaced_where_a_copy_says_so(s3: Any, bucket: str) -> None:
    """MetadataDirective=REPLACE takes the request's metadata, onto the object itself too; bytes and ETag stay."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, Metadata={"old": "1"}, ContentType="text/plain")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "2"}, ContentType="text/html")
    answer = s3.get_object(**source)
    assert (answer["Metadata"], answer["ContentType"], answer["ETag"]) == ({"new": "2"}, "text/html", etag)
    assert answer["Body"].read() == CONTENT
    with pytest.raises(ClientError) as error:
        s3.copy_object(**source, CopySource=source)
    assert code(error) == ("InvalidRequest", 400)


def test_copies_obey_their_conditions(s3: Any, bucket: str) -> None:
    """A source condition that does not hold is 412 and makes no copy; so with If-None-Match on the destination."""
    source = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**source, Body=b"x")["ETag"]
    target = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    for bad in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": etag}):
        with pytest.raises(ClientError) as error:
            s3.copy_object(**target, **bad)
        assert code(error) == ("PreconditionFailed", 412)
    assert listed(s3, bucket) == ["k"]
    s3.copy_object(**target, CopySourceIfMatch=etag, IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        s3.copy_object(**target, IfNoneMatch="*")
    assert code(error) == ("PreconditionFailed", 412)


def test_metadata_beyond_ascii_come_back_byte_by_byte(server: servers.Server, s3: Any, bucket: str) -> None:
    """UTF-8 in a value of user metadata, which boto3 does not send, is stored and handed back as its bytes."""
    value = "gr\u00fc\u00df \U0001f600"
    answer = raw.send(server, "PUT", f"/{bucket}/k", headers={"x-amz-meta-greeting": value}, body=b"x")
    assert answer.status == 200, answer.body
    read = raw.send(server, "GET", f"/{bucket}/k")
    assert read.headers["x-amz-meta-greeting"].encode("latin-1").decode() == value
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"]["greeting"].encode("latin-1").decode() == value


def test_a_read_overrides_the_answers_headers(s3: Any, bucket: str) -> None:
    """response-* parameters stand in for the stored headers, in that answer alone."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain", CacheControl="no-store")
    wanted = {
        "ContentType": "application/x-other",
        "CacheControl": "max-age=1",
        "ContentDisposition": 'attachment; filename="a & b.txt"',
        "ContentEncoding": "identity",
        "ContentLanguage": "fr",
    }
    overrides = {f"Response{name}": value for name, value in wanted.items()}
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    for read in (s3.get_object, s3.head_object):
        answer = read(Bucket=bucket, Key="k", ResponseExpires=expires, **overrides)
        assert {name: answer[name] for name in wanted} == wanted
        assert answer["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["ContentType"], answer["CacheControl"]) == ("text/plain", "no-store")


def test_the_transfer_manager_moves_files(s3: Any, bucket: str) -> None:
    """upload_fileobj and download_fileobj, several parts at once, bring back the same bytes."""
    content = CONTENT * 70  # 21 MB: three parts of the default 8 MiB
    s3.upload_fileobj(io.BytesIO(content), bucket, "big", ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"a": "b"}
    sink = io.BytesIO()
    s3.download_fileobj(bucket, "big", sink)
    assert sink.getvalue() == content
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    sink = io.BytesIO()
    s3.download_fileobj(bucket, "copy", sink)
    assert sink.getvalue() == content
