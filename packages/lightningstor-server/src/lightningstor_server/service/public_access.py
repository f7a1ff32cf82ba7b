"""The public access block of a bucket, and whether the bucket is public.

Law: a block takes effect with the next request and changes nothing that is stored. Source: AWS,
"Blocking public access to your Amazon S3 storage".
"""

from __future__ import annotations

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.grants import ignores_public, is_public, lists_count
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.policy_decision import has_public_policy
from lightningstor_types import errors
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.public_access import (
    DeletePublicAccessBlock,
    GetBucketPolicyStatus,
    GetPublicAccessBlock,
    PolicyStatus,
    PublicAccessBlockConfiguration,
    PutPublicAccessBlock,
)


@operation(PutPublicAccessBlock, Route("PUT", Target.BUCKET, query=("publicAccessBlock",)), action="s3:PutBucketPublicAccessBlock")
async def put_public_access_block(ctx: Context, request: PutPublicAccessBlock) -> Empty:
    """Set it as a whole. AWS, PutPublicAccessBlock."""
    if request.block is None:
        raise errors.MalformedXML
    await configure(ctx, "public_access_block", request.block)
    return Empty()


@operation(
    DeletePublicAccessBlock,
    Route("DELETE", Target.BUCKET, query=("publicAccessBlock",), status=204),
    action="s3:PutBucketPublicAccessBlock",
)
async def delete_public_access_block(ctx: Context, _: DeletePublicAccessBlock) -> Empty:
    """Take it away; that there is none is no error. AWS, DeletePublicAccessBlock."""
    await configure(ctx, "public_access_block", None)
    return Empty()


@operation(GetPublicAccessBlock, Route("GET", Target.BUCKET, query=("publicAccessBlock",)), action="s3:GetBucketPublicAccessBlock")
async def get_public_access_block(ctx: Context, _: GetPublicAccessBlock) -> PublicAccessBlockConfiguration:
    """What is refused, or not regarded. AWS, GetPublicAccessBlock."""
    block = ctx.bucket.settings.public_access_block
    if block is None:
        raise errors.NoSuchPublicAccessBlockConfiguration(BucketName=ctx.bucket.name)
    return PublicAccessBlockConfiguration(block=block)


@operation(GetBucketPolicyStatus, Route("GET", Target.BUCKET, query=("policyStatus",)), action="s3:GetBucketPolicyStatus")
async def get_bucket_policy_status(ctx: Context, _: GetBucketPolicyStatus) -> PolicyStatus:
    """Whether everybody may do something with the bucket, by its policy or its list. AWS, GetBucketPolicyStatus."""
    bucket = ctx.bucket
    by_list = lists_count(bucket) and not ignores_public(bucket) and is_public(bucket.settings.acl)
    return PolicyStatus(is_public=by_list or has_public_policy(bucket))
