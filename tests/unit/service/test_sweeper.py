"""The sweeper: what it removes, and what it must never remove."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.service import bodies, sweeper
from lightningstor_server.service.sweeper import Sweeper
from lightningstor_server.stores.errors import Unavailable
from lightningstor_server.stores.memory import MemoryBlobs
from lightningstor_types import errors
from lightningstor_types.names import ObjectKey
from lightningstor_types.objects import CopySource
from unit.service.rig import BUCKET, Pieces, Rig, make_rig

LARGE: Final = bytes(range(251)) * 200
GRACE_SECONDS: Final = 3600.0
LATER: Final = timedelta(seconds=GRACE_SECONDS + 60)


@attrs.define
class Seconds:
    """The blob store's clock, moved by the test."""

    now: float = 1000.0


@pytest.fixture
def seconds() -> Seconds:
    """The clock that files are dated by."""
    return Seconds()


@pytest.fixture
async def aged(seconds: Seconds) -> Any:
    """A rig whose files grow old at the test's word."""
    rig = await make_rig(blobs=MemoryBlobs(clock=lambda: seconds.now))
    await rig.call("CreateBucket")
    yield rig
    await rig.close()


async def orphan(rig: Rig) -> bytes:
    """A chunk that no row names, as a crash before the commit leaves it."""
    writer = rig.blobs.create()
    await writer.append(b"orphan")
    chunk: bytes = (await writer.commit()).id
    return chunk


async def test_garbage_goes_after_its_grace(rig: Rig) -> None:
    """File and row; not before, since a reader may still be on its way."""
    await rig.put("k", LARGE)
    (chunk,) = await rig.chunks()
    await rig.call("DeleteObject", key="k")
    assert (await rig.sweep(GRACE_SECONDS)).garbage == 0
    assert await rig.chunks() == {chunk}
    assert (await rig.sweep(GRACE_SECONDS, later=LATER)).garbage == 1
    assert await rig.chunks() == set()
    assert await rig.garbage() == set()


async def test_orphans_go_after_their_grace(aged: Rig, seconds: Seconds) -> None:
    """What no row knows and is old; not what is young."""
    old = await orphan(aged)
    seconds.now += GRACE_SECONDS
    young = await orphan(aged)
    assert (await aged.sweep(GRACE_SECONDS)).orphans == 1
    assert await aged.chunks() == {young}
    assert old != young


async def test_what_is_referred_to_is_never_taken(aged: Rig, seconds: Seconds) -> None:
    """However old: objects, parts of running uploads, and copies whose source is gone."""
    await aged.put("object", LARGE)
    upload = await aged.start("upload")
    part = await aged.part("upload", upload, 1, LARGE)
    await aged.put("source", LARGE)
    await aged.call("CopyObject", key="copy", source=CopySource(bucket=BUCKET, key=ObjectKey("source")))
    await aged.call("DeleteObject", key="source")
    seconds.now += 1000 * GRACE_SECONDS
    report = await aged.sweep(GRACE_SECONDS, later=1000 * LATER)
    assert (report.garbage, report.orphans) == (0, 0)
    await aged.complete("upload", upload, part)
    for key in ("object", "copy", "upload"):
        assert await aged.get(key) == LARGE


async def test_a_chunk_that_is_being_written_is_not_taken(rig: Rig) -> None:
    """Within its grace: the body's first chunks are there, and no row names them yet."""
    removed = []

    async def sweep() -> None:
        removed.append((await rig.sweep(GRACE_SECONDS)).orphans)

    await rig.put("k", Pieces(LARGE * 200, sweep, LARGE * 200))
    assert removed == [0]
    assert await rig.get("k") == LARGE * 400


@pytest.mark.parametrize("kind", ["object", "part"])
async def test_what_is_acknowledged_after_a_long_upload_is_there(
    aged: Rig, seconds: Seconds, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A body that takes longer than the grace is refused, or all of its chunks are there: never acknowledged and lost."""
    monkeypatch.setattr(bodies, "CHUNK_BYTES", 10_000)

    async def long_pause() -> None:
        for _ in range(20):
            await asyncio.sleep(0)  # the first chunks become durable
        seconds.now += 2 * GRACE_SECONDS
        await aged.sweep(GRACE_SECONDS, later=2 * LATER)

    body = Pieces(*[LARGE[:9_000]] * 80, long_pause, *[LARGE[:9_000]] * 80)
    try:
        if kind == "object":
            await aged.put("k", body)
        else:
            upload = await aged.start("k")
            await aged.complete("k", upload, await aged.part("k", upload, 1, body))
    except errors.StorError:
        return
    assert await aged.get("k") == LARGE[:9_000] * 160


async def test_more_than_a_batch_is_swept_in_one_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage and orphans alike."""
    monkeypatch.setattr(sweeper, "BATCH_CHUNKS", 3)
    for number in range(8):
        await rig.put(f"k{number}", LARGE)
        await rig.call("DeleteObject", key=f"k{number}")
    for _ in range(7):
        await orphan(rig)
    await rig.put("kept", LARGE)
    report = await rig.sweep()
    assert (report.garbage, report.orphans) == (8, 7)
    assert len(await rig.chunks()) == 1
    assert await rig.get("kept") == LARGE


async def test_a_crash_between_file_and_row_forgets_nothing(rig: Rig) -> None:
    """The row goes after the file: the next sweep repeats the removal, and then forgets it."""
    await rig.put("k", LARGE)
    await rig.call("DeleteObject", key="k")
    commit = rig.metadata.commit

    async def failing(_: Any) -> Any:
        raise Unavailable("killed here")

    rig.metadata.commit = failing  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await rig.sweep()
    assert await rig.chunks() == set()
    assert len(await rig.garbage()) == 1
    rig.metadata.commit = commit  # type: ignore[method-assign]
    assert (await rig.sweep()).garbage == 1
    assert await rig.garbage() == set()


async def test_a_medium_that_does_not_delete_keeps_the_row(rig: Rig) -> None:
    """A chunk is forgotten only when its file is gone."""
    await rig.put("k", LARGE)
    await rig.call("DeleteObject", key="k")
    delete = rig.blobs.delete

    async def failing(_: Sequence[tuple[bytes, str]]) -> None:
        raise Unavailable("no answer")

    rig.blobs.delete = failing
    with pytest.raises(Unavailable):
        await rig.sweep()
    rig.blobs.delete = delete
    assert len(await rig.garbage()) == 1
    assert await rig.is_tidy()
    assert await rig.chunks() == set()


async def test_it_goes_on_after_a_failed_pass_and_stops_when_told(rig: Rig) -> None:
    """A store that is away for a moment does not end it; stopping does not wait for the interval."""
    passes: list[str] = []
    stop = asyncio.Event()

    class Passes(Sweeper):
        """A sweeper that tells of its passes."""

        async def sweep(self) -> Any:
            """Fail, then sweep, then ask for the end."""
            passes.append("pass")
            if len(passes) == 1:
                raise Unavailable("no answer")
            report = await super().sweep()
            if len(passes) == 3:
                stop.set()
            return report

    running = Passes(rig.metadata, rig.blobs, grace_seconds=0.0, interval_seconds=0.001, clock=lambda: datetime.now(UTC))
    async with asyncio.timeout(30):
        await running.run(stop)
    assert len(passes) == 3
    idle = Sweeper(rig.metadata, rig.blobs, grace_seconds=0.0, interval_seconds=3600.0)
    again = asyncio.Event()
    task = asyncio.create_task(idle.run(again))
    for _ in range(5):
        await asyncio.sleep(0)
    again.set()
    async with asyncio.timeout(30):
        await task
