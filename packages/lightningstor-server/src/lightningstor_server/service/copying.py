"""CopyObject and UploadPartCopy.

Law: a copy moves no bytes; it names the pieces of the source's chunks again, in the one
transaction that reads the source and checks its conditions. Source and destination are authorised
apart. Only a checksum that the source does not have makes the bytes be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import attrs

from lightningstor_server.service.acl import check_public, new_object_acl
from lightningstor_server.service.authorization import acl_permissions
from lightningstor_server.service.bodies import Located, locate
from lightningstor_server.service.core import Context
from lightningstor_server.service.integrity import DEFAULT_ALGORITHM, Digester, etag_of
from lightningstor_server.service.locking import asked_lock, check_asked, lock_permissions, new_lock
from lightningstor_server.service.objects import check_metadata
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.preconditions import check_source, check_write
from lightningstor_server.service.tagging import copied_tags, new_object_tags, tags_permissions
from lightningstor_server.service.uploads import enter_part, running_upload
from lightningstor_server.service.versions import next_revision, shown_id, wanted, write
from lightningstor_server.stores.blobs.base import Chunk
from lightningstor_server.stores.errors import Missing
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import StoredPart, Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType
from lightningstor_types.names import PART_MAX_BYTES
from lightningstor_types.objects import ByteRange, CopySource, Object, StorageClass
from lightningstor_types.operations.common import ReadConditions
from lightningstor_types.operations.copying import (
    CopyObject,
    CopyObjectResult,
    MetadataDirective,
    UploadPartCopy,
    UploadPartCopyResult,
)
from lightningstor_types.operations.tagging import TaggingDirective

_ITSELF: Final = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, "
    "storage class, website redirect location or encryption attributes."
)


def _copy_permissions(request: CopyObject) -> Iterable[Permission]:
    replaces = request.tagging_directive is TaggingDirective.REPLACE
    tags = tags_permissions(request.bucket, request.key, request.tagging if replaces else None)
    acl = acl_permissions(request.bucket, request.key, request.acl)
    return (*_permissions(request), *acl, *tags, *lock_permissions(request.bucket, request.key, request.lock))


def _permissions(request: CopyObject | UploadPartCopy) -> Iterable[Permission]:
    """The destination first: it is the request's own bucket."""
    action = "s3:GetObject" if request.source.version_id is None else "s3:GetObjectVersion"
    return (
        Permission(action="s3:PutObject", bucket=request.bucket, key=request.key),
        Permission(action=action, bucket=request.source.bucket, key=request.source.key, version=request.source.version_id),
    )


async def _source(ctx: Context, tx: Transaction, bucket: Bucket, source: CopySource, conditions: ReadConditions) -> Version:
    """The version that is copied.

    Raises:
        NoSuchKey, NoSuchVersion: it is not there.
        InvalidRequest: it is a delete marker that was named (AWS, CopyObject).
        PreconditionFailed: it is not wanted.
    """
    try:
        version = await wanted(tx, bucket, source.key, source.version_id)
    except errors.MethodNotAllowed:
        raise errors.InvalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.") from None
    ctx.check_object(bucket, version)
    check_source(conditions, version.object)
    return version


def _check_owner(origin: Bucket, expected: str | None) -> None:
    """Refuse where the source's bucket is not whose the caller thinks (AWS, "Verifying bucket ownership")."""
    if expected not in {None, origin.owner.id}:
        raise errors.AccessDenied


@attrs.frozen(kw_only=True)
class _Computed:
    """Digests of bytes that had to be read, and the source's revision that they are of."""

    revision: int
    first: int
    length: int
    md5: bytes
    checksums: Checksums
    inline: bytes | None
    """The bytes, where they are no chunk's."""


Cut = Callable[[int], tuple[int, int]]
"""From the source's size to the first byte and the length that are wanted of it."""


