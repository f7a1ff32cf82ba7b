"""Inputs and outputs of CopyObject and UploadPartCopy.

Law: as the package's. A copy moves no bytes; source and destination are authorised apart.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AclHeaders
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import PartNumber, UploadId
from lightningstor_types.objects import NO_METADATA, ByteRange, CopySource, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import (
    NO_READ_CONDITIONS,
    NO_WRITE_CONDITIONS,
    OnObject,
    ReadConditions,
    WriteConditions,
)
from lightningstor_types.operations.tagging import TaggingDirective
from lightningstor_types.retention import NO_LOCK_HEADERS, LockHeaders
from lightningstor_types.tags import TagSet


class MetadataDirective(StrEnum):
    """Whether a copy takes the source's metadata or the request's."""

    COPY = "COPY"
    REPLACE = "REPLACE"


@frozen(kw_only=True)
class CopyObject(OnObject):
    """Make an object of the bytes of another one."""

    source: Annotated[CopySource, wire.header("x-amz-copy-source")]
    expected_source_owner: Annotated[str | None, wire.header("x-amz-source-expected-bucket-owner")] = None
    source_conditions: Annotated[ReadConditions, wire.group("x-amz-copy-source-")] = NO_READ_CONDITIONS
    conditions: Annotated[WriteConditions, wire.group()] = NO_WRITE_CONDITIONS
    metadata_directive: Annotated[MetadataDirective, wire.header("x-amz-metadata-directive")] = MetadataDirective.COPY
    metadata: Annotated[ObjectMetadata, wire.group()] = NO_METADATA
    storage_class: Annotated[StorageClass | None, wire.header("x-amz-storage-class")] = None
    acl: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    lock: Annotated[LockHeaders, wire.group()] = NO_LOCK_HEADERS
    tagging_directive: Annotated[TaggingDirective, wire.header("x-amz-tagging-directive")] = TaggingDirective.COPY
    tagging: Annotated[TagSet | None, wire.header("x-amz-tagging")] = None
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.header("x-amz-checksum-algorithm")] = None


@frozen(kw_only=True)
class CopyObjectResult:
    """The copy that was made."""

    document: ClassVar[str] = "CopyObjectResult"
    etag: Annotated[ETag, wire.element("ETag")]
    last_modified: Annotated[datetime, wire.element("LastModified")]
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    source_version_id: Annotated[str | None, wire.header("x-amz-copy-source-version-id")] = None


@frozen(kw_only=True)
class UploadPartCopy(OnObject):
    """Make a part of the bytes, or a range of the bytes, of an object."""

    upload_id: Annotated[UploadId, wire.query("uploadId")]
    part_number: Annotated[PartNumber, wire.query("partNumber")]
    source: Annotated[CopySource, wire.header("x-amz-copy-source")]
    expected_source_owner: Annotated[str | None, wire.header("x-amz-source-expected-bucket-owner")] = None
    source_range: Annotated[ByteRange | None, wire.header("x-amz-copy-source-range")] = None
    source_conditions: Annotated[ReadConditions, wire.group("x-amz-copy-source-")] = NO_READ_CONDITIONS


@frozen(kw_only=True)
class UploadPartCopyResult:
    """The part that was made."""

    document: ClassVar[str] = "CopyPartResult"
    etag: Annotated[ETag, wire.element("ETag")]
    last_modified: Annotated[datetime, wire.element("LastModified")]
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    source_version_id: Annotated[str | None, wire.header("x-amz-copy-source-version-id")] = None
