"""Multipart uploads.

Law: a part is acknowledged when it is durable; completing names the parts' pieces as one body, in
one transaction, and moves no bytes. Complete, abort and a late part all read the upload's state in
their own transaction, so that whichever commits first decides.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from lightningstor_server.service.acl import check_public, new_object_acl
from lightningstor_server.service.authorization import acl_permissions
from lightningstor_server.service.bodies import ingest
from lightningstor_server.service.core import Context
from lightningstor_server.service.integrity import (
    DEFAULT_ALGORITHM,
    Claims,
    multipart_type,
)
from lightningstor_server.service.locking import asked_lock, check_asked, lock_permissions
from lightningstor_server.service.objects import check_metadata
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.quotas import count, foresee
from lightningstor_server.service.tagging import new_object_tags, tags_permissions
from lightningstor_server.service.versions import next_revision
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import StoredPart, Upload
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.digests import ChecksumAlgorithm, Checksums
from lightningstor_types.names import LIST_MAX_KEYS
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.uploads import (
    AbortMultipartUpload,
    CreateMultipartUpload,
    CreateMultipartUploadResult,
    QueryUpload,
    QueryUploadResult,
    UploadPart,
    UploadPartResult,
)
from lightningstor_types.owners import Owner
from lightningstor_types.tenants import Project

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
    await count(tx, bucket, Usage(uploads_bytes=part.size - (replaced.size if replaced else 0)))


def ordinal_of(upload_id: str) -> int:
    """The place of an upload among those of its key, which its id begins with; -1 for an id of another form."""
    head = upload_id.partition("-")[0]
    return int(head, 16) if _ORDINAL.fullmatch(head) else -1


def _create_permissions(request: CreateMultipartUpload) -> Iterable[Permission]:
    write = Permission(action="s3:PutObject", bucket=request.bucket, key=request.key)
    tags = tags_permissions(request.bucket, request.key, request.tagging)
    acl = acl_permissions(request.bucket, request.key, request.acl)
    return (write, *acl, *tags, *lock_permissions(request.bucket, request.key, request.lock))


@operation(
    CreateMultipartUpload,
    Route("POST", Target.OBJECT, query=("uploads",)),
    rpc="ObjectService.StartUpload",
    action=_create_permissions,
)
async def create_multipart_upload(ctx: Context, request: CreateMultipartUpload) -> CreateMultipartUploadResult:
    """Begin an upload. AWS, CreateMultipartUpload."""
    check_metadata(request.metadata)
    tags = new_object_tags(request.tagging)
    algorithm, type_ = request.checksum_algorithm, request.checksum_type
    if algorithm is None and type_ is not None:
        raise errors.InvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
    if algorithm is not None:
        type_ = multipart_type(algorithm, type_)
    acl, lock, reading = await new_object_acl(ctx, request.acl, ctx.bucket), asked_lock(ctx, request.lock), ctx.reading()
    secret = secrets.token_urlsafe(UPLOAD_ID_RANDOM_BYTES)

    async def work(tx: Transaction) -> str:
        ordinal, bucket = await next_revision(tx, ctx.bucket)
        check_public(bucket, acl)  # it may have been blocked meanwhile
        await check_asked(tx, bucket, lock, reading)
        upload_id = f"{ordinal:x}-{secret}"
        await tx.uploads.create(
            Upload(
                id=upload_id,
                bucket=ctx.bucket.id,
                key=request.key,
                ordinal=ordinal,
                initiated=reading.wall,
                metadata=request.metadata,
                storage_class=request.storage_class,
                checksum_algorithm=algorithm,
                checksum_type=type_,
                acl=acl,
                tags=tags,
                lock=lock,
                initiator=ctx.owner,
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
    await foresee(ctx, lambda tx: _growth(tx, upload.id, request.part_number, request.body.length or 0))
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


async def _growth(tx: Transaction, upload_id: str, number: int, size: int) -> Usage:
    """What a part of so many bytes would count, as things are."""
    replaced = [part.size for part in await tx.uploads.parts(upload_id, number - 1, 1) if part.number == number]
    return Usage(uploads_bytes=size - sum(replaced))


def _claimed(request: UploadPart) -> Sequence[ChecksumAlgorithm]:
    """The algorithms that the sender named, if any."""
    named = [algorithm for algorithm, _ in request.checksums.items()]
    return named or ([request.checksum_algorithm] if request.checksum_algorithm else [])


async def release_parts(tx: Transaction, parts: Sequence[StoredPart]) -> None:
    """Release the parts' own hold on their chunks; what the object took stays. They are counted off apart."""
    for part in parts:
        await tx.bodies.release(part.body)


@operation(
    AbortMultipartUpload,
    Route("DELETE", Target.OBJECT, query=("uploadId",), status=204),
    rpc="ObjectService.CancelUpload",
    action="s3:AbortMultipartUpload",
)
async def abort_multipart_upload(ctx: Context, request: AbortMultipartUpload) -> Empty:
    """Give an upload up. AWS, AbortMultipartUpload."""

    async def work(tx: Transaction) -> None:
        await drop_upload(tx, ctx.bucket, await running_upload(tx, ctx.bucket, request.key, request.upload_id))

    await ctx.metadata.commit(work)
    return Empty()


async def drop_upload(tx: Transaction, bucket: Bucket, upload: Upload) -> None:
    """Remove an upload that was not completed, with its parts, and count them off."""
    parts = await tx.uploads.parts(upload.id)
    await tx.uploads.delete(upload.id)
    await release_parts(tx, parts)
    await count(tx, bucket, Usage(uploads_bytes=-sum(part.size for part in parts)))


async def drop_uploads(tx: Transaction, bucket: Bucket) -> None:
    """Give all uploads of a bucket up that were not completed."""
    while uploads := await tx.uploads.page(bucket.id, first=b"", after=-1, before=None, limit=LIST_MAX_KEYS):
        for upload in uploads:
            await drop_upload(tx, bucket, upload)


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
