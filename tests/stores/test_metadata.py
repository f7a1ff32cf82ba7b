"""One suite for every metadata store: what the Protocols of `stores/metadata/base.py` promise.

Law: no test here knows its engine; what must be done to one from outside is done by its `Engine`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor_server.stores.blobs.base import BLOCK_SUM_BYTES, CHUNK_ID_BYTES, Chunk, Piece
from lightningstor_server.stores.errors import Corrupted, Missing, NoRoom, StoreError, Unavailable
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.sqlite import SqliteWriter, open_memory, open_sqlite, prepare_sqlite
from lightningstor_server.stores.metadata.values import AccessKey, StoredPart, Upload, Version
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import BucketName
from lightningstor_types.objects import NO_METADATA, ListedObject, Object, ObjectMetadata, StorageClass
from lightningstor_types.owners import Owner
from lightningstor_types.tenants import Project, Role

T = TypeVar("T")
ENGINES: Final = ("memory", "sqlite")
NOW: Final = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
LATER: Final = datetime(2999, 1, 1, tzinfo=UTC)
NAMESPACE: Final = "p1"
FULL_METADATA: Final = ObjectMetadata(content_type="text/plain; charset=utf-8", expires="0", user={"ä": "\u2603\x00", "b": " "})
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
"""Any text that UTF-8 can hold: NUL, private use and astral characters among it."""


@attrs.define
class Engine:
    """A store, and what can befall it."""

    metadata: Metadata
    failures: list[StoreError]
    """Each lets one COMMIT fail, after its work has run."""

    async def sql(self, statement: str, *values: Any) -> None:
        """Change rows behind the store's back, as a damaged medium would."""
        await self.metadata._database.commit(lambda connection: connection.run(statement, values))  # type: ignore[attr-defined]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Metadata]:
    """A new store of that kind."""
    if kind == "memory":
        metadata = await open_memory()
    else:
        prepare_sqlite(folder / "meta.db")
        metadata = await open_sqlite(folder / "meta.db")
    try:
        yield metadata
    finally:
        await metadata.close()


@pytest.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """A store of each kind."""
    failures: list[StoreError] = []
    commit = SqliteWriter.commit

    def faulty(writer: SqliteWriter) -> None:
        if failures:
            raise failures.pop(0)
        commit(writer)

    monkeypatch.setattr(SqliteWriter, "commit", faulty)
    async with opened(request.param, tmp_path) as metadata:
        yield Engine(metadata, failures)


@pytest.fixture
def metadata(engine: Engine) -> Metadata:
    """The store."""
    return engine.metadata


@pytest.fixture
async def project(metadata: Metadata) -> Project:
    """A project of an organisation."""
    return await metadata.commit(lambda tx: tx.tenants.put_project(make_project("p", "o")))


@pytest.fixture
async def bucket(metadata: Metadata, project: Project) -> Bucket:
    """An empty bucket."""
    return await made(metadata, project, "first")


def make_project(name: str, organisation: str, canonical_id: str = "") -> Project:
    """A project that has no ids yet."""
    return Project(
        id=0,
        organisation_id=0,
        organisation=organisation,
        name=name,
        display_name=name.upper(),
        email=f"{name}@{organisation}",
        canonical_id=canonical_id or f"{organisation}/{name}",
    )


def make_bucket(project: Project, name: str) -> Bucket:
    """A bucket that has no id yet."""
    return Bucket(
        id=0,
        name=BucketName(name),
        organisation_id=project.organisation_id,
        project_id=project.id,
        region="us-east-1",
        created=NOW,
        generation=1,
        owner=Owner(id=project.canonical_id, display_name=project.display_name),
    )


async def made(metadata: Metadata, project: Project, name: str, namespace: str = NAMESPACE) -> Bucket:
    """A bucket that was entered."""
    created = await metadata.commit(lambda tx: tx.buckets.create(make_bucket(project, name), namespace))
    assert created is not None
    return created


def make_object(key: str, revision: int = 1, **changes: Any) -> Object:
    """A plain object."""
    return attrs.evolve(Object(key=key, size=3, etag=ETag("0" * 32), last_modified=NOW, revision=revision), **changes)


def make_upload(bucket: Bucket, id_: str, key: str = "k", ordinal: int = 1, **changes: Any) -> Upload:
    """A plain upload."""
    plain = Upload(
        id=id_,
        bucket=bucket.id,
        key=key,
        ordinal=ordinal,
        initiated=NOW,
        metadata=NO_METADATA,
        storage_class=StorageClass.STANDARD,
        checksum_algorithm=None,
        checksum_type=None,
    )
    return attrs.evolve(plain, **changes)


def make_part(number: int, body: int, size: int = 5) -> StoredPart:
    """A part with a checksum."""
    return StoredPart(number=number, size=size, etag=ETag(f"{number:032x}"), checksums=Checksums(sha256="s="), modified=NOW, body=body)


def make_chunk(length: int = 100, directory: str = "7") -> Chunk:
    """A chunk as a blob store would return it."""
    return Chunk(id=os.urandom(CHUNK_ID_BYTES), directory=directory, length=length, block_sums=b"\x01" * BLOCK_SUM_BYTES)


async def advanced(tx: Transaction, bucket: Bucket) -> int | None:
    """The bucket's next revision."""
    found = await tx.buckets.advance(bucket)
    return found[0] if found else None


