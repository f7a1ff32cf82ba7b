"""Scenarios of multipart uploads, from their beginning to their listing."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import PART_MIN_BYTES, BucketName, ObjectKey, PartNumber, UploadId
from lightningstor_types.objects import ByteRange, CopySource, StorageClass
from lightningstor_types.operations.copying import UploadPartCopy
from lightningstor_types.operations.listing import EncodingType
from lightningstor_types.operations.objects import GetObject, HeadObject, PutObject
from lightningstor_types.operations.upload_listing import ListMultipartUploads, ListParts
from lightningstor_types.operations.uploads import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    UploadPart,
)
from lightningstor_types.uploads import CompletedPart
from scenarios.objects import BUCKET, CHECKED, CLAIMS, CONDITIONS, CONTENT, EVERYTHING, KEY, WRITES, look
from scenarios.play import Play, body, scenario

FIRST = bytes(range(256)) * (PART_MIN_BYTES // 256)
AT = {"bucket": BUCKET, "key": KEY}
FULL, COMPOSITE = ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE


async def begun(play: Play, **how: Any) -> UploadId:
    """An upload that takes parts."""
    started = await play(CreateMultipartUpload(**AT, **how))
    return UploadId(started.upload_id)


async def part(play: Play, upload: UploadId, number: int, content: bytes = CONTENT, **how: Any) -> CompletedPart:
    """A part that was written, as completing names it."""
    written = await play(UploadPart(**AT, upload_id=upload, part_number=PartNumber(number), body=body(content), **how))
    return CompletedPart(number=PartNumber(number), etag=written.etag, checksums=written.checksums)


def complete(upload: UploadId, *parts: CompletedPart, **how: Any) -> CompleteMultipartUpload:
    """The request that makes the object."""
    return CompleteMultipartUpload(**AT, upload_id=upload, parts=parts, **how)


@scenario
async def upload_of_two_parts(play: Play) -> None:
    """An upload from its beginning to the reads of its parts; a retried completion gets the same answer."""
    await play.bucket()
    upload = await begun(play, metadata=EVERYTHING, storage_class=StorageClass.STANDARD_IA)
    parts = [await part(play, upload, 7, b"tail"), await part(play, upload, 2, FIRST)]
    await play(ListParts(**AT, upload_id=upload))
    await play(HeadObject(**AT))
    request = complete(upload, *reversed(parts), object_size=PART_MIN_BYTES + 4)
    await play(request)
    await play(request)
    await look(play)
    for number in (1, 2, 3, 10_000):
        for read in (GetObject, HeadObject):
            await play(read(**AT, part_number=PartNumber(number), checksum_mode=CHECKED))
    await play(GetObject(**AT, range=ByteRange(offset=PART_MIN_BYTES - 2, limit=4)))
    await play(ListParts(**AT, upload_id=upload))
    await play(AbortMultipartUpload(**AT, upload_id=upload))


@scenario
async def checksums_of_uploads(play: Play) -> None:
    """Every algorithm with every type: what composes is told, what cannot is refused."""
    await play.bucket()
    await play(CreateMultipartUpload(**AT, checksum_type=FULL))
    for algorithm in ChecksumAlgorithm:
        for type_ in (None, FULL, COMPOSITE):
            started = await play(CreateMultipartUpload(**AT, checksum_algorithm=algorithm, checksum_type=type_))
            if started is None:
                continue
            upload = UploadId(started.upload_id)
            parts = [await part(play, upload, 1, FIRST, checksum_algorithm=algorithm), await part(play, upload, 2)]
            await play(complete(upload, *parts, checksum_type=FULL if type_ is COMPOSITE else COMPOSITE))
            await play(complete(upload, parts[0], evolve(parts[1], checksums=parts[0].checksums)))
            await play(complete(upload, *parts, checksum_type=type_))
            await look(play)


@scenario
async def checksum_of_the_whole(play: Play) -> None:
    """The checksum that completing claims is compared."""
    await play.bucket()
    for claimed in ("AAAAAA==", "no base64", None):
        upload = await begun(play, checksum_algorithm=ChecksumAlgorithm.CRC32, checksum_type=FULL)
        only = await part(play, upload, 1)
        await play(complete(upload, only, full_checksums=Checksums(crc32=claimed or only.checksums.crc32)))
        await play(HeadObject(**AT, checksum_mode=CHECKED))


@scenario
async def digests_of_parts(play: Play) -> None:
    """Every digest that a part's writer can claim, in an upload without an algorithm and in one with another."""
    await play.bucket()
    for how in ({}, {"checksum_algorithm": ChecksumAlgorithm.CRC32}):
        upload = await begun(play, **how)
        for number, claims in enumerate(CLAIMS, 1):
            await play(UploadPart(**AT, upload_id=upload, part_number=PartNumber(number), body=body(CONTENT), **claims))
        await play(ListParts(**AT, upload_id=upload))


