"""What the metadata store promises.

Law: everything of one request happens in one transaction. `Metadata.commit` returns when the
transaction is durable (one fsync for all that waited together); what raises inside leaves no
trace. Work is handed over as a callable, since a failed batch is run again; it must not do
anything but talk to its transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from lightningstor_server.stores.blobs.base import Chunk, Piece
from lightningstor_server.stores.metadata.tenancy import Grantees, Tenants, UsageCounts
from lightningstor_server.stores.metadata.values import AccessKey, Body, PartChecksums, StoredPart, Upload, Version
from lightningstor_types.buckets import Bucket
from lightningstor_types.names import PART_NUMBER_MAX
from lightningstor_types.objects import ListedObject
from lightningstor_types.tenants import Principal, Role

T = TypeVar("T")


class Buckets(Protocol):
    """The buckets."""

    async def create(self, bucket: Bucket, namespace: str) -> Bucket | None:
        """Enter a bucket with its settings (its id is assigned); None if the name is taken within `namespace`."""

    async def find(self, namespace: str, name: str) -> Bucket | None:
        """The bucket of that name."""

    async def page(self, project: int, prefix: str, after: str, limit: int) -> Sequence[Bucket]:
        """The project's buckets behind `after`, by name."""

    async def holds_versions(self, bucket: int) -> bool:
        """Whether there is any version in it."""

    async def delete(self, bucket: int) -> bool:
        """Remove it with its completed uploads; False if it is gone already.

        Raises:
            StoreError: it still holds versions, or parts of uploads.
        """

    async def advance(self, bucket: Bucket) -> tuple[int, Bucket] | None:
        """The bucket's next revision, which is this transaction's, and the bucket as it is now; None if it is gone."""

    async def update(self, bucket: Bucket) -> bool:
        """Store its labels and count its generation on; False if it is gone."""

    async def configure(self, bucket: int, name: str, value: object | None) -> None:
        """Keep a setting under its field of `BucketSettings`, and count the generation on; None removes it."""


class Versions(Protocol):
    """The current versions of objects. A key whose latest version is a delete marker has none."""

    async def current(self, bucket: int, key: str) -> Version | None:
        """The version that a read without a version id sees."""

    async def current_with_body(self, bucket: int, key: str) -> tuple[Version, Body] | None:
        """The same with its body, in a single statement.

        Raises:
            Corrupted: it is inline and does not match its checksum.
        """

    async def insert(self, bucket: int, version: Version) -> None:
        """Enter a version as the current one, or a delete marker. What was current must be gone or superseded."""

    async def remove(self, bucket: int, version: Version) -> None:
        """Remove a version's row, current or not; its body is released apart."""

    async def describe(self, bucket: int, version: Version) -> None:
        """Replace what of a version can change: metadata, list, tags, lock, storage class and generation."""

    async def page(self, bucket: int, *, first: bytes, before: bytes | None, limit: int) -> Sequence[ListedObject]:
        """Current versions with `first` <= key < `before`, by the bytes of the key."""


class History(Protocol):
    """The versions of a key beside its current one. Their order is that of their revisions."""

    async def of_revision(self, bucket: int, key: str, revision: int) -> Version | None:
        """The version that this revision of the bucket made, current or not."""

    async def noncurrent_null(self, bucket: int, key: str) -> Version | None:
        """The null version, where it is not the current one."""

    async def latest(self, bucket: int, key: str) -> Version | None:
        """The latest version, which may be a delete marker."""

    async def supersede(self, bucket: int, key: str, revision: int) -> None:
        """Make the current version, if there is one, a noncurrent one as of this revision."""

    async def reinstate(self, bucket: int, key: str) -> None:
        """Make the latest version current, unless it is a delete marker."""

    async def page(self, bucket: int, *, first: bytes, older_than: int, before: bytes | None, limit: int) -> Sequence[Version]:
        """All versions with `first` <= key < `before`, by the bytes of the key, the newest first.

        Those of the key `first` itself start below the revision `older_than`.
        """


class Bodies(Protocol):
    """Bodies and the chunks they are made of. A chunk belongs to every body that has a piece of it."""

    async def add_inline(self, content: bytes) -> int:
        """Keep a small body in the metadata; returns its id."""

    async def add_chunks(self, chunks: Iterable[Chunk]) -> int:
        """Enter new chunks and the body that they make; returns its id.

        Raises:
            Unavailable: one of them has been condemned as an orphan.
        """

    async def add_pieces(self, pieces: Iterable[Piece], part_sizes: Sequence[int] = (), part_checksums: PartChecksums | None = None) -> int:
        """Make a body of pieces of chunks that are there; moves no bytes. Returns its id.

        `part_sizes` and `part_checksums` are of the parts that it is completed from, in their order.
        """

    async def get(self, body: int) -> Body:
        """The body.

        Raises:
            Corrupted: it is inline and does not match its checksum.
        """

    async def pieces(self, body: int, offset: int, length: int) -> Sequence[Piece]:
        """The pieces that make up a range of a body that is not inline; `length` is not 0.

        Raises:
            Missing: the body is gone.
            Corrupted: they do not make it up.
        """

    async def release(self, body: int) -> None:
        """Drop a body; chunks that nothing refers to any more become garbage in this transaction."""


