"""One suite for every blob store: what `BlobStore` promises, the power cut aside.

Law: no test here knows how a store keeps its bytes; what must be done to one from outside (damage,
a full medium, a failing one) is done by its `Medium`.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightningstor_server.stores.blobs.base import BLOCK_BYTES, CHUNK_BYTES, BlobStore, Chunk, Piece
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.blobs.format import HEADER_BYTES, BlockSummer
from lightningstor_server.stores.errors import Corrupted, Missing, NoRoom, ReadOnly
from lightningstor_server.stores.memory import MemoryBlobs

PATTERN = bytes(range(251)) * 33500
"""8.4 million bytes; 251 is prime, so no two blocks are alike."""
ODD_BYTES = 10 * BLOCK_BYTES + 77
"""Several runs, the last block short."""


class Medium(Protocol):
    """A store, and what befalls what it writes to."""

    @property
    def store(self) -> BlobStore:
        """The store."""

    def damage(self, chunk: Chunk, at: int) -> None:
        """Flip a bit of the byte of the content."""

    def cut(self, chunk: Chunk, length: int) -> None:
        """Keep `length` bytes of the content, and nothing behind."""

    def fill(self) -> None:
        """Let writes find no room, until `mend`."""

    def fail(self) -> None:
        """Let the next commit fail to make its chunk durable."""

    def mend(self) -> None:
        """End what `fill` and `fail` did; the store may remember it."""


class MemoryMedium:
    """What can be done to a dict."""

    def __init__(self) -> None:
        self.store = MemoryBlobs()

    def damage(self, chunk: Chunk, at: int) -> None:
        """Flip a bit of the byte of the content."""
        self.store.contents[chunk.id][at] ^= 1

    def cut(self, chunk: Chunk, length: int) -> None:
        """Keep `length` bytes of the content."""
        del self.store.contents[chunk.id][length:]

    def fill(self) -> None:
        """Find no room."""
        self.store.room_bytes = sum(map(len, self.store.contents.values()))

    def fail(self) -> None:
        """Make nothing durable any more."""
        self.store.read_only = True

    def mend(self) -> None:
        """Find room again."""
        self.store.room_bytes = None


class FilesystemMedium:
    """What can be done to files and to the calls of the operating system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.patches = pytest.MonkeyPatch()
        self.store = FilesystemBlobs(root, worker="w", reserve_bytes=0)

    def damage(self, chunk: Chunk, at: int) -> None:
        """Flip a bit of the byte of the content."""
        with (self.root / chunk.directory / chunk.id.hex()).open("r+b") as file:
            file.seek(HEADER_BYTES + at)
            byte = file.read(1)[0]
            file.seek(HEADER_BYTES + at)
            file.write(bytes([byte ^ 1]))

    def cut(self, chunk: Chunk, length: int) -> None:
        """Keep `length` bytes of the content."""
        os.truncate(self.root / chunk.directory / chunk.id.hex(), HEADER_BYTES + length)

    def fill(self) -> None:
        """Find no room."""
        self._refuse("writev", errno.ENOSPC)

    def fail(self) -> None:
        """Make nothing durable any more."""
        self._refuse("fdatasync", errno.EIO)

    def mend(self) -> None:
        """Find room again."""
        self.patches.undo()

    def _refuse(self, call: str, number: int) -> None:
        def refuse(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        self.patches.setattr(os, call, refuse)


@pytest.fixture(params=["memory", "filesystem"])
async def medium(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Medium]:
    """Each store in turn, and at the end no descriptor of it that is still open."""
    it: Medium = MemoryMedium() if request.param == "memory" else FilesystemMedium(tmp_path / "chunks")
    yield it
    it.mend()
    await it.store.close()
    assert open_below(tmp_path) == []


def open_below(folder: Path) -> list[str]:
    """The files and folders below it that this process has open."""
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            opened.append(str(descriptor.readlink()))
        except FileNotFoundError:  # the one that listed them
            continue
    return [path for path in opened if path.startswith(str(folder))]


async def put(store: BlobStore, content: bytes, *, by: int = BLOCK_BYTES) -> Chunk:
    """A committed chunk, or nothing of it."""
    writer = store.create()
    try:
        for at in range(0, len(content), by):
            await writer.append(content[at : at + by])
        return await writer.commit()
    finally:
        await writer.discard()


async def get(store: BlobStore, pieces: Sequence[Piece]) -> bytes:
    """All bytes of the pieces."""
    return b"".join([run async for run in await store.read(pieces)])


def whole(chunk: Chunk) -> list[Piece]:
    """The chunk as pieces."""
    return [Piece(chunk=chunk, offset=0, length=chunk.length)]


async def names(store: BlobStore) -> set[tuple[bytes, str]]:
    """What is on the medium."""
    return {(found.id, found.directory) async for found in store.stored()}


@pytest.mark.parametrize("length", [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, ODD_BYTES, CHUNK_BYTES])
@pytest.mark.parametrize("by", [70_001, CHUNK_BYTES])
async def test_what_was_committed_is_read(medium: Medium, length: int, by: int) -> None:
    """A chunk of any length reads as it was appended, and says its length and block sums."""
    content = PATTERN[:length]
    chunk = await put(medium.store, content, by=by)
    summer = BlockSummer()
    summer.update(content)
    assert (chunk.length, chunk.block_sums) == (length, summer.block_sums())
    assert await get(medium.store, whole(chunk)) == content


async def test_many_small_appends(medium: Medium) -> None:
    """Appends of a few bytes, and of none, add up."""
    content = PATTERN[:20_000]
    writer = medium.store.create()
    for at in range(0, len(content), 7):
        await writer.append(content[at : at + 7])
        await writer.append(b"")
    assert await get(medium.store, whole(await writer.commit())) == content


async def test_chunks_are_one_byte_to_chunk_bytes(medium: Medium) -> None:
    """An empty chunk and one that is too long are mistakes of the caller, and leave nothing."""
    with pytest.raises(ValueError, match="at least one byte"):
        await medium.store.create().commit()
    writer = medium.store.create()
    await writer.append(PATTERN[:CHUNK_BYTES])
    with pytest.raises(ValueError, match="a chunk holds"):
        await writer.append(b"x")
    await writer.discard()
    assert await names(medium.store) == set()


@pytest.fixture
async def chunks(medium: Medium) -> list[tuple[Chunk, bytes]]:
    """A few chunks and their contents."""
    contents = [PATTERN[:1], PATTERN[100 : 100 + BLOCK_BYTES], PATTERN[5:][:ODD_BYTES]]
    return [(await put(medium.store, content), content) for content in contents]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_any_pieces(medium: Medium, chunks: list[tuple[Chunk, bytes]], data: st.DataObject) -> None:
    """Any run of pieces, across blocks and chunks, some twice, some empty, gives those bytes in order."""
    pieces, expected = [], []
    for chunk, content in data.draw(st.lists(st.sampled_from(chunks), max_size=5)):
        offset = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, len(content) - offset))
        pieces.append(Piece(chunk=chunk, offset=offset, length=length))
        expected.append(content[offset : offset + length])
    assert await get(medium.store, pieces) == b"".join(expected)