async def enter(metadata: Metadata, bucket: Bucket, keys: Iterable[str]) -> None:
    """Enter empty objects under those keys."""

    async def work(tx: Transaction) -> None:
        for key in keys:
            revision = await advanced(tx, bucket)
            assert revision is not None
            body = await tx.bodies.add_inline(b"")
            await tx.versions.insert(bucket.id, Version(object=make_object(key, revision), body=body))

    await metadata.commit(work)


def each(calls: Iterable[Callable[[Transaction], Awaitable[T]]]) -> Callable[[Transaction], Awaitable[list[T]]]:
    """One piece of work of several calls."""

    async def work(tx: Transaction) -> list[T]:
        return [await call(tx) for call in calls]

    return work


async def condemned(metadata: Metadata, *chunks: bytes) -> int:
    """How many of those were condemned, by a sweep of this moment."""
    return await metadata.commit(lambda tx: tx.chunks.condemn([(chunk, "7") for chunk in chunks], datetime.now(UTC)))


async def garbage(metadata: Metadata) -> list[tuple[bytes, str]]:
    """All garbage there is."""
    return sorted(await metadata.read(lambda tx: tx.chunks.garbage(LATER, 1000)))


# -- buckets


async def test_a_bucket_is_found_as_it_was_made(metadata: Metadata, project: Project) -> None:
    """With an id of its own and the first generation; under its namespace alone."""
    bucket = await made(metadata, project, "first")
    assert bucket == attrs.evolve(make_bucket(project, "first"), id=bucket.id)
    assert bucket.id > 0
    assert await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, "first")) == bucket
    assert await metadata.read(lambda tx: tx.buckets.find("p2", "first")) is None
    assert await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, "FIRST")) is None


async def test_a_name_is_taken_once_within_a_namespace(metadata: Metadata, project: Project) -> None:
    """The second taker gets None and changes nothing; another namespace has a bucket of its own."""
    bucket = await made(metadata, project, "first")
    assert await metadata.commit(lambda tx: tx.buckets.create(make_bucket(project, "first"), NAMESPACE)) is None
    other = await made(metadata, project, "first", "p2")
    assert other.id != bucket.id
    assert await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, "first")) == bucket


async def test_buckets_are_paged_by_name(metadata: Metadata, project: Project) -> None:
    """Those behind `after` with the prefix, ascending, of this project alone; `%` and `_` mean themselves."""
    stranger = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("q", "o")))
    for name in ("b-2", "a-1", "b-1", "b.3", "c"):
        await made(metadata, project, name)
    await made(metadata, stranger, "b-9", "p2")

    async def page(prefix: str, after: str, limit: int) -> list[str]:
        return [item.name for item in await metadata.read(lambda tx: tx.buckets.page(project.id, prefix, after, limit))]

    assert await page("", "", 10) == ["a-1", "b-1", "b-2", "b.3", "c"]
    assert await page("", "b-1", 2) == ["b-2", "b.3"]
    assert await page("b-", "", 10) == ["b-1", "b-2"]
    assert await page("b-", "b-1", 10) == ["b-2"]
    assert await page("_", "", 10) == await page("%", "", 10) == []


async def test_a_bucket_that_holds_something_is_not_deleted(metadata: Metadata, bucket: Bucket) -> None:
    """Versions and parts of running uploads hold it, and stay where it is tried; completed uploads go with it."""
    await enter(metadata, bucket, ["k"])
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))
    version = await metadata.read(lambda tx: tx.versions.current(bucket.id, "k"))
    assert version is not None
    await metadata.commit(lambda tx: tx.versions.remove(bucket.id, version))
    await metadata.commit(lambda tx: tx.uploads.create(make_upload(bucket, "u")))
    await metadata.commit(lambda tx: tx.uploads.put_part("u", make_part(1, 1)))
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))
    assert await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, bucket.name)) == bucket
    assert await metadata.read(lambda tx: tx.uploads.parts("u")) == [make_part(1, 1)]
    await metadata.commit(lambda tx: tx.uploads.complete("u", "{}", NOW))
    assert await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))
    assert await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, bucket.name)) is None
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "u")) is None


async def test_a_bucket_tells_whether_it_holds_versions(metadata: Metadata, project: Project, bucket: Bucket) -> None:
    """Its own alone, and no uploads."""

    async def held(of: Bucket) -> bool:
        return await metadata.read(lambda tx: tx.buckets.holds_versions(of.id))

    other = await made(metadata, project, "second")
    await metadata.commit(lambda tx: tx.uploads.create(make_upload(bucket, "u")))
    assert not await held(bucket)
    await enter(metadata, bucket, ["k"])
    assert await held(bucket)
    assert not await held(other)
    version = await metadata.read(lambda tx: tx.versions.current(bucket.id, "k"))
    assert version is not None
    await metadata.commit(lambda tx: tx.versions.remove(bucket.id, version))
    assert not await held(bucket)


async def test_nothing_is_done_to_a_bucket_that_is_gone(metadata: Metadata, bucket: Bucket) -> None:
    """Revision, labels and deletion all say so."""
    assert await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))
    assert await metadata.commit(lambda tx: tx.buckets.advance(bucket)) is None
    assert not await metadata.commit(lambda tx: tx.buckets.update(bucket))
    assert not await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))


async def test_the_id_of_a_bucket_is_never_given_again(metadata: Metadata, project: Project, bucket: Bucket) -> None:
    """A request that still means the deleted bucket must not reach a newer one, which may be another tenant's."""
    assert await metadata.commit(lambda tx: tx.buckets.delete(bucket.id))
    assert (await made(metadata, project, "other", "p2")).id != bucket.id


