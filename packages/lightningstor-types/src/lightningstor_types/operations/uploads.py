"""Inputs and outputs of multipart uploads.

Law: as the package's. Source: AWS, "Uploading and copying objects using multipart upload".
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AclHeaders
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import PartNumber, UploadId
from lightningstor_types.objects import NO_METADATA, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import NO_WRITE_CONDITIONS, OnObject, WriteConditions
from lightningstor_types.retention import NO_LOCK_HEADERS, LockHeaders
from lightningstor_types.streams import ByteStream
from lightningstor_types.tags import TagSet
from lightningstor_types.uploads import CompletedPart


@frozen(kw_only=True)
class CreateMultipartUpload(OnObject):
    """Begin an upload."""

    metadata: Annotated[ObjectMetadata, wire.group()] = NO_METADATA
    storage_class: Annotated[StorageClass, wire.header("x-amz-storage-class")] = StorageClass.STANDARD
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.header("x-amz-checksum-algorithm")] = None
    checksum_type: Annotated[ChecksumType | None, wire.header("x-amz-checksum-type")] = None
    acl: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    lock: Annotated[LockHeaders, wire.group()] = NO_LOCK_HEADERS
    tagging: Annotated[TagSet | None, wire.header("x-amz-tagging")] = None


@frozen(kw_only=True)
class CreateMultipartUploadResult:
    """The upload that parts go to."""

    document: ClassVar[str] = "InitiateMultipartUploadResult"
    bucket: Annotated[str, wire.element("Bucket")]
    key: Annotated[str, wire.element("Key")]
    upload_id: Annotated[str, wire.element("UploadId")]
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.header("x-amz-checksum-algorithm")] = None
    checksum_type: Annotated[ChecksumType | None, wire.header("x-amz-checksum-type")] = None


@frozen(kw_only=True)
class UploadPart(OnObject):
    """Write a part; a part that is there under the number is replaced."""

    upload_id: Annotated[UploadId, wire.query("uploadId")]
    part_number: Annotated[PartNumber, wire.query("partNumber")]
    content_md5: Annotated[str | None, wire.header("content-md5")] = None
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.header("x-amz-sdk-checksum-algorithm")] = None
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    body: Annotated[ByteStream, wire.STREAM]


@frozen(kw_only=True)
class UploadPartResult:
    """The part that was written."""

    etag: Annotated[ETag, wire.header("etag")]
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    size: int = 0


@frozen(kw_only=True)
class CompleteMultipartUpload(OnObject):
    """Make the object of the parts named, in ascending order. A retry gets the same answer."""

    document: ClassVar[str] = "CompleteMultipartUpload"
    upload_id: Annotated[UploadId, wire.query("uploadId")]
    parts: Annotated[tuple[CompletedPart, ...], wire.element("Part")] = ()
    conditions: Annotated[WriteConditions, wire.group()] = NO_WRITE_CONDITIONS
    object_size: Annotated[int | None, wire.header("x-amz-mp-object-size")] = None
    checksum_type: Annotated[ChecksumType | None, wire.header("x-amz-checksum-type")] = None
    full_checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS


@frozen(kw_only=True)
class CompleteMultipartUploadResult:
    """The object that was made."""

    document: ClassVar[str] = "CompleteMultipartUploadResult"
    location: Annotated[str, wire.element("Location")]
    bucket: Annotated[str, wire.element("Bucket")]
    key: Annotated[str, wire.element("Key")]
    etag: Annotated[ETag, wire.element("ETag")]
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None


@frozen(kw_only=True)
class AbortMultipartUpload(OnObject):
    """Give an upload and its parts up."""

    upload_id: Annotated[UploadId, wire.query("uploadId")]


@frozen(kw_only=True)
class QueryUpload(OnObject):
    """Where an upload stands, for a client that resumes it (gRPC)."""

    upload_id: UploadId


@frozen(kw_only=True)
class QueryUploadResult:
    """What has arrived of an upload."""

    upload_id: str
    initiated: datetime
    parts_count: int
    size: int
    """Bytes of all parts."""
