"""What a bucket is set to.

Law: each setting is one field of `BucketSettings`, kept as a document under the field's name; what is
not set has its default here. What a setting means stands in the server.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.access import AccessControlPolicy
from lightningstor_types.cors import CorsConfiguration
from lightningstor_types.lifecycle import LifecycleConfiguration
from lightningstor_types.retention import BucketLock
from lightningstor_types.tags import TagSet


class VersioningStatus(StrEnum):
    """Whether versions are kept. A bucket that never was versioned has none (AWS, "How S3 Versioning works")."""

    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class ObjectOwnership(StrEnum):
    """Who owns what is written into a bucket (AWS, "Controlling ownership of objects")."""

    BUCKET_OWNER_ENFORCED = "BucketOwnerEnforced"
    BUCKET_OWNER_PREFERRED = "BucketOwnerPreferred"
    OBJECT_WRITER = "ObjectWriter"


@frozen(kw_only=True)
class PublicAccessBlock:
    """What is refused, or not regarded, although it would make something public (AWS, "Blocking public access")."""

    block_public_acls: Annotated[bool, wire.element("BlockPublicAcls")] = False
    ignore_public_acls: Annotated[bool, wire.element("IgnorePublicAcls")] = False
    block_public_policy: Annotated[bool, wire.element("BlockPublicPolicy")] = False
    restrict_public_buckets: Annotated[bool, wire.element("RestrictPublicBuckets")] = False


@frozen(kw_only=True)
class Versioning:
    """Whether versions are kept."""

    status: VersioningStatus | None = None


@frozen(kw_only=True)
class Ownership:
    """Who owns what is written, and whether lists are regarded at all."""

    rule: ObjectOwnership = ObjectOwnership.BUCKET_OWNER_ENFORCED
    declared: bool = True
    """Whether there is a rule to tell of. Without one the writer owns, as S3 has it of old."""


UNDECLARED = Ownership(rule=ObjectOwnership.OBJECT_WRITER, declared=False)
"""No ownership controls."""
ALL_BLOCKED = PublicAccessBlock(block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True)


@frozen(kw_only=True)
class BucketPolicy:
    """Who may do what with the bucket and what is in it, in AWS's language for policies."""

    text: str
    """As it was put."""


@frozen(kw_only=True)
class BucketSettings:
    """All settings of a bucket."""

    versioning: Versioning = Versioning()
    ownership: Ownership = Ownership()
    acl: AccessControlPolicy | None = None
    """None: the owner alone, with FULL_CONTROL."""
    public_access_block: PublicAccessBlock | None = None
    object_lock: BucketLock | None = None
    tagging: TagSet | None = None
    cors: CorsConfiguration | None = None
    lifecycle: LifecycleConfiguration | None = None
    policy: BucketPolicy | None = None


NO_SETTINGS = BucketSettings()
