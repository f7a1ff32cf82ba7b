"""PutObject, GetObject, HeadObject, the deletes and UpdateObject.

Law: what is written becomes visible in one transaction, conditions checked inside it; what it
replaces becomes garbage in the same transaction, or an older version (`versions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from lightningstor_server.service.acl import check_public, new_object_acl
from lightningstor_server.service.authorization import acl_permissions
from lightningstor_server.service.bodies import ingest
from lightningstor_server.service.core import Context
from lightningstor_server.service.integrity import Claims
from lightningstor_server.service.lifecycle_rules import shown_expiration
from lightningstor_server.service.locking import asked_lock, check_asked, check_free, lock_permissions, may_bypass, new_lock
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.preconditions import check_write
from lightningstor_server.service.quotas import foresee
from lightningstor_server.service.tagging import new_object_tags, tags_permissions
from lightningstor_server.service.versions import delete, growth, next_revision, wanted, write
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types import errors
from lightningstor_types.digests import ChecksumType, ETag
from lightningstor_types.names import DELETE_MAX_KEYS, USER_METADATA_MAX_BYTES, ObjectKey
from lightningstor_types.objects import NO_METADATA, Object, ObjectMetadata
from lightningstor_types.operations.objects import (
    DeletedObject,
    DeleteFailure,
    DeleteObject,
    DeleteObjectResult,
    DeleteObjects,
    DeleteObjectsResult,
    ObjectIdentifier,
    PutObject,
    PutObjectResult,
    UpdateObject,
    UpdateObjectResult,
)

_TEXTS: Final = tuple(field.name for field in attrs.fields(ObjectMetadata) if field.name != "user")
_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_metadata(metadata: ObjectMetadata) -> None:
    """Refuse metadata that an HTTP response could not hand back, or that S3 could not hold.

    Raises:
        InvalidArgument: a name is no lower-case token (RFC 9110 section 5.6.2), or a value has a control character.
        MetadataTooLarge: names and values of the user's metadata together exceed 2 KB.
    """
    if metadata is NO_METADATA:
        return
    for name in _TEXTS:
        if _CONTROL.search(getattr(metadata, name) or ""):
            raise errors.InvalidArgument(f"{name} has a control character.", ArgumentName=name)
    for name, value in metadata.user.items():
        if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise errors.InvalidArgument(
                "User metadata have names of RFC 9110's token characters in lower case, and values without control characters.",
                ArgumentName=f"x-amz-meta-{name}"[:64],
            )
    size = sum(len(name) + len(value.encode()) for name, value in metadata.user.items())
    if size > USER_METADATA_MAX_BYTES:
        raise errors.MetadataTooLarge(Size=str(size), MaxSizeAllowed=str(USER_METADATA_MAX_BYTES))


def _put_permissions(request: PutObject) -> Iterable[Permission]:
    write = Permission(action="s3:PutObject", bucket=request.bucket, key=request.key)
    tags = tags_permissions(request.bucket, request.key, request.tagging)
    acl = acl_permissions(request.bucket, request.key, request.acl)
    return (write, *acl, *tags, *lock_permissions(request.bucket, request.key, request.lock))


@operation(PutObject, Route("PUT", Target.OBJECT), rpc="ObjectService.WriteObject", action=_put_permissions)
async def put_object(ctx: Context, request: PutObject) -> PutObjectResult:
    """Receive the body, then make the object visible. AWS, PutObject."""
    check_metadata(request.metadata)
    tags = new_object_tags(request.tagging)
    acl, lock = await new_object_acl(ctx, request.acl, ctx.bucket), asked_lock(ctx, request.lock)
    claims = Claims.of(request.content_md5, request.checksums, request.checksum_algorithm)
    if request.conditions.if_match or request.conditions.if_none_match:
        found = await ctx.metadata.read(lambda tx: tx.versions.current(ctx.bucket.id, request.key))
        check_write(request.conditions, found.object if found else None)
    await foresee(ctx, lambda tx: growth(tx, ctx.bucket, request.key, request.body.length or 0))
    ingested = await ingest(ctx.blobs, request.body, claims)
    reading = ctx.reading()

    async def work(tx: Transaction) -> tuple[str | None, str | None]:
        revision, bucket = await next_revision(tx, ctx.bucket)
        check_public(bucket, acl)
        current = await tx.versions.current(bucket.id, request.key)
        check_write(request.conditions, current.object if current else None)
        item = Object(
            key=request.key,
            size=ingested.size,
            etag=ingested.etag,
            last_modified=reading.wall,
            revision=revision,
            storage_class=request.storage_class,
            checksums=ingested.checksums,
            checksum_type=ChecksumType.FULL_OBJECT,
            metadata=request.metadata,
        )
        await check_asked(tx, bucket, lock, reading)
        locked = await new_lock(tx, bucket, lock, reading)
        entered = await write(tx, bucket, current, Version(object=item, body=await ingested.enter(tx), acl=acl, tags=tags, lock=locked))
        return entered.object.version_id, shown_expiration(bucket, entered)

    try:
        version_id, expiration = await ctx.metadata.commit(work)
    except errors.StorError:
        await ingested.abandon(ctx.blobs)
        raise
    return PutObjectResult(
        etag=ingested.etag,
        version_id=version_id,
        checksums=ingested.checksums,
        checksum_type=ChecksumType.FULL_OBJECT,
        expiration=expiration,
        size=ingested.size,
    )


def _delete_permission(request: DeleteObject) -> Iterable[Permission]:
    action = _delete_action(request.version_id)
    return (Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id),)


def _delete_action(version_id: str | None) -> str:
    """To delete a version is more than to delete what is current (AWS, "Deleting object versions")."""
    return "s3:DeleteObject" if version_id is None else "s3:DeleteObjectVersion"


@operation(DeleteObject, Route("DELETE", Target.OBJECT, status=204), rpc="ObjectService.DeleteObject", action=_delete_permission)
async def delete_object(ctx: Context, request: DeleteObject) -> DeleteObjectResult:
    """Delete an object or a version of it; that it is not there is no error. AWS, DeleteObject."""
    expected = ObjectIdentifier(
        key=request.key,
        version_id=request.version_id,
        etag=None if request.if_match is None else ETag(request.if_match),
        last_modified=request.if_match_last_modified,
        size=request.if_match_size,
    )
    reading, bypass = ctx.reading(), may_bypass(ctx, request, request.key, request.version_id)
    deletion = await ctx.metadata.commit(lambda tx: delete(tx, ctx.bucket, expected, reading, bypass=bypass))
    return DeleteObjectResult(version_id=deletion.version_id, delete_marker=deletion.delete_marker)


def _delete_permissions(request: DeleteObjects) -> Iterable[Permission]:
    """One for every object, each of which fails alone; the bucket itself where the batch is empty, so that it is resolved."""
    if not request.objects:
        return (Permission(action=_delete_action(None), bucket=request.bucket),)
    return tuple(_one_permission(request, identifier) for identifier in request.objects)


def _one_permission(request: DeleteObjects, wanted: ObjectIdentifier) -> Permission:
    return Permission(
        action=_delete_action(wanted.version_id), bucket=request.bucket, key=wanted.key, version=wanted.version_id, alone=True
    )


@operation(
    DeleteObjects,
    Route("POST", Target.BUCKET, query=("delete",), digest_required=True),
    rpc="ObjectService.DeleteObjects",
    action=_delete_permissions,
)
async def delete_objects(ctx: Context, request: DeleteObjects) -> DeleteObjectsResult:
    """Delete a batch in one transaction, each key succeeding or failing on its own. AWS, DeleteObjects."""
    if not request.objects or len(request.objects) > DELETE_MAX_KEYS:
        raise errors.MalformedXML
    if not any(ctx.allows(_one_permission(request, wanted)) for wanted in request.objects):
        # who may delete nothing costs no commit
        return DeleteObjectsResult(errors=tuple(_failure(wanted, errors.AccessDenied()) for wanted in request.objects))
    reading = ctx.reading()

    async def one(tx: Transaction, wanted: ObjectIdentifier) -> DeletedObject | DeleteFailure:
        try:
            if not ctx.allows(_one_permission(request, wanted)):
                raise errors.AccessDenied
            ObjectKey.parse(wanted.key)
            bypass = may_bypass(ctx, request, wanted.key, wanted.version_id)
            deletion = await delete(tx, ctx.bucket, wanted, reading, bypass=bypass)
        except errors.NoSuchBucket:
            raise
        except errors.StorError as error:
            return _failure(wanted, error)
        return DeletedObject(
            key=wanted.key,
            version_id=wanted.version_id,
            delete_marker=deletion.delete_marker,
            delete_marker_version_id=deletion.version_id if deletion.delete_marker else None,
        )

    async def work(tx: Transaction) -> list[DeletedObject | DeleteFailure]:
        return [await one(tx, wanted) for wanted in request.objects]

    outcomes = await ctx.metadata.commit(work)
    deleted = () if request.quiet else tuple(outcome for outcome in outcomes if isinstance(outcome, DeletedObject))
    return DeleteObjectsResult(deleted=deleted, errors=tuple(outcome for outcome in outcomes if isinstance(outcome, DeleteFailure)))


def _failure(wanted: ObjectIdentifier, error: errors.StorError) -> DeleteFailure:
    return DeleteFailure(key=wanted.key, version_id=wanted.version_id, code=error.code, message=error.message)


_UPDATABLE: Final = frozenset(field.name for field in attrs.fields(ObjectMetadata))


def _update_permissions(request: UpdateObject) -> Iterable[Permission]:
    """To write the object, and to read it: what it is like is kept but for the mask's names, and told."""
    return tuple(Permission(action=action, bucket=request.bucket, key=request.key) for action in ("s3:PutObject", "s3:GetObject"))


