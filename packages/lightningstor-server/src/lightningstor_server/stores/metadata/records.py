"""Rows to values and back.

Law: this is the only place that knows how a value is written into a column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from lightningstor_server.stores.metadata.database import Row
from lightningstor_types.buckets import Bucket
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import BucketName
from lightningstor_types.objects import NO_METADATA, ListedObject, Object, ObjectMetadata, StorageClass
from lightningstor_types.tenants import Project

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_METADATA_FIELDS: Final = tuple((field.name, field.default) for field in attrs.fields(ObjectMetadata) if field.name != "user")
_CLASSES: Final = {item.value: item for item in StorageClass}
_ALGORITHMS: Final = {item.field: item.value for item in ChecksumAlgorithm}
_TYPES: Final[dict[str | None, ChecksumType | None]] = {None: None, **{item.value: item for item in ChecksumType}}


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def checksums_text(checksums: Checksums) -> str:
    """`name:value` for each, a space between them; neither occurs in base64."""
    return " ".join(f"{algorithm.field}:{value}" for algorithm, value in checksums.items())


def checksums_of(text: str) -> Checksums:
    """The checksums of a column."""
    return Checksums(**dict([pair.split(":") for pair in text.split(" ")])) if text else NO_CHECKSUMS


def metadata_text(metadata: ObjectMetadata) -> str:
    """A JSON object of what is not as by default, or the empty string where all is."""
    found: dict[str, str | Mapping[str, str]] = {
        name: value for name, default in _METADATA_FIELDS if (value := getattr(metadata, name)) != default
    }
    if metadata.user:
        found["user"] = dict(metadata.user)
    return json.dumps(found) if found else ""


def metadata_of(text: str) -> ObjectMetadata:
    """The metadata of a column."""
    return ObjectMetadata(**json.loads(text)) if text else NO_METADATA


def object_of(row: Row) -> Object:
    """An object of the columns that `queries/objects.sql` selects."""
    key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, _ = row
    return Object(
        key=key.decode(),
        revision=revision,
        version_id=version_id,
        generation=generation,
        size=size,
        etag=ETag(etag),
        last_modified=from_micros(modified),
        storage_class=_CLASSES[storage_class],
        checksums=checksums_of(sums),
        checksum_type=_TYPES[sum_type],
        parts_count=parts_count,
        metadata=metadata_of(meta),
    )


def listed_of(row: Row) -> ListedObject:
    """An object as a listing names it, of the columns that the pages of `queries/objects.sql` select."""
    key, size, etag, modified, storage_class, sums, sum_type = row
    return ListedObject(
        key=key.decode(),
        size=size,
        etag=ETag(etag),
        last_modified=from_micros(modified),
        storage_class=_CLASSES[storage_class],
        checksum_algorithms=tuple([_ALGORITHMS[pair.partition(":")[0]] for pair in sums.split(" ")]) if sums else (),
        checksum_type=_TYPES[sum_type],
    )


def bucket_of(row: Row) -> Bucket:
    """A bucket of the columns that `queries/buckets.sql` selects."""
    id_, name, organisation, project, region, created, generation, labels = row
    return Bucket(
        id=id_,
        name=BucketName(name),
        organisation_id=organisation,
        project_id=project,
        region=region,
        created=from_micros(created),
        generation=generation,
        labels=tuple(sorted(json.loads(labels).items())),
    )


def project_of(row: Row) -> Project:
    """A project of the columns that `queries/tenants.sql` selects."""
    id_, organisation_id, organisation, name, display_name, email, canonical_id = row
    return Project(
        id=id_,
        organisation_id=organisation_id,
        organisation=organisation,
        name=name,
        display_name=display_name,
        email=email,
        canonical_id=canonical_id,
    )
