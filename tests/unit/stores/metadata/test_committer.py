"""Group commit, on a connection that only notes what is done to it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest

from lightningstor_server.stores.errors import Broken, NoRoom, StoreError, Unavailable
from lightningstor_server.stores.metadata import committer
from lightningstor_server.stores.metadata.committer import BATCH_MAX_WORKS, Committer, drive
from lightningstor_server.stores.metadata.database import Connection, Parameters, Row

GATE_SECONDS = 30.0
"""How long a test's thread waits for the test before it gives up; never reached."""
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class OwnError(Exception):
    """Raised by work of these tests."""


@attrs.define(eq=False, slots=False)
class Fake:
    """`Transactional` in memory. `written` is what a transaction has so far, `durable` what was committed."""

    calls: list[str] = attrs.field(factory=list)
    durable: list[str] = attrs.field(factory=list)
    written: list[str] | None = None
    marks: list[int] = attrs.field(factory=list)
    failures: dict[str, list[BaseException]] = attrs.field(factory=dict)
    """Errors by the name of the call that raises them, once each."""
    losing: set[str] = attrs.field(factory=set)
    """Statements that fail and take their whole transaction with them, as SQLITE_FULL may."""
    threads: set[int] = attrs.field(factory=set)

    def _note(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())
        if self.failures.get(name):
            raise self.failures[name].pop(0)

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Note the statement."""
        await self.run(statement, parameters)
        return []

    async def row(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """Note the statement."""
        await self.run(statement, parameters)
        return None

    async def run(self, statement: str, _: Parameters = ()) -> None:
        """Write the statement down."""
        self._note(statement)
        assert self.written is not None, "a statement outside of a transaction"
        if statement in self.losing:
            self.written = None
            self.marks.clear()
            raise NoRoom(statement)
        self.written.append(statement)

    def begin(self) -> None:
        """Open a transaction."""
        assert self.written is None, "a transaction within a transaction"
        self._note("begin")
        self.written = []

    def savepoint(self) -> None:
        """Remember where we are."""
        assert self.written is not None
        self._note("savepoint")
        self.marks.append(len(self.written))

    def release(self) -> None:
        """Forget the last mark."""
        self._note("release")
        self.marks.pop()

    def undo(self) -> bool:
        """Go back to the last mark, if there still is a transaction."""
        self._note("undo")
        if self.written is None:
            return False
        del self.written[self.marks.pop() :]
        return True

    def commit(self) -> None:
        """Keep what was written."""
        self._note("commit")
        assert self.written is not None
        assert not self.marks, "a savepoint is open"
        self.durable += self.written
        self.written = None

    def rollback(self) -> None:
        """Drop what was written."""
        self._note("rollback")
        self.written = None
        self.marks.clear()

    def close(self) -> None:
        """Note it."""
        self._note("close")


@attrs.define(eq=False)
class Gate:
    """Work that keeps the committer's thread until it is let go, so that others gather behind it."""

    started: threading.Event = attrs.field(factory=threading.Event)
    released: threading.Event = attrs.field(factory=threading.Event)

    async def work(self, _: Connection) -> None:
        """Wait on the thread; the connection is not touched."""
        self.started.set()
        assert self.released.wait(GATE_SECONDS)

    async def begun(self) -> None:
        """Return once the thread is here."""
        assert await asyncio.to_thread(self.started.wait, GATE_SECONDS)


@pytest.fixture
def fake() -> Fake:
    """The connection."""
    return Fake()


@pytest.fixture
async def group(fake: Fake) -> AsyncIterator[Committer]:
    """A committer on that connection."""
    group = Committer(lambda: fake)
    yield group
    await group.close()


def write(name: str, *, fails: bool = False) -> Callable[[Connection], Awaitable[str]]:
    """Work that runs a statement, and may raise behind it."""

    async def work(connection: Connection) -> str:
        await connection.run(name)
        if fails:
            raise OwnError(name)
        return name

    return work