@operation(UpdateObject, rpc="ObjectService.UpdateObject", action=_update_permissions)
async def update_object(ctx: Context, request: UpdateObject) -> UpdateObjectResult:
    """Replace metadata in place, under the mask's names; the bytes and the entity tag stay."""
    unknown = set(request.update_mask) - _UPDATABLE
    if unknown:
        raise errors.InvalidArgument(f"The update mask names no field of the metadata: {', '.join(sorted(unknown))}")
    fields, reading = request.update_mask or tuple(_UPDATABLE), ctx.reading()

    async def work(tx: Transaction) -> Object:
        version = await wanted(tx, ctx.bucket, request.key, None)
        ctx.check_object(ctx.bucket, version)
        if request.if_generation not in {None, version.object.generation}:
            raise errors.PreconditionFailed(Condition="if_generation")
        metadata = attrs.evolve(version.object.metadata, **{name: getattr(request.metadata, name) for name in fields})
        check_metadata(metadata)
        await check_free(tx, version, reading, bypass=False)
        updated = attrs.evolve(version.object, metadata=metadata, generation=version.object.generation + 1)
        await next_revision(tx, ctx.bucket)
        await tx.versions.describe(ctx.bucket.id, attrs.evolve(version, object=updated))
        return updated

    return UpdateObjectResult(object=await ctx.metadata.commit(work))
