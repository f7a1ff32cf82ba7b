"""What the metadata store hands out and takes: rows as values.

Law: inert. A value here says how a thing is kept; what may be done with it stands in `service`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from attrs import frozen

from lightningstor_types.access import AccessControlPolicy
from lightningstor_types.buckets import Usage
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.objects import Object, ObjectMetadata, StorageClass
from lightningstor_types.owners import Owner
from lightningstor_types.retention import NO_LOCK, ObjectLock
from lightningstor_types.tags import Tag
from lightningstor_types.tenants import Project, Quota, Role

NO_BODY: Final = 0


@frozen(kw_only=True)
class Version:
    """A version of an object, and the body that holds its bytes."""

    object: Object
    body: int
    """Of a delete marker NO_BODY."""
    acl: AccessControlPolicy | None = None
    """None: the bucket's owner alone, with FULL_CONTROL."""
    tags: tuple[Tag, ...] = ()
    lock: ObjectLock = NO_LOCK

    @property
    def key(self) -> str:
        """The key."""
        return self.object.key

    @property
    def delete_marker(self) -> bool:
        """Whether this version says that the key was deleted."""
        return self.body == NO_BODY


@frozen(kw_only=True)
class PartChecksums:
    """The checksums of the parts of a body, in their order, all of one algorithm; None for a part that has none."""

    algorithm: ChecksumAlgorithm
    values: tuple[str | None, ...]

    def of(self, number: int) -> Checksums:
        """Those of a part, by its place from 1."""
        value = self.values[number - 1]
        return NO_CHECKSUMS if value is None else Checksums.of(self.algorithm, value)


@frozen(kw_only=True)
class Body:
    """Bytes as the metadata know them: inline, or pieces of chunks."""

    inline: bytes | None
    part_sizes: tuple[int, ...]
    """The sizes of the parts it was completed from; empty for a body written as a whole."""
    part_checksums: PartChecksums | None = None
    """Those of the parts, where their upload named an algorithm."""


@frozen(kw_only=True)
class Upload:
    """A multipart upload. `completed` is what it became, kept so that a retry gets the same answer."""

    id: str
    bucket: int
    key: str
    ordinal: int
    """The bucket's revision that began it: the order among uploads of one key."""
    initiated: datetime
    metadata: ObjectMetadata
    storage_class: StorageClass
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    acl: AccessControlPolicy | None = None
    tags: tuple[Tag, ...] = ()
    lock: ObjectLock = NO_LOCK
    initiator: Owner | None = None
    """Who began it; None is the bucket's owner."""
    completed: str | None = None


@frozen(kw_only=True)
class StoredPart:
    """A part of an upload."""

    number: int
    size: int
    etag: ETag
    checksums: Checksums
    modified: datetime
    body: int


@frozen(kw_only=True)
class AccessKey:
    """A key and the principal it speaks for. `secret` is sealed under the master key."""

    id: str
    secret: bytes
    project: Project
    principal: str
    role: Role
    active: bool
    """A revoked key is kept, and is none."""
    created: datetime | None = None


class Level(StrEnum):
    """What usage is counted for and limited on."""

    BUCKET = "bucket"
    PROJECT = "project"
    ORGANISATION = "organisation"


@frozen(kw_only=True)
class Holding:
    """What a bucket, a project or an organisation holds, and may hold."""

    level: Level
    usage: Usage
    quota: Quota
