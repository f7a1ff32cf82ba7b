"""Inputs and outputs of the tags of objects, of versions of them, and of buckets.

Law: as the package's. A set is replaced as a whole. Source: AWS, Amazon S3 API Reference, pages of
the same names.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.names import VersionId
from lightningstor_types.operations.common import OnBucket, OnObject
from lightningstor_types.tags import Tag, TagSet


class TaggingDirective(StrEnum):
    """Whether a copy takes the source's tags or the request's."""

    COPY = "COPY"
    REPLACE = "REPLACE"


@frozen(kw_only=True)
class PutObjectTagging(OnObject):
    """Replace the tags of an object."""

    document: ClassVar[str] = "Tagging"
    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    tagging: Annotated[TagSet | None, wire.element("TagSet")] = None
    """An empty set is one; without any set the document is malformed."""


@frozen(kw_only=True)
class PutObjectTaggingResult:
    """The version whose tags they are."""

    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None


@frozen(kw_only=True)
class GetObjectTagging(OnObject):
    """Read the tags of an object."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None


@frozen(kw_only=True)
class GetObjectTaggingResult:
    """The tags, in the order of their keys, and the version whose they are."""

    document: ClassVar[str] = "Tagging"
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    tags: Annotated[tuple[Tag, ...], wire.element("Tag", within="TagSet")] = ()


@frozen(kw_only=True)
class DeleteObjectTagging(OnObject):
    """Take all tags off an object. That it has none is no error."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None


@frozen(kw_only=True)
class DeleteObjectTaggingResult:
    """The version whose tags they were."""

    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None


@frozen(kw_only=True)
class PutBucketTagging(OnBucket):
    """Replace the tags of a bucket."""

    document: ClassVar[str] = "Tagging"
    tagging: Annotated[TagSet | None, wire.element("TagSet")] = None
    """An empty set is one; without any set the document is malformed."""


@frozen(kw_only=True)
class GetBucketTagging(OnBucket):
    """Read the tags of a bucket."""


@frozen(kw_only=True)
class GetBucketTaggingResult:
    """The tags, in the order of their keys."""

    document: ClassVar[str] = "Tagging"
    tags: Annotated[tuple[Tag, ...], wire.element("Tag", within="TagSet")] = ()


@frozen(kw_only=True)
class DeleteBucketTagging(OnBucket):
    """Take all tags off a bucket. That it has none is no error."""
