"""GetObjectAttributes and GetObjectTorrent.

Law: what is told is one snapshot of the metadata; no byte of the object is read for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.preconditions import check_read
from lightningstor_server.service.versions import shown_id, wanted
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Body, Version
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS
from lightningstor_types.names import LIST_MAX_KEYS
from lightningstor_types.operations.attributes import (
    GetObjectAttributes,
    GetObjectAttributesResult,
    GetObjectTorrent,
    ObjectAttribute,
    ObjectChecksum,
    ObjectPart,
    ObjectParts,
)
from lightningstor_types.operations.bucket_settings import Unset


def _permissions(request: GetObjectAttributes) -> Iterable[Permission]:
    """To read the object and to read its attributes (AWS, GetObjectAttributes, Permissions)."""
    actions = ("s3:GetObject", "s3:GetObjectAttributes")
    if request.version_id is not None:
        actions = ("s3:GetObjectVersion", "s3:GetObjectVersionAttributes")
    return [Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id) for action in actions]


@operation(
    GetObjectAttributes,
    Route("GET", Target.OBJECT, query=("attributes",)),
    rpc="ObjectService.GetObjectAttributes",
    action=_permissions,
)
async def get_object_attributes(ctx: Context, request: GetObjectAttributes) -> GetObjectAttributesResult:
    """Tell the attributes that are asked for. AWS, GetObjectAttributes."""
    asked = frozenset(request.attributes)
    if not asked:
        raise errors.InvalidArgument("At least one attribute must be asked for.", ArgumentName="x-amz-object-attributes")
    if request.max_parts < 0 or request.part_number_marker < 0:
        raise errors.InvalidArgument("max-parts and part-number-marker are not negative.", ArgumentName="x-amz-max-parts")

    async def work(tx: Transaction) -> tuple[Version, Body | None]:
        version = await wanted(tx, ctx.bucket, request.key, request.version_id)
        ctx.check_object(ctx.bucket, version)
        check_read(request.conditions, version.object)
        told = ObjectAttribute.OBJECT_PARTS in asked and version.object.parts_count is not None
        return version, await tx.bodies.get(version.body) if told else None

    version, body = await ctx.metadata.read(work)
    item = version.object
    checksum = ObjectChecksum(checksums=item.checksums, checksum_type=item.checksum_type)
    return GetObjectAttributesResult(
        last_modified=item.last_modified,
        version_id=shown_id(ctx.bucket, item.version_id),
        etag=str(item.etag) if ObjectAttribute.ETAG in asked else None,
        checksum=checksum if ObjectAttribute.CHECKSUM in asked and any(item.checksums.items()) else None,
        object_parts=_parts(request, body) if body is not None else None,
        storage_class=item.storage_class if ObjectAttribute.STORAGE_CLASS in asked else None,
        object_size=item.size if ObjectAttribute.OBJECT_SIZE in asked else None,
    )


def _parts(request: GetObjectAttributes, body: Body) -> ObjectParts:
    """A page of the parts, each with its checksum where it has one."""
    count, sums = len(body.part_sizes), body.part_checksums
    after, limit = request.part_number_marker, min(request.max_parts, LIST_MAX_KEYS)
    numbers = list(islice(range(after + 1, count + 1), limit))
    truncated = bool(numbers) and numbers[-1] < count
    return ObjectParts(
        parts_count=count,
        part_number_marker=after,
        next_part_number_marker=numbers[-1] if truncated else None,
        max_parts=limit,
        truncated=truncated,
        parts=tuple(ObjectPart(number=n, size=body.part_sizes[n - 1], checksums=sums.of(n) if sums else NO_CHECKSUMS) for n in numbers),
    )


@operation(GetObjectTorrent, Route("GET", Target.OBJECT, query=("torrent",)), action="s3:GetObjectTorrent")
async def get_object_torrent(_ctx: Context, request: GetObjectTorrent) -> Unset:
    """No object has a torrent here: it is a thing that does not exist, as far as a client asks for it. AWS, GetObjectTorrent."""
    raise errors.NoSuchKey(Key=request.key)
