"""The medium below the files: whether it still takes writes, and what its errors mean.

Law: a medium that once failed to make something durable takes no more writes from this process.
After a failed fsync the kernel drops the dirty pages and calls the next fsync a success, so an
answer that was right cannot be had by asking again. Reads go on, for each is verified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from errno import EDQUOT, EEXIST, EMFILE, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR
from typing import Final, TypeVar, TypeVarTuple

import structlog

from lightningstor_server.stores.errors import Broken, Corrupted, Missing, NoRoom, ReadOnly, StoreError, Unavailable

CLOSE_SECONDS: Final = 30.0
"""How long closing waits for calls that are stuck in the medium."""

_WRITING: Final[dict[int, type[StoreError]]] = {
    ENOSPC: NoRoom,
    EDQUOT: NoRoom,
    EMFILE: Unavailable,
    ENFILE: Unavailable,
    ENOMEM: Unavailable,
    EEXIST: Broken,  # 128 random bits came twice: the source of randomness is not one
}
"""What an error of a write means; any other one (EIO, EROFS, ...) ends the writing."""
_READING: Final[dict[int, type[StoreError]]] = {
    ENOENT: Missing,
    ENOTDIR: Missing,
    EMFILE: Unavailable,
    ENFILE: Unavailable,
    ENOMEM: Unavailable,
}
"""What an error of a read means; any other one (EIO, ...) is bytes that are no more to be had."""

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")
_log = structlog.stdlib.get_logger(__name__)


class Medium:
    """Whether writes are taken. Read and set from any thread; once it failed it stays so."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._failure: str | None = None

    @property
    def read_only(self) -> bool:
        """Whether it failed, and takes no more writes."""
        return self._failure is not None

    def check(self) -> None:
        """Whether a write may be tried.

        Raises:
            ReadOnly: the medium failed before.
        """
        if self._failure is not None:
            raise ReadOnly(self._failure)

    def failed(self, step: str, error: OSError) -> ReadOnly:
        """Take no more writes; gives what to raise. For every error of fsync and fdatasync."""
        reason = f"{step} failed: {error.strerror}"
        if self._failure is None:
            self._failure = reason
            _log.critical("blobs.read_only", worker=self._worker, step=step, errno=error.errno, reason=error.strerror)
        return ReadOnly(reason)

    def refused(self, step: str, error: OSError) -> StoreError:
        """What to raise for an error of a write; one that no retry can mend ends all writing."""
        kind = _WRITING.get(error.errno or 0)
        if kind is None:
            return self.failed(step, error)
        if kind is Broken:
            _log.critical("blobs.name_taken", worker=self._worker, step=step)
        return kind(f"{step} failed: {error.strerror}")


def unreadable(name: str, error: OSError) -> StoreError:
    """What to raise for an error of a read of the file or folder `name`."""
    return _READING.get(error.errno or 0, Corrupted)(f"{name}: {error.strerror}")


class Threads:
    """A few threads for calls that block. A call goes on when its waiter is cancelled, so waiting may end at any time."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def start(self, call: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> asyncio.Future[_Result]:
        """Begin a call. Wait for it by `finish`, or never.

        Raises:
            Unavailable: the threads were closed.
        """
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._pool, call, *arguments)
        except RuntimeError as error:  # "cannot schedule new futures after shutdown"
            raise Unavailable("the store is closed") from error
        return watched(work)

    async def run(self, call: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Make a call and wait for it; the waiting has the caller's deadline."""
        return await finish(self.start(call, *arguments))

    async def close(self) -> None:
        """Take no more calls and wait for those that run, CLOSE_SECONDS at most."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self._pool.shutdown), CLOSE_SECONDS)
        except TimeoutError:
            _log.error("blobs.threads_stuck", seconds=CLOSE_SECONDS)


async def finish(work: asyncio.Future[_Result]) -> _Result:
    """Wait for a call without ending it when the waiting is cancelled."""
    if not work.done():
        await asyncio.wait((work,))
    return work.result()


def watched(work: asyncio.Future[_Result]) -> asyncio.Future[_Result]:
    """Have its error looked at, which asyncio would otherwise report where every waiter has gone."""
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    return work
