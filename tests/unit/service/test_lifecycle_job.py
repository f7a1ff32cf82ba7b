"""The lifecycle job beside others: other jobs, callers, and stores that fail."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lightningstor_server.service import expiry
from lightningstor_server.service.expiry import Expiry, Report
from lightningstor_server.service.lifecycle_rules import DAY_SECONDS
from lightningstor_server.stores.errors import Broken, Corrupted, Unavailable
from lightningstor_types import errors
from lightningstor_types.lifecycle import (
    AbortUploads,
    LifecycleFilter,
    LifecycleRule,
    LifecycleStatus,
    NoncurrentExpiration,
)
from lightningstor_types.names import BucketName
from lightningstor_types.tags import Tag, TagSet
from unit.service.lifecycles import DAY, EXPIRES, NOTHING, held, job, obey, rule, versioned, walk
from unit.service.rig import BUCKET, Rig


@pytest.mark.parametrize("together", [2, 3])
async def test_two_jobs_at_once(rig: Rig, together: int) -> None:
    """They do once what there is to do, and end in the same state as one."""
    await versioned(rig)
    for number in range(20):
        for content in (b"1", b"2"):
            await rig.put(f"k{number:02}", content)
    await rig.start("u")
    await obey(rig, rule(**EXPIRES, noncurrent_expiration=NoncurrentExpiration(days=9), abort_uploads=AbortUploads(days=1)))
    rig.clock.now += 2 * DAY
    reports = await asyncio.gather(*[job(rig).walk() for _ in range(together)])
    assert sum(reports, NOTHING) == Report(versions=20, uploads=1)
    assert await held(rig) == sorted([(f"k{number:02}", kind) for number in range(20) for kind in ("m*", "v", "v")])


class Between:
    """A store that lets something happen between the look at a page and the transaction that acts."""

    def __init__(self, metadata: Any, happening: Any) -> None:
        self._metadata, self._happening = metadata, happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metadata, name)

    async def commit(self, work: Any) -> Any:
        """Let it happen, then commit."""
        await self._happening()
        return await self._metadata.commit(work)


@pytest.mark.parametrize("happening", ["overwritten", "tagged", "rules gone", "rules changed", "bucket gone", "suspended"])
async def test_what_changes_meanwhile_is_judged_anew(rig: Rig, happening: str) -> None:
    """What an overwrite, a tag or other rules take out of a rule's reach stays; a bucket that is gone is no failure."""
    tag = Tag(key="a", value="b")
    await rig.put("k", b"1", tagging=TagSet(tags=(tag,)))
    found = LifecycleRule(id="r", filter=LifecycleFilter(tag=tag), status=LifecycleStatus.ENABLED, **EXPIRES)
    await obey(rig, found)
    rig.clock.now += 2 * DAY

    async def happen() -> None:
        if happening == "overwritten":
            await rig.put("k", b"2", tagging=TagSet(tags=(tag,)))
        elif happening == "tagged":
            await rig.call("DeleteObjectTagging", key="k")
        elif happening == "rules gone":
            await rig.call("DeleteBucketLifecycle")
        elif happening == "rules changed":
            await obey(rig, rule("z", **EXPIRES))
        elif happening == "bucket gone":
            await rig.call("DeleteObject", key="k")
            await rig.call("DeleteBucket")
        else:
            await versioned(rig)

    clock = job(rig)._uptime
    report = await Expiry(Between(rig.metadata, happen), day_seconds=DAY_SECONDS, clock=lambda: rig.clock.now, uptime=clock).walk()
    assert report == (Report(versions=1) if happening == "suspended" else NOTHING)
    if happening == "bucket gone":
        with pytest.raises(errors.NoSuchBucket):
            await rig.get("k")
    elif happening == "suspended":
        assert await held(rig) == [("k", "m*"), ("k", "v")]
    else:
        assert await rig.get("k") == (b"2" if happening == "overwritten" else b"1")


