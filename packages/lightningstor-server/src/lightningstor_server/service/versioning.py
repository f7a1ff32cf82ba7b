"""The versioning of a bucket, on and suspended.

Law: once on it is never off again, only suspended: versions that are there stay. A change counts the
store's generation on, and what commits after it goes by it (`versions.next_revision`).
Source: AWS, PutBucketVersioning.
"""

from __future__ import annotations

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.versioning import GetBucketVersioning, MfaDelete, PutBucketVersioning, VersioningConfiguration
from lightningstor_types.settings import Versioning, VersioningStatus


@operation(
    PutBucketVersioning,
    Route("PUT", Target.BUCKET, query=("versioning",)),
    rpc="BucketService.SetVersioning",
    action="s3:PutBucketVersioning",
)
async def put_bucket_versioning(ctx: Context, request: PutBucketVersioning) -> Empty:
    """Turn it on or suspend it. AWS, PutBucketVersioning."""
    if request.status is None:
        raise errors.MalformedXML
    if request.mfa_delete is MfaDelete.ENABLED:
        raise errors.NotImplemented("Deleting with a second factor is not offered.")
    versioning = Versioning(status=request.status)

    def check(bucket: Bucket) -> None:
        if bucket.settings.object_lock is not None and versioning.status is not VersioningStatus.ENABLED:
            raise errors.InvalidBucketState(
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
            )

    await configure(ctx, "versioning", versioning, check)
    return Empty()


@operation(
    GetBucketVersioning,
    Route("GET", Target.BUCKET, query=("versioning",)),
    rpc="BucketService.GetVersioning",
    action="s3:GetBucketVersioning",
)
async def get_bucket_versioning(ctx: Context, _: GetBucketVersioning) -> VersioningConfiguration:
    """Whether it is on. AWS, GetBucketVersioning."""
    return VersioningConfiguration(status=ctx.bucket.settings.versioning.status)
