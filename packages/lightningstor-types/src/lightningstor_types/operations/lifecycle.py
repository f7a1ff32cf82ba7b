"""Inputs and outputs of a bucket's lifecycle configuration.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.lifecycle import LifecycleRule, TransitionMinimumSize
from lightningstor_types.operations.common import OnBucket


@frozen(kw_only=True)
class PutBucketLifecycleConfiguration(OnBucket):
    """Replace the rules."""

    document: ClassVar[str] = "LifecycleConfiguration"
    minimum_size: Annotated[TransitionMinimumSize, wire.header("x-amz-transition-default-minimum-object-size")] = (
        TransitionMinimumSize.ALL_128K
    )
    rules: Annotated[tuple[LifecycleRule, ...], wire.element("Rule")] = ()


@frozen(kw_only=True)
class PutBucketLifecycleConfigurationResult:
    """What holds of small objects now."""

    minimum_size: Annotated[TransitionMinimumSize, wire.header("x-amz-transition-default-minimum-object-size")]


@frozen(kw_only=True)
class GetBucketLifecycleConfiguration(OnBucket):
    """Read the rules."""


@frozen(kw_only=True)
class DeleteBucketLifecycle(OnBucket):
    """Take the rules away."""