class Chunks(Protocol):
    """What the sweeper needs to know."""

    async def garbage(self, before: datetime, limit: int) -> Sequence[tuple[bytes, str]]:
        """Chunks that became garbage before then, as (id, directory)."""

    async def forget(self, chunks: Sequence[bytes]) -> None:
        """Remove the rows of garbage chunks whose files are gone."""

    async def condemn(self, chunks: Sequence[tuple[bytes, str]], moment: datetime) -> int:
        """Make garbage of those, given as (id, directory), that no row knows; returns how many.

        A condemned chunk can no longer be entered, so that a write which comes late fails and
        names no file that is about to go.
        """

    async def forget_completed(self, before: datetime) -> None:
        """Remove the rows of uploads that were completed before then."""


class Uploads(Protocol):
    """Multipart uploads and their parts."""

    async def create(self, upload: Upload) -> None:
        """Enter an upload."""

    async def get(self, bucket: int, key: str, upload: str) -> Upload | None:
        """The upload, complete or not."""

    async def complete(self, upload: str, answer: str, moment: datetime) -> None:
        """Keep what the upload became, without the rows of its parts; their bodies are released apart."""

    async def delete(self, upload: str) -> None:
        """Remove the upload, with the rows of its parts; their bodies are released apart."""

    async def put_part(self, upload: str, part: StoredPart) -> StoredPart | None:
        """Enter a part; returns the one it replaced, whose body the caller releases."""

    async def parts(self, upload: str, after: int = 0, limit: int = PART_NUMBER_MAX) -> Sequence[StoredPart]:
        """The parts with numbers above `after`, ascending."""

    async def page(self, bucket: int, *, first: bytes, after: int, before: bytes | None, limit: int) -> Sequence[Upload]:
        """Uploads that are not complete with `first` <= key < `before`, by (key, ordinal).

        Those of the key `first` itself start behind the ordinal `after`; -1 is before all.
        """


class Principals(Protocol):
    """The principals of projects."""

    async def get(self, project: int, name: str) -> Principal | None:
        """The principal."""

    async def put(self, project: int, principal: Principal) -> None:
        """Create a principal, or give it another role."""

    async def page(self, project: int, after: str, limit: int) -> Sequence[Principal]:
        """The project's principals behind `after`, by name."""

    async def delete(self, project: int, name: str) -> None:
        """Remove a principal and its keys."""


class Keys(Protocol):
    """Access keys, revoked ones among them. Their secrets are sealed."""

    async def get(self, access_key: str) -> AccessKey | None:
        """The key and whom it speaks for."""

    async def put(self, key: AccessKey) -> None:
        """Create or replace a key, and its principal."""

    async def page(self, project: int, after: str = "", limit: int = 1000, *, principal: str | None = None) -> Sequence[AccessKey]:
        """The keys of a project, or of a principal of it, behind `after`, by id."""

    async def delete(self, access_key: str) -> None:
        """Remove a key."""

    async def any_active(self, project: int, *, principal: str | None = None, role: Role | None = None) -> bool:
        """Whether the project has a key that is not revoked, of that principal or of one with that role."""


class Configuration(Protocol):
    """Settings of the store itself, and the generation that every cache is checked against."""

    async def generation(self) -> int:
        """Counts every change of keys, tenants, buckets and their settings; never object writes."""

    async def bump(self) -> None:
        """Count the generation on: what is cached of all those is void from this commit on."""

    async def get(self, name: str) -> str | None:
        """A setting."""

    async def set(self, name: str, value: str) -> None:
        """Keep a setting."""

    async def buckets_with(self, setting: str, after: int, limit: int) -> Sequence[Bucket]:
        """The buckets with ids above `after` that have a setting of that field of `BucketSettings`, by id."""


class Transaction(Protocol):
    """One transaction's view of everything."""

    buckets: Buckets
    versions: Versions
    history: History
    bodies: Bodies
    chunks: Chunks
    uploads: Uploads
    tenants: Tenants
    grantees: Grantees
    principals: Principals
    keys: Keys
    usage: UsageCounts
    configuration: Configuration


Work = Callable[[Transaction], Awaitable[T]]


class Metadata(Protocol):
    """The metadata store."""

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot. It must not write."""

    async def look(self, work: Work[T]) -> T:
        """Run `work` of a single statement, which is a snapshot by itself and needs no transaction."""

    async def commit(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return once it is durable.

        `work` may run more than once; only the last run counts.

        Raises:
            NoRoom: the medium is full; nothing was kept.
            Unavailable: the engine did not answer in time; what was asked may still come about.
            Broken: the engine failed; this process must end.
        """

    async def close(self) -> None:
        """Finish what was handed in, then release everything."""