@pytest.mark.parametrize("happening", ["aborted", "completed", "rules changed"])
async def test_uploads_that_end_meanwhile(rig: Rig, happening: str) -> None:
    """One that somebody completes or aborts right before is left alone, and counted once."""
    upload = await rig.start("k")
    part = await rig.part("k", upload, 1, b"1")
    await obey(rig, rule(abort_uploads=AbortUploads(days=1)))
    rig.clock.now += 2 * DAY

    async def happen() -> None:
        if happening == "aborted":
            await rig.call("AbortMultipartUpload", key="k", upload_id=upload)
        elif happening == "completed":
            await rig.complete("k", upload, part)
        else:
            await obey(rig, rule("z", abort_uploads=AbortUploads(days=1)))

    walking: Any = Between(rig.metadata, happen)
    clock = job(rig)._uptime
    assert await Expiry(walking, day_seconds=DAY_SECONDS, clock=lambda: rig.clock.now, uptime=clock).walk() == NOTHING
    if happening == "completed":
        assert await rig.get("k") == b"1"
        assert (await rig.complete("k", upload, part)).etag
    else:
        assert len((await rig.call("ListMultipartUploads")).uploads) == (happening == "rules changed")
    assert await rig.is_tidy()


async def test_all_buckets_have_their_turn(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """More buckets than are walked in turn, one with many pages; one without rules is left alone."""
    monkeypatch.setattr(expiry, "BUCKETS_IN_TURN", 2)
    monkeypatch.setattr(expiry, "BATCH_VERSIONS", 2)
    for number in range(5):
        bucket = BucketName(f"bucket-{number}")
        await rig.call("CreateBucket", bucket=bucket)
        for key in range(9 if number == 1 else 1):
            await rig.put(f"k{key}", bucket=bucket)
        if number != 3:
            await obey(rig, rule(**EXPIRES), bucket=bucket)
    assert await walk(rig, days=2) == Report(versions=12)
    assert (await rig.usage(BucketName("bucket-3"))).objects == 1


async def test_a_shortened_day(rig: Rig) -> None:
    """It ends when it is over, and there is a walk several times in it."""
    await rig.put("k")
    await obey(rig, rule(**EXPIRES))
    for seconds, expected in ((9, NOTHING), (1, Report(versions=1))):
        rig.clock.now += timedelta(seconds=seconds)
        assert await job(rig, 10).walk() == expected


async def test_it_goes_on_after_a_failed_walk_and_stops_when_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away for a moment does not end it, a broken one does; a stop ends a walk between its pages."""
    walks: list[str] = []
    stop = asyncio.Event()

    class Walks(Expiry):
        """A job that tells of its walks."""

        async def walk(self, stop: asyncio.Event | None = None) -> Report:
            """Fail, then walk, then ask for the end."""
            walks.append("walk")
            if len(walks) == 1:
                raise Unavailable("no answer")
            assert stop is not None
            stop.set()
            return await super().walk(stop)

    await rig.put("k")
    await obey(rig, rule(**EXPIRES))
    rig.clock.now += 2 * DAY
    async with asyncio.timeout(30):
        await Walks(rig.metadata, day_seconds=1, clock=lambda: rig.clock.now).run(stop)
    assert (len(walks), await held(rig)) == (2, [("k", "v*")])

    async def failing(_: Any) -> Any:
        raise Broken("io")

    monkeypatch.setattr(rig.metadata, "read", failing)
    async with asyncio.timeout(30):
        with pytest.raises(Broken):
            await job(rig).run(asyncio.Event())


async def test_a_bucket_that_cannot_be_read_does_not_stop_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its pages hold is looked at again with the next walk."""
    other = BucketName("other")
    await rig.call("CreateBucket", bucket=other)
    for bucket in (BUCKET, other):
        await rig.put("k", bucket=bucket)
        await obey(rig, rule(**EXPIRES), bucket=bucket)
    rig.clock.now += 2 * DAY
    survey, failing = Expiry._survey, True

    async def broken(of: Expiry, tx: Any, bucket: Any, place: Any, now: Any) -> Any:
        if bucket.name == BUCKET and failing:
            raise Corrupted("a row")
        return await survey(of, tx, bucket, place, now)

    monkeypatch.setattr(Expiry, "_survey", broken)
    assert await walk(rig) == Report(versions=1)
    failing = False
    assert await walk(rig) == Report(versions=1)


async def test_settings_that_cannot_be_read_delete_nothing(rig: Rig) -> None:
    """A setting of a later version ends neither the job nor an object."""
    await rig.put("k")
    await obey(rig, rule(**EXPIRES))
    database: Any = rig.metadata._database  # type: ignore[attr-defined]
    database._connection.all("INSERT INTO settings (bucket, name, document) SELECT id, 'later', '{}' FROM buckets")
    rig.clock.now += 2 * DAY
    stop = asyncio.Event()
    task = asyncio.create_task(job(rig).run(stop))
    for _ in range(20):
        await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(30):
        await task
    database._connection.all("DELETE FROM settings WHERE name = 'later'")
    assert await walk(rig) == Report(versions=1)
