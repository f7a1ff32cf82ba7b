"""The operations on buckets.

Law: a bucket belongs to the project that made it; its name is unique within the store's namespace.
A change of a bucket counts the store's generation on, so that no process goes on with what it knew.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

import attrs

from lightningstor_server.service.acl import list_of
from lightningstor_server.service.core import Context
from lightningstor_server.service.grants import is_public, private
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.quotas import count
from lightningstor_server.service.uploads import drop_uploads, owner_of
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.names import LIST_MAX_BUCKETS
from lightningstor_types.operations.buckets import (
    BucketDescription,
    CreateBucket,
    CreateBucketResult,
    DeleteBucket,
    GetBucket,
    GetBucketLocation,
    GetBucketLocationResult,
    GetUsage,
    GetUsageResult,
    HeadBucket,
    HeadBucketResult,
    ListBuckets,
    ListBucketsResult,
    ListedBucket,
    UpdateBucket,
)
from lightningstor_types.operations.common import Empty
from lightningstor_types.retention import BucketLock
from lightningstor_types.settings import (
    ALL_BLOCKED,
    UNDECLARED,
    BucketSettings,
    ObjectOwnership,
    Ownership,
    Versioning,
    VersioningStatus,
)

CLASSIC_REGION: Final = "us-east-1"
"""The region whose location is the empty text, and where creating one's own bucket again succeeds."""
LABELS_MAX: Final = 50
LABEL_MAX_CHARACTERS: Final = 256


@operation(ListBuckets, Route("GET", Target.SERVICE), rpc="BucketService.ListBuckets", action="s3:ListAllMyBuckets")
async def list_buckets(ctx: Context, request: ListBuckets) -> ListBucketsResult:
    """A page of the project's buckets. AWS, ListBuckets."""
    if not 1 <= request.max_buckets <= LIST_MAX_BUCKETS:
        raise errors.InvalidArgument(
            "max-buckets must be between 1 and 10000", ArgumentName="max-buckets", ArgumentValue=str(request.max_buckets)
        )
    prefix, limit = request.prefix or "", request.max_buckets
    start = _token_name(request.continuation_token) if request.continuation_token is not None else ""
    found = await ctx.metadata.read(lambda tx: tx.buckets.page(ctx.caller.project.id, prefix, start, limit + 1))
    shown = [bucket for bucket in found[:limit] if request.region in {None, bucket.region}]
    return ListBucketsResult(
        owner=owner_of(ctx.caller.project),
        buckets=tuple(ListedBucket(name=bucket.name, created=bucket.created, region=bucket.region) for bucket in shown),
        continuation_token=base64.urlsafe_b64encode(found[limit - 1].name.encode()).decode() if len(found) > limit else None,
        prefix=request.prefix,
    )


