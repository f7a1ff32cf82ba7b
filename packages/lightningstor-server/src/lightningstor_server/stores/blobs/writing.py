"""A chunk on its way into a file.

Law: bytes, then their fdatasync, then the name, then the folder's fsync, then the caller hears of
it. Until the name is there the file has none (O_TMPFILE), so a process that dies leaves nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EIO
from itertools import islice
from secrets import token_bytes
from threading import Lock
from typing import Final

from lightningstor_server.stores.blobs.base import CHUNK_BYTES, CHUNK_ID_BYTES, Chunk
from lightningstor_server.stores.blobs.directories import Directories, Directory
from lightningstor_server.stores.blobs.format import BlockSummer, encode_footer, encode_header
from lightningstor_server.stores.blobs.medium import Medium, Threads, finish
from lightningstor_server.stores.errors import StoreError, Unavailable

SEGMENT_BYTES: Final = 512 << 10
"""What is gathered before it is written. A writer holds two of them at most, and what one `append` brought."""
FILE_MODE: Final = 0o600
_VECTOR_PARTS: Final = 512
"""Buffers that one writev takes; Linux allows 1,024 (IOV_MAX)."""


def write_all(descriptor: int, parts: Iterable[bytes | memoryview]) -> None:
    """Write every byte of the parts, none of them empty, however little one call takes.

    Raises:
        OSError: the medium refused.
    """
    left = deque(parts)
    while left:
        written = os.writev(descriptor, list(islice(left, _VECTOR_PARTS)))
        if not written:
            raise OSError(EIO, "a write took no bytes")
        while left and written >= len(left[0]):
            written -= len(left.popleft())
        if written:
            left[0] = memoryview(left[0])[written:]


def open_nameless(folder: int) -> int:
    """A new file on the file system of the folder, which goes when it is closed without a name.

    Raises:
        OSError: the medium refused; EOPNOTSUPP where it has no such files.
    """
    return os.open(".", os.O_TMPFILE | os.O_WRONLY, FILE_MODE, dir_fd=folder)


def give_name(descriptor: int, name: str, folder: int) -> None:
    """Put a nameless file into a folder.

    linkat(2) with AT_SYMLINK_FOLLOW on /proc needs no privilege, where AT_EMPTY_PATH needs
    CAP_DAC_READ_SEARCH. Without `dst_dir_fd` Python calls link(2), which fails with EXDEV.

    Raises:
        OSError: the medium refused; EEXIST where the name is taken.
    """
    os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)


class NamelessFile:
    """The file of a chunk until it is committed. Its methods block; each waits for the one before."""

    def __init__(self, medium: Medium, directories: Directories) -> None:
        self._id = token_bytes(CHUNK_ID_BYTES)
        self._medium = medium
        self._directories = directories
        self._turn = Lock()
        self._summer = BlockSummer()
        self._directory: Directory | None = None
        self._descriptor: int | None = None
        self._linked = False
        self._ended = False

    def write(self, parts: list[bytes]) -> None:
        """Write bytes behind those before.

        Raises:
            NoRoom, ReadOnly, Unavailable: and nothing of the file remains.
        """
        with self._step():
            self._write(parts)

    def link(self, parts: list[bytes]) -> tuple[Chunk, Directory]:
        """Write the last bytes, make them durable and give the file its name, which is not durable yet.

        Raises:
            NoRoom, ReadOnly, Unavailable: and nothing of the file remains.
            Broken: the name was taken.
        """
        with self._step():
            descriptor, directory = self._write(parts)
            length, sums = self._summer.length, self._summer.block_sums()
            write_all(descriptor, (encode_footer(length, sums),))
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                raise self._medium.failed("fdatasync of a chunk", error) from error
            give_name(descriptor, self._id.hex(), directory.descriptor)
            self._linked = True
            self._close()
            return Chunk(id=self._id, directory=directory.name, length=length, block_sums=sums), directory

    def keep(self) -> None:
        """The name is durable: the file stays, whatever is called later."""
        with self._turn:
            self._linked = False
            self._drop()

    def discard(self) -> None:
        """Nothing of the file remains, unless it was kept. May be called at any time."""
        with self._turn:
            self._drop()

    @contextmanager
    def _step(self) -> Iterator[None]:
        with self._turn:
            if self._ended:
                raise Unavailable("the chunk was given up")
            try:
                yield
            except OSError as error:
                self._drop()
                raise self._medium.refused("writing a chunk", error) from error
            except StoreError:
                self._drop()
                raise

    def _write(self, parts: list[bytes]) -> tuple[int, Directory]:
        directory, descriptor = self._directory, self._descriptor
        if directory is None:
            directory = self._directory = self._directories.take()
        if descriptor is None:
            descriptor = self._descriptor = open_nameless(directory.descriptor)
            write_all(descriptor, (encode_header(self._id),))
        for part in parts:
            self._summer.update(part)
        write_all(descriptor, parts)
        return descriptor, directory

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # fdatasync has told, or the bytes are given up; close(2) frees it in any case
                os.close(descriptor)

    def _drop(self) -> None:
        self._ended = True
        self._close()
        directory, self._directory = self._directory, None
        if directory is None:
            return
        if self._linked:
            with suppress(OSError):  # what cannot be removed is an orphan, for which there is the sweeper
                os.unlink(self._id.hex(), dir_fd=directory.descriptor)
        directory.release()


class FileWriter:
    """`ChunkWriter` on a file: gathers what comes, and writes one segment while the next one gathers."""

    def __init__(self, medium: Medium, directories: Directories, threads: Threads, ended: Callable[[FileWriter], None]) -> None:
        self._medium = medium
        self._threads = threads
        self._ended = ended
        self._file = NamelessFile(medium, directories)
        self._length = 0
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._begun = False
        self._given_up = False
        self._discarding: asyncio.Future[None] | None = None
        self._committed = False

    async def append(self, data: bytes) -> None:
        """As promised by `ChunkWriter`. An error may be that of an earlier `append`.

        Raises:
            ValueError: more than CHUNK_BYTES in all, which is a mistake of the caller.
        """
        self._check()
        if self._length + len(data) > CHUNK_BYTES:
            raise ValueError(f"a chunk holds {CHUNK_BYTES} bytes")
        if not data:
            return
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        self._length += len(data)
        if self._gathered_bytes >= SEGMENT_BYTES:
            await self._written()
            self._writing = self._threads.start(self._file.write, self._take())
            self._begun = True

    async def commit(self) -> Chunk:
        """As promised by `ChunkWriter`.

        Raises:
            ValueError: nothing was appended, which is a mistake of the caller.
        """
        try:
            self._check()
            if not self._length:
                raise ValueError("a chunk holds at least one byte")
            await self._written()
            linking = self._threads.start(self._file.link, self._take())
            self._begun = True
            chunk, directory = await finish(linking)
            await directory.sync()
            self._check()  # a discard meanwhile, by a store that closes, has taken the name away
        except BaseException:  # a cancelled caller may never come back to discard
            self._give_up()
            raise
        self._committed = True
        self._file.keep()
        self._ended(self)
        return chunk

    async def discard(self) -> None:
        """As promised by `ChunkWriter`; nothing happens to a chunk that was committed."""
        self._give_up()
        if self._discarding is not None:
            await finish(self._discarding)

    def _check(self) -> None:
        self._medium.check()
        if self._committed or self._given_up:
            raise Unavailable("the writer has ended")
        if self._writing is not None and self._writing.done():
            self._writing.result()

    async def _written(self) -> None:
        """Wait for the segment on its way: with at most one, memory is bounded and the order kept."""
        if self._writing is not None:
            await finish(self._writing)

    def _take(self) -> list[bytes]:
        parts, self._gathered, self._gathered_bytes = self._gathered, [], 0
        return parts

    def _give_up(self) -> None:
        if self._given_up or self._committed:
            return
        self._given_up = True
        self._gathered.clear()
        self._ended(self)
        if self._begun:
            self._discarding = self._threads.start(self._file.discard)
