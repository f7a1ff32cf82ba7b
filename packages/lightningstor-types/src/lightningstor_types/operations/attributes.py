"""Inputs and outputs of GetObjectAttributes and GetObjectTorrent.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ChecksumType
from lightningstor_types.names import LIST_MAX_KEYS, VersionId
from lightningstor_types.objects import StorageClass
from lightningstor_types.operations.common import NO_READ_CONDITIONS, OnObject, ReadConditions


class ObjectAttribute(StrEnum):
    """What there is to ask for of an object."""

    ETAG = "ETag"
    CHECKSUM = "Checksum"
    OBJECT_PARTS = "ObjectParts"
    STORAGE_CLASS = "StorageClass"
    OBJECT_SIZE = "ObjectSize"


@frozen(kw_only=True)
class GetObjectAttributes(OnObject):
    """Read the attributes of an object that `attributes` names, its parts page by page."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    attributes: Annotated[tuple[ObjectAttribute, ...], wire.header("x-amz-object-attributes")]
    max_parts: Annotated[int, wire.header("x-amz-max-parts")] = LIST_MAX_KEYS
    part_number_marker: Annotated[int, wire.header("x-amz-part-number-marker")] = 0
    conditions: Annotated[ReadConditions, wire.group()] = NO_READ_CONDITIONS


@frozen(kw_only=True)
class ObjectChecksum:
    """The checksum of an object's body, and what it covers."""

    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None


@frozen(kw_only=True)
class ObjectPart:
    """A part that an object was completed from."""

    number: Annotated[int, wire.element("PartNumber")]
    size: Annotated[int, wire.element("Size")]
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS


@frozen(kw_only=True)
class ObjectParts:
    """A page of an object's parts, by number."""

    parts_count: Annotated[int, wire.element("PartsCount")]
    part_number_marker: Annotated[int, wire.element("PartNumberMarker")] = 0
    next_part_number_marker: Annotated[int | None, wire.element("NextPartNumberMarker")] = None
    max_parts: Annotated[int, wire.element("MaxParts")]
    truncated: Annotated[bool, wire.element("IsTruncated")]
    parts: Annotated[tuple[ObjectPart, ...], wire.element("Part")] = ()


@frozen(kw_only=True)
class GetObjectAttributesResult:
    """The attributes that were asked for, as far as the object has them."""

    document: ClassVar[str] = "GetObjectAttributesResponse"
    last_modified: Annotated[datetime, wire.header("last-modified")]
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    etag: Annotated[str | None, wire.element("ETag")] = None
    """Without quotes, here in XML too."""
    checksum: Annotated[ObjectChecksum | None, wire.element("Checksum")] = None
    object_parts: Annotated[ObjectParts | None, wire.element("ObjectParts")] = None
    storage_class: Annotated[StorageClass | None, wire.element("StorageClass")] = None
    object_size: Annotated[int | None, wire.element("ObjectSize")] = None


@frozen(kw_only=True)
class GetObjectTorrent(OnObject):
    """Ask for an object's torrent, which no object has."""
