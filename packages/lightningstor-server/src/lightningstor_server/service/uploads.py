"""Multipart uploads.

Law: a part is acknowledged when it is durable; completing names the parts' pieces as one body, in
one transaction, and moves no bytes. Complete, abort and a late part all read the upload's state in
their own transaction, so that whichever commits first decides.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import attrs

from lightningstor_server.service.bodies import ingest
from lightningstor_server.service.core import Context
from lightningstor_server.service.integrity import (
    DEFAULT_ALGORITHM,
    Claims,
    check_form,
    compose,
    composite_etag,
    multipart_type,
)
from lightningstor_server.service.objects import check_metadata, next_revision, replace
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.preconditions import check_write
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import PartChecksums, StoredPart, Upload, Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import LIST_MAX_KEYS, PART_MIN_BYTES, PART_NUMBER_MAX
from lightningstor_types.objects import Object
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.uploads import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CompleteMultipartUploadResult,
    CreateMultipartUpload,
    CreateMultipartUploadResult,
    QueryUpload,
    QueryUploadResult,
    UploadPart,
    UploadPartResult,
)
from lightningstor_types.owners import Owner
from lightningstor_types.tenants import Project
from lightningstor_types.uploads import CompletedPart

UPLOAD_ID_RANDOM_BYTES: Final = 24
_ORDINAL: Final = re.compile(r"[0-9a-f]{1,15}")


def owner_of(project: Project) -> Owner:
    """A project as S3 names the owner of something."""
    return Owner(id=project.canonical_id, display_name=project.display_name)


async def running_upload(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> Upload:
    """The upload, if it takes parts.

    Raises:
        NoSuchUpload: it does not exist, or is complete.
    """
    upload = await tx.uploads.get(bucket.id, key, upload_id)
    if upload is None or upload.completed is not None:
        raise errors.NoSuchUpload(UploadId=upload_id)
    return upload


async def enter_part(tx: Transaction, bucket: Bucket, upload_id: str, part: StoredPart) -> None:
    """Enter a part in the place of one that is there, and count the difference."""
    replaced = await tx.uploads.put_part(upload_id, part)
    if replaced is not None:
        await tx.bodies.release(replaced.body)
    await tx.usage.add(bucket, Usage(uploads_bytes=part.size - (replaced.size if replaced else 0)))


def ordinal_of(upload_id: str) -> int:
    """The place of an upload among those of its key, which its id begins with; -1 for an id of another form."""
    head = upload_id.partition("-")[0]
    return int(head, 16) if _ORDINAL.fullmatch(head) else -1


@operation(CreateMultipartUpload, Route("POST", Target.OBJECT, query=("uploads",)), rpc="ObjectService.StartUpload", action="s3:PutObject")
async def create_multipart_upload(ctx: Context, request: CreateMultipartUpload) -> CreateMultipartUploadResult:
    """Begin an upload. AWS, CreateMultipartUpload."""
    check_metadata(request.metadata)
    algorithm, type_ = request.checksum_algorithm, request.checksum_type
    if algorithm is None and type_ is not None:
        raise errors.InvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
    if algorithm is not None:
        type_ = multipart_type(algorithm, type_)
    secret = secrets.token_urlsafe(UPLOAD_ID_RANDOM_BYTES)

    async def work(tx: Transaction) -> str:
        ordinal = await next_revision(tx, ctx.bucket)
        upload_id = f"{ordinal:x}-{secret}"
        await tx.uploads.create(
            Upload(
                id=upload_id,
                bucket=ctx.bucket.id,
                key=request.key,
                ordinal=ordinal,
                initiated=ctx.now(),
                metadata=request.metadata,
                storage_class=request.storage_class,
                checksum_algorithm=algorithm,
                checksum_type=type_,
            )
        )
        return upload_id

    upload_id = await ctx.metadata.commit(work)
    return CreateMultipartUploadResult(
        bucket=request.bucket, key=request.key, upload_id=upload_id, checksum_algorithm=algorithm, checksum_type=type_
    )


def _part_claims(request: UploadPart, upload: Upload) -> Claims:
    """What the sender claims of a part; the upload's algorithm is always computed."""
    claims = Claims.of(request.content_md5, request.checksums, request.checksum_algorithm, fallback=None)
    wanted = upload.checksum_algorithm
    strangers = [algorithm for algorithm in claims.algorithms if wanted is not None and algorithm is not wanted]
    if strangers:
        raise errors.InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {strangers[0]}"
        )
    return attrs.evolve(claims, algorithms=tuple({*claims.algorithms, wanted or DEFAULT_ALGORITHM}))


