"""Inputs and outputs of PutObject, GetObject, HeadObject, the deletes and UpdateObject.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import field, frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AclHeaders
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import PartNumber, VersionId
from lightningstor_types.objects import NO_METADATA, ByteRange, Object, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import (
    NO_READ_CONDITIONS,
    NO_WRITE_CONDITIONS,
    OnBucket,
    OnObject,
    ReadConditions,
    WriteConditions,
)
from lightningstor_types.retention import NO_LOCK_HEADERS, LockHeaders
from lightningstor_types.streams import ByteStream
from lightningstor_types.tags import TagSet


class ChecksumMode(StrEnum):
    """Whether a read is answered with the stored checksums."""

    ENABLED = "ENABLED"


@frozen(kw_only=True)
class PutObject(OnObject):
    """Write an object as a whole."""

    conditions: Annotated[WriteConditions, wire.group()] = NO_WRITE_CONDITIONS
    content_md5: Annotated[str | None, wire.header("content-md5")] = None
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.header("x-amz-sdk-checksum-algorithm")] = None
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    storage_class: Annotated[StorageClass, wire.header("x-amz-storage-class")] = StorageClass.STANDARD
    metadata: Annotated[ObjectMetadata, wire.group()] = NO_METADATA
    acl: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    tagging: Annotated[TagSet | None, wire.header("x-amz-tagging")] = None
    lock: Annotated[LockHeaders, wire.group()] = NO_LOCK_HEADERS
    body: Annotated[ByteStream, wire.STREAM]


@frozen(kw_only=True)
class PutObjectResult:
    """What was written."""

    etag: Annotated[ETag, wire.header("etag")]
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    checksum_type: Annotated[ChecksumType | None, wire.header("x-amz-checksum-type")] = None
    expiration: Annotated[str | None, wire.header("x-amz-expiration")] = None
    """When a lifecycle rule ends it, and which."""
    size: int = 0


@frozen(kw_only=True)
class ResponseOverrides:
    """Headers that a signed read asks to see in place of the stored ones."""

    content_type: Annotated[str | None, wire.query("response-content-type")] = None
    cache_control: Annotated[str | None, wire.query("response-cache-control")] = None
    content_disposition: Annotated[str | None, wire.query("response-content-disposition")] = None
    content_encoding: Annotated[str | None, wire.query("response-content-encoding")] = None
    content_language: Annotated[str | None, wire.query("response-content-language")] = None
    expires: Annotated[str | None, wire.query("response-expires")] = None


NO_OVERRIDES = ResponseOverrides()


@frozen(kw_only=True)
class HeadObject(OnObject):
    """Read what is known of an object."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    part_number: Annotated[PartNumber | None, wire.query("partNumber")] = None
    range: Annotated[ByteRange | None, wire.header("range")] = None
    conditions: Annotated[ReadConditions, wire.group()] = NO_READ_CONDITIONS
    checksum_mode: Annotated[ChecksumMode | None, wire.header("x-amz-checksum-mode")] = None
    overrides: Annotated[ResponseOverrides, wire.group()] = NO_OVERRIDES


@frozen(kw_only=True)
class GetObject(HeadObject):
    """Read an object, or a range of it."""


@frozen(kw_only=True)
class HeadObjectResult:
    """What is known of an object; `content_length` counts the bytes of the range asked for."""

    object: Annotated[Object, wire.group()]
    accept_ranges: Annotated[str, wire.header("accept-ranges")] = "bytes"
    content_length: Annotated[int, wire.header("content-length")]
    content_range: Annotated[str | None, wire.header("content-range")] = None
    lock: Annotated[LockHeaders | None, wire.group()] = None
    """What the caller may know of it."""
    expiration: Annotated[str | None, wire.header("x-amz-expiration")] = None
    """When a lifecycle rule ends the current version, and which."""
    tag_count: Annotated[int | None, wire.header("x-amz-tagging-count")] = None
    """Of an object with tags, where the caller may read them."""


@frozen(kw_only=True)
class GetObjectResult(HeadObjectResult):
    """What is known of an object, and its bytes."""

    body: Annotated[ByteStream, wire.STREAM]


@frozen(kw_only=True)
class DeleteObject(OnObject):
    """Delete an object. That it is not there is no error."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    if_match: Annotated[str | None, wire.header("if-match")] = None
    if_match_last_modified: Annotated[datetime | None, wire.header("x-amz-if-match-last-modified-time")] = None
    if_match_size: Annotated[int | None, wire.header("x-amz-if-match-size")] = None
    bypass_governance: Annotated[bool, wire.header("x-amz-bypass-governance-retention")] = False


@frozen(kw_only=True)
class DeleteObjectResult:
    """Which version went, or which delete marker came."""

    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    delete_marker: Annotated[bool | None, wire.header("x-amz-delete-marker")] = None


@frozen(kw_only=True)
class ObjectIdentifier:
    """One of the objects of a batch, with what the caller expects of it."""

    key: Annotated[str, wire.element("Key")]
    version_id: Annotated[str | None, wire.element("VersionId")] = None
    etag: Annotated[ETag | None, wire.element("ETag")] = None
    last_modified: Annotated[datetime | None, wire.element("LastModifiedTime")] = None
    size: Annotated[int | None, wire.element("Size")] = None


@frozen(kw_only=True)
class DeleteObjects(OnBucket):
    """Delete up to 1,000 objects; each succeeds or fails on its own."""

    document: ClassVar[str] = "Delete"
    objects: Annotated[tuple[ObjectIdentifier, ...], wire.element("Object")] = ()
    quiet: Annotated[bool | None, wire.element("Quiet")] = None
    bypass_governance: Annotated[bool, wire.header("x-amz-bypass-governance-retention")] = False


@frozen(kw_only=True)
class DeletedObject:
    """An object that is gone."""

    key: Annotated[str, wire.element("Key")]
    version_id: Annotated[str | None, wire.element("VersionId")] = None
    delete_marker: Annotated[bool | None, wire.element("DeleteMarker")] = None
    delete_marker_version_id: Annotated[str | None, wire.element("DeleteMarkerVersionId")] = None


@frozen(kw_only=True)
class DeleteFailure:
    """An object that was not deleted, and why."""

    key: Annotated[str, wire.element("Key")]
    version_id: Annotated[str | None, wire.element("VersionId")] = None
    code: Annotated[str, wire.element("Code")]
    message: Annotated[str, wire.element("Message")]


@frozen(kw_only=True)
class DeleteObjectsResult:
    """One entry per object asked for; in quiet mode only the failures."""

    document: ClassVar[str] = "DeleteResult"
    deleted: Annotated[tuple[DeletedObject, ...], wire.element("Deleted")] = ()
    errors: Annotated[tuple[DeleteFailure, ...], wire.element("Error")] = ()


@frozen(kw_only=True)
class UpdateObject(OnObject):
    """Replace the metadata of an object in place (gRPC; S3 has only the copy onto itself).

    `update_mask` names fields of `ObjectMetadata`; empty means all of them.
    """

    metadata: ObjectMetadata = NO_METADATA
    update_mask: tuple[str, ...] = ()
    if_generation: int | None = None


@frozen(kw_only=True)
class UpdateObjectResult:
    """The object as it is now."""

    object: Object = field()
