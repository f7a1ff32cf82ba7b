"""Inputs and outputs of the versioning of a bucket.

Law: as the package's. Source: AWS, "Using versioning in S3 buckets".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.settings import VersioningStatus


class MfaDelete(StrEnum):
    """Whether deleting versions asks for a second factor."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


@frozen(kw_only=True)
class PutBucketVersioning(OnBucket):
    """Turn the keeping of versions on, or suspend it."""

    document: ClassVar[str] = "VersioningConfiguration"
    mfa_delete: Annotated[MfaDelete | None, wire.element("MfaDelete")] = None
    status: Annotated[VersioningStatus | None, wire.element("Status")] = None


@frozen(kw_only=True)
class GetBucketVersioning(OnBucket):
    """Whether versions are kept."""


@frozen(kw_only=True)
class VersioningConfiguration:
    """Without a status: versioning was never on."""

    document: ClassVar[str] = "VersioningConfiguration"
    status: Annotated[VersioningStatus | None, wire.element("Status")] = None