def _token_name(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise errors.InvalidArgument("The continuation token provided is incorrect", ArgumentName="continuation-token") from None


def _create_permissions(request: CreateBucket) -> Iterable[Permission]:
    """To make it with object lock is to set that, and versioning (AWS, CreateBucket, Permissions)."""
    locking = ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning") if request.object_lock else ()
    return tuple(Permission(action=action, bucket=request.bucket) for action in ("s3:CreateBucket", *locking))


@operation(CreateBucket, Route("PUT", Target.BUCKET), rpc="BucketService.CreateBucket", action=_create_permissions)
async def create_bucket(ctx: Context, request: CreateBucket) -> CreateBucketResult:
    """Make a bucket. AWS, CreateBucket; in us-east-1 one's own bucket may be made again, if it is to have the list that it has."""
    region, project = ctx.settings.region, ctx.caller.project
    if request.location not in {None, "", region}:
        raise errors.IllegalLocationConstraintException(LocationConstraint=str(request.location)[:64])
    namespace = ctx.service.namespace(project)
    wanted = Bucket(
        id=0,
        name=request.bucket,
        organisation_id=project.organisation_id,
        project_id=project.id,
        region=region,
        created=ctx.now(),
        generation=1,
        owner=ctx.owner,
    )

    async def work(tx: Transaction) -> None:
        settings = await _first_settings(tx, ctx, request)
        created = await tx.buckets.create(attrs.evolve(wanted, settings=settings), namespace)
        if created is not None:
            await count(tx, created, Usage(buckets=1))
            await tx.configuration.bump()
            return
        there = await tx.buckets.find(namespace, request.bucket)
        if there is None or there.project_id != project.id or _differs(request, settings, there.settings):
            raise errors.BucketAlreadyExists(BucketName=request.bucket)
        if region != CLASSIC_REGION:
            raise errors.BucketAlreadyOwnedByYou(BucketName=request.bucket)

    await ctx.metadata.commit(work)
    return CreateBucketResult(location=f"/{request.bucket}")


async def _first_settings(tx: Transaction, ctx: Context, request: CreateBucket) -> BucketSettings:
    """What a bucket is made with: what the request says, else what the operator has decided.

    Raises:
        InvalidBucketAclWithObjectOwnership: it is to have a list, and not to regard it.
        InvalidBucketAclWithBlockPublicAccessError: its list is public, and new buckets block such.
        InvalidArgument, InvalidRequest, UnresolvableGrantByEmailAddress, AmbiguousGrantByEmailAddress: as `acl.list_of`.
    """
    decided = ctx.settings.new_bucket_ownership
    # a deployment that leaves objects to their writers is one from before there were controls
    ownership = UNDECLARED if decided is ObjectOwnership.OBJECT_WRITER else Ownership(rule=decided)
    if request.object_ownership is not None:
        ownership = Ownership(rule=request.object_ownership)
    given = await list_of(tx, request.acl, ctx.owner, ctx.owner)
    policy = None if given is None or given.grants == private(ctx.owner).grants else given
    if policy is not None and ownership.rule is ObjectOwnership.BUCKET_OWNER_ENFORCED:
        raise errors.InvalidBucketAclWithObjectOwnership(BucketName=request.bucket)
    if is_public(policy) and ctx.settings.new_bucket_blocked:
        raise errors.InvalidBucketAclWithBlockPublicAccessError(BucketName=request.bucket)
    block = ALL_BLOCKED if ctx.settings.new_bucket_blocked else None
    settings = BucketSettings(ownership=ownership, acl=policy, public_access_block=block)
    if not request.object_lock:
        return settings
    return attrs.evolve(settings, versioning=Versioning(status=VersioningStatus.ENABLED), object_lock=BucketLock())


def _differs(request: CreateBucket, wanted: BucketSettings, there: BucketSettings) -> bool:
    """Whether making a bucket again would change who may use it, or how, which it must not."""
    ownership = request.object_ownership is not None and request.object_ownership is not there.ownership.rule
    return ownership or wanted.acl != there.acl or (request.object_lock and there.object_lock is None)


@operation(HeadBucket, Route("HEAD", Target.BUCKET), action="s3:ListBucket")
async def head_bucket(ctx: Context, _: HeadBucket) -> HeadBucketResult:
    """Whether it is there. AWS, HeadBucket."""
    return HeadBucketResult(region=ctx.bucket.region)


@operation(GetBucketLocation, Route("GET", Target.BUCKET, query=("location",)), action="s3:GetBucketLocation")
async def get_bucket_location(ctx: Context, _: GetBucketLocation) -> GetBucketLocationResult:
    """Where it is. AWS, GetBucketLocation."""
    return GetBucketLocationResult(region="" if ctx.bucket.region == CLASSIC_REGION else ctx.bucket.region)


@operation(DeleteBucket, Route("DELETE", Target.BUCKET, status=204), rpc="BucketService.DeleteBucket", action="s3:DeleteBucket")
async def delete_bucket(ctx: Context, request: DeleteBucket) -> Empty:
    """Delete a bucket that holds no object; uploads that were never completed go with it. AWS, DeleteBucket."""

    async def work(tx: Transaction) -> None:
        if await tx.buckets.advance(ctx.bucket) is None:
            raise errors.NoSuchBucket(BucketName=request.bucket)
        if await tx.buckets.holds_versions(ctx.bucket.id):
            raise errors.BucketNotEmpty(BucketName=request.bucket)
        await drop_uploads(tx, ctx.bucket)
        await count(tx, ctx.bucket, Usage(buckets=-1))
        await tx.buckets.delete(ctx.bucket.id)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return Empty()


def _description(bucket: Bucket) -> BucketDescription:
    return BucketDescription(
        name=bucket.name, created=bucket.created, region=bucket.region, generation=bucket.generation, labels=dict(bucket.labels)
    )


@operation(GetBucket, rpc="BucketService.GetBucket", action="s3:ListBucket")
async def get_bucket(ctx: Context, _: GetBucket) -> BucketDescription:
    """What is known of a bucket; its labels to who may read its tags."""
    told = _description(ctx.bucket)
    permission = Permission(action="s3:GetBucketTagging", bucket=ctx.bucket.name)
    return told if ctx.allows(permission) else attrs.evolve(told, labels={})


@operation(UpdateBucket, rpc="BucketService.UpdateBucket", action="s3:PutBucketTagging")
async def update_bucket(ctx: Context, request: UpdateBucket) -> BucketDescription:
    """Replace the labels, if the caller knows the bucket as it is."""
    unknown = set(request.update_mask) - {"labels"}
    if unknown:
        raise errors.InvalidArgument(f"The update mask names nothing that can be changed: {', '.join(sorted(unknown))}")
    if len(request.labels) > LABELS_MAX or any(max(len(n), len(v)) > LABEL_MAX_CHARACTERS for n, v in request.labels.items()):
        raise errors.InvalidArgument(f"A bucket has at most {LABELS_MAX} labels of at most {LABEL_MAX_CHARACTERS} characters.")

    async def work(tx: Transaction) -> Bucket:
        bucket = await tx.buckets.find(ctx.service.namespace(ctx.caller.project), request.bucket)
        if bucket is None or bucket.id != ctx.bucket.id:
            raise errors.NoSuchBucket(BucketName=request.bucket)
        if request.if_generation not in {None, bucket.generation}:
            raise errors.PreconditionFailed(Condition="if_generation")
        updated = attrs.evolve(bucket, labels=tuple(sorted(request.labels.items())), generation=bucket.generation + 1)
        await tx.buckets.update(updated)
        await tx.configuration.bump()
        return updated

    return _description(await ctx.metadata.commit(work))


@operation(GetUsage, rpc="BucketService.GetUsage", action="lightningstor:GetUsage")
async def get_usage(ctx: Context, _: GetUsage) -> GetUsageResult:
    """What the bucket, its project and its organisation hold, as of one transaction."""
    of_bucket, of_project, of_organisation = await ctx.metadata.read(lambda tx: tx.usage.of(ctx.bucket))
    return GetUsageResult(bucket=of_bucket, project=of_project, organisation=of_organisation)
