"""What is known of a multipart upload and its parts.

Law: a part is acknowledged data and as durable as an object; an upload is not an object and is
never listed as one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import PartNumber
from lightningstor_types.objects import StorageClass
from lightningstor_types.owners import Owner


@frozen(kw_only=True)
class Part:
    """A part that was uploaded."""

    number: Annotated[int, wire.element("PartNumber")]
    last_modified: Annotated[datetime, wire.element("LastModified")]
    etag: Annotated[ETag, wire.element("ETag")]
    size: Annotated[int, wire.element("Size")]
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS


@frozen(kw_only=True)
class CompletedPart:
    """A part as the client names it when it completes the upload."""

    number: Annotated[PartNumber, wire.element("PartNumber")]
    etag: Annotated[ETag, wire.element("ETag")]
    checksums: Annotated[Checksums, wire.group()] = NO_CHECKSUMS


@frozen(kw_only=True)
class MultipartUpload:
    """An upload that is not complete."""

    key: Annotated[str, wire.element("Key"), wire.ENCODED]
    upload_id: Annotated[str, wire.element("UploadId")]
    initiator: Annotated[Owner | None, wire.element("Initiator")] = None
    owner: Annotated[Owner | None, wire.element("Owner")] = None
    storage_class: Annotated[StorageClass, wire.element("StorageClass")] = StorageClass.STANDARD
    initiated: Annotated[datetime, wire.element("Initiated")]
    checksum_algorithm: Annotated[ChecksumAlgorithm | None, wire.element("ChecksumAlgorithm")] = None
    checksum_type: Annotated[ChecksumType | None, wire.element("ChecksumType")] = None
