"""Inputs and outputs of a bucket's policy.

Law: a policy travels as the text that was put, byte for byte; what it means is the server's to read.
Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.errors import MalformedPolicy, StorError
from lightningstor_types.operations.common import OnBucket

POLICY_TYPE = "application/json"
"""The media type of a policy."""


@frozen(kw_only=True)
class PutBucketPolicy(OnBucket):
    """Replace the policy."""

    malformed: ClassVar[type[StorError]] = MalformedPolicy
    confirm_remove_self: Annotated[bool, wire.header("x-amz-confirm-remove-self-bucket-access")] = False
    """Whether a policy is meant that denies its own caller to change it again."""
    policy: Annotated[str, wire.raw(POLICY_TYPE)] = ""


@frozen(kw_only=True)
class GetBucketPolicy(OnBucket):
    """Read the policy."""


@frozen(kw_only=True)
class GetBucketPolicyResult:
    """The policy, as it was put."""

    policy: Annotated[str, wire.raw(POLICY_TYPE)]


@frozen(kw_only=True)
class DeleteBucketPolicy(OnBucket):
    """Take the policy away. That there is none is no error."""
