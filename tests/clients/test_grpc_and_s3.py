"""One namespace behind two fronts: what is written through one is the same through the other."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError

import servers
from clients.digests import checksum, md5
from clients.keys import NO_XML_KEYS, ODD_KEYS, by_bytes
from lightningstor_api import client as grpc
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId
from lightningstor_types.objects import ByteRange, CopySource, ObjectMetadata
from lightningstor_types.operations.buckets import CreateBucket, DeleteBucket
from lightningstor_types.operations.common import ReadConditions, WriteConditions
from lightningstor_types.operations.copying import CopyObject, UploadPartCopy
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import (
    ChecksumMode,
    DeleteObject,
    DeleteObjects,
    GetObject,
    HeadObject,
    ObjectIdentifier,
    PutObject,
)
from lightningstor_types.operations.upload_listing import ListParts
from lightningstor_types.operations.uploads import CompleteMultipartUpload, CreateMultipartUpload, QueryUpload, UploadPart
from lightningstor_types.streams import BytesStream
from lightningstor_types.uploads import CompletedPart

MIB = 1 << 20
CONTENT = os.urandom(3 * MIB + 17)
USER = {"a": "1", "upper-case": "Value With  Spaces", "empty": ""}
METADATA = {
    "ContentType": "text/x-test",
    "CacheControl": "no-cache",
    "ContentDisposition": 'attachment; filename="a b"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
}
AS_FIELDS = ObjectMetadata(
    content_type="text/x-test",
    cache_control="no-cache",
    content_disposition='attachment; filename="a b"',
    content_encoding="gzip",
    content_language="de",
    expires="Thu, 02 Jan 2031 03:04:05 GMT",
    user=USER,
)
ALL_KEYS = {**ODD_KEYS, **NO_XML_KEYS}


@pytest.fixture
async def client(server: servers.Server) -> AsyncIterator[grpc.Client]:
    """A gRPC client with the root key."""
    async with grpc.connect(server.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY) as connected:
        yield connected


def named(bucket: str, key: str) -> dict[str, Any]:
    """The fields that name an object over gRPC."""
    return {"bucket": BucketName.parse(bucket), "key": ObjectKey.parse(key)}


async def read(client: grpc.Client, bucket: str, key: str, **given: Any) -> bytes:
    """The bytes of an object over gRPC."""
    answer = await client.read_object(GetObject(**named(bucket, key), **given))
    content = b"".join([piece async for piece in answer.body])
    assert len(content) == answer.content_length
    return content


@pytest.mark.parametrize("key", ALL_KEYS.values(), ids=ALL_KEYS)
async def test_a_grpc_write_is_read_over_s3(client: grpc.Client, s3: Any, bucket: str, key: str) -> None:
    """Bytes, ETag, checksum, metadata and listing are those of the write."""
    content = CONTENT[:100] + key.encode()
    written = await client.write_object(PutObject(**named(bucket, key), metadata=AS_FIELDS, body=BytesStream(content)))
    assert written.etag == md5(content).hex()
    answer = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert answer["Body"].read() == content
    assert answer["ETag"] == f'"{written.etag}"'
    assert answer["ChecksumCRC64NVME"] == written.checksums.crc64nvme
    assert {name: answer[name] for name in METADATA} == METADATA
    assert (answer["Metadata"], answer["ExpiresString"]) == (USER, AS_FIELDS.expires)
    assert [(item["Key"], item["ETag"]) for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [(key, f'"{written.etag}"')]
    await client.delete_object(DeleteObject(**named(bucket, key)))
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("key", ALL_KEYS.values(), ids=ALL_KEYS)
async def test_an_s3_write_is_read_over_grpc(client: grpc.Client, s3: Any, bucket: str, key: str) -> None:
    """Bytes, ETag, checksum, metadata and listing are those of the write."""
    content = CONTENT[:100] + key.encode()
    expires = "Thu, 02 Jan 2031 03:04:05 GMT"
    etag = s3.put_object(Bucket=bucket, Key=key, Body=content, ChecksumAlgorithm="SHA256", Metadata=USER, Expires=expires, **METADATA)[
        "ETag"
    ]
    assert await read(client, bucket, key) == content
    head = await client.head_object(HeadObject(**named(bucket, key), checksum_mode=ChecksumMode.ENABLED))
    assert f'"{head.object.etag}"' == etag
    assert head.object.checksums == Checksums(sha256=checksum("SHA256", content))
    assert attrs.evolve(head.object.metadata, user=dict(head.object.metadata.user)) == AS_FIELDS
    listed = await client.list_objects(ListObjectsV2(bucket=BucketName(bucket)))
    assert [(item.key, item.size) for item in listed.objects] == [(key, len(content))]
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(errors.NoSuchKey):
        await client.head_object(HeadObject(**named(bucket, key)))


async def test_both_fronts_list_alike(client: grpc.Client, s3: Any, bucket: str) -> None:
    """Objects written in turns through both are in one listing, in one order, page by page; a batch deletes them."""
    for number, key in enumerate(ALL_KEYS.values()):
        if number % 2:
            await client.write_object(PutObject(**named(bucket, key), body=BytesStream(key.encode())))
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    found: list[str] = []
    token = None
    while True:
        page = await client.list_objects(ListObjectsV2(bucket=BucketName(bucket), max_keys=7, continuation_token=token))
        found += [item.key for item in page.objects]
        token = page.next_continuation_token
        if token is None:
            break
    assert found == by_bytes(ALL_KEYS)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == found
    batch = tuple(ObjectIdentifier(key=key) for key in found)
    gone = await client.delete_objects(DeleteObjects(bucket=BucketName(bucket), objects=batch))
    assert ([item.key for item in gone.deleted], gone.errors) == (found, ())
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


RANGES = [(0, 1), (0, len(CONTENT)), (65_535, 2), (MIB - 1, MIB + 2), (len(CONTENT) - 1, 1), (len(CONTENT) - 5, 1000)]


@pytest.mark.parametrize(("offset", "limit"), RANGES)
async def test_ranges_are_the_same_bytes(client: grpc.Client, s3: Any, bucket: str, offset: int, limit: int) -> None:
    """A range read is the same through both fronts, of what either wrote; so is a suffix."""
    await client.write_object(PutObject(**named(bucket, "grpc"), body=BytesStream(CONTENT)))
    s3.put_object(Bucket=bucket, Key="s3", Body=CONTENT)
    for key in ("grpc", "s3"):
        expected = CONTENT[offset : offset + limit]
        assert await read(client, bucket, key, range=ByteRange(offset=offset, limit=limit)) == expected
        assert s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={offset}-{offset + limit - 1}")["Body"].read() == expected
        assert await read(client, bucket, key, range=ByteRange(offset=-limit)) == CONTENT[-limit:]
    with pytest.raises(errors.InvalidRange):
        await read(client, bucket, "s3", range=ByteRange(offset=len(CONTENT)))


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
async def test_checksums_agree(client: grpc.Client, s3: Any, bucket: str, algorithm: ChecksumAlgorithm) -> None:
    """A checksum given before or behind a gRPC body is verified and read over S3; a wrong one stores nothing."""
    right, wrong = (Checksums.of(algorithm, checksum(algorithm, data)) for data in (CONTENT, b"other"))
    before = PutObject(**named(bucket, "before"), checksums=right, body=BytesStream(CONTENT))
    behind = PutObject(**named(bucket, "behind"), checksum_algorithm=algorithm, body=BytesStream(CONTENT, right))
    for request in (before, behind):
        assert (await client.write_object(request)).checksums == right
        answer = s3.get_object(Bucket=bucket, Key=str(request.key), ChecksumMode="ENABLED")
        assert answer[f"Checksum{algorithm}"] == getattr(right, algorithm.field)
        assert answer["Body"].read() == CONTENT
    for request in (
        attrs.evolve(before, key=ObjectKey("no"), checksums=wrong),
        attrs.evolve(behind, key=ObjectKey("no"), body=BytesStream(CONTENT, wrong)),
    ):
        with pytest.raises(errors.BadDigest):
            await client.write_object(request)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["before", "behind"]


async def test_an_upload_begun_over_s3_is_completed_over_grpc(client: grpc.Client, s3: Any, bucket: str) -> None:
    """Parts through both fronts, and a copied one, make one object; both tell the same of it."""
    key = "a//b/../%2F +\u00fc\r\n"
    s3.put_object(Bucket=bucket, Key="source", Body=CONTENT)
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata=USER, ContentType="text/x-test")
    upload = {**named(bucket, key), "upload_id": UploadId.parse(begun["UploadId"])}
    contents = [CONTENT + CONTENT, CONTENT[::-1] * 2, CONTENT[MIB : 2 * MIB]]
    first = s3.upload_part(Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=contents[0])["ETag"].strip('"')
    second = await client.write_part(UploadPart(**upload, part_number=PartNumber(2), body=BytesStream(contents[1])))
    third = await client.copy_part(
        UploadPartCopy(
            **upload,
            part_number=PartNumber(3),
            source=CopySource(bucket=BucketName(bucket), key=ObjectKey("source")),
            source_range=ByteRange(offset=MIB, limit=MIB),
        )
    )
    etags = [first, second.etag, third.etag]
    assert etags == [md5(content).hex() for content in contents]
    stands = await client.query_upload(QueryUpload(**upload))
    assert (stands.parts_count, stands.size) == (3, sum(map(len, contents)))
    parts = (await client.list_parts(ListParts(**upload))).parts
    assert [(part.number, part.etag, part.size) for part in parts] == [
        (number, etag, len(content)) for number, (etag, content) in enumerate(zip(etags, contents, strict=True), 1)
    ]
    named_parts = tuple(CompletedPart(number=PartNumber(part.number), etag=part.etag) for part in parts)
    done = await client.complete_upload(CompleteMultipartUpload(**upload, parts=named_parts))
    expected = md5(b"".join(md5(content) for content in contents)).hex() + "-3"
    assert done.etag == expected
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert (answer["ETag"], answer["Metadata"], answer["ContentType"]) == (f'"{expected}"', USER, "text/x-test")
    assert answer["Body"].read() == b"".join(contents)
    assert await read(client, bucket, key) == b"".join(contents)
    assert await read(client, bucket, key, part_number=PartNumber(2)) == contents[1]


async def test_an_upload_begun_over_grpc_is_completed_over_s3(client: grpc.Client, s3: Any, bucket: str) -> None:
    """The other way round, with composite checksums."""
    begun = await client.start_upload(
        CreateMultipartUpload(**named(bucket, "k"), metadata=AS_FIELDS, checksum_algorithm=ChecksumAlgorithm.SHA256)
    )
    upload = {"Bucket": bucket, "Key": "k", "UploadId": begun.upload_id}
    contents = [CONTENT * 2, b"short"]
    one = await client.write_part(
        UploadPart(
            **named(bucket, "k"),
            upload_id=UploadId.parse(begun.upload_id),
            part_number=PartNumber(1),
            checksum_algorithm=ChecksumAlgorithm.SHA256,
            body=BytesStream(contents[0]),
        )
    )
    two = s3.upload_part(**upload, PartNumber=2, Body=contents[1], ChecksumAlgorithm="SHA256")
    assert [part["Size"] for part in s3.list_parts(**upload)["Parts"]] == [len(content) for content in contents]
    parts = [
        {"PartNumber": 1, "ETag": one.etag, "ChecksumSHA256": one.checksums.sha256},
        {"PartNumber": 2, "ETag": two["ETag"], "ChecksumSHA256": two["ChecksumSHA256"]},
    ]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    head = await client.head_object(HeadObject(**named(bucket, "k"), checksum_mode=ChecksumMode.ENABLED))
    assert (f'"{head.object.etag}"', head.object.checksums.sha256) == (done["ETag"], done["ChecksumSHA256"])
    composite = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).digest()
    assert done["ChecksumSHA256"] == base64.b64encode(composite).decode() + "-2"
    assert await read(client, bucket, "k") == b"".join(contents)


async def test_conditions_hold_across_fronts(client: grpc.Client, s3: Any, bucket: str) -> None:
    """A write that S3 made is seen by a gRPC condition, and the reverse; what fails changes nothing."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"s3")["ETag"]
    once = WriteConditions(if_none_match="*")
    with pytest.raises(errors.PreconditionFailed):
        await client.write_object(PutObject(**named(bucket, "k"), conditions=once, body=BytesStream(b"grpc")))
    with pytest.raises(errors.NotModified):
        await read(client, bucket, "k", conditions=ReadConditions(if_none_match=etag))
    written = await client.write_object(
        PutObject(**named(bucket, "k"), conditions=WriteConditions(if_match=etag), body=BytesStream(b"grpc"))
    )
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"s3", IfMatch=etag)
    assert error.value.response["Error"]["Code"] == "PreconditionFailed"
    s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfMatch=f'"{written.etag}"')
    assert await read(client, bucket, "k") == b"again"