async def test_labels_count_the_generation_on(metadata: Metadata, bucket: Bucket) -> None:
    """They come back sorted, whatever their characters."""
    labels = (("a", ""), ("z", '"\x00\u2603'))
    assert await metadata.commit(lambda tx: tx.buckets.update(attrs.evolve(bucket, labels=labels[::-1])))
    found = await metadata.read(lambda tx: tx.buckets.find(NAMESPACE, bucket.name))
    assert found == attrs.evolve(bucket, labels=labels, generation=2)


# -- versions


async def test_a_version_is_read_as_it_was_written(metadata: Metadata, bucket: Bucket) -> None:
    """Every field of it; in a listing what a listing shows."""
    item = make_object(
        "k\x00\u2603",
        7,
        size=1 << 45,
        etag=ETag("f" * 32 + "-3"),
        generation=4,
        storage_class=StorageClass.ONEZONE_IA,
        checksums=Checksums(crc32c="yZRlqg==", sha256="A/+=-12"),
        checksum_type=ChecksumType.COMPOSITE,
        parts_count=3,
        metadata=FULL_METADATA,
    )
    body = await metadata.commit(lambda tx: tx.bodies.add_pieces((), [1, 2, 3]))
    version = Version(object=item, body=body)
    await metadata.commit(lambda tx: tx.versions.insert(bucket.id, version))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, item.key)) == version
    found = await metadata.look(lambda tx: tx.versions.current_with_body(bucket.id, item.key))
    assert found is not None
    assert found[0] == version
    assert (found[1].inline, found[1].part_sizes) == (None, (1, 2, 3))
    listed = await metadata.read(lambda tx: tx.versions.page(bucket.id, first=b"", before=None, limit=10))
    assert list(listed) == [
        ListedObject(
            key=item.key,
            size=item.size,
            etag=item.etag,
            last_modified=item.last_modified,
            storage_class=item.storage_class,
            checksum_algorithms=("CRC32C", "SHA256"),
            checksum_type=item.checksum_type,
        )
    ]


async def test_metadata_that_are_empty_are_not_absent(metadata: Metadata, bucket: Bucket) -> None:
    """What the writer said is handed back as it came, a value without characters too."""
    item = make_object("k", metadata=ObjectMetadata(cache_control="", user={"a": ""}))
    body = await metadata.commit(lambda tx: tx.bodies.add_inline(b""))
    await metadata.commit(lambda tx: tx.versions.insert(bucket.id, Version(object=item, body=body)))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) == Version(object=item, body=body)


async def test_there_is_no_version_where_none_was_written(metadata: Metadata, project: Project, bucket: Bucket) -> None:
    """Neither under another key nor in another bucket."""
    other = await made(metadata, project, "second")
    await enter(metadata, bucket, ["k"])
    for id_, key in ((bucket.id, "K"), (bucket.id, "k\x00"), (other.id, "k")):
        assert await metadata.read(lambda tx, i=id_, k=key: tx.versions.current(i, k)) is None
        assert await metadata.look(lambda tx, i=id_, k=key: tx.versions.current_with_body(i, k)) is None


async def test_a_key_has_one_current_version(metadata: Metadata, bucket: Bucket) -> None:
    """A second one is refused while the first is there, and taken once it is gone."""
    await enter(metadata, bucket, ["k"])
    first = await metadata.read(lambda tx: tx.versions.current(bucket.id, "k"))
    assert first is not None
    second = attrs.evolve(first, object=attrs.evolve(first.object, revision=2, size=9))
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.versions.insert(bucket.id, second))
    await metadata.commit(each([lambda tx: tx.versions.remove(bucket.id, first), lambda tx: tx.versions.insert(bucket.id, second)]))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) == second


async def test_describing_a_version_changes_its_metadata_alone(metadata: Metadata, bucket: Bucket) -> None:
    """Metadata and generation; never size, tag, or another key's version."""
    await enter(metadata, bucket, ["a", "b"])
    before = await metadata.read(lambda tx: tx.versions.current(bucket.id, "a"))
    assert before is not None
    item = attrs.evolve(before.object, metadata=FULL_METADATA, generation=2)
    changed = attrs.evolve(before, object=attrs.evolve(item, size=99, etag=ETag("x")))
    await metadata.commit(lambda tx: tx.versions.describe(bucket.id, changed))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "a")) == attrs.evolve(before, object=item)
    other = await metadata.read(lambda tx: tx.versions.current(bucket.id, "b"))
    assert other is not None
    assert other.object.metadata == NO_METADATA


