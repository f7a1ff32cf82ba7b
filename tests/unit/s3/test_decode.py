"""From requests to inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lightningstor_server.s3.decode import Decoder, Incoming, check_digest_given, check_promises
from lightningstor_types.digests import Checksums, ETag
from lightningstor_types.errors import (
    InvalidArgument,
    InvalidBucketName,
    InvalidRequest,
    KeyTooLongError,
    MissingSecurityHeader,
    NotImplemented,
)
from lightningstor_types.objects import NO_METADATA, ObjectMetadata, StorageClass
from lightningstor_types.operations.attributes import GetObjectAttributes, ObjectAttribute
from lightningstor_types.operations.common import NO_READ_CONDITIONS, ReadConditions
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import NO_OVERRIDES, DeleteObjects, GetObject, PutObject, ResponseOverrides
from lightningstor_types.operations.uploads import UploadPart
from lightningstor_types.streams import BytesStream

BODY = BytesStream(b"body")


def decode(shape: type[Any], headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None, **address: str) -> Any:
    """The input of a request."""
    request = Incoming(
        bucket=address.get("bucket", "bucket"), key=address.get("key", "key"), headers=headers or {}, query=query or {}, body=BODY
    )
    return Decoder(shape).decode(request)


def test_what_is_absent_keeps_its_default() -> None:
    """An input of nothing but its address has its own defaults, the very same values."""
    found = decode(GetObject)
    assert (found.bucket, found.key) == ("bucket", "key")
    assert found.conditions is NO_READ_CONDITIONS
    assert found.overrides is NO_OVERRIDES
    assert decode(PutObject).metadata is NO_METADATA
    assert decode(PutObject).body is BODY


def test_groups_are_gathered() -> None:
    """Fields of a group are read in its place, their headers behind the group's prefix."""
    conditions = {"x-amz-copy-source-if-match": '"a"', "if-match": '"b"'}
    found = decode(CopyObject, {"x-amz-copy-source": "b-b/k", **conditions, "x-amz-meta-a": "1", "content-type": "x/y"})
    assert found.source_conditions == ReadConditions(if_match='"a"')
    assert found.conditions.if_match == '"b"'
    assert found.metadata == ObjectMetadata(content_type="x/y", user={"a": "1"})
    assert decode(GetObject, {}, {"response-expires": "0"}).overrides == ResponseOverrides(expires="0")
    assert decode(PutObject, {"x-amz-checksum-sha1": "a"}).checksums == Checksums(sha1="a")


@pytest.mark.parametrize("name", ["max-keys", "encoding-type"])
def test_an_optional_parameter_that_is_empty_is_absent(name: str) -> None:
    """Clients send `max-keys=`: an empty number or choice is none."""
    assert decode(ListObjectsV2, {}, {name: ""}) == decode(ListObjectsV2)


@pytest.mark.parametrize(
    ("shape", "query"), [(GetObject, {"versionId": ""}), (GetObject, {"partNumber": ""}), (UploadPart, {"uploadId": "a", "partNumber": ""})]
)
def test_an_identity_is_never_empty(shape: type[Any], query: dict[str, str]) -> None:
    """An empty version or part is an error, not the absence of one."""
    with pytest.raises(InvalidArgument):
        decode(shape, {}, query)


def test_what_is_needed_and_missing() -> None:
    """A missing parameter is a typed error that names the operation."""
    with pytest.raises(InvalidRequest, match="UploadPart"):
        decode(UploadPart, {}, {"uploadId": "a"})


def test_names_are_validated_once() -> None:
    """Bucket and key are checked where they enter."""
    with pytest.raises(InvalidBucketName):
        decode(GetObject, bucket="No")
    with pytest.raises(KeyTooLongError):
        decode(GetObject, key="x" * 1025)


def test_values_have_their_types() -> None:
    """Header and query become what the input says."""
    assert decode(PutObject, {"x-amz-storage-class": "STANDARD_IA"}).storage_class is StorageClass.STANDARD_IA
    document = b'<Delete><Object><Key>a</Key><ETag>"b"</ETag></Object></Delete>'
    found = Decoder(DeleteObjects).decode(Incoming(bucket="bucket", key="", headers={}, query={}, body=BODY), document)
    assert found.objects[0].etag == ETag("b")


@pytest.mark.parametrize("headers", [{"x-amz-meta-": "a"}, {"x-amz-meta-a": "\udcff"}, {"content-type": "\udcff"}])
def test_headers_that_cannot_be_kept(headers: dict[str, str]) -> None:
    """User metadata have names, and what is kept is UTF-8."""
    with pytest.raises(InvalidArgument):
        decode(PutObject, headers)


@pytest.mark.parametrize("text", ["a\r\nb", "\x00", "\x1f", "\x7f", "\n"])
def test_overrides_are_header_values(text: str) -> None:
    """What a reader asks to see in a header is something that a header can hold."""
    with pytest.raises(InvalidArgument):
        decode(GetObject, {}, {"response-content-type": text})


KEPT = [{"x-amz-acl": "private"}, {"x-amz-checksum-crc32": "a"}, {"x-amz-checksum-type": "a"}, {"accept": "x"}]


@pytest.mark.parametrize("headers", KEPT)
def test_promises_that_are_kept(headers: dict[str, str]) -> None:
    """What holds anyway may be asked for."""
    check_promises(headers)


BROKEN = [
    "x-amz-server-side-encryption", "x-amz-write-offset-bytes",
    "x-amz-copy-source-server-side-encryption-customer-key", "x-amz-checksum-sha512",
]  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_promises_that_would_be_broken(name: str) -> None:
    """What is not built is refused by its name."""
    with pytest.raises(NotImplemented) as caught:
        check_promises({name: "x"})
    assert caught.value.details == {"Header": name}


def test_digests_that_are_demanded() -> None:
    """Content-MD5, a checksum, or a trailer that will bring one."""
    for headers in ({"content-md5": ""}, {"x-amz-checksum-crc32": ""}, {"x-amz-trailer": "x-amz-checksum-crc32"}):
        check_digest_given(headers)
    with pytest.raises(MissingSecurityHeader):
        check_digest_given({"x-amz-sdk-checksum-algorithm": "CRC32"})


@pytest.mark.parametrize("text", ["ETag,ObjectSize", " ETag ,\tObjectSize ", ",ETag,,ObjectSize,"])
def test_a_list_in_a_header(text: str) -> None:
    """Its members stand between commas, with space around them, and empty ones are none (RFC 9110 section 5.6.1)."""
    decoded = decode(GetObjectAttributes, {"x-amz-object-attributes": text})
    assert decoded.attributes == (ObjectAttribute.ETAG, ObjectAttribute.OBJECT_SIZE)


def test_a_list_that_is_missing_or_wrong() -> None:
    """A list that is needed is missed, an empty one is empty, and each member is read strictly."""
    with pytest.raises(InvalidRequest):
        decode(GetObjectAttributes)
    assert decode(GetObjectAttributes, {"x-amz-object-attributes": " , "}).attributes == ()
    with pytest.raises(InvalidArgument):
        decode(GetObjectAttributes, {"x-amz-object-attributes": "ETag,etag"})
