"""What is known of a bucket.

Law: a bucket is its immutable id; its name is a way to find it, unique within a namespace.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.names import BucketName


@frozen(kw_only=True)
class Owner:
    """The project that owns something, as S3 names a canonical user."""

    id: Annotated[str, wire.element("ID")]
    display_name: Annotated[str, wire.element("DisplayName")]


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


@frozen(kw_only=True)
class Usage:
    """What a bucket, a project or an organisation holds, counted in the objects' own transactions."""

    objects: int = 0
    bytes: int = 0
    uploads_bytes: int = 0
    """Bytes of the parts of uploads that are not yet complete."""
