"""The object lock of a bucket, and the retention and the legal hold of a version.

Law: object lock needs versions and is never turned off. What a version may become is decided in the
transaction that stores it (`retention`). Neither its id nor its place in the order nor its moment
moves. Source: AWS, "Locking objects with Object Lock".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import attrs

from lightningstor_server.service import retention
from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.lock_clock import bounds
from lightningstor_server.service.locking import may_bypass
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.versions import next_revision, wanted
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.retention import (
    GetObjectLegalHold,
    GetObjectLockConfiguration,
    GetObjectRetention,
    ObjectLegalHold,
    ObjectLockConfiguration,
    ObjectLockRule,
    ObjectRetention,
    PutObjectLegalHold,
    PutObjectLockConfiguration,
    PutObjectRetention,
)
from lightningstor_types.retention import BucketLock, LegalHoldStatus, ObjectLock
from lightningstor_types.settings import VersioningStatus


@operation(
    PutObjectLockConfiguration,
    Route("PUT", Target.BUCKET, query=("object-lock",)),
    rpc="BucketService.SetObjectLock",
    action="s3:PutBucketObjectLockConfiguration",
)
async def put_object_lock_configuration(ctx: Context, request: PutObjectLockConfiguration) -> Empty:
    """Turn it on, where versioning is, and set the default retention. AWS, PutObjectLockConfiguration."""
    default = None if request.rule is None else request.rule.default_retention
    if request.enabled is None or (request.rule is not None and default is None):
        raise errors.MalformedXML
    if default is not None:
        retention.check_default(default)

    def check(bucket: Bucket) -> None:
        if bucket.settings.versioning.status is not VersioningStatus.ENABLED:
            raise errors.InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")

    await configure(ctx, "object_lock", BucketLock(default=default), check)
    return Empty()


@operation(
    GetObjectLockConfiguration,
    Route("GET", Target.BUCKET, query=("object-lock",)),
    rpc="BucketService.GetObjectLock",
    action="s3:GetBucketObjectLockConfiguration",
)
async def get_object_lock_configuration(ctx: Context, _: GetObjectLockConfiguration) -> ObjectLockConfiguration:
    """Whether it is on, and the default retention. AWS, GetObjectLockConfiguration."""
    configured = ctx.bucket.settings.object_lock
    if configured is None:
        raise errors.ObjectLockConfigurationNotFoundError(BucketName=ctx.bucket.name)
    return ObjectLockConfiguration(rule=None if configured.default is None else ObjectLockRule(default_retention=configured.default))


OnVersion = PutObjectRetention | GetObjectRetention | PutObjectLegalHold | GetObjectLegalHold


def _permission(action: str, request: OnVersion) -> Iterable[Permission]:
    """AWS has one action for all versions of a key."""
    return (Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id),)


@operation(
    PutObjectRetention,
    Route("PUT", Target.OBJECT, query=("retention",)),
    rpc="ObjectService.SetRetention",
    action=lambda request: _permission("s3:PutObjectRetention", request),
)
async def put_object_retention(ctx: Context, request: PutObjectRetention) -> Empty:
    """Retain a version, longer or, where that may be, otherwise. AWS, PutObjectRetention."""
    if (request.mode is None) != (request.until is None):
        raise errors.MalformedXML
    asked = retention.check_retention(request.mode, request.until)
    reading, bypass = ctx.reading(), may_bypass(ctx, request, request.key, request.version_id)

    async def change(tx: Transaction, lock: ObjectLock) -> ObjectLock:
        return retention.retained(lock, asked, await bounds(tx, reading), bypass=bypass)

    await _change(ctx, request, change)
    return Empty()


@operation(
    PutObjectLegalHold,
    Route("PUT", Target.OBJECT, query=("legal-hold",)),
    rpc="ObjectService.SetLegalHold",
    action=lambda request: _permission("s3:PutObjectLegalHold", request),
)
async def put_object_legal_hold(ctx: Context, request: PutObjectLegalHold) -> Empty:
    """Hold a version, or no longer. AWS, PutObjectLegalHold."""
    if request.status is None:
        raise errors.MalformedXML
    hold = request.status is LegalHoldStatus.ON

    async def change(_: Transaction, lock: ObjectLock) -> ObjectLock:
        return attrs.evolve(lock, legal_hold=hold)

    await _change(ctx, request, change)
    return Empty()


async def _change(
    ctx: Context, request: PutObjectRetention | PutObjectLegalHold, change: Callable[[Transaction, ObjectLock], Awaitable[ObjectLock]]
) -> None:
    """Give a version another lock.

    Raises:
        InvalidRequest: the bucket has no object lock.
        NoSuchKey, NoSuchVersion, MethodNotAllowed: as `versions.wanted`.
    """

    async def work(tx: Transaction) -> None:
        _, bucket = await next_revision(tx, ctx.bucket)
        retention.required(bucket)
        version = await wanted(tx, bucket, request.key, request.version_id)
        described = attrs.evolve(version.object, generation=version.object.generation + 1)
        await tx.versions.describe(bucket.id, attrs.evolve(version, object=described, lock=await change(tx, version.lock)))

    await ctx.metadata.commit(work)


@operation(
    GetObjectRetention,
    Route("GET", Target.OBJECT, query=("retention",)),
    rpc="ObjectService.GetRetention",
    action=lambda request: _permission("s3:GetObjectRetention", request),
)
async def get_object_retention(ctx: Context, request: GetObjectRetention) -> ObjectRetention:
    """The retention, over or not. AWS, GetObjectRetention."""
    held = retention.retention_of(await _lock(ctx, request))
    if held is None:
        raise errors.NoSuchObjectLockConfiguration(Key=request.key)
    return ObjectRetention(mode=held.mode, until=held.until)


@operation(
    GetObjectLegalHold,
    Route("GET", Target.OBJECT, query=("legal-hold",)),
    rpc="ObjectService.GetLegalHold",
    action=lambda request: _permission("s3:GetObjectLegalHold", request),
)
async def get_object_legal_hold(ctx: Context, request: GetObjectLegalHold) -> ObjectLegalHold:
    """Whether it is held. AWS, GetObjectLegalHold."""
    hold = (await _lock(ctx, request)).legal_hold
    if hold is None:
        raise errors.NoSuchObjectLockConfiguration(Key=request.key)
    return ObjectLegalHold(status=LegalHoldStatus.ON if hold else LegalHoldStatus.OFF)


async def _lock(ctx: Context, request: GetObjectRetention | GetObjectLegalHold) -> ObjectLock:
    retention.required(ctx.bucket)
    return (await ctx.metadata.read(lambda tx: wanted(tx, ctx.bucket, request.key, request.version_id))).lock
