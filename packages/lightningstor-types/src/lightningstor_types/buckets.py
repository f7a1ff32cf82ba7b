"""What is known of a bucket.

Law: a bucket is its immutable id; its name is a way to find it, unique within a namespace.
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from lightningstor_types.names import BucketName
from lightningstor_types.owners import NOBODY, Owner
from lightningstor_types.settings import NO_SETTINGS, BucketSettings


@frozen(kw_only=True)
class Bucket:
    """A bucket as the metadata store has it.

    `generation` counts the changes of its configuration (not of its objects) and is what
    UpdateBucket's precondition compares.
    """

    id: int
    name: BucketName
    organisation_id: int
    project_id: int
    region: str
    created: datetime
    generation: int
    labels: tuple[tuple[str, str], ...] = ()
    owner: Owner = NOBODY
    """The project, as S3 names it."""
    settings: BucketSettings = NO_SETTINGS
    limited: bool = False
    """Whether it, its project or its organisation has a quota."""


@frozen(kw_only=True)
class Usage:
    """What a bucket, a project or an organisation holds, counted in the objects' own transactions."""

    objects: int = 0
    bytes: int = 0
    uploads_bytes: int = 0
    """Bytes of the parts of uploads that are not yet complete."""
    buckets: int = 0
    """Of a project or an organisation."""
