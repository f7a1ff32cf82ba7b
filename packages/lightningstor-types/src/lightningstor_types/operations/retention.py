"""Inputs and outputs of object lock: a bucket's, and a version's retention and legal hold.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.names import VersionId
from lightningstor_types.operations.common import OnBucket, OnObject
from lightningstor_types.retention import DefaultRetention, LegalHoldStatus, RetentionMode


class ObjectLockEnabled(StrEnum):
    """Object lock is on; there is no word for off."""

    ENABLED = "Enabled"


@frozen(kw_only=True)
class ObjectLockRule:
    """What holds for new versions."""

    default_retention: Annotated[DefaultRetention | None, wire.element("DefaultRetention")] = None


@frozen(kw_only=True)
class PutObjectLockConfiguration(OnBucket):
    """Turn object lock on, and set the default retention or, without a rule, take it away."""

    document: ClassVar[str] = "ObjectLockConfiguration"
    enabled: Annotated[ObjectLockEnabled | None, wire.element("ObjectLockEnabled")] = None
    rule: Annotated[ObjectLockRule | None, wire.element("Rule")] = None


@frozen(kw_only=True)
class GetObjectLockConfiguration(OnBucket):
    """The bucket's default retention."""


@frozen(kw_only=True)
class ObjectLockConfiguration:
    """Without a rule there is no default."""

    document: ClassVar[str] = "ObjectLockConfiguration"
    enabled: Annotated[ObjectLockEnabled, wire.element("ObjectLockEnabled")] = ObjectLockEnabled.ENABLED
    rule: Annotated[ObjectLockRule | None, wire.element("Rule")] = None


@frozen(kw_only=True)
class PutObjectRetention(OnObject):
    """Retain a version until a date, or, with neither mode nor date, no longer."""

    document: ClassVar[str] = "Retention"
    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    bypass_governance: Annotated[bool, wire.header("x-amz-bypass-governance-retention")] = False
    mode: Annotated[RetentionMode | None, wire.element("Mode")] = None
    until: Annotated[datetime | None, wire.element("RetainUntilDate")] = None


@frozen(kw_only=True)
class GetObjectRetention(OnObject):
    """Until when a version is retained."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None


@frozen(kw_only=True)
class ObjectRetention:
    """The retention as it was set, over or not."""

    document: ClassVar[str] = "Retention"
    mode: Annotated[RetentionMode, wire.element("Mode")]
    until: Annotated[datetime, wire.element("RetainUntilDate")]


@frozen(kw_only=True)
class PutObjectLegalHold(OnObject):
    """Hold a version, or hold it no longer."""

    document: ClassVar[str] = "LegalHold"
    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    status: Annotated[LegalHoldStatus | None, wire.element("Status")] = None


@frozen(kw_only=True)
class GetObjectLegalHold(OnObject):
    """Whether a version is held."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None


@frozen(kw_only=True)
class ObjectLegalHold:
    """Whether it is held."""

    document: ClassVar[str] = "LegalHold"
    status: Annotated[LegalHoldStatus, wire.element("Status")]
