"""Rows to values and back.

Law: this is the only place that knows how a value is written into a column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import attrs

from lightningstor_server import documents
from lightningstor_server.stores.metadata.database import Row
from lightningstor_server.stores.metadata.values import PartChecksums, Version
from lightningstor_types.access import AccessControlPolicy
from lightningstor_types.buckets import Bucket
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import BucketName
from lightningstor_types.objects import NO_METADATA, ListedObject, Object, ObjectMetadata, StorageClass
from lightningstor_types.owners import Owner
from lightningstor_types.retention import NO_LOCK, ObjectLock, RetentionMode
from lightningstor_types.settings import NO_SETTINGS, BucketSettings
from lightningstor_types.tags import Tag
from lightningstor_types.tenants import Project

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ACLS_CACHED: Final = 4096
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


def to_stamp(moment: datetime | None) -> int:
    """The same of a moment that may not be known."""
    return 0 if moment is None else to_micros(moment)


def from_stamp(micros: int) -> datetime | None:
    """The moment; None where it is not known, as of what is older than its column."""
    return from_micros(micros) if micros else None


def checksums_text(checksums: Checksums) -> str:
    """`name:value` for each, a space between them; neither occurs in base64."""
    return " ".join(f"{algorithm.field}:{value}" for algorithm, value in checksums.items())


def checksums_of(text: str) -> Checksums:
    """The checksums of a column."""
    return Checksums(**dict([pair.split(":") for pair in text.split(" ")])) if text else NO_CHECKSUMS


def parts_text(sizes: Sequence[int], checksums: PartChecksums | None) -> str | None:
    """The parts of a body: a JSON list of their sizes, or an object of two columns where they have checksums; None for no parts."""
    if checksums is None:
        return json.dumps(sizes) if sizes else None
    return json.dumps({"sizes": sizes, checksums.algorithm.value: checksums.values}, separators=(",", ":"))


def parts_of(text: str | None) -> tuple[tuple[int, ...], PartChecksums | None]:
    """The parts of a column: their sizes, and their checksums where they have some."""
    if text is None:
        return (), None
    found = json.loads(text)
    if isinstance(found, list):
        return tuple(found), None
    sizes = tuple(found.pop("sizes"))
    ((algorithm, values),) = found.items()
    return sizes, PartChecksums(algorithm=ChecksumAlgorithm(algorithm), values=tuple(values))


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


def document_text(value: object) -> str:
    """A value of the types as JSON, without what is not set."""
    return json.dumps(documents.plain(value), separators=(",", ":"))


def acl_text(acl: AccessControlPolicy | None) -> str | None:
    """An access control list as a column has it."""
    return None if acl is None else document_text(acl)


def acl_of(text: str | None) -> AccessControlPolicy | None:
    """The access control list of a column."""
    return None if text is None else _policy_of(text)


@lru_cache(ACLS_CACHED)  # most objects of a bucket have the same few lists
def _policy_of(text: str) -> AccessControlPolicy:
    return documents.structure(AccessControlPolicy, json.loads(text), "an access control list")


def tags_text(tags: Sequence[Tag]) -> str | None:
    """A JSON object of the tags, in their order; None for none."""
    return json.dumps({tag.key: tag.value for tag in tags}, separators=(",", ":")) if tags else None


def tags_of(text: str | None) -> tuple[Tag, ...]:
    """The tags of a column."""
    return () if text is None else tuple([Tag(key=key, value=value) for key, value in json.loads(text).items()])


def lock_text(lock: ObjectLock) -> str | None:
    """A JSON object of what locks a version; None where nothing does."""
    if lock == NO_LOCK:
        return None
    until = None if lock.until is None else to_micros(lock.until)
    return json.dumps({"mode": lock.mode, "until": until, "legal_hold": lock.legal_hold}, separators=(",", ":"))


UNREADABLE_LOCK: Final = ObjectLock(mode=RetentionMode.COMPLIANCE, until=datetime.max.replace(tzinfo=UTC), legal_hold=True)


def lock_of(text: str | None) -> ObjectLock:
    """The lock of a column; what cannot be read locks for good, since what it said is not known."""
    if text is None:
        return NO_LOCK
    try:
        found = json.loads(text)
        return ObjectLock(
            mode=None if found["mode"] is None else RetentionMode(found["mode"]),
            until=None if found["until"] is None else from_micros(found["until"]),
            legal_hold={True: True, False: False, None: None}[found["legal_hold"]],
        )
    except (ValueError, LookupError, TypeError, OverflowError):
        return UNREADABLE_LOCK


def owner_of(text: str | None) -> Owner | None:
    """The owner of a column."""
    return None if text is None else documents.structure(Owner, json.loads(text), "an owner")


def settings_of(rows: Iterable[Row]) -> BucketSettings:
    """The settings of rows of (name, document)."""
    table = {name: json.loads(document) for name, document in rows}
    return documents.structure(BucketSettings, table, "the settings of a bucket") if table else NO_SETTINGS


def version_of(row: Row) -> Version:
    """A version of the columns that `queries/objects.sql` selects."""
    key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, *kept, body = row
    acl, tags, lock = kept
    item = Object(
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
    return Version(object=item, body=body, acl=acl_of(acl), tags=tags_of(tags), lock=lock_of(lock))


def listed_of(row: Row) -> ListedObject:
    """An object as a listing names it, of the columns that the pages of `queries/objects.sql` select."""
    key, size, etag, modified, storage_class, sums, sum_type, acl = row
    return ListedObject(
        key=key.decode(),
        size=size,
        etag=ETag(etag),
        last_modified=from_micros(modified),
        storage_class=_CLASSES[storage_class],
        checksum_algorithms=tuple([_ALGORITHMS[pair.partition(":")[0]] for pair in sums.split(" ")]) if sums else (),
        checksum_type=_TYPES[sum_type],
        owner=None if acl is None else _policy_of(acl).owner,
    )


def bucket_of(row: Row, settings: Iterable[Row] = ()) -> Bucket:
    """A bucket of the columns that `queries/buckets.sql` selects, and its settings' rows of (name, document)."""
    id_, name, organisation, project, region, created, generation, labels, canonical_id, display_name = row
    return Bucket(
        id=id_,
        name=BucketName(name),
        organisation_id=organisation,
        project_id=project,
        region=region,
        created=from_micros(created),
        generation=generation,
        labels=tuple(sorted(json.loads(labels).items())),
        owner=Owner(id=canonical_id, display_name=display_name),
        settings=settings_of(settings),
    )


def project_of(row: Row) -> Project:
    """A project of the columns that `queries/tenants.sql` selects."""
    id_, organisation_id, organisation, name, display_name, email, canonical_id, created = row
    return Project(
        id=id_,
        organisation_id=organisation_id,
        organisation=organisation,
        name=name,
        display_name=display_name,
        email=email,
        canonical_id=canonical_id,
        created=from_stamp(created),
    )
