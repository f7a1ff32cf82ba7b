"""Quotas: what is counted in a write's transaction is compared with its limits there.

Law: a quota is exact. Whoever counts more checks what it comes to, in the transaction that the count
is part of, so that what is refused leaves no trace. What does not grow always goes on: deletes,
reads, overwrites by what is no larger, and the completion of an upload, whose bytes count already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import attrs

from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import operation
from lightningstor_server.service.tenants import administers, organisation_of, project_of
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Holding, Level
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.quotas import GetTenantUsage, SetQuota, TenantUsage

QUOTA_MAX: Final = (1 << 63) - 1
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    # of a quota: the counts that it is on
    "objects": ("objects",),
    "bytes": ("bytes", "uploads_bytes"),
    "buckets": ("buckets",),
}


async def count(tx: Transaction, bucket: Bucket, delta: Usage) -> None:
    """Count for the bucket, its project and its organisation, within what they may hold.

    `delta` is all that the transaction changes, so that what it frees makes room for what it adds.

    Raises:
        QuotaExceeded: it is more than one of them may hold. The transaction has to be given up.
    """
    _check(await tx.usage.add(bucket, delta), delta)


async def foresee(ctx: Context, growth: Callable[[Transaction], Awaitable[Usage]]) -> None:
    """Refuse what is to come where it is plain already that there is no room for it; `growth` is what it would count.

    Raises:
        QuotaExceeded: it is more than the bucket, its project or its organisation may hold.
    """
    bucket = ctx.bucket
    if not bucket.limited:
        return
    places = ((Level.BUCKET, bucket.id), (Level.PROJECT, bucket.project_id), (Level.ORGANISATION, bucket.organisation_id))

    async def work(tx: Transaction) -> None:
        delta = await growth(tx)
        held = [await tx.usage.held(level, id_) for level, id_ in places]
        _check([attrs.evolve(holding, usage=_sum(holding.usage, delta)) for holding in held], delta)

    await ctx.metadata.read(work)


def _sum(held: Usage, delta: Usage) -> Usage:
    return Usage(**{field.name: getattr(held, field.name) + getattr(delta, field.name) for field in attrs.fields(Usage)})


def _check(holdings: Iterable[Holding], delta: Usage) -> None:
    for holding in holdings:
        for name, counts in _PARTS.items():
            limit: int | None = getattr(holding.quota, name)
            if limit is None or sum(getattr(delta, part) for part in counts) <= 0:
                continue
            if sum(getattr(holding.usage, part) for part in counts) > limit:
                raise errors.QuotaExceeded(
                    f"The {holding.level} may hold {limit} {name}, which this would exceed.",
                    Scope=holding.level,
                    Quota=name,
                    Limit=str(limit),
                )


async def _place(ctx: Context, tx: Transaction, request: SetQuota | GetTenantUsage) -> tuple[Level, int]:
    """What a request is about.

    Raises:
        NoSuchEntity, NoSuchBucket: it is not there.
        InvalidArgument: only half of a project is named.
    """
    if request.organisation is not None and request.project is None and request.bucket is None:
        return Level.ORGANISATION, (await organisation_of(tx, request.organisation)).id
    project = await project_of(ctx, tx, request.organisation, request.project)
    if request.bucket is None:
        return Level.PROJECT, project.id
    bucket = await tx.buckets.find(ctx.service.namespace(project), request.bucket)
    if bucket is None or bucket.project_id != project.id:
        raise errors.NoSuchBucket(BucketName=request.bucket)
    return Level.BUCKET, bucket.id


@operation(SetQuota, rpc="TenantService.SetQuota", action=administers("SetQuota"))
async def set_quota(ctx: Context, request: SetQuota) -> Empty:
    """Set all of a quota. It may be below what is held: then nothing grows until enough is gone."""
    for name in _PARTS:
        limit = getattr(request.quota, name)
        if limit is not None and not 0 <= limit <= QUOTA_MAX:
            raise errors.InvalidArgument(f"A quota is 0 to {QUOTA_MAX}.", ArgumentName=name)
    if request.bucket is not None and request.quota.buckets is not None:
        raise errors.InvalidArgument("A bucket holds no buckets.", ArgumentName="buckets")

    async def work(tx: Transaction) -> None:
        level, id_ = await _place(ctx, tx, request)
        await tx.usage.limit(level, id_, request.quota)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return Empty()


@operation(GetTenantUsage, rpc="TenantService.GetTenantUsage", action=administers("GetTenantUsage"))
async def get_tenant_usage(ctx: Context, request: GetTenantUsage) -> TenantUsage:
    """What an organisation, a project or a bucket holds, and may hold."""

    async def work(tx: Transaction) -> Holding:
        return await tx.usage.held(*await _place(ctx, tx, request))

    found = await ctx.metadata.read(work)
    return TenantUsage(usage=found.usage, quota=found.quota)
