"""The sweeper: what it removes, and what it must never remove."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.service import bodies, sweeper
from lightningstor_server.service.sweeper import ORPHAN_PATIENCE, Sweeper
from lightningstor_server.stores.errors import Broken, Unavailable
from lightningstor_server.stores.memory import MemoryBlobs
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.names import ObjectKey
from lightningstor_types.objects import CopySource
from unit.service.rig import BUCKET, Pieces, Rig, make_rig

LARGE: Final = bytes(range(251)) * 200
GRACE_SECONDS: Final = 3600.0
PATIENCE_SECONDS: Final = ORPHAN_PATIENCE * GRACE_SECONDS
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
    assert (await rig.sweep(GRACE_SECONDS)).removed == 0
    assert await rig.chunks() == {chunk}
    assert (await rig.sweep(GRACE_SECONDS, later=LATER)).removed == 1
    assert await rig.chunks() == set()
    assert await rig.garbage() == set()


async def test_orphans_are_condemned_and_go_a_grace_later(aged: Rig, seconds: Seconds) -> None:
    """What no row knows and is older than the patience, first as garbage, then from the medium; not what is younger."""
    old = await orphan(aged)
    seconds.now += 1.0
    young = await orphan(aged)
    seconds.now += PATIENCE_SECONDS - 1.5
    report = await aged.sweep(GRACE_SECONDS)
    assert (report.orphans, report.removed, await aged.garbage()) == (0, 0, set())
    seconds.now += 0.5
    report = await aged.sweep(GRACE_SECONDS)
    assert (report.orphans, report.removed) == (1, 0)
    assert await aged.garbage() == {old}
    report = await aged.sweep(GRACE_SECONDS)
    assert (report.orphans, report.removed) == (0, 0), "condemned once, and not gone before its grace"
    assert await aged.chunks() == {old, young}
    report = await aged.sweep(GRACE_SECONDS, later=LATER)
    assert (report.orphans, report.removed) == (0, 1)
    assert await aged.chunks() == {young}
    assert await aged.garbage() == set()


async def test_without_a_grace_everything_goes_at_once(rig: Rig) -> None:
    """Orphans are condemned and removed in one sweep."""
    await orphan(rig)
    report = await rig.sweep()
    assert (report.orphans, report.removed) == (1, 1)
    assert await rig.chunks() == await rig.garbage() == set()


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
    assert (report.removed, report.orphans) == (0, 0)
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


@pytest.mark.parametrize(
    ("pauses_graces", "taken"),
    [
        ((2,), True),
        ((ORPHAN_PATIENCE - 1,), True),
        ((ORPHAN_PATIENCE,), False),
        ((ORPHAN_PATIENCE, 2), False),
        ((ORPHAN_PATIENCE,) * 3, False),
    ],
    ids=["short", "within the patience", "condemned", "removed", "long removed"],
)
@pytest.mark.parametrize("kind", ["object", "part"])
async def test_what_is_acknowledged_after_a_long_upload_is_there(
    aged: Rig, seconds: Seconds, monkeypatch: pytest.MonkeyPatch, kind: str, pauses_graces: tuple[int, ...], *, taken: bool
) -> None:
    """A body that takes longer than the patience is refused with 503, or all of its chunks are there: never acknowledged and lost."""
    monkeypatch.setattr(bodies, "CHUNK_BYTES", 10_000)
    monkeypatch.setattr(bodies, "SEGMENT_BYTES", 10_000)
    slept_graces = 0

    async def long_pause() -> None:
        nonlocal slept_graces
        for _ in range(20):
            await asyncio.sleep(0)  # the first chunks become durable
        assert await aged.chunks(), "nothing was there that could have been taken"
        for graces in pauses_graces:
            seconds.now += graces * GRACE_SECONDS
            slept_graces += graces
            await aged.sweep(GRACE_SECONDS, later=slept_graces * LATER)

    body = Pieces(*[LARGE[:9_000]] * 80, long_pause, *[LARGE[:9_000]] * 80)
    upload = await aged.start("k") if kind == "part" else ""
    try:
        if kind == "object":
            await aged.put("k", body)
        else:
            await aged.complete("k", upload, await aged.part("k", upload, 1, body))
    except errors.ServiceUnavailable:
        assert not taken
        with pytest.raises(errors.NoSuchKey):
            await aged.get("k")
        assert await aged.usage() == Usage()
    else:
        assert await aged.get("k") == LARGE[:9_000] * 160
        assert taken


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
    assert (report.removed, report.orphans) == (15, 7)
    assert len(await rig.chunks()) == 1
    assert await rig.get("kept") == LARGE


async def test_a_crash_between_file_and_row_forgets_nothing(rig: Rig) -> None:
    """The row goes after the file: the next sweep repeats the removal, and then forgets it."""
    await rig.put("k", LARGE)
    await rig.call("DeleteObject", key="k")
    commit = rig.metadata.commit

    delete = rig.blobs.delete

    async def failing(_: Any) -> Any:
        raise Unavailable("killed here")

    async def dying(chunks: Sequence[tuple[bytes, str]]) -> None:
        await delete(chunks)
        rig.metadata.commit = failing  # type: ignore[method-assign]

    rig.blobs.delete = dying
    with pytest.raises(Unavailable):
        await rig.sweep()
    assert await rig.chunks() == set()
    assert len(await rig.garbage()) == 1
    rig.metadata.commit = commit  # type: ignore[method-assign]
    rig.blobs.delete = delete
    assert (await rig.sweep()).removed == 1
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


async def test_a_broken_engine_ends_it(rig: Rig) -> None:
    """Its process must end: it does not go on as after a store that is away for a moment."""

    async def failing(_: Any) -> Any:
        raise Broken("io")

    rig.metadata.commit = failing  # type: ignore[method-assign]
    sweeping = Sweeper(rig.metadata, rig.blobs, grace_seconds=0.0, interval_seconds=3600.0)
    async with asyncio.timeout(30):
        with pytest.raises(Broken):
            await sweeping.run(asyncio.Event())
