"""Inputs and outputs of a bucket's public access block, and of the question whether it is public.

Law: as the package's. Source: AWS, "Blocking public access to your Amazon S3 storage".
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.settings import PublicAccessBlock


@frozen(kw_only=True)
class PutPublicAccessBlock(OnBucket):
    """Say what is refused, or not regarded, although it would make something public."""

    document: ClassVar[str] = "PublicAccessBlockConfiguration"
    block: Annotated[PublicAccessBlock | None, wire.group()] = None


@frozen(kw_only=True)
class GetPublicAccessBlock(OnBucket):
    """What is refused, or not regarded."""


@frozen(kw_only=True)
class PublicAccessBlockConfiguration:
    """What is refused, or not regarded."""

    document: ClassVar[str] = "PublicAccessBlockConfiguration"
    block: Annotated[PublicAccessBlock, wire.group()]


@frozen(kw_only=True)
class DeletePublicAccessBlock(OnBucket):
    """Take the block away."""


@frozen(kw_only=True)
class GetBucketPolicyStatus(OnBucket):
    """Whether the bucket is public."""


@frozen(kw_only=True)
class PolicyStatus:
    """Whether everybody may do something with it."""

    document: ClassVar[str] = "PolicyStatus"
    is_public: Annotated[bool, wire.element("IsPublic")]
