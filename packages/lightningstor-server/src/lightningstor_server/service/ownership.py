"""The ownership controls of a bucket.

Law: without controls an object belongs to its writer, as S3 has it of old. A bucket whose owner is
to own everything must not have a list that gives anything to others.
Source: AWS, PutBucketOwnershipControls.
"""

from __future__ import annotations

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.ownership import (
    DeleteBucketOwnershipControls,
    GetBucketOwnershipControls,
    OwnershipControls,
    OwnershipRule,
    PutBucketOwnershipControls,
)
from lightningstor_types.settings import UNDECLARED, ObjectOwnership, Ownership


@operation(PutBucketOwnershipControls, Route("PUT", Target.BUCKET, query=("ownershipControls",)), action="s3:PutBucketOwnershipControls")
async def put_bucket_ownership_controls(ctx: Context, request: PutBucketOwnershipControls) -> Empty:
    """Say who owns what is written. AWS, PutBucketOwnershipControls."""
    if len(request.rules) != 1:
        raise errors.MalformedXML
    await _set(ctx, Ownership(rule=request.rules[0].object_ownership))
    return Empty()


@operation(
    DeleteBucketOwnershipControls,
    Route("DELETE", Target.BUCKET, query=("ownershipControls",), status=204),
    action="s3:PutBucketOwnershipControls",
)
async def delete_bucket_ownership_controls(ctx: Context, _: DeleteBucketOwnershipControls) -> Empty:
    """Take the rule away; that there is none is no error. AWS, DeleteBucketOwnershipControls."""
    await _set(ctx, UNDECLARED)
    return Empty()


async def _set(ctx: Context, ownership: Ownership) -> None:
    def check(bucket: Bucket) -> None:
        # a list that gives nothing away is not stored
        if ownership.rule is ObjectOwnership.BUCKET_OWNER_ENFORCED and bucket.settings.acl is not None:
            raise errors.InvalidBucketAclWithObjectOwnership(BucketName=bucket.name)

    await configure(ctx, "ownership", ownership, check)


@operation(GetBucketOwnershipControls, Route("GET", Target.BUCKET, query=("ownershipControls",)), action="s3:GetBucketOwnershipControls")
async def get_bucket_ownership_controls(ctx: Context, _: GetBucketOwnershipControls) -> OwnershipControls:
    """Who owns what is written. AWS, GetBucketOwnershipControls."""
    ownership = ctx.bucket.settings.ownership
    if not ownership.declared:
        raise errors.OwnershipControlsNotFoundError(BucketName=ctx.bucket.name)
    return OwnershipControls(rules=(OwnershipRule(object_ownership=ownership.rule),))