@pytest.mark.parametrize("kind", ENGINES)
@settings(max_examples=25, deadline=None)
@given(keys=st.lists(KEYS, unique=True, max_size=12), low=KEYS, high=st.none() | KEYS, limit=st.integers(1, 6))
async def test_keys_are_bytes(kind: str, keys: list[str], low: str, high: str | None, limit: int) -> None:
    """A page is the keys of [first, before) in the order of their bytes, and each key is found by itself."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(kind, Path(folder)) as metadata:
            project = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("p", "o")))
            bucket = await made(metadata, project, "first")
            await enter(metadata, bucket, keys)
            first, before = low.encode(), None if high is None else high.encode()
            page = await metadata.read(lambda tx: tx.versions.page(bucket.id, first=first, before=before, limit=limit))
            ordered = sorted(key.encode() for key in keys)
            wanted = [key for key in ordered if first <= key and (before is None or key < before)]
            assert [item.key.encode() for item in page] == wanted[:limit]
            for key in keys:
                found = await metadata.read(lambda tx, k=key: tx.versions.current(bucket.id, k))
                assert found is not None
                assert found.object.key == key


# -- bodies and chunks


@pytest.mark.parametrize("content", [b"", b"\x00", os.urandom(16 << 10)], ids=len)
async def test_an_inline_body_is_read_as_it_was_written(metadata: Metadata, content: bytes) -> None:
    """Byte for byte, the empty one too."""
    id_ = await metadata.commit(lambda tx: tx.bodies.add_inline(content))
    body = await metadata.read(lambda tx: tx.bodies.get(id_))
    assert (body.inline, body.part_sizes) == (content, ())


async def test_a_damaged_inline_body_is_not_handed_out(engine: Engine, bucket: Bucket) -> None:
    """By neither way of reading it."""
    metadata = engine.metadata
    id_ = await metadata.commit(lambda tx: tx.bodies.add_inline(b"abc"))
    await metadata.commit(lambda tx: tx.versions.insert(bucket.id, Version(object=make_object("k"), body=id_)))
    await engine.sql("UPDATE bodies SET inline = $1 WHERE id = $2", b"abd", id_)
    with pytest.raises(Corrupted):
        await metadata.read(lambda tx: tx.bodies.get(id_))
    with pytest.raises(Corrupted):
        await metadata.look(lambda tx: tx.versions.current_with_body(bucket.id, "k"))


@pytest.mark.parametrize("kind", ENGINES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(1, 50), min_size=1, max_size=5))
async def test_a_range_is_found_in_the_pieces(kind: str, data: st.DataObject, lengths: list[int]) -> None:
    """Every range of a body names exactly its bytes of its chunks, also in a body of pieces of another."""

    def flat(pieces: Sequence[Piece]) -> list[tuple[bytes, int]]:
        return [(piece.chunk.id, piece.offset + at) for piece in pieces for at in range(piece.length)]

    chunks = [make_chunk(length) for length in lengths]
    model = [(chunk.id, at) for chunk in chunks for at in range(chunk.length)]
    with tempfile.TemporaryDirectory() as folder:
        async with opened(kind, Path(folder)) as metadata:
            body = await metadata.commit(lambda tx: tx.bodies.add_chunks(chunks))
            for _ in range(2):
                offset = data.draw(st.integers(0, len(model) - 1))
                length = data.draw(st.integers(1, len(model) - offset))
                pieces = await metadata.read(lambda tx, b=body, o=offset, n=length: tx.bodies.pieces(b, o, n))
                assert flat(pieces) == model[offset : offset + length]
                assert {piece.chunk for piece in pieces} <= set(chunks)
                body = await metadata.commit(lambda tx, p=pieces: tx.bodies.add_pieces(p))
                model = model[offset : offset + length]


async def test_a_range_that_is_not_there_is_an_error(metadata: Metadata) -> None:
    """A body that is gone is Missing; one that is too short is Corrupted: never fewer bytes than asked for."""
    id_ = await metadata.commit(lambda tx: tx.bodies.add_chunks([make_chunk(10)]))
    with pytest.raises(Corrupted):
        await metadata.read(lambda tx: tx.bodies.pieces(id_, 5, 6))
    await metadata.commit(lambda tx: tx.bodies.release(id_))
    with pytest.raises(Missing):
        await metadata.read(lambda tx: tx.bodies.pieces(id_, 0, 10))
    with pytest.raises(Corrupted):
        await metadata.read(lambda tx: tx.bodies.get(id_))


async def test_the_id_of_a_body_is_never_given_again(metadata: Metadata) -> None:
    """A reader that looks up a body's pieces after its version must find those or none, never another object's."""
    first = await metadata.commit(lambda tx: tx.bodies.add_chunks([make_chunk()]))
    await metadata.commit(lambda tx: tx.bodies.release(first))
    assert await metadata.commit(lambda tx: tx.bodies.add_chunks([make_chunk()])) != first


async def test_a_chunk_belongs_to_every_body_with_a_piece_of_it(metadata: Metadata) -> None:
    """Releasing one of two owners leaves it; the last release makes it garbage, with its directory."""
    shared, own = make_chunk(directory="1"), make_chunk(directory="2")
    first = await metadata.commit(lambda tx: tx.bodies.add_chunks([shared, own]))
    second = await metadata.commit(lambda tx: tx.bodies.add_pieces([Piece(chunk=shared, offset=3, length=4)]))
    third = await metadata.commit(lambda tx: tx.bodies.add_pieces([Piece(chunk=shared, offset=0, length=1)] * 3))
    await metadata.commit(lambda tx: tx.bodies.release(first))
    assert await garbage(metadata) == [(own.id, "2")]
    await metadata.commit(lambda tx: tx.bodies.release(third))
    assert await garbage(metadata) == [(own.id, "2")]
    assert await condemned(metadata, shared.id) == 0
    await metadata.commit(lambda tx: tx.bodies.release(second))
    assert await garbage(metadata) == sorted([(own.id, "2"), (shared.id, "1")])


async def test_releasing_an_inline_body_makes_no_garbage(metadata: Metadata) -> None:
    """And nothing of it stays."""
    id_ = await metadata.commit(lambda tx: tx.bodies.add_inline(b"abc"))
    await metadata.commit(lambda tx: tx.bodies.release(id_))
    assert await garbage(metadata) == []
    with pytest.raises(Corrupted):
        await metadata.read(lambda tx: tx.bodies.get(id_))


async def test_a_chunk_that_is_released_and_taken_in_one_transaction_stays(metadata: Metadata) -> None:
    """Entering the new owner first is enough, as a completed upload does with its parts."""
    chunk = make_chunk()
    first = await metadata.commit(lambda tx: tx.bodies.add_chunks([chunk]))

    async def work(tx: Transaction) -> int:
        second = await tx.bodies.add_pieces(await tx.bodies.pieces(first, 0, chunk.length), [chunk.length])
        await tx.bodies.release(first)
        return second

    second = await metadata.commit(work)
    assert await garbage(metadata) == []
    assert [piece.chunk for piece in await metadata.read(lambda tx: tx.bodies.pieces(second, 0, chunk.length))] == [chunk]


async def test_garbage_is_told_by_age_and_forgotten_by_name(metadata: Metadata) -> None:
    """Nothing younger than `before`, at most `limit`; what is forgotten is garbage no more, and all else still is."""
    chunks = [make_chunk() for _ in range(3)]
    id_ = await metadata.commit(lambda tx: tx.bodies.add_chunks(chunks))
    assert await garbage(metadata) == []
    await metadata.commit(lambda tx: tx.bodies.release(id_))
    assert await metadata.read(lambda tx: tx.chunks.garbage(datetime.now(UTC) - timedelta(minutes=1), 10)) == []
    assert len(await metadata.read(lambda tx: tx.chunks.garbage(LATER, 2))) == 2
    assert await garbage(metadata) == sorted((chunk.id, chunk.directory) for chunk in chunks)
    await metadata.commit(lambda tx: tx.chunks.forget([chunks[0].id, os.urandom(CHUNK_ID_BYTES)]))
    assert await garbage(metadata) == sorted((chunk.id, chunk.directory) for chunk in chunks[1:])


async def test_only_what_no_row_knows_is_condemned(metadata: Metadata) -> None:
    """Neither an owned chunk nor one that is garbage already, whose age stays; the others become garbage of that moment."""
    owned, dropped = make_chunk(), make_chunk()
    await metadata.commit(lambda tx: tx.bodies.add_chunks([owned]))
    body = await metadata.commit(lambda tx: tx.bodies.add_chunks([dropped]))
    await metadata.commit(lambda tx: tx.bodies.release(body))
    stranger = os.urandom(CHUNK_ID_BYTES)
    named = [(owned.id, owned.directory), (dropped.id, dropped.directory), (stranger, "3")]
    moment = datetime.now(UTC) + timedelta(days=1)
    assert await metadata.commit(lambda tx: tx.chunks.condemn(named, moment)) == 1
    assert await metadata.commit(lambda tx: tx.chunks.condemn(named, moment)) == 0
    assert await garbage(metadata) == sorted([(dropped.id, dropped.directory), (stranger, "3")])
    assert await metadata.read(lambda tx: tx.chunks.garbage(moment, 10)) == [(dropped.id, dropped.directory)]
    assert len(await metadata.read(lambda tx: tx.chunks.garbage(moment + timedelta(microseconds=1), 10))) == 2


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_condemned_chunk_is_never_entered(metadata: Metadata, place: int) -> None:
    """Whichever of a body's chunks it is: nothing of that body is kept, and the others can still be entered."""
    chunks = [make_chunk() for _ in range(3)]
    assert await condemned(metadata, chunks[place].id) == 1
    with pytest.raises(Unavailable):
        await metadata.commit(lambda tx: tx.bodies.add_chunks(chunks))
    assert await garbage(metadata) == [(chunks[place].id, "7")]
    others = [chunk for chunk in chunks if chunk is not chunks[place]]
    await metadata.commit(lambda tx: tx.bodies.add_chunks(others))


