"""Chunks in files of a local file system.

Law: `root/<folder>/<hex id>` is a chunk, whole and durable, or it is not there. Calls that may
block run in a few threads, those that write apart from those that read, so that a slow fsync
never keeps a reader waiting.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from errno import EDQUOT, EISDIR, ENOSPC, EOPNOTSUPP, EROFS
from pathlib import Path
from re import compile as pattern
from typing import Final
from weakref import WeakSet

from lightningstor_server.stores.blobs.base import CHUNK_ID_BYTES, Piece, StoredChunk
from lightningstor_server.stores.blobs.directories import Directories, is_folder_name, open_root, path_of
from lightningstor_server.stores.blobs.medium import Medium, Threads, unreadable
from lightningstor_server.stores.blobs.reading import FileStream, Reading
from lightningstor_server.stores.blobs.writing import FileWriter, give_name, open_nameless
from lightningstor_server.stores.errors import Broken, Missing, NoRoom, ReadOnly

RESERVE_BYTES: Final = 512 << 20
"""Room that is left for deletes: they make the metadata's log grow before they free anything."""
RESERVE_INODES: Final = 1024
ROOM_SECONDS: Final = 0.25
"""How old the figures of free space may be."""
WRITE_THREADS: Final = 4
READ_THREADS: Final = 4
DELETE_BATCH_FILES: Final = 256
"""Files that are removed in one call to a thread, so that commits come between."""

