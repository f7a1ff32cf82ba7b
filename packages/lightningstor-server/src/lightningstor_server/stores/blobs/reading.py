"""Chunks on their way out of files.

Law: a byte leaves only after the block around it matched its checksum, whatever part was asked for.
A file that is open stays readable when it is removed, so those that come next are opened ahead.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Lock
from typing import Final

from lightningstor_server.stores.blobs.base import CHUNK_FORMAT, Chunk, Piece
from lightningstor_server.stores.blobs.directories import path_of
from lightningstor_server.stores.blobs.format import HEADER_BYTES, Run, encode_header, runs, verified
from lightningstor_server.stores.blobs.medium import Threads, finish, unreadable
from lightningstor_server.stores.errors import Corrupted, StoreError, Unavailable

OPEN_AHEAD: Final = 16
"""Pieces that are open at a time: 128 MiB of full chunks, well above what is sent within the sweeper's grace."""


def checked_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces that have bytes.

    Raises:
        ValueError: one reaches out of its chunk, which is a mistake of the caller.
        Corrupted: one is of a chunk of a format that is not known.
    """
    for piece in pieces:
        if piece.offset < 0 or piece.length < 0 or piece.offset + piece.length > piece.chunk.length:
            raise ValueError(f"a piece reaches out of chunk {piece.chunk.id.hex()}")
        if piece.chunk.format != CHUNK_FORMAT:
            raise Corrupted(f"chunk {piece.chunk.id.hex()}: format {piece.chunk.format} is not known")
    return [piece for piece in pieces if piece.length]


def open_chunk(root: int, chunk: Chunk) -> int:
    """Open a chunk's file and see that it says to be this chunk's.

    Raises:
        Missing: it is not there.
        Corrupted: its header is damaged, or another chunk's.
        Unavailable: no descriptor was free.
    """
    name = path_of(chunk.id, chunk.directory)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=root)
    except OSError as error:
        raise unreadable(name, error) from error
    try:
        if os.pread(descriptor, HEADER_BYTES, 0) != encode_header(chunk.id):
            raise Corrupted(f"chunk {name}: the header is damaged, or that of another chunk")
    except OSError as error:
        os.close(descriptor)
        raise unreadable(name, error) from error
    except Corrupted:
        os.close(descriptor)
        raise
    return descriptor


def read_run(descriptor: int, run: Run, chunk: Chunk) -> bytes:
    """The bytes of one run, verified.

    Raises:
        Corrupted: a block does not match, is cut short or cannot be read.
    """
    try:
        blocks = os.pread(descriptor, run.length, HEADER_BYTES + run.start)
        while len(blocks) < run.length:
            more = os.pread(descriptor, run.length - len(blocks), HEADER_BYTES + run.start + len(blocks))
            if not more:
                break
            blocks += more
        return verified(blocks, run, chunk.block_sums)
    except OSError as error:
        raise unreadable(chunk.id.hex(), error) from error
    except Corrupted as error:
        raise Corrupted(f"chunk {chunk.id.hex()}: {error}") from None


class Reading:
    """The files of one read. Its methods block; each waits for the one before."""

    def __init__(self, root: int, pieces: Sequence[Piece]) -> None:
        self._root = root
        self._turn = Lock()
        self._open: deque[tuple[Piece, int]] = deque()
        self._unopened: deque[Piece] = deque()
        self._runs: Iterator[Run] = iter(())
        self._run: Run | None = None
        self._unopened.extend(checked_pieces(pieces))
        self.complete = not self._unopened
        """Whether every byte was handed out."""
        self.ended = self.complete
        """Whether no byte will come any more, for this or another reason; then no descriptor is held."""

    def next(self) -> bytes:
        """The next run.

        Raises:
            Missing, Corrupted, Unavailable: and the reading has ended.
        """
        with self._turn:
            if self.ended:
                raise Unavailable("the reading was closed")
            try:
                return self._next()
            except BaseException:
                self._end()
                raise

    def close(self) -> None:
        """Let go of every file."""
        with self._turn:
            self._end()

    def __del__(self) -> None:
        """Let go of the files of a reading that nobody closed; no thread is in it any more."""
        self._end()

    def _next(self) -> bytes:
        self._open_ahead()
        piece, descriptor = self._open[0]
        if self._run is None:
            self._runs = runs(piece.offset, piece.length, piece.chunk.length)
            self._run = next(self._runs)
        content = read_run(descriptor, self._run, piece.chunk)
        self._run = next(self._runs, None)
        if self._run is None:
            self._open.popleft()
            os.close(descriptor)
            self.complete = self.ended = not self._open and not self._unopened
        return content

    def _open_ahead(self) -> None:
        while self._unopened and len(self._open) < OPEN_AHEAD:
            try:
                descriptor = open_chunk(self._root, self._unopened[0].chunk)
            except Unavailable:
                if self._open:
                    return  # no descriptor is free; when this piece's turn comes it needs just one
                raise
            self._open.append((self._unopened.popleft(), descriptor))

    def _end(self) -> None:
        self.ended = True
        self._unopened.clear()
        while self._open:
            _, descriptor = self._open.popleft()
            with suppress(OSError):
                os.close(descriptor)


class FileStream:
    """The runs of a reading; while one is on its way to the client, the next one is read."""

    def __init__(self, reading: Reading, threads: Threads) -> None:
        self._reading = reading
        self._threads = threads
        self._ahead: asyncio.Future[bytes] | None = None

    async def begin(self) -> None:
        """Read the first run.

        Raises:
            Missing, Corrupted, Unavailable: see `BlobStore.read`.
        """
        if not self._reading.complete:
            self._ahead = self._threads.start(self._reading.next)
            await finish(self._ahead)

    def __aiter__(self) -> FileStream:
        """Itself."""
        return self

    async def __anext__(self) -> bytes:
        """The next run, verified.

        Raises:
            Missing, Corrupted: and no more will come.
            Unavailable: the store was closed, or no descriptor was free.
        """
        if self._ahead is None:
            raise StopAsyncIteration
        try:
            run = await finish(self._ahead)
            self._ahead = None if self._reading.complete else self._threads.start(self._reading.next)
        except StoreError:
            self._ahead = None
            raise
        return run

    async def aclose(self) -> None:
        """Let go of every file. May be called again."""
        self._ahead = None
        if not self._reading.ended:
            await self._threads.run(self._reading.close)
