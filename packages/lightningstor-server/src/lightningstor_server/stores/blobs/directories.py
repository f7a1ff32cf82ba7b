"""The folders of chunks: which one is written into, how names in it are made durable, when it goes.

Law: a folder is written by one process only, which holds a shared lock (flock) on it as long as it
may link a name there; whoever gets the exclusive lock knows that the folder is left for good and
may remove it. The kernel drops the lock of a process that dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from errno import EEXIST, ENOTEMPTY, EROFS
from pathlib import Path
from re import compile as pattern
from secrets import token_hex
from threading import Lock
from typing import Final

from lightningstor_server.stores.blobs.base import CHUNK_ID_BYTES
from lightningstor_server.stores.blobs.medium import Medium, Threads, finish, watched
from lightningstor_server.stores.errors import Broken, Missing

DIRECTORY_MAX_FILES: Final = 4096
"""Files that a folder takes before it is left; listing and removing one stay quick."""
DIRECTORY_MODE: Final = 0o700
_NAME: Final = pattern(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
_NAME_TRIES: Final = 16
_NAME_RANDOM_BYTES: Final = 3
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY


def is_folder_name(name: str) -> bool:
    """Whether it can be the name of a folder of chunks."""
    return _NAME.fullmatch(name) is not None


def path_of(chunk_id: bytes, directory: str) -> str:
    """Where a chunk's file is, below the root.

    Raises:
        Missing: no chunk of this store can have such a name.
    """
    if len(chunk_id) != CHUNK_ID_BYTES or not is_folder_name(directory):
        raise Missing(f"{directory!r} is no folder of this store")
    return f"{directory}/{chunk_id.hex()}"


class Directory:
    """A folder that this process writes into.

    Counts who holds it: its descriptor, and with it the lock, goes when the last one lets go.
    """

    def __init__(self, name: str, descriptor: int, medium: Medium, threads: Threads) -> None:
        self.name = name
        self.descriptor = descriptor
        self._medium = medium
        self._threads = threads
        self._counts = Lock()
        self._holders = 1
        self._files = 0
        self._running: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    def take(self) -> bool:
        """Hold the folder for one more file; False where it has had its share."""
        with self._counts:
            if self._files >= DIRECTORY_MAX_FILES:
                return False
            self._files += 1
            self._holders += 1
            return True

    def release(self) -> None:
        """Let go of it, once for its maker and for each `take`."""
        with self._counts:
            self._holders -= 1
            last = not self._holders
        if last:
            os.close(self.descriptor)

    async def sync(self) -> None:
        """Make every name durable that was linked before the call.

        An fsync that already runs may have begun before the name was there, so only one that
        starts later counts; everybody who comes until it starts shares it.

        Raises:
            ReadOnly: the fsync failed.
        """
        if self._next is None:
            with self._counts:
                self._holders += 1  # of the task: those who wait for it may be cancelled and let go
            self._next = watched(asyncio.create_task(self._sync_after(self._running)))
        await finish(self._next)

    async def _sync_after(self, before: asyncio.Future[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        self._running, self._next = self._next, None
        try:
            await self._threads.run(self._fsync)
        finally:
            self.release()

    def _fsync(self) -> None:
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._medium.failed("fsync of a folder", error) from error


class Directories:
    """The folders below the root. Its methods block and may be called from several threads."""

    def __init__(self, root: int, worker: str, medium: Medium, threads: Threads) -> None:
        self._root = root
        self._worker = worker
        self._medium = medium
        self._threads = threads
        self._making = Lock()
        self._current: Directory | None = None

    def take(self) -> Directory:
        """The folder for one more file; it and its name are durable. The caller releases it.

        Raises:
            OSError: it could not be made.
            ReadOnly: it could not be made durable.
        """
        with self._making:
            current = self._current
            if current is not None and current.take():
                return current
            fresh = self._make()
            fresh.take()
            self._current = fresh
        if current is not None:
            current.release()
        return fresh

    def _make(self) -> Directory:
        name = self._mkdir()
        descriptor = os.open(name, _FOLDER, dir_fd=self._root)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            try:
                os.fsync(descriptor)
                os.fsync(self._root)
            except OSError as error:
                raise self._medium.failed("fsync of a new folder", error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return Directory(name, descriptor, self._medium, self._threads)

    def _mkdir(self) -> str:
        for _ in range(_NAME_TRIES):
            name = f"{self._worker}-{token_hex(_NAME_RANDOM_BYTES)}"
            with suppress(FileExistsError):
                os.mkdir(name, DIRECTORY_MODE, dir_fd=self._root)
                return name
        raise Broken(f"{_NAME_TRIES} random names in a row were taken")

    def remove_left(self, name: str) -> None:
        """Remove a folder if it is empty and nobody writes into it any more.

        Raises:
            OSError: it was to go and could not.
        """
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=self._root)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rmdir(name, dir_fd=self._root)
        except (BlockingIOError, FileNotFoundError):
            return
        except OSError as error:
            if error.errno not in (ENOTEMPTY, EEXIST):  # rmdir(2) has either for a folder with files
                raise
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Leave the current folder; one that stayed empty goes."""
        with self._making:
            current, self._current = self._current, None
        if current is not None:
            current.release()
            with suppress(OSError):
                self.remove_left(current.name)


def open_root(root: Path) -> int:
    """Make the root and what is above it durable; gives a descriptor of it.

    Every ancestor on the same file system is fsynced, also where it was there before: an earlier
    start may have been cut off between making it and that. One that may not be opened was not
    made by us, and on a medium that is read-only nothing was.

    Raises:
        OSError: it could not be made or synced.
    """
    root = root.absolute()
    root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    descriptor = os.open(root, _FOLDER)
    try:
        _fsync(descriptor)
        device = os.fstat(descriptor).st_dev
        for ancestor in root.parents:
            if ancestor.stat().st_dev != device:
                break
            with suppress(PermissionError):
                _fsync_folder(ancestor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _fsync_folder(path: Path) -> None:
    descriptor = os.open(path, _FOLDER)
    try:
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != EROFS:
            raise