@scenario
async def wrong_completions(play: Play) -> None:
    """Parts that are not there, are others, are out of order, too small or none; and wrong sizes."""
    await play.bucket()
    upload = await begun(play)
    one, two = await part(play, upload, 1), await part(play, upload, 2)
    for parts in ((), (two, one), (one, one), (evolve(one, etag=ETag("0" * 32)),), (evolve(one, number=PartNumber(3)),), (one, two)):
        await play(complete(upload, *parts))
    await play(complete(upload, one, object_size=1))
    await play(complete(UploadId("no-such-upload"), one))
    await play(CompleteMultipartUpload(bucket=BUCKET, key=ObjectKey("another"), upload_id=upload, parts=(one,)))
    await play(HeadObject(**AT))
    await play(ListParts(**AT, upload_id=upload))
    await play(complete(upload, one))
    await look(play)


@scenario
async def conditional_completions(play: Play) -> None:
    """Conditions of a completion are a write's."""
    await play.bucket()
    for conditions in WRITES:
        upload = await begun(play)
        only = await part(play, upload, 1)
        await play(complete(upload, only, conditions=conditions))
        await play(PutObject(**AT, body=body(CONTENT)))
        await play(complete(upload, only, conditions=conditions))
        await look(play)


@scenario
async def aborted_uploads(play: Play) -> None:
    """An upload that was given up, or never begun, takes nothing."""
    await play.bucket()
    upload = await begun(play)
    only = await part(play, upload, 1)
    await play(AbortMultipartUpload(**AT, upload_id=upload))
    for gone in (upload, UploadId("never"), UploadId("no/form/of/an/id")):
        await play(AbortMultipartUpload(**AT, upload_id=gone))
        await play(UploadPart(**AT, upload_id=gone, part_number=PartNumber(1), body=body()))
        await play(UploadPartCopy(**AT, upload_id=gone, part_number=PartNumber(1), source=CopySource(bucket=BUCKET, key=KEY)))
        await play(ListParts(**AT, upload_id=gone))
        await play(complete(gone, only))
    nowhere = {"bucket": BucketName("nowhere"), "key": KEY}
    await play(CreateMultipartUpload(**nowhere))
    await play(AbortMultipartUpload(**nowhere, upload_id=upload))
    await play(ListMultipartUploads(bucket=nowhere["bucket"]))


@scenario
async def part_numbers(play: Play) -> None:
    """1 to 10,000; a part under a number that is taken replaces the other."""
    await play.bucket()
    upload = await begun(play)
    for number in (0, 1, 10_000, 10_001, -1):
        await play(UploadPart(**AT, upload_id=upload, part_number=PartNumber(number), body=body()))
    await play(UploadPart(**AT, upload_id=upload, part_number=PartNumber(1), body=body(b"again")))
    await play(UploadPart(**AT, upload_id=upload, part_number=PartNumber(2), body=body(b"")))
    await play(ListParts(**AT, upload_id=upload))


