"""Inputs and outputs of a bucket's ownership controls.

Law: as the package's. Source: AWS, "Controlling ownership of objects and disabling ACLs for your bucket".
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.settings import ObjectOwnership


@frozen(kw_only=True)
class OwnershipRule:
    """Who owns what is written."""

    object_ownership: Annotated[ObjectOwnership, wire.element("ObjectOwnership")]


@frozen(kw_only=True)
class PutBucketOwnershipControls(OnBucket):
    """Say who owns what is written; there is exactly one rule."""

    document: ClassVar[str] = "OwnershipControls"
    rules: Annotated[tuple[OwnershipRule, ...], wire.element("Rule")] = ()


@frozen(kw_only=True)
class GetBucketOwnershipControls(OnBucket):
    """Who owns what is written."""


@frozen(kw_only=True)
class OwnershipControls:
    """The rule."""

    document: ClassVar[str] = "OwnershipControls"
    rules: Annotated[tuple[OwnershipRule, ...], wire.element("Rule")]


@frozen(kw_only=True)
class DeleteBucketOwnershipControls(OnBucket):
    """Take the rule away: what is written then belongs to its writer, as S3 has it of old."""
