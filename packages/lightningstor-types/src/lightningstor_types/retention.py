"""What keeps a version from being deleted.

Law: inert; whether it still holds is asked of the server's clocks. Source: AWS, "How S3 Object Lock works".
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire


class RetentionMode(StrEnum):
    """Whether anybody may end a retention before its time: with a permission, or nobody."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


class LegalHoldStatus(StrEnum):
    """Whether a version is kept until somebody says otherwise."""

    ON = "ON"
    OFF = "OFF"


@frozen(kw_only=True)
class ObjectLock:
    """The retention of a version, and its legal hold."""

    mode: RetentionMode | None = None
    until: datetime | None = None
    legal_hold: bool | None = None
    """None: it never had one, which S3 tells apart from one that was lifted."""


NO_LOCK = ObjectLock()


@frozen(kw_only=True)
class LockHeaders:
    """What a write says of the lock of its version, and a read tells of it."""

    mode: Annotated[RetentionMode | None, wire.header("x-amz-object-lock-mode")] = None
    until: Annotated[datetime | None, wire.header("x-amz-object-lock-retain-until-date")] = None
    legal_hold: Annotated[LegalHoldStatus | None, wire.header("x-amz-object-lock-legal-hold")] = None


NO_LOCK_HEADERS = LockHeaders()


@frozen(kw_only=True)
class DefaultRetention:
    """What a version is retained by whose writer says nothing: for days, or for years."""

    mode: Annotated[RetentionMode, wire.element("Mode")]
    days: Annotated[int | None, wire.element("Days")] = None
    years: Annotated[int | None, wire.element("Years")] = None


@frozen(kw_only=True)
class BucketLock:
    """The object lock of a bucket. Once there it stays; its default may change."""

    default: DefaultRetention | None = None