async def test_runs_are_small(medium: Medium) -> None:
    """No run is longer than a few hundred KiB, so that a slow client holds little."""
    chunk = await put(medium.store, PATTERN[:CHUNK_BYTES])
    assert max([len(run) async for run in await medium.store.read(whole(chunk))]) <= 512 << 10


async def test_a_piece_outside_its_chunk(medium: Medium) -> None:
    """A piece that reaches out of its chunk is a mistake of the caller, not an answer."""
    chunk = await put(medium.store, b"abc")
    for offset, length in ((0, 4), (3, 1), (-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="reaches out"):
            await medium.store.read([Piece(chunk=chunk, offset=offset, length=length)])


async def test_an_unknown_chunk_is_missing(medium: Medium) -> None:
    """A chunk that is not there is known before an answer begins, also behind one that is."""
    chunk = await put(medium.store, b"abc")
    for other in (evolve(chunk, id=bytes(16)), evolve(chunk, id=bytes(16), directory="elsewhere")):
        with pytest.raises(Missing):
            await medium.store.read(whole(other))
        with pytest.raises(Missing):
            await medium.store.read([*whole(chunk), *whole(other)])


async def test_an_unknown_format_is_not_guessed_at(medium: Medium) -> None:
    """A chunk of a later format is an error and not bytes."""
    chunk = evolve(await put(medium.store, b"abc"), format=2)
    with pytest.raises(Corrupted):
        await medium.store.read(whole(chunk))


@pytest.mark.parametrize("at", [0, BLOCK_BYTES - 1, 3 * BLOCK_BYTES, 4 * BLOCK_BYTES, ODD_BYTES - 1])
async def test_a_flipped_bit_is_never_handed_out(medium: Medium, at: int) -> None:
    """What comes before the error is right, the damaged block never comes, and other blocks can be had."""
    content = PATTERN[:ODD_BYTES]
    chunk = await put(medium.store, content)
    medium.damage(chunk, at)
    got = b""
    with pytest.raises(Corrupted, match=chunk.id.hex()):  # noqa: PT012 - the first run may raise or a later one
        async for run in await medium.store.read(whole(chunk)):
            got += run
    assert content.startswith(got)
    assert len(got) <= at
    border = at - at % BLOCK_BYTES
    assert await get(medium.store, [Piece(chunk=chunk, offset=0, length=border)]) == content[:border]
    with pytest.raises(Corrupted):
        await medium.store.read([Piece(chunk=chunk, offset=border, length=1)])


async def test_damage_at_the_start_is_known_before_an_answer(medium: Medium) -> None:
    """`read` itself raises for the first run, so that a status can still be sent."""
    chunk = await put(medium.store, PATTERN[:ODD_BYTES])
    medium.damage(chunk, 5)
    with pytest.raises(Corrupted):
        await medium.store.read(whole(chunk))


async def test_a_stream_that_failed_has_ended(medium: Medium) -> None:
    """After an error nothing more comes out of the stream."""
    chunk = await put(medium.store, PATTERN[:ODD_BYTES])
    medium.damage(chunk, ODD_BYTES - 1)
    stream = await medium.store.read(whole(chunk))
    with pytest.raises(Corrupted):
        async for _ in stream:
            pass
    assert [run async for run in stream] == []


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES, ODD_BYTES - 1])
async def test_missing_bytes_are_damage(medium: Medium, length: int) -> None:
    """A chunk that is shorter than it was is damaged, and never a short answer."""
    chunk = await put(medium.store, PATTERN[:ODD_BYTES])
    medium.cut(chunk, length)
    with pytest.raises(Corrupted):
        await get(medium.store, whole(chunk))


