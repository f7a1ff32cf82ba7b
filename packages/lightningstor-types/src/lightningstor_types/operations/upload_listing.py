"""Inputs and outputs of ListParts and ListMultipartUploads.

Law: as the package's.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.digests import ChecksumAlgorithm, ChecksumType
from lightningstor_types.names import LIST_MAX_KEYS, UploadId
from lightningstor_types.objects import CommonPrefix, StorageClass
from lightningstor_types.operations.common import OnBucket, OnObject
from lightningstor_types.operations.listing import EncodingType
from lightningstor_types.owners import Owner
from lightningstor_types.uploads import MultipartUpload, Part


@frozen(kw_only=True)
class ListParts(OnObject):
    """The parts of an upload, by number."""

    upload_id: Annotated[UploadId, wire.query("uploadId")]
    max_parts: Annotated[int, wire.query("max-parts")] = LIST_MAX_KEYS
    part_number_marker: Annotated[int, wire.query("part-number-marker")] = 0


@frozen(kw_only=True)
class ListPartsResult:
    """A page of parts."""

    document: ClassVar[str] = "ListPartsResult"
    bucket: Annotated[str, wire.element("Bucket")]
    key: Annotated[str, wire.element("Key")]
    upload_id: Annotated[str, wire.element("UploadId")]
    initiator: Annotated[Owner | None, wire.element("Initiator")] = None
    owner: Annotated[Owner | None, wire.element("Owner")] = None
    storage_class: Annotated[StorageClass, wire.element("StorageClass")] = StorageClass.STANDARD
    part_number_marker: Annotated[int, wire.element("PartNumberMarker")] = 0
    next_part_number_marker: Annotated[int | None, wire.element("NextPartNumberMarker")] = None
    max_parts: Annotated[int, wire.element("MaxParts")]
    truncated: Annotated[bool, wire.element("IsTruncated")]
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.element("ChecksumAlgorithm")] = None
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None
    parts: Annotated[tuple[Part, ...], wire.element("Part")] = ()


@frozen(kw_only=True)
class ListMultipartUploads(OnBucket):
    """The uploads of a bucket that are not complete, by key and then by when they began."""

    prefix: Annotated[str | None, wire.query("prefix")] = None
    delimiter: Annotated[str | None, wire.query("delimiter")] = None
    key_marker: Annotated[str | None, wire.query("key-marker")] = None
    upload_id_marker: Annotated[str | None, wire.query("upload-id-marker")] = None
    encoding_type: Annotated[EncodingType | None, wire.query("encoding-type")] = None
    max_uploads: Annotated[int, wire.query("max-uploads")] = LIST_MAX_KEYS


@frozen(kw_only=True)
class ListMultipartUploadsResult:
    """A page of uploads."""

    document: ClassVar[str] = "ListMultipartUploadsResult"
    bucket: Annotated[str, wire.element("Bucket")]
    key_marker: Annotated[str, wire.element("KeyMarker"), wire.ENCODED] = ""
    upload_id_marker: Annotated[str, wire.element("UploadIdMarker")] = ""
    next_key_marker: Annotated[str | None, wire.element("NextKeyMarker"), wire.ENCODED] = None
    next_upload_id_marker: Annotated[str | None, wire.element("NextUploadIdMarker")] = None
    prefix: Annotated[str, wire.element("Prefix"), wire.ENCODED] = ""
    delimiter: Annotated[str | None, wire.element("Delimiter"), wire.ENCODED] = None
    encoding_type: Annotated[EncodingType | None, wire.element("EncodingType")] = None
    max_uploads: Annotated[int, wire.element("MaxUploads")]
    truncated: Annotated[bool, wire.element("IsTruncated")]
    uploads: Annotated[tuple[MultipartUpload, ...], wire.element("Upload")] = ()
    common_prefixes: Annotated[tuple[CommonPrefix, ...], wire.element("CommonPrefixes")] = ()
