"""PutObjectAcl and GetObjectAcl.

Law: a list is a version's own and never changes its owner. It is changed in place: neither the
version's id nor its place in the order nor its moment moves. Whether the caller may is asked of the
list in the transaction that replaces or reads it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from lightningstor_server.service.acl import replacement
from lightningstor_server.service.core import Context
from lightningstor_server.service.grants import regarded
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.versions import next_revision, shown_id, wanted
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types.operations.object_acl import GetObjectAcl, GetObjectAclResult, PutObjectAcl, PutObjectAclResult


def _permission(verb: str, request: PutObjectAcl | GetObjectAcl) -> Iterable[Permission]:
    action = f"s3:{verb}ObjectAcl" if request.version_id is None else f"s3:{verb}ObjectVersionAcl"
    return (Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id),)


@operation(PutObjectAcl, Route("PUT", Target.OBJECT, query=("acl",)), action=lambda request: _permission("Put", request))
async def put_object_acl(ctx: Context, request: PutObjectAcl) -> PutObjectAclResult:
    """Replace the list. AWS, PutObjectAcl."""

    async def work(tx: Transaction) -> Version:
        _, bucket = await next_revision(tx, ctx.bucket)
        version = await wanted(tx, bucket, request.key, request.version_id)
        ctx.check_object(bucket, version)
        owner = regarded(bucket, version.acl).owner
        policy = await replacement(tx, bucket, request.headers, (request.owner, request.grants), owner)
        described = attrs.evolve(version.object, generation=version.object.generation + 1)
        changed = attrs.evolve(version, object=described, acl=policy)
        await tx.versions.describe(bucket.id, changed)
        return changed

    version = await ctx.metadata.commit(work)
    return PutObjectAclResult(version_id=shown_id(ctx.bucket, version.object.version_id))


@operation(GetObjectAcl, Route("GET", Target.OBJECT, query=("acl",)), action=lambda request: _permission("Get", request))
async def get_object_acl(ctx: Context, request: GetObjectAcl) -> GetObjectAclResult:
    """Read the list. AWS, GetObjectAcl."""
    version = await ctx.metadata.read(lambda tx: wanted(tx, ctx.bucket, request.key, request.version_id))
    ctx.check_object(ctx.bucket, version)
    shown = shown_id(ctx.bucket, version.object.version_id)
    return GetObjectAclResult(version_id=shown, policy=regarded(ctx.bucket, version.acl))
