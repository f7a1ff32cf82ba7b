"""The load generator: many clients, each with one connection and one operation at a time.

Law: everything lies below one random prefix, and everything below it is removed at the end, on a
failure and on Ctrl-C too; a bucket is removed by who made it. Preparing and removing is not
measured. What is read is stable during the run; what is deleted is nothing that is read.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Final

from attrs import define, field, frozen

from lightningstor_server.load.connection import Endpoint
from lightningstor_server.load.content import Check, Content
from lightningstor_server.load.mixes import Draw, Mix
from lightningstor_server.load.results import Result, Tally
from lightningstor_server.load.session import KEYS_MAX, CallError, Session
from lightningstor_server.load.signing import Credentials, target_of

PART_BYTES: Final = 5 << 20
"""The least of a part that is not the last (AWS, "Amazon S3 multipart upload limits")."""
RANGE_BYTES: Final = 64 << 10
LIST_KEYS: Final = 100
TICK_SECONDS: Final = 0.2
REMOVAL_SECONDS: Final = 300.0
CORRUPT: Final = "(the bytes read are not those written)"
_READY: Final = "ready/"
_FRESH: Final = "fresh/"


@frozen(kw_only=True)
class Plan:
    """What is run."""

    endpoint: Endpoint
    credentials: Credentials
    bucket: str
    mix: Mix
    size: int
    """Bytes of an object."""
    connections: int
    objects: int
    """How many are there to be read."""
    seconds: float | None
    requests: int | None
    """The run ends with whichever of the two comes first; one of them is given."""
    verify: bool
    timeout: float
    """Seconds for each request."""


@define
class Progress:
    """How far a run is."""

    stage: str = "preparing"
    done: int = 0
    failed: int = 0
    transferred: int = 0
    seconds: float = 0.0
    left: str = ""
    """What could not be removed, once it was tried."""


Watch = Callable[[Progress], None]


async def run_plan(plan: Plan, progress: Progress, watch: Watch) -> Result:
    """Run a plan and remove what it wrote. `progress` is kept current, and `watch` called with it some times a second.

    Raises:
        CallError: it could not be prepared.
    """
    bench = _Bench(plan, progress)
    ticker = asyncio.create_task(_tick(progress, watch))
    try:
        return await bench.run()
    finally:
        ticker.cancel()
        watch(progress)


async def _tick(progress: Progress, watch: Watch) -> None:
    while True:
        watch(progress)
        await asyncio.sleep(TICK_SECONDS)


@define(eq=False)
class _Bench:
    """A run, from the first object to the last deleted."""

    plan: Plan
    progress: Progress
    tallies: dict[str, Tally] = field(factory=dict)
    prefix: str = field(factory=lambda: f"bench-{secrets.token_hex(8)}/")
    draw: Draw = field(init=False)
    whole: int = field(init=False)
    """Bytes of an object that is written in parts."""
    content: Content = field(init=False)
    _deletable: list[str] = field(factory=list)
    _written: int = 0
    _remaining: int | None = field(init=False)
    _ends: float | None = None

    def __attrs_post_init__(self) -> None:
        plan = self.plan
        self.draw = plan.mix.draw()
        self.whole = max(plan.size, PART_BYTES + 1) if "multipart" in plan.mix.weights else plan.size
        self.content = Content(self.whole)
        self._remaining = plan.requests

    async def run(self) -> Result:
        """All of it."""
        plan = self.plan
        sessions = [Session(plan.endpoint, plan.credentials, plan.timeout) for _ in range(plan.connections)]
        made = await sessions[0].make_bucket(plan.bucket)
        try:
            if plan.mix.reads:
                await self._prepare(sessions)
            seconds, busy = await self._measure(sessions)
        finally:
            self.progress.stage = "removing"
            self.progress.left = await self._remove(sessions[0], made=made)
            await asyncio.gather(*(session.close() for session in sessions))
        return Result(tallies=self.tallies, seconds=seconds, busy=busy, left=self.progress.left)

    def ready(self, at: int) -> str:
        """The key of an object that is read."""
        return f"{self.prefix}{_READY}{at:08}"

    def fresh(self) -> str:
        """A key that was not there."""
        self._written += 1
        return f"{self.prefix}{_FRESH}{self._written:012}"

    def wrote(self, key: str) -> None:
        """An object may be deleted by a later operation."""
        self._deletable.append(key)

    def deletable(self) -> str:
        """Takes an object that nobody reads."""
        return self._deletable.pop()

    async def _prepare(self, sessions: list[Session]) -> None:
        """Write what is read; a failure ends the run."""
        rest = iter(range(self.plan.objects))

        async def write(session: Session) -> None:
            for at in rest:
                key = self.ready(at)
                await session.call("PUT", target_of(self.plan.bucket, key), body=self.content.of(key, self.plan.size))

        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(write(session))

    async def _measure(self, sessions: list[Session]) -> tuple[float, float]:
        self.progress.stage = "running"
        began, worked = time.monotonic(), time.process_time()
        self._ends = None if self.plan.seconds is None else began + self.plan.seconds
        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(self._client(session, began))
        seconds = time.monotonic() - began
        return seconds, (time.process_time() - worked) / seconds

    def _go_on(self) -> bool:
        if self._ends is not None and time.monotonic() >= self._ends:
            return False
        if self._remaining is not None:
            self._remaining -= 1
            return self._remaining >= 0
        return True

    async def _client(self, session: Session, began: float) -> None:
        progress = self.progress
        while self._go_on():
            name = self.draw.operation()
            if name == "delete" and not self._deletable:
                name = "put"  # there is nothing to delete that nobody reads
            tally = self.tallies.setdefault(name, Tally())
            start = time.monotonic()
            try:
                transferred = await _OPERATIONS[name](self, session)
            except CallError as error:
                tally.errors[str(error)] += 1
                progress.failed += 1
                await asyncio.sleep(0)  # an endpoint that refuses at once must not keep the others from their turn
            else:
                tally.add(time.monotonic() - start, transferred)
                progress.transferred += transferred
            progress.done += 1
            progress.seconds = time.monotonic() - began

    async def _remove(self, session: Session, *, made: bool) -> str:
        """Remove everything below the prefix; says what stays, where something does."""
        bucket, prefix = self.plan.bucket, self.prefix
        try:
            async with asyncio.timeout(REMOVAL_SECONDS):
                await session.abort_uploads(bucket, prefix)
                while keys := await session.keys(bucket, prefix):
                    await session.delete(bucket, keys[:KEYS_MAX])
                if made:
                    await session.call("DELETE", target_of(bucket))
        except TimeoutError:
            return f"s3://{bucket}/{prefix} (removing took longer than {REMOVAL_SECONDS:g} s)"
        except CallError as error:
            return f"s3://{bucket}/{prefix} ({error})"
        return ""


async def _put(bench: _Bench, session: Session) -> int:
    key = bench.fresh()
    await session.call("PUT", target_of(bench.plan.bucket, key), body=bench.content.of(key, bench.plan.size))
    bench.wrote(key)
    return bench.plan.size


async def _get(bench: _Bench, session: Session) -> int:
    key = bench.ready(bench.draw.below(bench.plan.objects))
    return await _read(bench, session, key, bench.content.of(key, bench.plan.size))


async def _range(bench: _Bench, session: Session) -> int:
    key = bench.ready(bench.draw.below(bench.plan.objects))
    length = min(RANGE_BYTES, max(1, bench.plan.size // 2))
    start = bench.draw.below(bench.plan.size - length + 1)
    expected = bench.content.of(key, bench.plan.size)[start : start + length]
    return await _read(bench, session, key, expected, range=f"bytes={start}-{start + length - 1}")


async def _read(bench: _Bench, session: Session, key: str, expected: memoryview, **unsigned: str) -> int:
    check = Check(expected)
    sink = check.take if bench.plan.verify else _nothing
    answer = await session.call("GET", target_of(bench.plan.bucket, key), unsigned=unsigned, sink=sink)
    if (bench.plan.verify and not check.passed) or answer.received != len(expected):
        raise CallError(CORRUPT)
    return answer.received


async def _list(bench: _Bench, session: Session) -> int:
    query = [("list-type", "2"), ("prefix", f"{bench.prefix}{_READY}"), ("max-keys", str(LIST_KEYS))]
    answer = await session.call("GET", target_of(bench.plan.bucket, query=query))
    if bench.plan.verify and answer.body.count(b"<Key>") != min(LIST_KEYS, bench.plan.objects):
        raise CallError("(a list without the keys that are there)")
    return answer.received


async def _delete(bench: _Bench, session: Session) -> int:
    await session.call("DELETE", target_of(bench.plan.bucket, bench.deletable()))
    return 0


async def _multipart(bench: _Bench, session: Session) -> int:
    """Start, parts one after another, complete: one operation."""
    key, bucket = bench.fresh(), bench.plan.bucket
    body = bench.content.of(key, bench.whole)
    upload = await session.start_upload(bucket, key)
    etags = []
    for number, start in enumerate(range(0, len(body), PART_BYTES), 1):
        target = target_of(bucket, key, [("partNumber", str(number)), ("uploadId", upload)])
        answer = await session.call("PUT", target, body=body[start : start + PART_BYTES])
        etags.append(answer.headers.get("etag", ""))
    await session.complete_upload(bucket, key, upload, etags)
    bench.wrote(key)
    return len(body)


def _nothing(_piece: bytes | bytearray) -> None:
    """Where bytes go that are only counted."""


_Operation = Callable[[_Bench, Session], Awaitable[int]]
_OPERATIONS: Final[MappingProxyType[str, _Operation]] = MappingProxyType({
    "put": _put,
    "get": _get,
    "range": _range,
    "list": _list,
    "delete": _delete,
    "multipart": _multipart,
})  # fmt: skip