@scenario
async def copied_parts(play: Play) -> None:
    """Parts made of an object, of a range of it, of an inline one and of an empty one."""
    await play.bucket()
    for key, content in (("large", FIRST), ("small", CONTENT), ("empty", b"")):
        await play(PutObject(bucket=BUCKET, key=ObjectKey(key), body=body(content)))
    for how in ({}, {"checksum_algorithm": ChecksumAlgorithm.SHA256}):
        upload = await begun(play, **how)
        spans = [(None, None), (0, 5), (3, 4), (PART_MIN_BYTES - 1, 1), (PART_MIN_BYTES - 1, 2), (5, None), (-5, None)]
        for number, (offset, limit) in enumerate(spans, 1):
            span = None if offset is None else ByteRange(offset=offset, limit=limit)
            where = {"upload_id": upload, "part_number": PartNumber(number)}
            for key in ("large", "small", "empty", "missing"):
                await play(UploadPartCopy(**AT, **where, source=CopySource(bucket=BUCKET, key=ObjectKey(key)), source_range=span))
        parts = [await copied(play, upload), await part(play, upload, 9, b"tail")]
        await play(ListParts(**AT, upload_id=upload))
        await play(complete(upload, *parts))
        await look(play)


async def copied(play: Play, upload: UploadId) -> CompletedPart:
    """Part 1 again, of the large object."""
    source = CopySource(bucket=BUCKET, key=ObjectKey("large"))
    made = await play(UploadPartCopy(**AT, upload_id=upload, part_number=PartNumber(1), source=source))
    return CompletedPart(number=PartNumber(1), etag=made.etag, checksums=made.checksums)


@scenario
async def conditional_part_copies(play: Play) -> None:
    """Conditions on the source, and whose it is expected to be."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=ObjectKey("source"), body=body(CONTENT)))
    upload = await begun(play)
    where = {"upload_id": upload, "part_number": PartNumber(1), "source": CopySource(bucket=BUCKET, key=ObjectKey("source"))}
    for conditions in CONDITIONS:
        await play(UploadPartCopy(**AT, **where, source_conditions=conditions))
    for owner in ("canonical-alpha", "canonical-beta"):
        await play(UploadPartCopy(**AT, **where, expected_source_owner=owner))


@scenario
async def pages_of_parts(play: Play) -> None:
    """Parts by pages of every size."""
    await play.bucket()
    upload = await begun(play)
    for number in (3, 1, 10, 2, 10_000):
        await part(play, upload, number)
    for size in (0, 1, 2, 4, 5, 6, 1000, 1001, -1):
        for marker in (0, 1, 3, 9_999, 10_000):
            await play(ListParts(**AT, upload_id=upload, max_parts=size, part_number_marker=marker))


@scenario
async def pages_of_uploads(play: Play) -> None:
    """Uploads by pages, by prefix, by delimiter and from every marker; several of one key in the order they began."""
    await play.bucket()
    uploads = []
    for key in ("b", "a/1", "a/2", "b", "c/d/e", "ü/1", "b"):
        started = await play(CreateMultipartUpload(bucket=BUCKET, key=ObjectKey(key)))
        uploads.append(UploadId(started.upload_id))
    for prefix in (None, "a", "a/", "b", "z"):
        for delimiter in (None, "/", "d"):
            await play(ListMultipartUploads(bucket=BUCKET, prefix=prefix, delimiter=delimiter))
    for size in (1, 2, 3, 5):
        for delimiter in (None, "/"):
            key_marker = upload_marker = None
            while True:
                page = await play(
                    ListMultipartUploads(
                        bucket=BUCKET, max_uploads=size, delimiter=delimiter, key_marker=key_marker, upload_id_marker=upload_marker,
                        encoding_type=EncodingType.URL,
                    )
                )  # fmt: skip
                if not page.truncated:
                    break
                key_marker, upload_marker = page.next_key_marker, page.next_upload_id_marker
    await play(ListMultipartUploads(bucket=BUCKET, key_marker="b"))
    await play(ListMultipartUploads(bucket=BUCKET, upload_id_marker=uploads[0]))
    await play(ListMultipartUploads(bucket=BUCKET, key_marker="b", upload_id_marker=uploads[3]))
    for size in (0, -1, 1001):
        await play(ListMultipartUploads(bucket=BUCKET, max_uploads=size))
