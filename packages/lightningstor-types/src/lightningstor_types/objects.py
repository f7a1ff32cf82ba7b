"""What is known of an object.

Law: an object's system metadata are typed fields and never taken from a client's headers; what a
client says about it stands in `ObjectMetadata` and is handed back as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from attrs import field, frozen

from lightningstor_types import wire
from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ChecksumType, ETag
from lightningstor_types.errors import InvalidRange
from lightningstor_types.names import NULL_VERSION, BucketName, ObjectKey, VersionId
from lightningstor_types.owners import Owner


class StorageClass(StrEnum):
    """S3's storage classes. All of them are kept alike; the name is handed back."""

    STANDARD = "STANDARD"
    REDUCED_REDUNDANCY = "REDUCED_REDUNDANCY"
    STANDARD_IA = "STANDARD_IA"
    ONEZONE_IA = "ONEZONE_IA"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"


DEFAULT_CONTENT_TYPE = "binary/octet-stream"
"""What S3 says of a body whose writer said nothing."""


@frozen(kw_only=True)
class ObjectMetadata:
    """What the writer said about the body, handed back verbatim on reads (S3's "object metadata")."""

    content_type: Annotated[str | None, wire.header("content-type")] = DEFAULT_CONTENT_TYPE
    cache_control: Annotated[str | None, wire.header("cache-control")] = None
    content_disposition: Annotated[str | None, wire.header("content-disposition")] = None
    content_encoding: Annotated[str | None, wire.header("content-encoding")] = None
    content_language: Annotated[str | None, wire.header("content-language")] = None
    expires: Annotated[str | None, wire.header("expires")] = None
    website_redirect: Annotated[str | None, wire.header("x-amz-website-redirect-location")] = None
    user: Annotated[Mapping[str, str], wire.USER_METADATA] = field(factory=dict)


NO_METADATA = ObjectMetadata()


@frozen(kw_only=True)
class Object:
    """An object, or one version of it, without its body."""

    key: str
    size: int
    etag: Annotated[ETag, wire.header("etag")]
    last_modified: Annotated[datetime, wire.header("last-modified")]
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    revision: int = 0
    """The bucket's revision that made this version; the order of versions."""
    generation: int = 1
    """Counts the changes of this version's metadata."""
    storage_class: Annotated[StorageClass, wire.header("x-amz-storage-class")] = StorageClass.STANDARD
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    checksum_type: Annotated[ChecksumType | None, wire.header("x-amz-checksum-type")] = None
    parts_count: Annotated[int | None, wire.header("x-amz-mp-parts-count")] = None
    metadata: Annotated[ObjectMetadata, wire.group()] = NO_METADATA


@frozen(kw_only=True)
class ListedObject:
    """An object as a listing names it."""

    key: Annotated[str, wire.element("Key"), wire.ENCODED]
    last_modified: Annotated[datetime, wire.element("LastModified")]
    etag: Annotated[ETag, wire.element("ETag")]
    checksum_algorithms: Annotated[tuple[str, ...], wire.element("ChecksumAlgorithm")] = ()
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None
    size: Annotated[int, wire.element("Size")]
    storage_class: Annotated[StorageClass, wire.element("StorageClass")] = StorageClass.STANDARD
    owner: Annotated[Owner | None, wire.element("Owner")] = None


@frozen(kw_only=True)
class ListedVersion(ListedObject):
    """A version as a listing of versions names it."""

    version_id: Annotated[str, wire.element("VersionId")] = NULL_VERSION
    latest: Annotated[bool, wire.element("IsLatest")] = True


@frozen(kw_only=True)
class ListedDeleteMarker:
    """A delete marker as a listing of versions names it."""

    key: Annotated[str, wire.element("Key"), wire.ENCODED]
    version_id: Annotated[str, wire.element("VersionId")]
    latest: Annotated[bool, wire.element("IsLatest")]
    last_modified: Annotated[datetime, wire.element("LastModified")]
    owner: Annotated[Owner | None, wire.element("Owner")] = None


@frozen(kw_only=True)
class CommonPrefix:
    """A prefix that a delimiter rolled up."""

    prefix: Annotated[str, wire.element("Prefix"), wire.ENCODED]


@frozen(kw_only=True)
class ByteRange:
    """A single range of a body, in bytes.

    A negative `offset` is a suffix: the last `-offset` bytes. Without `limit` it reads to the end.
    """

    offset: int = 0
    limit: int | None = None

    def resolve(self, size: int) -> tuple[int, int]:
        """The first byte and the length that this range covers of a body of `size` bytes.

        Raises:
            InvalidRange: it covers no byte (RFC 9110 section 14.1.2: unsatisfiable).
        """
        first = max(0, size + self.offset) if self.offset < 0 else self.offset
        length = size - first if self.limit is None else min(self.limit, size - first)
        if length <= 0:
            raise InvalidRange(RangeRequested=f"{self.offset}+{self.limit}", ActualObjectSize=str(size))
        return first, length


@frozen(kw_only=True)
class CopySource:
    """The object, or the version of one, that a copy reads."""

    bucket: BucketName
    key: ObjectKey
    version_id: VersionId | None = None