async def test_a_condemned_chunk_is_not_entered_when_its_file_is_gone(metadata: Metadata) -> None:
    """A write may be later than both sweeps, that which condemned its chunk and that which removed it: it must name no missing file."""
    chunk = make_chunk()
    assert await condemned(metadata, chunk.id) == 1
    await metadata.commit(lambda tx: tx.chunks.forget([chunk.id]))
    with pytest.raises(Unavailable):
        await metadata.commit(lambda tx: tx.bodies.add_chunks([chunk]))
    assert await garbage(metadata) == []


# -- uploads


async def test_an_upload_is_found_by_all_of_its_names(metadata: Metadata, bucket: Bucket) -> None:
    """As it was entered; under another bucket, key or id there is none."""
    upload = make_upload(
        bucket,
        "u",
        "k\x00",
        metadata=FULL_METADATA,
        storage_class=StorageClass.STANDARD_IA,
        checksum_algorithm=ChecksumAlgorithm.SHA1,
        checksum_type=ChecksumType.COMPOSITE,
    )
    await metadata.commit(lambda tx: tx.uploads.create(upload))
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k\x00", "u")) == upload
    for names in ((bucket.id + 1, "k\x00", "u"), (bucket.id, "k", "u"), (bucket.id, "k\x00", "U")):
        assert await metadata.read(lambda tx, n=names: tx.uploads.get(*n)) is None


