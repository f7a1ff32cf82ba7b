"""PutBucketAcl and GetBucketAcl.

Law: a list never changes its owner. What a bucket takes is checked against its settings in the
transaction that stores the list, and the store's generation counts the change.
"""

from __future__ import annotations

from lightningstor_server.service.acl import replacement
from lightningstor_server.service.core import Context
from lightningstor_server.service.grants import regarded
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.versions import next_revision
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types.operations.bucket_acl import GetBucketAcl, GetBucketAclResult, PutBucketAcl
from lightningstor_types.operations.common import Empty


@operation(PutBucketAcl, Route("PUT", Target.BUCKET, query=("acl",)), action="s3:PutBucketAcl")
async def put_bucket_acl(ctx: Context, request: PutBucketAcl) -> Empty:
    """Replace the list. AWS, PutBucketAcl."""

    async def work(tx: Transaction) -> None:
        _, bucket = await next_revision(tx, ctx.bucket)
        policy = await replacement(tx, bucket, request.headers, (request.owner, request.grants), bucket.owner)
        await tx.buckets.configure(bucket.id, "acl", policy)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return Empty()


@operation(GetBucketAcl, Route("GET", Target.BUCKET, query=("acl",)), action="s3:GetBucketAcl")
async def get_bucket_acl(ctx: Context, _: GetBucketAcl) -> GetBucketAclResult:
    """Read the list. AWS, GetBucketAcl."""
    return GetBucketAclResult(policy=regarded(ctx.bucket, ctx.bucket.settings.acl))