async def test_other_sums_are_damage(medium: Medium) -> None:
    """The sums that count are those the metadata kept."""
    chunk = await put(medium.store, b"abc")
    with pytest.raises(Corrupted):
        await medium.store.read(whole(evolve(chunk, block_sums=bytes(4))))


async def test_discard_leaves_nothing(medium: Medium) -> None:
    """Discarding, at once or in the middle and more than once, leaves nothing; the writer takes no more."""
    for content in (b"", b"abc", PATTERN[:CHUNK_BYTES]):
        writer = medium.store.create()
        await writer.append(content)
        await writer.discard()
        await writer.discard()
    assert await names(medium.store) == set()


async def test_discard_after_commit_changes_nothing(medium: Medium) -> None:
    """A `finally` that discards does no harm to a chunk that was committed."""
    writer = medium.store.create()
    await writer.append(b"abc")
    chunk = await writer.commit()
    await writer.discard()
    assert await get(medium.store, whole(chunk)) == b"abc"


async def test_delete(medium: Medium) -> None:
    """Deleting removes just those chunks, and twice is no error."""
    gone, kept = await put(medium.store, b"gone"), await put(medium.store, b"kept")
    for _ in range(2):
        await medium.store.delete([(gone.id, gone.directory), (bytes(16), "nowhere"), (b"", "../..")])
    with pytest.raises(Missing):
        await medium.store.read(whole(gone))
    assert await get(medium.store, whole(kept)) == b"kept"
    await medium.store.delete([])


