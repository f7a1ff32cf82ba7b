"""What keeps a version from being deleted.

Law: inert; whether it still holds is asked of the server's clock. Source: AWS, "How S3 Object Lock works".
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import frozen


class RetentionMode(StrEnum):
    """Whether anybody may end a retention before its time: with a permission, or nobody."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


@frozen(kw_only=True)
class ObjectLock:
    """The retention of a version, and its legal hold."""

    mode: RetentionMode | None = None
    until: datetime | None = None
    legal_hold: bool = False


NO_LOCK = ObjectLock()
