"""Inputs and outputs of the operations on buckets.

Law: as the package's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from attrs import field, frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AclHeaders
from lightningstor_types.buckets import Usage
from lightningstor_types.names import LIST_MAX_BUCKETS
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.owners import Owner
from lightningstor_types.settings import ObjectOwnership


@frozen(kw_only=True)
class ListBuckets:
    """The buckets of the caller's project."""

    prefix: Annotated[str | None, wire.query("prefix")] = None
    region: Annotated[str | None, wire.query("bucket-region")] = None
    continuation_token: Annotated[str | None, wire.query("continuation-token")] = None
    max_buckets: Annotated[int, wire.query("max-buckets")] = LIST_MAX_BUCKETS


@frozen(kw_only=True)
class ListedBucket:
    """A bucket as ListBuckets names it."""

    name: Annotated[str, wire.element("Name")]
    created: Annotated[datetime, wire.element("CreationDate")]
    region: Annotated[str, wire.element("BucketRegion")]


@frozen(kw_only=True)
class ListBucketsResult:
    """A page of buckets, by name."""

    document: ClassVar[str] = "ListAllMyBucketsResult"
    owner: Annotated[Owner, wire.element("Owner")]
    buckets: Annotated[tuple[ListedBucket, ...], wire.element("Bucket", within="Buckets")] = ()
    continuation_token: Annotated[str | None, wire.element("ContinuationToken")] = None
    prefix: Annotated[str | None, wire.element("Prefix")] = None


@frozen(kw_only=True)
class CreateBucket(OnBucket):
    """Make a bucket in the caller's project."""

    document: ClassVar[str] = "CreateBucketConfiguration"
    location: Annotated[str | None, wire.element("LocationConstraint")] = None
    acl: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    object_ownership: Annotated[ObjectOwnership | None, wire.header("x-amz-object-ownership")] = None
    object_lock: Annotated[bool, wire.header("x-amz-bucket-object-lock-enabled")] = False


@frozen(kw_only=True)
class CreateBucketResult:
    """Where the bucket is."""

    location: Annotated[str, wire.header("location")]


@frozen(kw_only=True)
class HeadBucket(OnBucket):
    """Whether the bucket is there and the caller may list it."""


@frozen(kw_only=True)
class HeadBucketResult:
    """The bucket's region."""

    region: Annotated[str, wire.header("x-amz-bucket-region")]


@frozen(kw_only=True)
class DeleteBucket(OnBucket):
    """Delete a bucket that holds nothing."""


@frozen(kw_only=True)
class GetBucketLocation(OnBucket):
    """The bucket's region, in the oldest form."""


@frozen(kw_only=True)
class GetBucketLocationResult:
    """The region as the text of the root element; us-east-1 is the empty one."""

    document: ClassVar[str] = "LocationConstraint"
    region: Annotated[str, wire.element("")]


@frozen(kw_only=True)
class GetBucket(OnBucket):
    """What is known of a bucket (gRPC)."""


@frozen(kw_only=True)
class BucketDescription:
    """A bucket as its project sees it."""

    name: str
    created: datetime
    region: str
    generation: int
    labels: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class UpdateBucket(OnBucket):
    """Change what `update_mask` names of a bucket (gRPC); `labels` is what there is to change."""

    labels: Mapping[str, str] = field(factory=dict)
    update_mask: tuple[str, ...] = ()
    if_generation: int | None = None


@frozen(kw_only=True)
class GetUsage(OnBucket):
    """What a bucket, its project and its organisation hold (gRPC)."""


@frozen(kw_only=True)
class GetUsageResult:
    """The three counts, exact as of one transaction."""

    bucket: Usage
    project: Usage
    organisation: Usage