async def test_stored_lists_what_was_committed(medium: Medium) -> None:
    """Exactly the committed chunks are listed, with an age; one that is being written is not."""
    committed = [await put(medium.store, b"x") for _ in range(5)]
    writer = medium.store.create()
    await writer.append(PATTERN[:CHUNK_BYTES])
    found = [stored async for stored in medium.store.stored()]
    assert {(stored.id, stored.directory) for stored in found} == {(chunk.id, chunk.directory) for chunk in committed}
    assert len(found) == len(committed)
    assert all(0 <= stored.age_seconds < 600 for stored in found)
    await writer.discard()


async def test_a_stream_outlives_its_chunk(medium: Medium) -> None:
    """Whoever reads a chunk that is deleted meanwhile gets all of it."""
    content = PATTERN[:ODD_BYTES]
    chunk = await put(medium.store, content)
    stream = await medium.store.read(whole(chunk))
    await medium.store.delete([(chunk.id, chunk.directory)])
    assert b"".join([run async for run in stream]) == content


async def test_a_full_medium(medium: Medium) -> None:
    """Without room nothing of a write is visible; reads and deletes go on, and so do writes once there is room."""
    before = await put(medium.store, b"before")
    medium.fill()
    for content in (b"x", PATTERN[:ODD_BYTES]):
        with pytest.raises(NoRoom):
            await put(medium.store, content)
    assert await names(medium.store) == {(before.id, before.directory)}
    assert await get(medium.store, whole(before)) == b"before"
    medium.mend()
    after = await put(medium.store, b"after")
    await medium.store.delete([(before.id, before.directory)])
    assert await names(medium.store) == {(after.id, after.directory)}


async def test_a_medium_that_failed_takes_no_more_writes(medium: Medium) -> None:
    """After a failure to make durable every write is refused, for good; reads and deletes go on."""
    before = await put(medium.store, b"before")
    waiting = medium.store.create()
    await waiting.append(b"waiting")
    medium.fail()
    with pytest.raises(ReadOnly):
        await put(medium.store, b"x")
    medium.mend()
    with pytest.raises(ReadOnly):
        medium.store.create()
    with pytest.raises(ReadOnly):
        await waiting.append(b"x")
    with pytest.raises(ReadOnly):
        await waiting.commit()
    with pytest.raises(ReadOnly):
        await medium.store.check_room(1)
    await waiting.discard()
    assert await get(medium.store, whole(before)) == b"before"
    await medium.store.delete([(before.id, before.directory)])
    assert await names(medium.store) == set()


async def test_room_is_there(medium: Medium) -> None:
    """A medium with room says so."""
    await medium.store.check_room(1)


async def test_many_at_once(medium: Medium) -> None:
    """Chunks that are written and read side by side do not mix, and no two have one name."""
    contents = [PATTERN[number:][: 1 + number * 9973] for number in range(40)]
    written = await asyncio.gather(*(put(medium.store, content) for content in contents))
    assert len({chunk.id for chunk in written}) == len(contents)
    assert await asyncio.gather(*(get(medium.store, whole(chunk)) for chunk in written)) == contents


async def test_a_store_closes_twice(medium: Medium) -> None:
    """Closing again is no error, nor is discarding afterwards."""
    writer = medium.store.create()
    await writer.append(b"abc")
    await medium.store.close()
    await medium.store.close()
    await writer.discard()
