"""What a write and a delete do to the versions of a key.

Law: order is the bucket's revision, never a clock: the version that the highest revision made is the
latest. It is the current one, unless it is a delete marker; then the key has none. A key has at most
one null version. Source: AWS, "How S3 Versioning works", "Deleting object versions".
"""

from __future__ import annotations

import re
import secrets
from typing import Final

import attrs
from attrs import frozen

from lightningstor_server.service.lock_clock import Reading
from lightningstor_server.service.locking import check_free
from lightningstor_server.service.preconditions import check_delete
from lightningstor_server.service.quotas import count
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import NO_BODY, Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.digests import ETag
from lightningstor_types.names import NULL_VERSION
from lightningstor_types.objects import Object
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.settings import VersioningStatus

REVISION_DIGITS: Final = 16
RANDOM_BYTES: Final = 8
_OURS: Final = re.compile(f"[0-9a-f]{{{REVISION_DIGITS + 2 * RANDOM_BYTES}}}")


def new_version_id(revision: int) -> str:
    """An id that leads to its row, and cannot be guessed from another."""
    return f"{revision:0{REVISION_DIGITS}x}{secrets.token_hex(RANDOM_BYTES)}"


def revision_of(version_id: str) -> int | None:
    """The revision that made the version of that id; None where it is the id of none."""
    return int(version_id[:REVISION_DIGITS], 16) if _OURS.fullmatch(version_id) else None


def shown_id(bucket: Bucket, version_id: str | None) -> str | None:
    """A version's id as clients see it; none where the bucket never was versioned."""
    if version_id is not None or bucket.settings.versioning.status is None:
        return version_id
    return NULL_VERSION


async def next_revision(tx: Transaction, bucket: Bucket) -> tuple[int, Bucket]:
    """This transaction's revision of the bucket, and the bucket as it is now.

    A request was let in under settings that another may have changed meanwhile; what it does is
    done by those that hold when it commits.

    Raises:
        NoSuchBucket: it was deleted meanwhile.
    """
    advanced = await tx.buckets.advance(bucket)
    if advanced is None:
        raise errors.NoSuchBucket(BucketName=bucket.name)
    return advanced


async def find(tx: Transaction, bucket: Bucket, key: str, version_id: str | None) -> Version | None:
    """The version of that id, or the current one where none is named."""
    if version_id is None:
        return await tx.versions.current(bucket.id, key)
    if version_id == NULL_VERSION:
        current = await tx.versions.current(bucket.id, key)
        return current if current is not None and current.object.version_id is None else await tx.history.noncurrent_null(bucket.id, key)
    revision = revision_of(version_id)
    version = None if revision is None else await tx.history.of_revision(bucket.id, key, revision)
    return version if version is not None and version.object.version_id == version_id else None


async def wanted(tx: Transaction, bucket: Bucket, key: str, version_id: str | None) -> Version:
    """The version that a read or a copy is about.

    Raises:
        NoSuchKey, NoSuchVersion: it is not there.
        MethodNotAllowed: it is a delete marker that was named.
    """
    version = await find(tx, bucket, key, version_id)
    if version is None:
        raise await absence(tx, bucket, key, version_id)
    if version.delete_marker:
        raise errors.MethodNotAllowed(Method="GET", ResourceType="DeleteMarker", **_marked(bucket, version), Allow="DELETE")
    return version


async def absence(tx: Transaction, bucket: Bucket, key: str, version_id: str | None) -> errors.StorError:
    """What to say of a version that is not there."""
    if version_id is not None:
        return errors.NoSuchVersion(Key=key, VersionId=version_id)
    latest = None if bucket.settings.versioning.status is None else await tx.history.latest(bucket.id, key)
    return errors.NoSuchKey(Key=key, **(_marked(bucket, latest) if latest else {}))


def _marked(bucket: Bucket, marker: Version) -> dict[str, str]:
    """The details that tell of a delete marker, which HTTP puts into headers."""
    return {"x-amz-delete-marker": "true", "x-amz-version-id": shown_id(bucket, marker.object.version_id) or NULL_VERSION}


async def write(tx: Transaction, bucket: Bucket, current: Version | None, new: Version, *, freed_bytes: int = 0) -> Version:
    """Make `new` the latest version, by the bucket's versioning, and count the difference; returns it with its id.

    `freed_bytes` are those of the parts that it is completed from.

    Raises:
        QuotaExceeded: it is more than bucket, project or organisation may hold.
        AccessDenied: it would replace a version that is locked, which only a null version ever is.
    """
    status = bucket.settings.versioning.status
    if status is VersioningStatus.ENABLED:
        new = attrs.evolve(new, object=attrs.evolve(new.object, version_id=new_version_id(new.object.revision)))
    replaced = None if status is VersioningStatus.ENABLED else await _null(tx, bucket, new.object.key, current)
    if replaced is not None:
        await _drop(tx, bucket, replaced)
    if current is not None and replaced is not current:
        await tx.history.supersede(bucket.id, new.object.key, new.object.revision)
    await tx.versions.insert(bucket.id, new)
    await _count(tx, bucket, gone=replaced, come=new, freed_bytes=freed_bytes)
    return new