async def together(
    group: Committer, fake: Fake, *works: Callable[[Connection], Awaitable[Any]], begun: Callable[[], None] | None = None
) -> list[Any]:
    """Hand all of it in while the thread is busy, so that it is one batch; returns outcomes and errors.

    `begun` is called while the thread is busy, behind its BEGIN.
    """
    gate = Gate()
    first = asyncio.create_task(group.submit(gate.work))
    await gate.begun()
    tasks = [asyncio.create_task(group.submit(work)) for work in works]
    await asyncio.sleep(0)  # each has put its work into the queue
    fake.calls.clear()
    if begun is not None:
        begun()
    gate.released.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_waits_together_is_one_transaction(group: Committer, fake: Fake) -> None:
    """One BEGIN, the work in the order in which it came, one COMMIT; each caller gets its own outcome."""
    assert await together(group, fake, write("a"), write("b"), write("c")) == ["a", "b", "c"]
    assert fake.durable == ["a", "b", "c"]
    batch = fake.calls[fake.calls.index("begin") :]
    assert [call for call in batch if call in {"begin", "commit", "rollback"}] == ["begin", "commit"]
    assert batch[-1] == "commit"


async def test_nothing_is_answered_before_it_is_durable(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """While COMMIT runs, no caller has an answer."""
    gate, answered = Gate(), []
    commit = fake.commit

    def slow() -> None:
        gate.started.set()
        assert gate.released.wait(GATE_SECONDS)
        commit()

    monkeypatch.setattr(fake, "commit", slow)
    group = Committer(lambda: fake)
    task = asyncio.create_task(group.submit(write("a")))
    task.add_done_callback(lambda _: answered.append(list(fake.durable)))
    await gate.begun()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    gate.released.set()
    await task
    assert answered == [["a"]]
    await group.close()


async def test_a_batch_is_bounded(group: Committer, fake: Fake) -> None:
    """More than BATCH_MAX_WORKS become several transactions, in order."""
    names = [f"s{number}" for number in range(BATCH_MAX_WORKS + 5)]
    assert await together(group, fake, *map(write, names)) == names
    assert fake.durable == names
    assert fake.calls.count("s0") == 1
    assert "commit" in fake.calls[fake.calls.index("s0") : fake.calls.index(names[-1])]


@pytest.mark.parametrize("place", range(4))
async def test_work_that_raises_takes_nothing_of_the_others_with_it(group: Committer, fake: Fake, place: int) -> None:
    """It is undone by its savepoint; the others' transaction is committed once, in order."""
    works = [write(name) for name in "abc"]
    works.insert(place, write("x", fails=True))
    outcomes = await together(group, fake, *works)
    assert isinstance(outcomes.pop(place), OwnError)
    assert outcomes == ["a", "b", "c"]
    assert fake.durable == ["a", "b", "c"]
    assert "undo" in fake.calls


async def test_everything_may_fail(group: Committer, fake: Fake) -> None:
    """Each caller gets its own error, and nothing is durable."""
    outcomes = await together(group, fake, *(write(name, fails=True) for name in "abc"))
    assert [str(outcome) for outcome in outcomes] == ["a", "b", "c"]
    assert fake.durable == []


async def test_a_single_failure_leaves_the_thread_at_work(group: Committer, fake: Fake) -> None:
    """Alone in its batch, too; even what is no `Exception` goes to its caller."""

    class Odd(BaseException):
        """Neither an exit nor an interrupt."""

    async def odd(connection: Connection) -> None:
        await connection.run("odd")
        raise Odd

    with pytest.raises(Odd):
        await group.submit(odd)
    with pytest.raises(OwnError):
        await group.submit(write("x", fails=True))
    assert await group.submit(write("a")) == "a"
    assert fake.durable == ["a"]


async def test_a_lost_transaction_is_run_again_one_by_one(group: Committer, fake: Fake) -> None:
    """What lost it is told so; all others are kept, each exactly once."""
    fake.losing.add("x")
    outcomes = await together(group, fake, write("a"), write("x"), write("b"))
    assert [outcomes[0], outcomes[2]] == ["a", "b"]
    assert isinstance(outcomes[1], NoRoom)
    assert fake.durable == ["a", "b"]
    assert fake.calls[-3:] == ["begin", "b", "commit"]


@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_a_batch_whose_transaction_fails_is_run_again(group: Committer, fake: Fake, step: str) -> None:
    """A full disk for one moment: nothing is kept twice, and every caller is answered."""
    fail = fake.failures.setdefault(step, [])

    async def trigger(connection: Connection) -> None:
        # only the first run of the batch meets the full disk
        if not armed.is_set():
            armed.set()
            fail.append(NoRoom("full"))
        await connection.run("trigger")

    armed = threading.Event()
    if step == "begin":
        outcomes = await together(group, fake, write("a"), write("b"), begun=lambda: fail.append(NoRoom("full")))
        assert outcomes == ["a", "b"]
        assert fake.durable == ["a", "b"]
    else:
        assert await together(group, fake, write("a"), trigger, write("b")) == ["a", None, "b"]
        assert fake.durable == ["a", "trigger", "b"]
    assert fail == []


@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_a_transaction_that_fails_alone_is_told(group: Committer, fake: Fake, step: str) -> None:
    """The caller gets the store's error, the transaction is rolled back, and the next one works."""
    fake.failures[step] = [NoRoom("full")]
    with pytest.raises(NoRoom):
        await group.submit(write("a"))
    assert fake.durable == []
    assert await group.submit(write("b")) == "b"
    assert fake.durable == ["b"]


async def test_an_engine_that_broke_acknowledges_nothing_more(group: Committer, fake: Fake) -> None:
    """After a failed fsync a second one may lie: neither the batch nor what comes later is run again on it."""
    gate = Gate()
    first = asyncio.create_task(group.submit(gate.work))
    await gate.begun()
    tasks = [asyncio.create_task(group.submit(write(name))) for name in "ab"]
    await asyncio.sleep(0)
    fake.failures["commit"] = [Broken("IOERR_FSYNC")]
    gate.released.set()
    for task in (first, *tasks):
        with pytest.raises(Broken):
            await task
    with pytest.raises(Broken):
        await group.submit(write("c"))
    assert fake.durable == []


@pytest.mark.parametrize("error", [Broken("rollback"), OSError("flock")])
async def test_a_rollback_that_fails_still_answers(fake: Fake, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread survives, or refuses; nobody waits for it until the deadline."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(committer, "COMMIT_DEADLINE_SECONDS", 1.0)
    fake.failures |= {"commit": [NoRoom("full")], "rollback": [error]}
    group = Committer(lambda: fake)
    with pytest.raises(StoreError) as raised:
        await group.submit(write("a"))
    assert not isinstance(raised.value, Unavailable), "the caller waited for a thread that had died"
    await group.close()


async def test_a_connection_that_cannot_be_opened_refuses_everything() -> None:
    """With the reason, at once."""

    def refuse() -> Fake:
        raise Broken("no such file")

    group = Committer(refuse)
    for _ in range(2):
        with pytest.raises(Broken, match="no such file"):
            await group.submit(write("a"))
    await group.close()


async def test_each_of_the_refused_has_an_exception_of_its_own(group: Committer, fake: Fake) -> None:
    """Of the same class and with the same reason: one that many raised would gather all of their traces."""
    fake.failures["commit"] = [Broken("IOERR_FSYNC", 5)]
    with pytest.raises(Broken):
        await group.submit(write("a"))
    refused: list[Broken] = []
    for _ in range(3):
        with pytest.raises(Broken) as raised:
            await group.submit(write("b"))
        refused.append(raised.value)
    assert [(type(error), error.args) for error in refused] == [(Broken, ("IOERR_FSYNC", 5))] * 3
    assert len({id(error) for error in refused}) == 3
    assert "b" not in fake.calls


async def test_a_caller_waits_no_longer_than_the_deadline(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told `Unavailable`; its work may still come about, and the committer goes on."""
    monkeypatch.setattr(committer, "COMMIT_DEADLINE_SECONDS", 0.05)
    group, gate = Committer(lambda: fake), Gate()
    with pytest.raises(Unavailable):
        await group.submit(gate.work)
    with pytest.raises(Unavailable):
        await group.submit(write("late"))
    monkeypatch.undo()
    gate.released.set()
    assert await group.submit(write("a")) == "a"
    assert fake.durable[-1] == "a"
    await group.close()


async def test_a_caller_that_goes_away_does_no_harm(group: Committer, fake: Fake) -> None:
    """Its work is done or not; everybody else's is, and the committer goes on."""
    gate = Gate()
    first = asyncio.create_task(group.submit(gate.work))
    await gate.begun()
    tasks = [asyncio.create_task(group.submit(write(name))) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    gate.released.set()
    await first
    assert [await tasks[0], await tasks[2]] == ["a", "c"]
    assert [name for name in fake.durable if name != "b"] == ["a", "c"]
    assert await group.submit(write("d")) == "d"


async def test_work_sees_its_callers_context(group: Committer) -> None:
    """The variables as they were when it was handed in, each caller's its own."""

    async def who(_: Connection) -> str:
        return WHO.get()

    async def caller(name: str) -> str:
        WHO.set(name)
        answer = group.submit(who)
        outcome = await answer
        assert WHO.get() == name
        return outcome

    names = [f"caller-{number}" for number in range(20)]
    assert await asyncio.gather(*map(caller, names)) == names
    assert await group.submit(who) == "nobody"


async def test_what_work_sets_in_its_context_does_not_reach_the_caller(group: Committer) -> None:
    """It runs in a copy."""

    async def change(_: Connection) -> None:
        WHO.set("somebody")

    await group.submit(change)
    assert WHO.get() == "nobody"


async def test_all_work_is_done_on_one_thread_that_is_not_the_loops(group: Committer, fake: Fake) -> None:
    """A driver's connection is not shared between threads."""
    await asyncio.gather(*(group.submit(write(f"s{number}")) for number in range(20)))
    assert len(fake.threads) == 1
    assert threading.get_ident() not in fake.threads


async def test_work_that_awaits_something_else_is_a_mistake(group: Committer, fake: Fake) -> None:
    """It is told so, and nothing of it is kept."""

    async def work(connection: Connection) -> None:
        await connection.run("x")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something other"):
        await group.submit(work)
    assert fake.durable == []


async def test_closing_finishes_what_was_handed_in(fake: Fake) -> None:
    """All of it is durable and answered; then the connection is closed."""
    group, gate = Committer(lambda: fake), Gate()
    first = asyncio.create_task(group.submit(gate.work))
    await gate.begun()
    names = [f"s{number}" for number in range(2 * BATCH_MAX_WORKS)]
    tasks = [asyncio.create_task(group.submit(write(name))) for name in names]
    await asyncio.sleep(0)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    gate.released.set()
    await closing
    await first
    assert await asyncio.gather(*tasks) == names
    assert fake.durable == names
    assert fake.calls[-1] == "close"


async def test_what_comes_after_closing_is_refused(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not by the deadline: nobody is left to do it."""
    group = Committer(lambda: fake)
    await group.close()
    monkeypatch.setattr(committer, "COMMIT_DEADLINE_SECONDS", 1.0)
    with pytest.raises(StoreError) as raised:
        await group.submit(write("a"))
    assert "in time" not in str(raised.value)
    assert fake.durable == []


def test_driving_returns_what_the_work_returns(fake: Fake) -> None:
    """Awaits that never suspend need no loop."""
    fake.begin()
    assert drive(write("a"), fake) == "a"
    with pytest.raises(OwnError):
        drive(write("b", fails=True), fake)
