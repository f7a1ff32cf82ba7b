"""GetObject and HeadObject.

Law: what a read shows is one snapshot of the metadata; its bytes are those of that snapshot or the
read fails. Conditions are checked before anything is told of the object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from lightningstor_server.service.bodies import Located, locate_pieces
from lightningstor_server.service.core import Context
from lightningstor_server.service.lifecycle_rules import shown_expiration
from lightningstor_server.service.locking import shown_lock
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.preconditions import check_read
from lightningstor_server.service.tagging import shown_tag_count
from lightningstor_server.service.versions import shown_id, wanted
from lightningstor_server.stores.errors import Missing
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Body, PartChecksums, Version
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS
from lightningstor_types.objects import Object, ObjectMetadata
from lightningstor_types.operations.objects import (
    NO_OVERRIDES,
    GetObject,
    GetObjectResult,
    HeadObject,
    HeadObjectResult,
    ResponseOverrides,
)

READ_ATTEMPTS: Final = 3
"""A read whose pieces vanish between the look-up and the opening was overtaken by an overwrite: look again."""

_NO_PARTS: Final = Body(inline=None, part_sizes=())


@attrs.frozen(kw_only=True)
class _Span:
    """The bytes that a read covers."""

    first: int
    length: int
    content_range: str | None


def _span(request: HeadObject, size: int, part_sizes: tuple[int, ...]) -> _Span:
    """The bytes of a range or a part.

    Raises:
        InvalidRange, InvalidPartNumber: there is nothing there.
        InvalidRequest: both are asked for.
    """
    if request.part_number is None and request.range is None:
        return _Span(first=0, length=size, content_range=None)
    if request.part_number is not None and request.range is not None:
        raise errors.InvalidRequest("Cannot specify both Range header and partNumber query parameter.")
    if request.range is not None:
        first, length = request.range.resolve(size)
    else:
        sizes, number = part_sizes or (size,), request.part_number or 1
        if number > len(sizes):
            raise errors.InvalidPartNumber(PartNumberRequested=str(number), ActualPartCount=str(len(sizes)))
        first, length = sum(sizes[: number - 1]), sizes[number - 1]
    content_range = f"bytes {first}-{first + length - 1}/{size}" if length else None
    return _Span(first=first, length=length, content_range=content_range)


def _shown(ctx: Context, request: HeadObject, item: Object, span: _Span, parts: PartChecksums | None) -> Object:
    """The object as this read shows it."""
    changes: dict[str, Any] = {}
    if (version_id := shown_id(ctx.bucket, item.version_id)) != item.version_id:
        changes["version_id"] = version_id
    if request.checksum_mode is not None and request.part_number is not None and parts is not None:
        changes["checksums"] = parts.of(request.part_number)
    elif request.checksum_mode is None or span.length != item.size:
        # the checksum of the whole is not one of the range (AWS, GetObject)
        changes |= {"checksums": NO_CHECKSUMS, "checksum_type": None}
    if request.part_number is None and item.parts_count is not None:
        changes["parts_count"] = None
    if request.overrides is not NO_OVERRIDES:
        changes["metadata"] = _overridden(item.metadata, request.overrides)
    return attrs.evolve(item, **changes) if changes else item


def _overridden(metadata: ObjectMetadata, overrides: ResponseOverrides) -> ObjectMetadata:
    """The metadata as the reader asked to see them."""
    asked = {name: value for name, value in attrs.asdict(overrides).items() if value is not None}
    return attrs.evolve(metadata, **asked)


def _check_overrides(ctx: Context, request: HeadObject) -> None:
    """Refuse an anonymous reader that chooses headers (AWS, GetObject: a request that does has to be signed).

    Raises:
        InvalidRequest: as it says.
    """
    if ctx.anonymous and request.overrides != NO_OVERRIDES:
        raise errors.InvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")


def _permission(request: HeadObject) -> Iterable[Permission]:
    action = "s3:GetObject" if request.version_id is None else "s3:GetObjectVersion"
    return (Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id),)


@operation(HeadObject, Route("HEAD", Target.OBJECT), rpc="ObjectService.HeadObject", action=_permission)
async def head_object(ctx: Context, request: HeadObject) -> HeadObjectResult:
    """What GetObject would say, without the bytes. AWS, HeadObject."""
    _check_overrides(ctx, request)

    async def work(tx: Transaction) -> tuple[Version, Body]:
        version = await wanted(tx, ctx.bucket, request.key, request.version_id)
        ctx.check_object(ctx.bucket, version)
        check_read(request.conditions, version.object)
        return version, await tx.bodies.get(version.body) if request.part_number is not None else _NO_PARTS

    version, body = await ctx.metadata.read(work)
    span = _span(request, version.object.size, body.part_sizes)
    shown = _shown(ctx, request, version.object, span, body.part_checksums)
    tag_count = shown_tag_count(ctx, request.key, request.version_id, version.tags)
    lock = shown_lock(ctx, version, request.version_id)
    return HeadObjectResult(
        object=shown,
        content_length=span.length,
        content_range=span.content_range,
        expiration=shown_expiration(ctx.bucket, version, request.version_id),
        tag_count=tag_count,
        lock=lock,
    )


@operation(GetObject, Route("GET", Target.OBJECT), rpc="ObjectService.ReadObject", action=_permission)
async def get_object(ctx: Context, request: GetObject) -> GetObjectResult:
    """Read an object or a range of it; every byte is verified before it leaves. AWS, GetObject."""
    _check_overrides(ctx, request)
    for attempt in range(READ_ATTEMPTS):
        version, body = await _found(ctx, request)
        ctx.check_object(ctx.bucket, version)
        item = version.object
        check_read(request.conditions, item)
        span = _span(request, item.size, body.part_sizes)
        try:
            located = await _located(ctx, version, body, span)
            stream = await located.open(ctx.blobs, lambda error: ctx.service.known_error(error, "GetObject", ctx.request_id))
        except Missing:
            if attempt == READ_ATTEMPTS - 1:
                raise
        else:
            shown = _shown(ctx, request, item, span, body.part_checksums)
            return GetObjectResult(
                object=shown,
                content_length=span.length,
                content_range=span.content_range,
                expiration=shown_expiration(ctx.bucket, version, request.version_id),
                tag_count=shown_tag_count(ctx, request.key, request.version_id, version.tags),
                lock=shown_lock(ctx, version, request.version_id),
                body=stream,
            )
    raise errors.InternalError


async def _found(ctx: Context, request: GetObject) -> tuple[Version, Body]:
    """The version with its body; the current one comes in a single statement.

    Raises:
        NoSuchKey, NoSuchVersion, MethodNotAllowed: as `versions.wanted`.
    """
    if request.version_id is None:
        found = await ctx.metadata.look(lambda tx: tx.versions.current_with_body(ctx.bucket.id, request.key))
        if found is not None:
            return found

    async def work(tx: Transaction) -> tuple[Version, Body]:
        version = await wanted(tx, ctx.bucket, request.key, request.version_id)
        return version, await tx.bodies.get(version.body)

    return await ctx.metadata.read(work)


async def _located(ctx: Context, version: Version, body: Body, span: _Span) -> Located:
    """Where the span is: with the version where it is inline, else among the pieces.

    Raises:
        Missing: the version has been replaced meanwhile.
    """
    if body.inline is not None:
        return Located(inline=body.inline[span.first : span.first + span.length], pieces=(), length=span.length)
    return await ctx.metadata.look(lambda tx: locate_pieces(tx, version.body, span.first, span.length))
