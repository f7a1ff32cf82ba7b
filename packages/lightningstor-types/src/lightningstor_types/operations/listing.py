"""Inputs and outputs of ListObjects, ListObjectsV2 and ListObjectVersions.

Law: as the package's. Order is the order of the keys' bytes; a page is at most 1,000 entries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.names import LIST_MAX_KEYS
from lightningstor_types.objects import CommonPrefix, ListedDeleteMarker, ListedObject, ListedVersion
from lightningstor_types.operations.common import OnBucket


class EncodingType(StrEnum):
    """How the names in a listing are written; `url` for keys that XML 1.0 cannot hold."""

    URL = "url"


@frozen(kw_only=True)
class ListObjects(OnBucket):
    """The objects of a bucket, as the first version of the call has it."""

    prefix: Annotated[str | None, wire.query("prefix")] = None
    delimiter: Annotated[str | None, wire.query("delimiter")] = None
    marker: Annotated[str | None, wire.query("marker")] = None
    encoding_type: Annotated[EncodingType | None, wire.query("encoding-type")] = None
    max_keys: Annotated[int, wire.query("max-keys")] = LIST_MAX_KEYS


@frozen(kw_only=True)
class ListObjectsResult:
    """A page of ListObjects."""

    document: ClassVar[str] = "ListBucketResult"
    name: Annotated[str, wire.element("Name")]
    prefix: Annotated[str, wire.element("Prefix"), wire.ENCODED_AT_NEED] = ""
    marker: Annotated[str, wire.element("Marker"), wire.ENCODED] = ""
    next_marker: Annotated[str | None, wire.element("NextMarker"), wire.ENCODED] = None
    max_keys: Annotated[int, wire.element("MaxKeys")]
    delimiter: Annotated[str | None, wire.element("Delimiter"), wire.ENCODED] = None
    encoding_type: Annotated[EncodingType | None, wire.element("EncodingType")] = None
    truncated: Annotated[bool, wire.element("IsTruncated")]
    objects: Annotated[tuple[ListedObject, ...], wire.element("Contents")] = ()
    common_prefixes: Annotated[tuple[CommonPrefix, ...], wire.element("CommonPrefixes")] = ()


@frozen(kw_only=True)
class ListObjectsV2(OnBucket):
    """The objects of a bucket."""

    prefix: Annotated[str | None, wire.query("prefix")] = None
    delimiter: Annotated[str | None, wire.query("delimiter")] = None
    start_after: Annotated[str | None, wire.query("start-after")] = None
    continuation_token: Annotated[str | None, wire.query("continuation-token")] = None
    fetch_owner: Annotated[bool | None, wire.query("fetch-owner")] = None
    encoding_type: Annotated[EncodingType | None, wire.query("encoding-type")] = None
    max_keys: Annotated[int, wire.query("max-keys")] = LIST_MAX_KEYS


@frozen(kw_only=True)
class ListObjectsV2Result:
    """A page of ListObjectsV2."""

    document: ClassVar[str] = "ListBucketResult"
    name: Annotated[str, wire.element("Name")]
    prefix: Annotated[str, wire.element("Prefix"), wire.ENCODED] = ""
    start_after: Annotated[str | None, wire.element("StartAfter"), wire.ENCODED] = None
    continuation_token: Annotated[str | None, wire.element("ContinuationToken")] = None
    next_continuation_token: Annotated[str | None, wire.element("NextContinuationToken")] = None
    key_count: Annotated[int, wire.element("KeyCount")]
    max_keys: Annotated[int, wire.element("MaxKeys")]
    delimiter: Annotated[str | None, wire.element("Delimiter"), wire.ENCODED] = None
    encoding_type: Annotated[EncodingType | None, wire.element("EncodingType")] = None
    truncated: Annotated[bool, wire.element("IsTruncated")]
    objects: Annotated[tuple[ListedObject, ...], wire.element("Contents")] = ()
    common_prefixes: Annotated[tuple[CommonPrefix, ...], wire.element("CommonPrefixes")] = ()


@frozen(kw_only=True)
class ListObjectVersions(OnBucket):
    """All versions of a bucket's objects, by key and then the newest first."""

    prefix: Annotated[str | None, wire.query("prefix")] = None
    delimiter: Annotated[str | None, wire.query("delimiter")] = None
    key_marker: Annotated[str | None, wire.query("key-marker")] = None
    version_id_marker: Annotated[str | None, wire.query("version-id-marker")] = None
    encoding_type: Annotated[EncodingType | None, wire.query("encoding-type")] = None
    max_keys: Annotated[int, wire.query("max-keys")] = LIST_MAX_KEYS


@frozen(kw_only=True)
class ListObjectVersionsResult:
    """A page of versions."""

    document: ClassVar[str] = "ListVersionsResult"
    name: Annotated[str, wire.element("Name")]
    prefix: Annotated[str, wire.element("Prefix"), wire.ENCODED] = ""
    key_marker: Annotated[str, wire.element("KeyMarker"), wire.ENCODED] = ""
    version_id_marker: Annotated[str, wire.element("VersionIdMarker")] = ""
    next_key_marker: Annotated[str | None, wire.element("NextKeyMarker"), wire.ENCODED] = None
    next_version_id_marker: Annotated[str | None, wire.element("NextVersionIdMarker")] = None
    max_keys: Annotated[int, wire.element("MaxKeys")]
    delimiter: Annotated[str | None, wire.element("Delimiter"), wire.ENCODED] = None
    encoding_type: Annotated[EncodingType | None, wire.element("EncodingType")] = None
    truncated: Annotated[bool, wire.element("IsTruncated")]
    versions: Annotated[tuple[ListedVersion, ...], wire.element("Version")] = ()
    delete_markers: Annotated[tuple[ListedDeleteMarker, ...], wire.element("DeleteMarker")] = ()
    common_prefixes: Annotated[tuple[CommonPrefix, ...], wire.element("CommonPrefixes")] = ()
