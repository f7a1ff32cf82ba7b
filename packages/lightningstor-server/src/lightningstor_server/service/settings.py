"""What an operator decides and the rules obey.

Law: a rule reads its limits here or from the types' constants, never from a literal.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace

INLINE_MAX_BYTES: Final = 16 << 10
"""A body up to this size lives in the metadata: one durable commit in place of file, link and two syncs."""
SEGMENT_BYTES: Final = 512 << 10
"""A longer body is hashed and written in runs of this size."""
CHUNKS_IN_FLIGHT: Final = 2
"""Full chunks of one body that are being made durable while the next one fills."""
OPERATION_DEADLINE_SECONDS: Final = 60.0
"""How long an operation that moves no body may take."""


@frozen(kw_only=True)
class Settings:
    """The settings that reach the rules."""

    region: str = "us-east-1"
    bucket_namespace: BucketNamespace = BucketNamespace.PROJECT
    anonymous_project: str | None = None
    """`organisation/project` in which requests without a credential resolve names; the root project unless given."""
    new_bucket_ownership: ObjectOwnership = ObjectOwnership.BUCKET_OWNER_ENFORCED
    new_bucket_blocked: bool = True
    """Whether a new bucket blocks public access."""