async def _compute(
    ctx: Context, bucket: Bucket, wanted: CopySource, conditions: ReadConditions, cut: Cut, algorithm: ChecksumAlgorithm
) -> _Computed:
    """Read the source once, for the digests of what is wanted of it.

    Raises:
        ConditionalRequestConflict: it was replaced while it was read.
    """

    async def work(tx: Transaction) -> tuple[Object, int, int, Located]:
        version = await _source(ctx, tx, bucket, wanted, conditions)
        first, length = cut(version.object.size)
        return version.object, first, length, await locate(tx, version.body, first, length)

    source, first, length, located = await ctx.metadata.read(work)
    digester = Digester((algorithm,))
    try:
        body = await located.open(ctx.blobs, lambda error: ctx.service.known_error(error, "Copy", ctx.request_id))
    except Missing:
        raise errors.ConditionalRequestConflict from None
    async for run in body:
        digester.update(run)
    return _Computed(
        revision=source.revision,
        first=first,
        length=length,
        md5=digester.md5,
        checksums=digester.checksums(),
        inline=located.inline,
    )


async def _share(tx: Transaction, body: int, offset: int, length: int) -> int:
    """A body of the same bytes: pieces named again, inline ones copied."""
    located = await locate(tx, body, offset, length)
    if located.inline is not None:
        return await tx.bodies.add_inline(located.inline)
    return await tx.bodies.add_pieces(located.pieces)


def _copied(request: CopyObject, source: Object, computed: _Computed | None) -> Object:
    """The destination as it will be, but for its place in the order."""
    keeps = request.metadata_directive is MetadataDirective.COPY
    # the redirect is never copied (AWS, CopyObject)
    metadata = attrs.evolve(source.metadata, website_redirect=request.metadata.website_redirect) if keeps else request.metadata
    return attrs.evolve(
        source,
        key=request.key,
        version_id=None,
        generation=1,
        storage_class=request.storage_class or StorageClass.STANDARD,
        metadata=metadata,
        parts_count=None,
        checksums=computed.checksums if computed else source.checksums,
        checksum_type=ChecksumType.FULL_OBJECT if computed else source.checksum_type,
    )


@operation(
    CopyObject,
    Route("PUT", Target.OBJECT, header="x-amz-copy-source"),
    rpc="ObjectService.CopyObject",
    action=_copy_permissions,
)
async def copy_object(ctx: Context, request: CopyObject) -> CopyObjectResult:
    """Make an object of the bytes of another. AWS, CopyObject."""
    destination, origin = ctx.resolved[:2]
    _check_owner(origin, request.expected_source_owner)
    check_metadata(request.metadata)
    given = new_object_tags(request.tagging)
    itself = origin.id == destination.id and request.source.key == request.key and request.source.version_id is None
    unchanged = request.metadata_directive is MetadataDirective.COPY and request.metadata.website_redirect is None
    if itself and unchanged and request.storage_class is None:
        raise errors.InvalidRequest(_ITSELF)
    acl, lock = await new_object_acl(ctx, request.acl, destination), asked_lock(ctx, request.lock)
    computed = await _missing_checksum(ctx, origin, request)
    reading = ctx.reading()

    async def work(tx: Transaction) -> CopyObjectResult:
        source = await _source(ctx, tx, origin, request.source, request.source_conditions)
        if computed is not None and computed.revision != source.object.revision:
            raise errors.ConditionalRequestConflict
        revision, bucket = await next_revision(tx, destination)
        check_public(bucket, acl)  # it may have been blocked meanwhile
        current = await tx.versions.current(bucket.id, request.key)
        check_write(request.conditions, current.object if current else None)
        item = attrs.evolve(_copied(request, source.object, computed), revision=revision, last_modified=reading.wall)
        tags = given if request.tagging_directive is TaggingDirective.REPLACE else copied_tags(ctx, request, source.tags)
        body = await _share(tx, source.body, 0, source.object.size)
        await check_asked(tx, bucket, lock, reading)
        locked = await new_lock(tx, bucket, lock, reading)
        entered = await write(tx, bucket, current, Version(object=item, body=body, acl=acl, tags=tags, lock=locked))
        return CopyObjectResult(
            etag=item.etag,
            last_modified=reading.wall,
            checksums=item.checksums,
            checksum_type=item.checksum_type,
            version_id=entered.object.version_id,
            source_version_id=shown_id(origin, source.object.version_id),
        )

    return await ctx.metadata.commit(work)