async def test_parts_come_by_number(metadata: Metadata, bucket: Bucket) -> None:
    """Above `after`, ascending, at most `limit`; one that is written again is replaced and returned."""
    await metadata.commit(lambda tx: tx.uploads.create(make_upload(bucket, "u")))
    await metadata.commit(lambda tx: tx.uploads.create(make_upload(bucket, "v", ordinal=2)))
    bodies = [await metadata.commit(lambda tx: tx.bodies.add_inline(b"")) for _ in range(5)]
    parts = {number: make_part(number, body) for number, body in zip((10_000, 2, 1), bodies, strict=False)}
    for part in parts.values():
        assert await metadata.commit(lambda tx, p=part: tx.uploads.put_part("u", p)) is None
    await metadata.commit(lambda tx: tx.uploads.put_part("v", make_part(3, bodies[3])))
    again = make_part(2, bodies[4], size=77)
    assert await metadata.commit(lambda tx: tx.uploads.put_part("u", again)) == parts[2]
    assert await metadata.read(lambda tx: tx.uploads.parts("u")) == [parts[1], again, parts[10_000]]
    assert await metadata.read(lambda tx: tx.uploads.parts("u", 1)) == [again, parts[10_000]]
    assert await metadata.read(lambda tx: tx.uploads.parts("u", 0, 2)) == [parts[1], again]


async def test_a_completed_upload_keeps_its_answer(metadata: Metadata, bucket: Bucket) -> None:
    """Without its parts, and out of the listing, until it is forgotten."""
    for number, name in enumerate(("u", "v"), 1):
        await metadata.commit(lambda tx, i=name, n=number: tx.uploads.create(make_upload(bucket, i, ordinal=n)))
        await metadata.commit(lambda tx, i=name: tx.uploads.put_part(i, make_part(1, 1)))
    await metadata.commit(lambda tx: tx.uploads.complete("u", "the answer", NOW))
    found = await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "u"))
    assert found == make_upload(bucket, "u", completed="the answer")
    assert await metadata.read(lambda tx: tx.uploads.parts("u")) == []
    assert len(await metadata.read(lambda tx: tx.uploads.parts("v"))) == 1
    listed = await metadata.read(lambda tx: tx.uploads.page(bucket.id, first=b"", after=-1, before=None, limit=9))
    assert [upload.id for upload in listed] == ["v"]
    await metadata.commit(lambda tx: tx.chunks.forget_completed(NOW))
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "u")) is not None
    await metadata.commit(lambda tx: tx.chunks.forget_completed(NOW + timedelta(microseconds=1)))
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "u")) is None
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "v")) is not None


async def test_a_deleted_upload_takes_its_parts_with_it(metadata: Metadata, bucket: Bucket) -> None:
    """And no other's."""
    for number, name in enumerate(("u", "v"), 1):
        await metadata.commit(lambda tx, i=name, n=number: tx.uploads.create(make_upload(bucket, i, ordinal=n)))
        await metadata.commit(lambda tx, i=name: tx.uploads.put_part(i, make_part(1, 1)))
    await metadata.commit(lambda tx: tx.uploads.delete("u"))
    assert await metadata.read(lambda tx: tx.uploads.get(bucket.id, "k", "u")) is None
    assert await metadata.read(lambda tx: tx.uploads.parts("u")) == []
    assert len(await metadata.read(lambda tx: tx.uploads.parts("v"))) == 1


async def test_uploads_are_paged_by_key_and_then_by_age(metadata: Metadata, bucket: Bucket) -> None:
    """Within [first, before); with `after` those of the first key go on behind that ordinal, be it an upload's or not."""
    entered = [("z", "a", 9), ("y", "b", 2), ("x", "b", 3), ("w", "b", 5), ("v", "c", 1)]
    uploads = [make_upload(bucket, name, key, ordinal) for name, key, ordinal in reversed(entered)]
    await metadata.commit(each([lambda tx, u=upload: tx.uploads.create(u) for upload in uploads]))

    async def page(first: str, after: int = -1, before: str | None = None, limit: int = 10) -> str:
        end = None if before is None else before.encode()
        found = await metadata.read(lambda tx: tx.uploads.page(bucket.id, first=first.encode(), after=after, before=end, limit=limit))
        return "".join(upload.id for upload in found)

    assert await page("") == "zyxwv"
    assert await page("b") == "yxwv"
    assert await page("b", 2) == "xwv"
    assert await page("b", 4) == "wv"
    assert await page("b", 2, "c") == "xw"
    assert await page("b", 5, limit=1) == "v"
    assert await page("aa", 7) == "yxwv"
    assert await page("", before="b") == "z"
    assert await page("", limit=2) == "zy"


# -- tenants, usage, configuration


async def test_a_project_is_known_by_its_names(metadata: Metadata) -> None:
    """Putting it again changes it and keeps its ids; projects of one organisation share that one's id."""
    first = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("p", "o")))
    again = await metadata.commit(lambda tx: tx.tenants.put_project(attrs.evolve(first, id=0, email="new", canonical_id="c")))
    assert again == attrs.evolve(first, email="new", canonical_id="c")
    sibling = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("q", "o")))
    stranger = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("p", "x")))
    assert sibling.organisation_id == first.organisation_id != stranger.organisation_id
    assert len({first.id, sibling.id, stranger.id}) == 3
    assert await metadata.read(lambda tx: tx.tenants.project("o", "p")) == again
    assert await metadata.read(lambda tx: tx.tenants.project_by_id(stranger.id)) == stranger
    assert await metadata.read(lambda tx: tx.tenants.project("x", "q")) is None
    assert await metadata.read(lambda tx: tx.tenants.project_by_id(stranger.id + 99)) is None