@operation(UploadPart, Route("PUT", Target.OBJECT, query=("partNumber", "uploadId")), rpc="ObjectService.WritePart", action="s3:PutObject")
async def upload_part(ctx: Context, request: UploadPart) -> UploadPartResult:
    """Receive a part. AWS, UploadPart."""
    bucket = ctx.bucket
    upload = await ctx.metadata.read(lambda tx: running_upload(tx, bucket, request.key, request.upload_id))
    ingested = await ingest(ctx.blobs, request.body, _part_claims(request, upload), inline_max=0)
    now = ctx.now()

    async def work(tx: Transaction) -> None:
        await running_upload(tx, bucket, request.key, request.upload_id)
        part = StoredPart(
            number=request.part_number,
            size=ingested.size,
            etag=ingested.etag,
            checksums=ingested.checksums,
            modified=now,
            body=await tx.bodies.add_chunks(ingested.chunks),
        )
        await enter_part(tx, bucket, request.upload_id, part)

    try:
        await ctx.metadata.commit(work)
    except errors.StorError:
        await ingested.abandon(ctx.blobs)
        raise
    claimed = upload.checksum_algorithm or next(iter({*_claimed(request)}), DEFAULT_ALGORITHM)
    shown = Checksums.of(claimed, getattr(ingested.checksums, claimed.field))
    return UploadPartResult(etag=ingested.etag, checksums=shown, size=ingested.size)


def _claimed(request: UploadPart) -> Sequence[ChecksumAlgorithm]:
    """The algorithms that the sender named, if any."""
    named = [algorithm for algorithm, _ in request.checksums.items()]
    return named or ([request.checksum_algorithm] if request.checksum_algorithm else [])


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
    bucket, now = ctx.bucket, ctx.now()

    async def work(tx: Transaction) -> CompleteMultipartUploadResult:
        upload = await tx.uploads.get(bucket.id, request.key, request.upload_id)
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
        current = await tx.versions.current(bucket.id, request.key)
        check_write(request.conditions, current.object if current else None)
        item = Object(
            key=request.key,
            size=size,
            etag=composite_etag([part.etag for part in parts]),
            last_modified=now,
            revision=await next_revision(tx, bucket),
            storage_class=upload.storage_class,
            checksums=checksums,
            checksum_type=type_,
            parts_count=len(parts),
            metadata=upload.metadata,
        )
        pieces = [piece for part in parts if part.size for piece in await tx.bodies.pieces(part.body, 0, part.size)]
        body = await tx.bodies.add_pieces(pieces, [part.size for part in parts], _part_checksums(upload, parts))
        answer = {"etag": item.etag, "checksums": {a.field: v for a, v in checksums.items()}, "checksum_type": type_}
        await tx.uploads.complete(upload.id, json.dumps(answer), now)
        await _drop_parts(tx, bucket, stored)
        await replace(tx, bucket, current, Version(object=item, body=body))
        return _answer(request, answer)

    return await ctx.metadata.commit(work)


def _part_checksums(upload: Upload, parts: Sequence[StoredPart]) -> PartChecksums | None:
    """The parts' checksums, which an object keeps only of the algorithm that its upload named (AWS, GetObjectAttributes)."""
    algorithm = upload.checksum_algorithm
    if algorithm is None:
        return None
    return PartChecksums(algorithm=algorithm, values=tuple([getattr(part.checksums, algorithm.field) for part in parts]))


async def _drop_parts(tx: Transaction, bucket: Bucket, parts: Sequence[StoredPart]) -> None:
    """Release the parts' own hold on their chunks; what the object took stays."""
    for part in parts:
        await tx.bodies.release(part.body)
    await tx.usage.add(bucket, Usage(uploads_bytes=-sum(part.size for part in parts)))


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
    )


@operation(
    AbortMultipartUpload,
    Route("DELETE", Target.OBJECT, query=("uploadId",), status=204),
    rpc="ObjectService.CancelUpload",
    action="s3:AbortMultipartUpload",
)
async def abort_multipart_upload(ctx: Context, request: AbortMultipartUpload) -> Empty:
    """Give an upload up. AWS, AbortMultipartUpload."""

    async def work(tx: Transaction) -> None:
        await _drop(tx, ctx.bucket, await running_upload(tx, ctx.bucket, request.key, request.upload_id))

    await ctx.metadata.commit(work)
    return Empty()


async def _drop(tx: Transaction, bucket: Bucket, upload: Upload) -> None:
    parts = await tx.uploads.parts(upload.id)
    await tx.uploads.delete(upload.id)
    await _drop_parts(tx, bucket, parts)


async def drop_uploads(tx: Transaction, bucket: Bucket) -> None:
    """Give all uploads of a bucket up that were not completed."""
    while uploads := await tx.uploads.page(bucket.id, first=b"", after=-1, before=None, limit=LIST_MAX_KEYS):
        for upload in uploads:
            await _drop(tx, bucket, upload)


@operation(QueryUpload, rpc="ObjectService.QueryUpload", action="s3:ListMultipartUploadParts")
async def query_upload(ctx: Context, request: QueryUpload) -> QueryUploadResult:
    """Where an upload stands."""

    async def work(tx: Transaction) -> QueryUploadResult:
        upload = await running_upload(tx, ctx.bucket, request.key, request.upload_id)
        parts = await tx.uploads.parts(upload.id)
        return QueryUploadResult(
            upload_id=upload.id, initiated=upload.initiated, parts_count=len(parts), size=sum(part.size for part in parts)
        )

    return await ctx.metadata.read(work)
