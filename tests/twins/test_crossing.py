"""One namespace behind two fronts: what is written on one face is read on the other as it was written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import evolve

from faces import Face, Rig, grpc_face, rig
from lightningstor_types.digests import ChecksumAlgorithm, ETag
from lightningstor_types.errors import InvalidArgument, StorError
from lightningstor_types.names import PART_MIN_BYTES, BucketName, ObjectKey, PartNumber
from lightningstor_types.objects import CopySource, ObjectMetadata
from lightningstor_types.operations.buckets import CreateBucket, DeleteBucket, ListBuckets
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import DeleteObject, GetObject, HeadObject, PutObject, UpdateObject
from lightningstor_types.operations.uploads import CompleteMultipartUpload, CreateMultipartUpload, UploadPart
from lightningstor_types.streams import BytesStream
from lightningstor_types.uploads import CompletedPart
from scenarios.objects import CHECKED, EVERYTHING, ODD_KEYS
from scenarios.play import Play

BUCKET, KEY = BucketName("bucket"), ObjectKey("key")
BOTH_WAYS = pytest.mark.parametrize("backwards", [False, True], ids=["s3 to grpc", "grpc to s3"])


@pytest.fixture
async def store() -> AsyncIterator[Rig]:
    """A store with a bucket."""
    async with rig() as made:
        await made(CreateBucket(bucket=BUCKET))
        yield made


@pytest.fixture
async def grpc(store: Rig) -> AsyncIterator[Face]:
    """Its gRPC face."""
    async with grpc_face(store) as face:
        yield face


def faces(store: Rig, grpc: Face, *, backwards: bool) -> Iterator[Face]:
    """The face that writes and the one that reads."""
    return reversed((store.s3(), grpc)) if backwards else iter((store.s3(), grpc))


async def told(face: Face, request: Any) -> Any:
    """What a face tells, as far as both can."""
    play = Play(face=face)
    await play(request)
    return play.log[0][1]


@BOTH_WAYS
@pytest.mark.parametrize("size", [0, 1, 16 << 10, (16 << 10) + 1, 3 << 20])
async def test_an_object(store: Rig, grpc: Face, size: int, *, backwards: bool) -> None:
    """Bytes, entity tag, checksums and metadata are those that the writer was told, whatever the size."""
    writer, reader = faces(store, grpc, backwards=backwards)
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    for algorithm in ChecksumAlgorithm:
        written = await writer(
            PutObject(bucket=BUCKET, key=KEY, body=BytesStream(content), metadata=EVERYTHING, checksum_algorithm=algorithm)
        )
        read = await reader(GetObject(bucket=BUCKET, key=KEY, checksum_mode=CHECKED))
        assert read.body.content == content
        assert (read.object.etag, read.object.checksums) == (written.etag, written.checksums)
        assert (read.object.metadata, read.content_length) == (EVERYTHING, size)
        for request in (GetObject(bucket=BUCKET, key=KEY), HeadObject(bucket=BUCKET, key=KEY, checksum_mode=CHECKED)):
            assert await told(reader, request) == await told(writer, request)


@BOTH_WAYS
async def test_odd_keys(store: Rig, grpc: Face, *, backwards: bool) -> None:
    """A key is the same bytes on both faces, control characters too; each face lists and deletes what the other wrote."""
    writer, reader = faces(store, grpc, backwards=backwards)
    keys = sorted([*ODD_KEYS, "a\rb", "a\nb", "\x7f"], key=str.encode)
    for key in keys:
        await writer(PutObject(bucket=BUCKET, key=ObjectKey(key), body=BytesStream(key.encode())))
    assert [item.key for item in (await reader(ListObjectsV2(bucket=BUCKET))).objects] == keys
    for key in keys:
        assert (await reader(GetObject(bucket=BUCKET, key=ObjectKey(key)))).body.content == key.encode()
        await reader(DeleteObject(bucket=BUCKET, key=ObjectKey(key)))
        with pytest.raises(StorError, match="does not exist"):
            await writer(GetObject(bucket=BUCKET, key=ObjectKey(key)))


@BOTH_WAYS
async def test_an_upload_of_both(store: Rig, grpc: Face, *, backwards: bool) -> None:
    """An upload that is begun on one face takes parts of both, and is completed on the other."""
    one, other = faces(store, grpc, backwards=backwards)
    upload = (await one(CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=EVERYTHING))).upload_id
    parts = []
    for number, (face, content) in enumerate(((other, b"a" * PART_MIN_BYTES), (one, b"b")), 1):
        request = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload, part_number=PartNumber(number), body=BytesStream(content))
        parts.append(CompletedPart(number=PartNumber(number), etag=ETag((await face(request)).etag)))
    complete = CompleteMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload, parts=tuple(parts))
    assert await told(other, complete) == await told(one, complete)
    request = GetObject(bucket=BUCKET, key=KEY, part_number=PartNumber(2))
    assert await told(one, request) == await told(other, request)


@BOTH_WAYS
async def test_a_bucket(store: Rig, grpc: Face, *, backwards: bool) -> None:
    """A bucket that one face makes is there for the other at once, and one that it deletes is gone."""
    writer, reader = faces(store, grpc, backwards=backwards)
    fresh = BucketName("fresh")
    await writer(CreateBucket(bucket=fresh))
    assert fresh in [bucket.name for bucket in (await reader(ListBuckets())).buckets]
    await reader(PutObject(bucket=fresh, key=KEY, body=BytesStream(b"x")))
    await writer(DeleteObject(bucket=fresh, key=KEY))
    await writer(DeleteBucket(bucket=fresh))
    with pytest.raises(StorError, match="bucket does not exist"):
        await reader(PutObject(bucket=fresh, key=KEY, body=BytesStream(b"x")))


NOT_FOR_HEADERS = [
    ObjectMetadata(user={"a\r\nset-cookie: b": "c"}),
    ObjectMetadata(user={"a": "b\r\nset-cookie: c"}),
    ObjectMetadata(user={"a": "\x00"}),
    ObjectMetadata(user={"a b": "c"}),
    ObjectMetadata(user={"": "c"}),
    ObjectMetadata(user={"Upper": "c"}),
    ObjectMetadata(user={"ü": "c"}),
    ObjectMetadata(content_type="a\r\nset-cookie: b"),
    ObjectMetadata(cache_control="\n"),
    ObjectMetadata(content_disposition="\x01"),
    ObjectMetadata(website_redirect="a\x7f"),
]


@pytest.mark.parametrize("metadata", NOT_FOR_HEADERS, ids=range(len(NOT_FOR_HEADERS)))
async def test_metadata_that_no_header_can_hold(store: Rig, grpc: Face, metadata: ObjectMetadata) -> None:
    """GRPC takes no metadata that S3 could not tell: names that are none, or are not in lower case, and control characters."""
    before = store.dump()
    at = {"bucket": BUCKET, "key": KEY, "metadata": metadata}
    for request in (PutObject(**at, body=BytesStream(b"x")), CreateMultipartUpload(**at)):
        with pytest.raises(InvalidArgument):
            await grpc(request)
    assert store.dump() == before


@pytest.mark.parametrize("metadata", NOT_FOR_HEADERS, ids=range(len(NOT_FOR_HEADERS)))
async def test_metadata_that_no_header_can_hold_in_place(store: Rig, grpc: Face, metadata: ObjectMetadata) -> None:
    """The same where metadata are changed in place, or replaced by a copy."""
    await store(PutObject(bucket=BUCKET, key=KEY, body=BytesStream(b"x")))
    before = store.dump()
    copy = CopyObject(bucket=BUCKET, key=ObjectKey("copy"), source=CopySource(bucket=BUCKET, key=KEY), metadata=metadata)
    for request in (UpdateObject(bucket=BUCKET, key=KEY, metadata=metadata), evolve(copy, metadata_directive="REPLACE")):
        with pytest.raises(InvalidArgument):
            await grpc(request)
    assert store.dump() == before


async def test_metadata_changed_in_place(store: Rig, grpc: Face) -> None:
    """What UpdateObject changes over gRPC, S3 tells; bytes and entity tag stay."""
    written = await store(PutObject(bucket=BUCKET, key=KEY, body=BytesStream(b"x"), metadata=EVERYTHING))
    changed = ObjectMetadata(content_type="x/y", user={"new": "1"})
    await grpc(UpdateObject(bucket=BUCKET, key=KEY, metadata=changed, update_mask=("content_type",)))
    read = await store(GetObject(bucket=BUCKET, key=KEY))
    assert (read.object.metadata, read.object.etag) == (evolve(EVERYTHING, content_type="x/y"), written.etag)
    await grpc(UpdateObject(bucket=BUCKET, key=KEY, metadata=changed))
    assert (await store(GetObject(bucket=BUCKET, key=KEY))).object.metadata == changed
