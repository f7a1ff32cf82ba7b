"""CompleteMultipartUpload.

Law: the parts' pieces become one body in one transaction, which moves no bytes. What the upload became
is kept, so that a retry of the completion gets the same answer. Source: AWS, CompleteMultipartUpload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from lightningstor_server.service.core import Context
from lightningstor_server.service.integrity import (
    DEFAULT_ALGORITHM,
    check_form,
    compose,
    composite_etag,
)
from lightningstor_server.service.locking import new_lock
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.preconditions import check_write
from lightningstor_server.service.uploads import release_parts
from lightningstor_server.service.versions import next_revision, write
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import PartChecksums, StoredPart, Upload, Version
from lightningstor_types import errors
from lightningstor_types.digests import Checksums, ChecksumType, ETag
from lightningstor_types.names import PART_MIN_BYTES, PART_NUMBER_MAX
from lightningstor_types.objects import Object
from lightningstor_types.operations.uploads import (
    CompleteMultipartUpload,
    CompleteMultipartUploadResult,
)
from lightningstor_types.uploads import CompletedPart


def _chosen(request: CompleteMultipartUpload, stored: Sequence[StoredPart]) -> list[StoredPart]:
    """The parts that the client names, if they are there and may stand in that order.

    Raises:
        MalformedXML: there are none, or more than 10,000.
        InvalidPartOrder, InvalidPart, EntityTooSmall: as their texts say.
    """
    if not 1 <= len(request.parts) <= PART_NUMBER_MAX:
        raise errors.MalformedXML
    numbers = [part.number for part in request.parts]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise errors.InvalidPartOrder(UploadId=request.upload_id)
    by_number = {part.number: part for part in stored}
    chosen = [_agreed(request, wanted, by_number.get(wanted.number)) for wanted in request.parts]
    for part in chosen[:-1]:
        if part.size < PART_MIN_BYTES:
            raise errors.EntityTooSmall(
                ProposedSize=str(part.size), MinSizeAllowed=str(PART_MIN_BYTES), PartNumber=str(part.number), ETag=part.etag
            )
    return chosen


def _agreed(request: CompleteMultipartUpload, wanted: CompletedPart, found: StoredPart | None) -> StoredPart:
    """The stored part, if it is the one that the client means."""
    if found is None or found.etag != wanted.etag:
        raise errors.InvalidPart(UploadId=request.upload_id, PartNumber=str(wanted.number), ETag=wanted.etag)
    for algorithm, value in wanted.checksums.items():
        if getattr(found.checksums, algorithm.field) not in {None, value}:
            raise errors.InvalidPart(UploadId=request.upload_id, PartNumber=str(wanted.number), ETag=wanted.etag)
    return found


def _composed(request: CompleteMultipartUpload, upload: Upload, parts: Sequence[StoredPart]) -> tuple[Checksums, ChecksumType | None]:
    """The checksum of the whole, and what it covers.

    Raises:
        BadDigest: the client claims another one.
        InvalidRequest: the client means another type or another algorithm than the upload has.
    """
    algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM
    type_ = upload.checksum_type or ChecksumType.FULL_OBJECT
    if request.checksum_type not in {None, type_}:
        raise errors.InvalidRequest(
            f"The upload was created using the {type_} checksum mode. The complete request must use the same checksum mode."
        )
    found = compose(algorithm, type_, [(part.checksums, part.size) for part in parts])
    if type_ is ChecksumType.FULL_OBJECT:
        check_form(request.full_checksums)
    for claimed, value in request.full_checksums.items():
        if claimed is not algorithm:
            raise errors.InvalidRequest(f"The upload was created using the {algorithm} checksum algorithm, not {claimed}.")
        computed = getattr(found, claimed.field) if found else None
        if computed is not None and value not in {computed, computed.split("-")[0]}:
            raise errors.BadDigest(f"The {claimed} you specified did not match the calculated checksum.")
    return found or Checksums(), type_ if found else None


@operation(
    CompleteMultipartUpload,
    Route("POST", Target.OBJECT, query=("uploadId",)),
    rpc="ObjectService.CompleteUpload",
    action="s3:PutObject",
)
async def complete_multipart_upload(ctx: Context, request: CompleteMultipartUpload) -> CompleteMultipartUploadResult:
    """Make the object of the parts, once; a retry is told what it became. AWS, CompleteMultipartUpload."""
    reading = ctx.reading()

    async def work(tx: Transaction) -> CompleteMultipartUploadResult:
        upload = await tx.uploads.get(ctx.bucket.id, request.key, request.upload_id)
        if upload is None:
            raise errors.NoSuchUpload(UploadId=request.upload_id)
        if upload.completed is not None:
            return _answer(request, json.loads(upload.completed))
        stored = await tx.uploads.parts(upload.id)
        parts = _chosen(request, stored)
        size = sum(part.size for part in parts)
        if request.object_size not in {None, size}:
            raise errors.InvalidRequest("The provided 'x-amz-mp-object-size' header value does not match what was computed.")
        checksums, type_ = _composed(request, upload, parts)
        current = await tx.versions.current(ctx.bucket.id, request.key)
        check_write(request.conditions, current.object if current else None)
        revision, bucket = await next_revision(tx, ctx.bucket)
        item = Object(
            key=request.key,
            size=size,
            etag=composite_etag([part.etag for part in parts]),
            last_modified=reading.wall,
            revision=revision,
            storage_class=upload.storage_class,
            checksums=checksums,
            checksum_type=type_,
            parts_count=len(parts),
            metadata=upload.metadata,
        )
        pieces = [piece for part in parts if part.size for piece in await tx.bodies.pieces(part.body, 0, part.size)]
        body = await tx.bodies.add_pieces(pieces, [part.size for part in parts], _part_checksums(upload, parts))
        freed = sum(part.size for part in stored)
        lock = await new_lock(tx, bucket, upload.lock, reading)
        new = Version(object=item, body=body, acl=upload.acl, tags=upload.tags, lock=lock)
        entered = await write(tx, bucket, current, new, freed_bytes=freed)
        answer = {
            "etag": item.etag,
            "version_id": entered.object.version_id,
            "checksums": {a.field: v for a, v in checksums.items()},
            "checksum_type": type_,
        }
        await tx.uploads.complete(upload.id, json.dumps(answer), reading.wall)
        await release_parts(tx, stored)
        return _answer(request, answer)

    return await ctx.metadata.commit(work)


def _part_checksums(upload: Upload, parts: Sequence[StoredPart]) -> PartChecksums:
    """The parts' checksums, of the algorithm of the whole's (AWS, GetObjectAttributes)."""
    algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM
    return PartChecksums(algorithm=algorithm, values=tuple([getattr(part.checksums, algorithm.field) for part in parts]))


def _answer(request: CompleteMultipartUpload, kept: Mapping[str, object]) -> CompleteMultipartUploadResult:
    """The answer from what was kept of the completion."""
    checksums = kept["checksums"]
    return CompleteMultipartUploadResult(
        location=f"/{request.bucket}/{request.key}",
        bucket=request.bucket,
        key=request.key,
        etag=ETag(kept["etag"]),
        checksums=Checksums(**checksums) if isinstance(checksums, dict) else Checksums(),
        checksum_type=ChecksumType(str(kept["checksum_type"])) if kept["checksum_type"] else None,
        version_id=str(kept["version_id"]) if kept.get("version_id") else None,
    )
