"""Chunks in memory, for tests and for trying things out.

Law: it keeps every promise of a blob store but the power cut. Reads are verified as those of files
are, so a test that flips a byte of `contents` sees what a damaged medium would do.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from secrets import token_bytes

from lightningstor_server.stores.blobs.base import CHUNK_BYTES, CHUNK_ID_BYTES, Chunk, Piece, StoredChunk
from lightningstor_server.stores.blobs.format import BlockSummer, runs, verified
from lightningstor_server.stores.blobs.reading import checked_pieces
from lightningstor_server.stores.errors import Corrupted, Missing, NoRoom, ReadOnly, Unavailable


class MemoryWriter:
    """`ChunkWriter` on a buffer."""

    def __init__(self, store: MemoryBlobs) -> None:
        self._store = store
        self._content = bytearray()
        self._ended = False

    async def append(self, data: bytes) -> None:
        """As promised by `ChunkWriter`.

        Raises:
            ValueError: more than CHUNK_BYTES in all, which is a mistake of the caller.
        """
        self._check(len(data))
        if len(self._content) + len(data) > CHUNK_BYTES:
            raise ValueError(f"a chunk holds {CHUNK_BYTES} bytes")
        self._content += data

    async def commit(self) -> Chunk:
        """As promised by `ChunkWriter`.

        Raises:
            ValueError: nothing was appended, which is a mistake of the caller.
        """
        self._check(0)
        if not self._content:
            raise ValueError("a chunk holds at least one byte")
        self._ended = True
        return self._store.keep(self._content)

    async def discard(self) -> None:
        """As promised by `ChunkWriter`; nothing happens to a chunk that was committed."""
        self._ended = True
        self._content = bytearray()

    def _check(self, size: int) -> None:
        self._store.check(size)
        if self._ended:
            raise Unavailable("the writer has ended")


class MemoryBlobs:
    """`BlobStore` in a dict."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.contents: dict[bytes, bytearray] = {}
        """The bytes by chunk id; a test may damage them."""
        self.room_bytes: int | None = None
        """How many bytes fit in all; None for no limit."""
        self.read_only = False
        """Whether writes are refused."""
        self._clock = clock
        self._since: dict[bytes, float] = {}

    def check(self, size: int) -> None:
        """Whether `size` more bytes are taken.

        Raises:
            ReadOnly, NoRoom: they are not.
        """
        if self.read_only:
            raise ReadOnly("the memory store was set to take no writes")
        if self.room_bytes is not None and size + sum(map(len, self.contents.values())) > self.room_bytes:
            raise NoRoom("the memory store was set to hold no more")

    def keep(self, content: bytearray) -> Chunk:
        """Take the content of a chunk that is committed."""
        summer = BlockSummer()
        summer.update(memoryview(content))
        chunk = Chunk(id=token_bytes(CHUNK_ID_BYTES), directory="", length=len(content), block_sums=summer.block_sums())
        self.contents[chunk.id] = content
        self._since[chunk.id] = self._clock()
        return chunk

    def create(self) -> MemoryWriter:
        """As promised by `BlobStore`."""
        self.check(0)
        return MemoryWriter(self)

    async def read(self, pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
        """As promised by `BlobStore`; every piece stays readable."""
        held = []
        for piece in checked_pieces(pieces):
            content = self.contents.get(piece.chunk.id)
            if content is None:
                raise Missing(f"chunk {piece.chunk.id.hex()} is not there")
            held.append((piece, content))
        verified_runs = _verified_runs(held)
        return _stream(next(verified_runs, None), verified_runs)

    async def delete(self, chunks: Sequence[tuple[bytes, str]]) -> None:
        """As promised by `BlobStore`."""
        for chunk_id, _ in chunks:
            self.contents.pop(chunk_id, None)
            self._since.pop(chunk_id, None)

    async def stored(self) -> AsyncIterator[StoredChunk]:
        """As promised by `BlobStore`."""
        for chunk_id, since in list(self._since.items()):
            yield StoredChunk(id=chunk_id, directory="", age_seconds=max(0.0, self._clock() - since))

    async def check_room(self, size: int) -> None:
        """As promised by `BlobStore`."""
        self.check(size)

    async def close(self) -> None:
        """As promised by `BlobStore`. The contents stay, as those of a disk would."""


def _verified_runs(held: Sequence[tuple[Piece, bytearray]]) -> Iterator[bytes]:
    for piece, content in held:
        for run in runs(piece.offset, piece.length, piece.chunk.length):
            try:
                yield verified(bytes(content[run.start : run.start + run.length]), run, piece.chunk.block_sums)
            except Corrupted as error:
                raise Corrupted(f"chunk {piece.chunk.id.hex()}: {error}") from None


async def _stream(first: bytes | None, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    for run in rest:
        yield run
