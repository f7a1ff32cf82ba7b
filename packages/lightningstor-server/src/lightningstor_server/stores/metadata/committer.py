"""Group commit: what waits together is made durable by one fsync.

Law: work is a callable, never a coroutine object, since a failed batch is run again. A batch runs
bare first; where one piece of work fails, it is run again with each under a savepoint, so that what
fails takes nothing of the others with it. All are answered after the one COMMIT, never before.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field

from lightningstor_server.stores.errors import Broken, StoreError, Unavailable
from lightningstor_server.stores.metadata.database import Connection

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[Any]]

BATCH_MAX_WORKS: Final = 64
COMMIT_DEADLINE_SECONDS: Final = 30.0
"""How long a caller waits for its transaction before it is told `Unavailable`."""


class Transactional(Connection, Protocol):
    """A connection that the committer drives; all calls block, on the committer's own thread."""

    def begin(self) -> None:
        """Take the write lock, waiting for other processes in order, and open a transaction."""

    def savepoint(self) -> None:
        """Open a savepoint."""

    def release(self) -> None:
        """Keep what came since the savepoint."""

    def undo(self) -> bool:
        """Drop what came since the savepoint; False if the whole transaction is lost with it."""

    def commit(self) -> None:
        """Make the transaction durable and give the write lock back."""

    def rollback(self) -> None:
        """Drop the transaction and give the write lock back."""

    def close(self) -> None:
        """Close the connection."""


@define(eq=False)
class _Waiting:
    work: Work
    context: contextvars.Context
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    outcome: Any = None
    error: BaseException | None = field(default=None)

    def answer(self) -> None:
        """Tell the caller, unless it has gone."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcome)


def drive(work: Callable[[Connection], Awaitable[T]], connection: Connection) -> T:
    """Run asynchronous work whose awaits never suspend.

    Raises:
        RuntimeError: it awaited something that is not its transaction.
    """
    steps = work(connection).__await__()
    try:
        next(steps)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
    raise RuntimeError("a transaction awaited something other than its connection")


_Attempt = Callable[[Transactional, _Waiting], bool]
"""Run one piece of work; False if nothing of the transaction can be kept."""


def _bare(connection: Transactional, waiting: _Waiting) -> bool:
    waiting.error = None
    try:
        waiting.outcome = waiting.context.run(drive, waiting.work, connection)
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it whatever it is
        waiting.error = error
        return False
    return True


def _guarded(connection: Transactional, waiting: _Waiting) -> bool:
    connection.savepoint()
    if not _bare(connection, waiting):
        return connection.undo()
    connection.release()
    return True


class Committer:
    """A thread with the one connection of this process that writes."""

    def __init__(self, connect: Callable[[], Transactional]) -> None:
        self._connect = connect
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._refusal: StoreError | None = None
        """Why nothing is taken any more: the engine broke, or the store was closed."""
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    async def submit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in the next transaction and return once it is durable.

        Raises:
            Unavailable: it did not come about within COMMIT_DEADLINE_SECONDS; it still may.
            StoreError: the transaction failed; nothing of it was kept.
        """
        if self._refusal is not None:
            raise type(self._refusal)(*self._refusal.args)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Waiting(work, contextvars.copy_context(), loop, future))
        timer = loop.call_later(COMMIT_DEADLINE_SECONDS, _expire, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._refusal = self._refusal or Unavailable("the store is closed")
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join, COMMIT_DEADLINE_SECONDS)

    def _run(self) -> None:
        connection: Transactional | None = None
        broken: StoreError | None = None
        ending = False
        while not ending:
            batch, ending = self._next_batch()
            try:
                if broken is None and connection is None:
                    connection = self._connect()
                if broken is None and connection is not None:
                    self._commit(connection, batch)
            except Exception as error:  # noqa: BLE001 - whatever it was, this connection is not to be trusted any more
                broken = self._refusal = error if isinstance(error, StoreError) else Broken(repr(error))
            if broken is not None:
                # after a failed fsync a second one may lie: nothing is run again, and nothing more is taken
                for waiting in batch:
                    waiting.error = broken
            _answer(batch)
        if connection is not None:
            with suppress(StoreError):
                connection.close()

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """Whatever waits, at least one but at the end; and whether it is the last."""
        batch: list[_Waiting] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH_MAX_WORKS:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: Transactional, batch: list[_Waiting]) -> None:
        """One transaction for all: bare, else with savepoints, else one for each.

        Raises:
            Broken: the engine failed; nothing of the batch is to be acknowledged.
        """
        failure = self._transact(connection, batch, _bare) if batch else None
        if failure is None:
            return
        if len(batch) == 1:
            batch[0].error = batch[0].error or failure
            return
        if self._transact(connection, batch, _guarded) is None:
            return
        for waiting in batch:
            waiting.error = None
            self._commit(connection, [waiting])

    def _transact(self, connection: Transactional, batch: list[_Waiting], attempt: _Attempt) -> StoreError | None:
        """Run a batch in one transaction; returns why nothing of it was kept."""
        failure: StoreError
        try:
            connection.begin()
            if all(attempt(connection, waiting) for waiting in batch):
                connection.commit()
                return None
        except StoreError as error:
            failure = error
        else:
            failure = Unavailable("the transaction was lost")
        connection.rollback()
        for raised in (failure, *(waiting.error for waiting in batch)):
            if isinstance(raised, Broken):
                raise raised
        return failure


def _answer(batch: list[_Waiting]) -> None:
    """Answer all of a batch in one turn of their loop."""
    if not batch:
        return

    def answer_all() -> None:
        for waiting in batch:
            waiting.answer()

    try:
        batch[0].loop.call_soon_threadsafe(answer_all)
    except RuntimeError:
        # the loop is closed: nobody is left to be told
        return


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(Unavailable("the transaction did not come about in time"))