async def _missing_checksum(ctx: Context, origin: Bucket, request: CopyObject) -> _Computed | None:
    """The checksum that the request asks for, where the source does not have it."""
    algorithm = request.checksum_algorithm
    if algorithm is None:
        return None
    source = await ctx.metadata.read(lambda tx: _source(ctx, tx, origin, request.source, request.source_conditions))
    if getattr(source.object.checksums, algorithm.field) is not None:
        return None
    return await _compute(ctx, origin, request.source, request.source_conditions, lambda size: (0, size), algorithm)


def _check_source_range(asked: ByteRange | None, size: int) -> tuple[int, int]:
    """The range of the source; unlike a read's it must lie within the source as a whole (AWS, UploadPartCopy)."""
    if asked is None:
        return 0, size
    if asked.offset < 0 or asked.limit is None:
        raise errors.InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based "
            "offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
        )
    if asked.offset + asked.limit > size:
        raise errors.InvalidRange(RangeRequested=f"{asked.offset}+{asked.limit}", ActualObjectSize=str(size))
    return asked.offset, asked.limit


@operation(
    UploadPartCopy,
    Route("PUT", Target.OBJECT, query=("partNumber", "uploadId"), header="x-amz-copy-source"),
    rpc="ObjectService.CopyPart",
    action=_permissions,
)
async def upload_part_copy(ctx: Context, request: UploadPartCopy) -> UploadPartCopyResult:
    """Make a part of the bytes of an object. AWS, UploadPartCopy.

    The part's entity tag is the MD5 of its bytes, so those are read once; they are not written again.
    """
    destination, origin = ctx.resolved
    _check_owner(origin, request.expected_source_owner)
    upload = await ctx.metadata.read(lambda tx: running_upload(tx, destination, request.key, request.upload_id))
    algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM

    def cut(size: int) -> tuple[int, int]:
        first, length = _check_source_range(request.source_range, size)
        if length > PART_MAX_BYTES:
            raise errors.EntityTooLarge(ProposedSize=str(length), MaxSizeAllowed=str(PART_MAX_BYTES))
        return first, length

    computed = await _compute(ctx, origin, request.source, request.source_conditions, cut, algorithm)
    now, etag = ctx.now(), etag_of(computed.md5)
    # a part is always of chunks, so that completing names pieces alone
    chunk = await _written(ctx, computed.inline) if computed.inline else None

    async def work(tx: Transaction) -> str | None:
        await running_upload(tx, destination, request.key, request.upload_id)
        source = await _source(ctx, tx, origin, request.source, request.source_conditions)
        if computed.revision != source.object.revision:
            raise errors.ConditionalRequestConflict
        if chunk is not None:
            body = await tx.bodies.add_chunks((chunk,))
        else:
            body = await _share(tx, source.body, computed.first, computed.length)
        part = StoredPart(
            number=request.part_number, size=computed.length, etag=etag, checksums=computed.checksums, modified=now, body=body
        )
        await enter_part(tx, destination, request.upload_id, part)
        return shown_id(origin, source.object.version_id)

    try:
        source_version_id = await ctx.metadata.commit(work)
    except errors.StorError:
        if chunk is not None:
            await ctx.blobs.delete([(chunk.id, chunk.directory)])
        raise
    shown = computed.checksums if upload.checksum_algorithm else Checksums()
    return UploadPartCopyResult(etag=etag, last_modified=now, checksums=shown, source_version_id=source_version_id)


async def _written(ctx: Context, content: bytes) -> Chunk:
    """A chunk of those bytes."""
    writer = ctx.blobs.create()
    try:
        await writer.append(content)
        return await writer.commit()
    finally:
        await writer.discard()