_CHUNK_NAME: Final = pattern(f"[0-9a-f]{{{2 * CHUNK_ID_BYTES}}}")
_WORKER: Final = pattern(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")


class FilesystemBlobs:
    """`BlobStore` below a folder. One of them a process writes; its `worker` names its folders."""

    def __init__(self, root: Path, *, worker: str, reserve_bytes: int = RESERVE_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        """Make the root, durably, and try whether the file system has what is needed.

        A medium that is read-only from the start can be read.

        Raises:
            ValueError: `worker` is not 1 to 32 letters, digits, `-` and `_`.
            Broken: the file system has no nameless files (O_TMPFILE), or /proc is not there.
            OSError: the root cannot be made or opened.
        """
        if _WORKER.fullmatch(worker) is None:
            raise ValueError(f"{worker!r} cannot be part of a folder's name")
        self._root = open_root(root)
        self._medium = Medium(worker)
        self._reserve_bytes = reserve_bytes
        self._clock = clock
        self._writes = Threads(f"blobs-write-{worker}", WRITE_THREADS)
        self._reads = Threads(f"blobs-read-{worker}", READ_THREADS)
        self._directories = Directories(self._root, worker, self._medium, self._writes)
        self._writers: set[FileWriter] = set()
        self._readings: WeakSet[Reading] = WeakSet()
        self._room = (0, 0)
        self._room_until = float("-inf")
        self._try_medium(root)

    @property
    def read_only(self) -> bool:
        """Whether the store takes no more writes."""
        return self._medium.read_only

    def _try_medium(self, root: Path) -> None:
        name = f".try-{os.getpid()}-{time.time_ns()}"
        try:
            descriptor = open_nameless(self._root)
            try:
                give_name(descriptor, name, self._root)
                os.unlink(name, dir_fd=self._root)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno == EROFS:
                self._medium.failed("trying the medium", error)
                return
            if error.errno in (ENOSPC, EDQUOT):  # deletes must be possible, and are what is needed
                return
            os.close(self._root)
            if error.errno in (EOPNOTSUPP, EISDIR):  # EISDIR: open(2), "a kernel that does not know O_TMPFILE"
                raise Broken(f"{root}: the file system has no O_TMPFILE") from error
            if isinstance(error, FileNotFoundError):
                raise Broken("/proc is not mounted") from error
            raise

    def create(self) -> FileWriter:
        """As promised by `BlobStore`.

        Raises:
            ReadOnly: the store takes no writes.
        """
        self._medium.check()
        writer = FileWriter(self._medium, self._directories, self._writes, self._writers.discard)
        self._writers.add(writer)
        return writer

    async def read(self, pieces: Sequence[Piece]) -> FileStream:
        """As promised by `BlobStore`. The stream holds descriptors until it ends, fails or is closed."""
        reading = Reading(self._root, pieces)
        self._readings.add(reading)
        stream = FileStream(reading, self._reads)
        await stream.begin()
        return stream

    async def delete(self, chunks: Sequence[tuple[bytes, str]]) -> None:
        """As promised by `BlobStore`; a folder that became empty goes, once its writer has left it.

        The names may come back with a power cut: then they are orphans.

        Raises:
            ReadOnly: the medium refused.
        """
        folders: set[str] = set()
        names = []
        for chunk_id, directory in chunks:
            with suppress(Missing):
                names.append(path_of(chunk_id, directory))
                folders.add(directory)
        for at in range(0, len(names), DELETE_BATCH_FILES):
            await self._writes.run(self._unlink, names[at : at + DELETE_BATCH_FILES])
        if folders:
            await self._writes.run(self._remove_left, folders)

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                os.unlink(name, dir_fd=self._root)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise self._medium.refused("removing a chunk", error) from error

    def _remove_left(self, folders: Iterable[str]) -> None:
        for folder in folders:
            try:
                self._directories.remove_left(folder)
            except OSError as error:
                raise self._medium.refused("removing a folder", error) from error

    async def stored(self) -> AsyncIterator[StoredChunk]:
        """As promised by `BlobStore`. The age is that of the file's last change; what is no chunk is passed over.

        Raises:
            Corrupted: a folder cannot be read.
        """
        for folder in await self._reads.run(self._folders):
            for chunk in await self._reads.run(self._chunks_of, folder):
                yield chunk

    def _folders(self) -> list[str]:
        return [name for name in self._names(".") if is_folder_name(name)]

    def _chunks_of(self, folder: str) -> list[StoredChunk]:
        now = time.time()
        chunks = []
        for name in self._names(folder):
            if _CHUNK_NAME.fullmatch(name) is None:
                continue
            try:
                modified = os.stat(f"{folder}/{name}", dir_fd=self._root, follow_symlinks=False).st_mtime
            except FileNotFoundError:
                continue
            except OSError as error:
                raise unreadable(name, error) from error
            chunks.append(StoredChunk(id=bytes.fromhex(name), directory=folder, age_seconds=max(0.0, now - modified)))
        return chunks

    def _names(self, folder: str) -> list[str]:
        """What is in a folder now. Opened anew each time: listings of one descriptor share their position."""
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._root)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unreadable(folder, error) from error
        try:
            return os.listdir(descriptor)  # noqa: PTH208 - pathlib lists no descriptors
        except OSError as error:
            raise unreadable(folder, error) from error
        finally:
            os.close(descriptor)

    async def check_room(self, size: int) -> None:
        """As promised by `BlobStore`, from figures that are at most ROOM_SECONDS old, less what was let in since."""
        self._medium.check()
        now = self._clock()
        if now >= self._room_until:
            self._room = await self._reads.run(self._free)
            self._room_until = now + ROOM_SECONDS
        free_bytes, free_inodes = self._room
        if free_bytes - size < self._reserve_bytes or free_inodes < RESERVE_INODES:
            raise NoRoom("the medium is full up to the reserve")
        self._room = (free_bytes - size, free_inodes - 1)

    def _free(self) -> tuple[int, int]:
        try:
            figures = os.fstatvfs(self._root)
        except OSError as error:
            raise self._medium.refused("asking for free space", error) from error
        if figures.f_flag & os.ST_RDONLY:
            raise ReadOnly("the medium is mounted read-only")
        # Btrfs counts no inodes and says 0 of 0.
        return figures.f_bavail * figures.f_frsize, figures.f_favail if figures.f_files else RESERVE_INODES

    async def close(self) -> None:
        """As promised by `BlobStore`. Streams that are open end with `Unavailable`. May be called again."""
        if self._root < 0:
            return
        await asyncio.gather(*(writer.discard() for writer in list(self._writers)))
        await self._writes.close()
        await self._reads.close()
        for reading in list(self._readings):
            reading.close()
        self._directories.close()
        os.close(self._root)
        self._root = -1