async def test_a_copy_over_grpc_is_an_object_over_s3(client: grpc.Client, s3: Any, bucket: str) -> None:
    """CopyObject through gRPC keeps bytes, ETag and metadata."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, Metadata=USER)["ETag"]
    source = CopySource(bucket=BucketName(bucket), key=ObjectKey("k"))
    copied = await client.copy_object(CopyObject(**named(bucket, "copy"), source=source))
    answer = s3.get_object(Bucket=bucket, Key="copy")
    assert (answer["ETag"], f'"{copied.etag}"', answer["Metadata"]) == (etag, etag, USER)
    assert answer["Body"].read() == CONTENT


async def test_buckets_are_shared(client: grpc.Client, s3: Any, bucket: str) -> None:
    """A bucket made through one front is deleted through the other, and only when it is empty."""
    other = BucketName.parse(f"{bucket}-grpc")
    await client.create_bucket(CreateBucket(bucket=other))
    s3.put_object(Bucket=other, Key="k", Body=b"x")
    with pytest.raises(errors.BucketNotEmpty):
        await client.delete_bucket(DeleteBucket(bucket=other))
    s3.delete_object(Bucket=other, Key="k")
    s3.delete_bucket(Bucket=other)
    with pytest.raises(errors.NoSuchBucket):
        await client.list_objects(ListObjectsV2(bucket=other))


async def test_wrong_credentials_are_told_apart(server: servers.Server, bucket: str) -> None:
    """Over gRPC too: an unknown key is InvalidAccessKeyId, a wrong secret SignatureDoesNotMatch."""
    for access_key, secret_key, expected in (
        ("AKIANOBODYNOBODY0000", servers.SECRET_KEY, errors.InvalidAccessKeyId),
        (servers.ACCESS_KEY, "another-secret-of-forty-characters-0123456", errors.SignatureDoesNotMatch),
    ):
        async with grpc.connect(server.grpc, access_key=access_key, secret_key=secret_key) as stranger:
            with pytest.raises(expected):
                await stranger.list_objects(ListObjectsV2(bucket=BucketName(bucket)))
            with pytest.raises(expected):
                await stranger.write_object(PutObject(**named(bucket, "k"), body=BytesStream(b"x", NO_CHECKSUMS)))