async def test_two_projects_never_share_a_canonical_id(metadata: Metadata, project: Project) -> None:
    """It is what ACLs name an owner by."""
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.tenants.put_project(make_project("q", "o", project.canonical_id)))
    assert await metadata.read(lambda tx: tx.tenants.project("o", "q")) is None


async def test_a_key_speaks_for_a_principal_of_a_project(metadata: Metadata, project: Project) -> None:
    """Putting it again replaces secret and state; the role is the principal's, so all its keys have it."""

    def key(id_: str, **changes: Any) -> AccessKey:
        plain = AccessKey(id=id_, secret=b"\x00\xff", project=project, principal="alice", role=Role.VIEWER, active=True)
        return attrs.evolve(plain, **changes)

    await metadata.commit(lambda tx: tx.keys.put(key("B")))
    await metadata.commit(lambda tx: tx.keys.put(key("A")))
    assert await metadata.read(lambda tx: tx.keys.get("A")) == key("A")
    assert await metadata.read(lambda tx: tx.keys.get("a")) is None
    await metadata.commit(lambda tx: tx.keys.put(key("A", secret=b"new", active=False, role=Role.OWNER)))
    expected = [key("A", secret=b"new", active=False, role=Role.OWNER), key("B", role=Role.OWNER)]
    assert await metadata.read(lambda tx: tx.keys.page(project.id)) == expected
    await metadata.commit(lambda tx: tx.keys.put(key("A", principal="bob")))
    found = await metadata.read(lambda tx: tx.keys.get("A"))
    assert found == key("A", principal="bob")
    assert await metadata.read(lambda tx: tx.keys.page(project.id + 1)) == []


async def test_usage_counts_for_bucket_project_and_organisation(metadata: Metadata, bucket: Bucket, project: Project) -> None:
    """Each the sum of what is below it; a deleted bucket's count goes with it."""
    sibling = await metadata.commit(lambda tx: tx.tenants.put_project(make_project("q", "o")))
    second, third = await made(metadata, project, "second"), await made(metadata, sibling, "third", "p2")
    assert await metadata.read(lambda tx: tx.usage.of(bucket)) == (Usage(), Usage(), Usage())
    await metadata.commit(lambda tx: tx.usage.add(bucket, Usage(objects=1, bytes=10, uploads_bytes=5)))
    await metadata.commit(lambda tx: tx.usage.add(bucket, Usage(objects=-1, bytes=-3)))
    await metadata.commit(lambda tx: tx.usage.add(second, Usage(objects=2, bytes=20)))
    await metadata.commit(lambda tx: tx.usage.add(third, Usage(objects=4, bytes=1 << 50)))
    assert await metadata.read(lambda tx: tx.usage.of(bucket)) == (
        Usage(objects=0, bytes=7, uploads_bytes=5),
        Usage(objects=2, bytes=27, uploads_bytes=5),
        Usage(objects=6, bytes=27 + (1 << 50), uploads_bytes=5),
    )
    await metadata.commit(lambda tx: tx.usage.add(second, Usage(objects=-2, bytes=-20)))
    assert await metadata.commit(lambda tx: tx.buckets.delete(second.id))
    assert (await metadata.read(lambda tx: tx.usage.of(second)))[0] == Usage()


async def test_the_generation_counts_what_is_told_to_it(metadata: Metadata, bucket: Bucket) -> None:
    """A bump counts it on by one; writing objects never does."""
    before = await metadata.look(lambda tx: tx.configuration.generation())
    await enter(metadata, bucket, ["k"])
    assert await metadata.read(lambda tx: tx.configuration.generation()) == before
    await metadata.commit(lambda tx: tx.configuration.bump())
    assert await metadata.look(lambda tx: tx.configuration.generation()) == before + 1


async def test_a_setting_is_kept(metadata: Metadata) -> None:
    """The last value of it; None for one that was never set."""
    assert await metadata.read(lambda tx: tx.configuration.get("x")) is None
    for value in ("1", "", "\u2603"):
        await metadata.commit(lambda tx, v=value: tx.configuration.set("x", v))
        assert await metadata.read(lambda tx: tx.configuration.get("x")) == value


# -- transactions


class OwnError(Exception):
    """Raised by work of these tests."""


async def test_work_that_raises_leaves_no_trace(metadata: Metadata, bucket: Bucket) -> None:
    """The caller gets its own exception; nothing of what it did is there, in any table."""

    async def work(tx: Transaction) -> None:
        await advanced(tx, bucket)
        body = await tx.bodies.add_chunks([chunk])
        await tx.versions.insert(bucket.id, Version(object=make_object("k"), body=body))
        await tx.usage.add(bucket, Usage(objects=1))
        await tx.configuration.set("x", "y")
        raise OwnError

    chunk = make_chunk()
    with pytest.raises(OwnError):
        await metadata.commit(work)
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) is None
    assert await condemned(metadata, chunk.id) == 1, "no row knows it"
    assert await metadata.read(lambda tx: tx.usage.of(bucket)) == (Usage(), Usage(), Usage())
    assert await metadata.read(lambda tx: tx.configuration.get("x")) is None
    assert await metadata.commit(lambda tx: advanced(tx, bucket)) == 1


