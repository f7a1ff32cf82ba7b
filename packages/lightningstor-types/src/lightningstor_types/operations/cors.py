"""Inputs and outputs of a bucket's CORS configuration.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.cors import CorsRule
from lightningstor_types.operations.common import OnBucket


@frozen(kw_only=True)
class PutBucketCors(OnBucket):
    """Replace the rules."""

    document: ClassVar[str] = "CORSConfiguration"
    rules: Annotated[tuple[CorsRule, ...], wire.element("CORSRule")] = ()


@frozen(kw_only=True)
class GetBucketCors(OnBucket):
    """Read the rules."""


@frozen(kw_only=True)
class DeleteBucketCors(OnBucket):
    """Take the rules away."""