async def _null(tx: Transaction, bucket: Bucket, key: str, current: Version | None) -> Version | None:
    """The null version, which the next null version replaces."""
    if current is not None and current.object.version_id is None:
        return current
    return None if bucket.settings.versioning.status is None else await tx.history.noncurrent_null(bucket.id, key)


async def _drop(tx: Transaction, bucket: Bucket, version: Version, reading: Reading | None = None, *, bypass: bool = False) -> None:
    """The only way in which a version goes. Without a reading of the clocks any lock keeps it.

    Raises:
        AccessDenied: it is locked.
    """
    await check_free(tx, version, reading, bypass=bypass)
    await tx.versions.remove(bucket.id, version)
    if not version.delete_marker:
        await tx.bodies.release(version.body)


async def _count(tx: Transaction, bucket: Bucket, *, gone: Version | None, come: Version | None, freed_bytes: int = 0) -> None:
    """Every version counts, delete markers do not: they hold nothing, and a delete is never refused for want of room."""
    objects, size = 0, 0
    for sign, version in ((-1, gone), (1, come)):
        if version is not None and not version.delete_marker:
            objects, size = objects + sign, size + sign * version.object.size
    if objects or size or freed_bytes:
        await count(tx, bucket, Usage(objects=objects, bytes=size, uploads_bytes=-freed_bytes))


async def growth(tx: Transaction, bucket: Bucket, key: str, size: int) -> Usage:
    """What a write of so many bytes would count, as things are."""
    replaced = None
    if bucket.settings.versioning.status is not VersioningStatus.ENABLED:
        replaced = await _null(tx, bucket, key, await tx.versions.current(bucket.id, key))
    if replaced is None or replaced.delete_marker:
        return Usage(objects=1, bytes=size)
    return Usage(bytes=size - replaced.object.size)


@frozen(kw_only=True)
class Deletion:
    """What a delete did: which version went, or which delete marker came."""

    version_id: str | None = None
    delete_marker: bool | None = None


async def delete(tx: Transaction, bucket: Bucket, expected: ObjectIdentifier, reading: Reading, *, bypass: bool = False) -> Deletion:
    """Delete what is there, if it is what the caller expects; that nothing is there is no error.

    Raises:
        PreconditionFailed: there is something else.
        AccessDenied: the version is locked, and by more than a GOVERNANCE retention that is bypassed.
        NoSuchBucket: the bucket was deleted meanwhile.
    """
    if expected.version_id is not None:
        return await _delete_version(tx, bucket, expected, expected.version_id, reading, bypass=bypass)
    current = await tx.versions.current(bucket.id, expected.key)
    versioned = bucket.settings.versioning.status is not None
    # what a condition is about is the latest version, which may be a delete marker; of nothing it asks for nothing
    latest = await tx.history.latest(bucket.id, expected.key) if current is None and versioned else current
    _check(expected, latest)
    if latest is None and (not versioned or _conditional(expected)):
        return Deletion()
    revision, bucket = await next_revision(tx, bucket)
    if bucket.settings.versioning.status is None:
        if current is not None:
            await _drop(tx, bucket, current, reading, bypass=bypass)
            await _count(tx, bucket, gone=current, come=None)
        return Deletion()
    marker = Object(key=expected.key, size=0, etag=ETag(""), last_modified=reading.wall, revision=revision)
    entered = await write(tx, bucket, current, Version(object=marker, body=NO_BODY))
    return Deletion(version_id=shown_id(bucket, entered.object.version_id), delete_marker=True)


async def _delete_version(
    tx: Transaction, bucket: Bucket, expected: ObjectIdentifier, version_id: str, reading: Reading, *, bypass: bool
) -> Deletion:
    """Remove a version for good; where it was the latest, the one before it is so again."""
    version = await find(tx, bucket, expected.key, version_id)
    _check(expected, version)
    if version is None:
        return Deletion(version_id=version_id)
    _, bucket = await next_revision(tx, bucket)
    await _drop(tx, bucket, version, reading, bypass=bypass)
    await tx.history.reinstate(bucket.id, expected.key)
    await _count(tx, bucket, gone=version, come=None)
    return Deletion(version_id=version_id, delete_marker=version.delete_marker or None)


def _conditional(expected: ObjectIdentifier) -> bool:
    return (expected.etag, expected.last_modified, expected.size) != (None, None, None)


def _check(expected: ObjectIdentifier, found: Version | None) -> None:
    check_delete(found.object if found else None, etag=expected.etag, modified=expected.last_modified, size=expected.size)