async def test_many_commits_at_once_are_all_kept(metadata: Metadata, bucket: Bucket) -> None:
    """The bucket's revisions have no gap, each is given once, and a later one was answered with a later state."""

    async def work(tx: Transaction) -> tuple[int | None, int]:
        revision = await advanced(tx, bucket)
        await tx.usage.add(bucket, Usage(objects=1))
        return revision, (await tx.usage.of(bucket))[0].objects

    answers = await asyncio.gather(*(metadata.commit(work) for _ in range(300)))
    assert sorted(answers) == [(number, number) for number in range(1, 301)]
    assert answers == sorted(answers), "work is done in the order in which it was handed in"
    assert (await metadata.read(lambda tx: tx.usage.of(bucket)))[0].objects == 300


async def test_failing_work_takes_nothing_of_the_others_with_it(metadata: Metadata, bucket: Bucket) -> None:
    """In a crowd of commits those that raise, or break a constraint, leave no trace, and all others are kept."""

    def work(number: int) -> Callable[[Transaction], Awaitable[int | None]]:
        async def write(tx: Transaction) -> int | None:
            await tx.configuration.set(f"s{number}", "there")
            revision = await advanced(tx, bucket)
            if number % 5 == 0:
                raise OwnError
            if number % 7 == 0:
                await tx.uploads.create(make_upload(bucket, "u"))
                await tx.uploads.create(make_upload(bucket, "u"))
            return revision

        return write

    outcomes = await asyncio.gather(*(metadata.commit(work(number)) for number in range(150)), return_exceptions=True)
    kept = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert kept == list(range(1, len(kept) + 1))
    for number, outcome in enumerate(outcomes):
        expected = OwnError if number % 5 == 0 else StoreError if number % 7 == 0 else int
        assert isinstance(outcome, expected)
        found = await metadata.read(lambda tx, n=number: tx.configuration.get(f"s{n}"))
        assert found == ("there" if expected is int else None)


async def test_a_commit_that_fails_keeps_nothing(engine: Engine) -> None:
    """Its caller is told so, and the store goes on working."""
    metadata = engine.metadata
    engine.failures.append(NoRoom("full"))
    with pytest.raises(NoRoom):
        await metadata.commit(lambda tx: tx.configuration.set("x", "1"))
    assert await metadata.read(lambda tx: tx.configuration.get("x")) is None
    await metadata.commit(lambda tx: tx.configuration.set("y", "2"))
    assert await metadata.read(lambda tx: tx.configuration.get("x")) is None
    assert await metadata.read(lambda tx: tx.configuration.get("y")) == "2"


async def test_a_commit_that_fails_for_many_is_told_to_those_it_failed_for(engine: Engine, bucket: Bucket) -> None:
    """However often work was run again, what was answered is there once, and what was refused is not there."""
    engine.failures.extend([NoRoom("full")] * 3)
    runs = count()

    def work(number: int) -> Callable[[Transaction], Awaitable[None]]:
        async def write(tx: Transaction) -> None:
            next(runs)
            await tx.configuration.set(f"s{number}", "there")
            await tx.usage.add(bucket, Usage(objects=1))

        return write

    outcomes = await asyncio.gather(*(engine.metadata.commit(work(number)) for number in range(50)), return_exceptions=True)
    kept = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert all(outcome is None or isinstance(outcome, NoRoom) for outcome in outcomes)
    assert 47 <= len(kept) < 50 <= next(runs)
    assert (await engine.metadata.read(lambda tx: tx.usage.of(bucket)))[0].objects == len(kept)
    for number in range(50):
        found = await engine.metadata.read(lambda tx, n=number: tx.configuration.get(f"s{n}"))
        assert found == ("there" if number in kept else None)


async def test_a_read_sees_one_snapshot(metadata: Metadata) -> None:
    """Two settings that are always changed together are never seen apart, while they are being changed."""

    def change(number: int) -> Callable[[Transaction], Awaitable[list[None]]]:
        return each([lambda tx: tx.configuration.set("left", str(number)), lambda tx: tx.configuration.set("right", str(number))])

    both = each([lambda tx: tx.configuration.get("left"), lambda tx: tx.configuration.get("right")])
    writers = [asyncio.create_task(metadata.commit(change(number))) for number in range(200)]
    seen = set()
    while not all(writer.done() for writer in writers):
        left, right = await metadata.read(both)
        assert left == right
        seen.add(left)
        await asyncio.sleep(0)
    await asyncio.gather(*writers)
    assert await metadata.read(both) == ["199", "199"]


async def test_a_read_sees_what_was_answered_before(metadata: Metadata) -> None:
    """Whoever has an answer finds its write, by both ways of reading."""
    for number in range(20):
        await metadata.commit(lambda tx, n=number: tx.configuration.set("x", str(n)))
        assert await metadata.read(lambda tx: tx.configuration.get("x")) == str(number)
        assert await metadata.look(lambda tx: tx.configuration.get("x")) == str(number)


async def test_a_read_that_raises_is_over(metadata: Metadata) -> None:
    """Its exception is the caller's, and the next read works."""

    async def work(tx: Transaction) -> None:
        await tx.configuration.generation()
        raise OwnError

    with pytest.raises(OwnError):
        await metadata.read(work)
    assert await metadata.read(lambda tx: tx.configuration.get("x")) is None
    await metadata.commit(lambda tx: tx.configuration.set("x", "1"))
    assert await metadata.read(lambda tx: tx.configuration.get("x")) == "1"
