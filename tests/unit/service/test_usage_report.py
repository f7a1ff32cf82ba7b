"""What is told of tenants' usage, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import attrs
import pytest

from lightningstor_server.service.usage_report import UsageReport
from lightningstor_server.stores.errors import Broken, Unavailable
from lightningstor_server.stores.metadata.sqlite import open_memory
from lightningstor_types.buckets import Usage
from lightningstor_types.streams import BytesStream
from unit.service.rig import Rig, enter_caller, project

WAIT_SECONDS = 30.0
Told = Mapping[tuple[str, str | None], Usage] | None


@attrs.define
class Listener:
    """Keeps what it is told; a test waits for the next."""

    told: asyncio.Queue[Told] = attrs.field(factory=asyncio.Queue)

    async def next(self) -> Told:
        """The next that is told."""
        return await asyncio.wait_for(self.told.get(), WAIT_SECONDS)


@pytest.fixture
def listener() -> Listener:
    """Who is told."""
    return Listener()


@pytest.fixture
async def stop() -> AsyncIterator[asyncio.Event]:
    """Ends the report."""
    event = asyncio.Event()
    yield event
    event.set()


def report(metadata: Any, listener: Listener, *, interval_seconds: float = 0.0, tenants_max: int = 10) -> UsageReport:
    """A report to the listener."""
    return UsageReport(metadata, listener.told.put_nowait, interval_seconds=interval_seconds, tenants_max=tenants_max)


async def test_what_is_written_is_told(rig: Rig, listener: Listener, stop: asyncio.Event) -> None:
    """At once and again after each interval: objects, their bytes, those of uploads, and buckets; of the organisation too."""
    await rig.put("key", b"12345")
    running = asyncio.create_task(report(rig.metadata, listener).run(stop))
    held = Usage(objects=1, bytes=5, uploads_bytes=0, buckets=1)
    assert await listener.next() == {("o", "p"): held, ("o", None): held}
    await rig.part("key", await rig.start("key"), 1, b"123")
    held = attrs.evolve(held, uploads_bytes=3)
    async with asyncio.timeout(WAIT_SECONDS):
        while await listener.next() != {("o", "p"): held, ("o", None): held}:
            pass
    stop.set()
    await running


async def test_the_largest_are_told(rig: Rig, listener: Listener, stop: asyncio.Event) -> None:
    """Of more tenants than may be told, those with the most bytes; of projects and of organisations each so many."""
    for name, organisation, size in (("q", "o", 7), ("r", "other", 5), ("s", "third", 3)):
        caller = await enter_caller(rig.metadata, project(name, organisation))
        await rig.call_as(caller, "CreateBucket", bucket=f"bucket-{name}")
        await rig.call_as(caller, "PutObject", bucket=f"bucket-{name}", key="key", body=BytesStream(bytes(size)))
    await rig.put("key", b"x")
    running = asyncio.create_task(report(rig.metadata, listener, tenants_max=2, interval_seconds=WAIT_SECONDS).run(stop))
    told = await listener.next()
    stop.set()
    await running
    assert told is not None
    assert {tenant: held.bytes for tenant, held in told.items()} == {("o", "q"): 7, ("other", "r"): 5, ("o", None): 8, ("other", None): 5}


async def test_nothing_is_left_when_it_ends(rig: Rig, listener: Listener, stop: asyncio.Event) -> None:
    """Told to stop it takes back what it told; so it does when it is cancelled."""
    for end in ("stop", "cancel"):
        running = asyncio.create_task(report(rig.metadata, listener, interval_seconds=WAIT_SECONDS).run(stop))
        assert await listener.next() is not None
        if end == "cancel":
            running.cancel()
        else:
            stop.set()
        await asyncio.wait({running}, timeout=WAIT_SECONDS)
        assert running.done()
        assert await listener.next() is None
        stop.clear()


@attrs.define
class Failing:
    """A metadata store that fails, and then does not."""

    metadata: Any
    errors: list[Exception]

    async def look(self, work: Any) -> Any:
        """Fail, or look."""
        if self.errors:
            raise self.errors.pop(0)
        return await self.metadata.look(work)


async def test_what_cannot_be_read_is_not_told(rig: Rig, listener: Listener, stop: asyncio.Event) -> None:
    """A store that does not answer takes the numbers back until it answers again."""
    failing = Failing(rig.metadata, [Unavailable("busy")])
    running = asyncio.create_task(report(failing, listener).run(stop))
    assert await listener.next() is None
    assert await listener.next() is not None
    stop.set()
    await running


async def test_a_broken_store_ends_the_process(listener: Listener, stop: asyncio.Event) -> None:
    """It is not read again: the error is the worker's."""
    metadata = await open_memory()
    failing = Failing(metadata, [Broken("damaged")])
    with pytest.raises(Broken):
        await asyncio.wait_for(report(failing, listener).run(stop), WAIT_SECONDS)
    assert await listener.next() is None
    await metadata.close()
