"""The job that carries out the rules: what goes, what stays, and that twice is once."""

from __future__ import annotations

import pytest

from lightningstor_server.service import expiry
from lightningstor_server.service.expiry import Expiry, Report
from lightningstor_server.service.lifecycle_rules import DAY_SECONDS, TRANSITION_MIN_BYTES
from lightningstor_server.service.lock_clock import Uptime
from lightningstor_types.buckets import Usage
from lightningstor_types.lifecycle import (
    AbortUploads,
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    LifecycleStatus,
    NoncurrentExpiration,
    Transition,
)
from lightningstor_types.names import BucketName
from lightningstor_types.objects import StorageClass
from lightningstor_types.retention import LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.settings import VersioningStatus
from lightningstor_types.tags import Tag, TagSet
from unit.service.lifecycles import DAY, EXPIRES, LATE, NOTHING, held, job, obey, rule, versioned, walk
from unit.service.rig import Rig


async def test_objects_expire(rig: Rig) -> None:
    """Not before the midnight after their days, only below the prefix; rules that are off do nothing. Bytes and counts go with them."""
    for key in ("a/1", "a/2", "b/1"):
        await rig.put(key, bytes(100_000))
    await obey(rig, rule("a/", **EXPIRES), LifecycleRule(id="x", prefix="b", status=LifecycleStatus.DISABLED, **EXPIRES))
    assert await walk(rig, days=1) == NOTHING
    assert await walk(rig, days=1) == Report(versions=2)
    assert await held(rig) == [("b/1", "v*")]
    assert await rig.usage() == Usage(objects=1, bytes=100_000)
    assert await rig.is_tidy()
    assert await walk(rig, days=9) == NOTHING


async def test_tags_that_change(rig: Rig) -> None:
    """A rule goes by the tags of the moment."""
    tag = Tag(key="a", value="b")
    for key in ("k", "l"):
        await rig.put(key)
    await rig.call("PutObjectTagging", key="k", tagging=TagSet(tags=(tag,)))
    found = LifecycleRule(id="r", filter=LifecycleFilter(tag=tag), status=LifecycleStatus.ENABLED, **EXPIRES)
    await obey(rig, found)
    assert await walk(rig, days=2) == Report(versions=1)
    assert await held(rig) == [("l", "v*")]


async def test_versions_become_noncurrent_and_go(rig: Rig) -> None:
    """A current version stays under a delete marker, goes its days later, and then the marker goes that stands alone."""
    await versioned(rig)
    await rig.put("k", b"1")
    await obey(rig, rule(**EXPIRES, **LATE), rule(name="m", expiration=Expiration(lone_markers=True)))
    assert await walk(rig, days=2) == Report(versions=1)
    assert await held(rig) == [("k", "m*"), ("k", "v")]
    assert await walk(rig, days=1) == NOTHING
    assert await walk(rig, days=1) == Report(versions=1)
    assert await held(rig) == [("k", "m*")]
    assert await walk(rig) == Report(versions=1)
    assert await held(rig) == []
    assert await rig.usage() == Usage()


async def test_noncurrent_time_is_the_successor_s(rig: Rig) -> None:
    """A version that was current for years has been noncurrent since its successor came."""
    await versioned(rig)
    await rig.put("k", b"1")
    await obey(rig, rule(**LATE))
    rig.clock.now += 900 * DAY
    await rig.put("k", b"2")
    assert await walk(rig, days=1) == NOTHING
    assert await walk(rig, days=1) == Report(versions=1)
    assert await rig.get("k") == b"2"


@pytest.mark.parametrize("batch", [1, 2, 3, 200])
async def test_newer_versions_are_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """So many noncurrent ones stay, however pages cut a key; neighbours are not mixed up."""
    monkeypatch.setattr(expiry, "BATCH_VERSIONS", batch)
    await versioned(rig)
    for key in ("a", "k", "z"):
        for number in range(7 if key == "k" else 2):
            await rig.put(key, bytes([number]))
    await obey(rig, rule(noncurrent_expiration=NoncurrentExpiration(days=1, newer=3)))
    assert await walk(rig, days=2) == Report(versions=3)
    page = await rig.call("ListObjectVersions", prefix="k")
    assert [await rig.get("k", version_id=found.version_id) for found in page.versions] == [b"\6", b"\5", b"\4", b"\3"]
    assert [key for key, _ in await held(rig)] == ["a", "a", "k", "k", "k", "k", "z", "z"]


@pytest.mark.parametrize("batch", [1, 2, 200])
async def test_a_marker_alone_is_told_from_one_that_is_not(rig: Rig, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Also at the end of a page."""
    monkeypatch.setattr(expiry, "BATCH_VERSIONS", batch)
    await versioned(rig)
    await rig.put("b", b"1")
    for key in ("a", "b", "c"):
        await rig.call("DeleteObject", key=key)
    await obey(rig, rule(expiration=Expiration(lone_markers=True)))
    assert await walk(rig) == Report(versions=2)
    assert await held(rig) == [("b", "m*"), ("b", "v")]


async def test_suspended_versioning(rig: Rig) -> None:
    """A null version that expires is replaced by a null delete marker, which the same walk leaves alone."""
    await versioned(rig)
    await rig.put("k", b"1")
    await versioned(rig, VersioningStatus.SUSPENDED)
    await rig.put("k", b"null")
    await versioned(rig)
    await rig.put("k", b"3")
    await versioned(rig, VersioningStatus.SUSPENDED)
    await obey(rig, rule(**EXPIRES, **LATE))
    await walk(rig, days=3)
    assert await held(rig) == [("k", "m*"), ("k", "v")]
    await walk(rig, days=3)
    assert await held(rig) == [("k", "m*")]


async def test_locks_hold(rig: Rig) -> None:
    """What a retention or a hold keeps stays, the rest of the page goes, and what is free again goes then."""
    bucket = BucketName("locking")
    job(rig)
    await rig.call("CreateBucket", bucket=bucket, object_lock=True)
    until = rig.clock.now + 5 * DAY
    for key, lock in (
        ("governed", LockHeaders(mode=RetentionMode.GOVERNANCE, until=until)),
        ("complied", LockHeaders(mode=RetentionMode.COMPLIANCE, until=until)),
        ("on hold", LockHeaders(legal_hold=LegalHoldStatus.ON)),
        ("free", LockHeaders()),
    ):
        await rig.put(key, b"1", bucket=bucket, lock=lock)
        await rig.put(key, b"2", bucket=bucket)
    await obey(rig, rule(**LATE), bucket=bucket)

    async def kept() -> list[str]:
        page = await rig.call("ListObjectVersions", bucket=bucket)
        return [found.key for found in page.versions if not found.latest]

    assert await walk(rig, days=2) == Report(versions=1, locked=3)
    assert await kept() == ["complied", "governed", "on hold"]
    assert await walk(rig, days=4) == Report(versions=2, locked=1)
    assert await kept() == ["on hold"]


async def test_a_wall_clock_that_is_set_frees_nothing(rig: Rig) -> None:
    """The job asks both clocks, as everybody who deletes does."""
    bucket = BucketName("locking")
    steady = Uptime(boot="one", seconds=0.0)
    rig.service.uptime = lambda: steady
    await rig.call("CreateBucket", bucket=bucket, object_lock=True)
    lock = LockHeaders(mode=RetentionMode.GOVERNANCE, until=rig.clock.now + DAY)
    for content in (b"1", b"2"):
        await rig.put("k", content, bucket=bucket, lock=lock)
    await obey(rig, rule(**LATE), bucket=bucket)
    jumped = rig.clock.now + 99 * DAY
    assert await Expiry(rig.metadata, day_seconds=DAY_SECONDS, clock=lambda: jumped, uptime=lambda: steady).walk() == Report(locked=1)


async def test_uploads_are_aborted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the prefix that are old enough, with their parts; over more than a page."""
    monkeypatch.setattr(expiry, "BATCH_VERSIONS", 2)
    for key in ("a/1", "a/1", "a/2", "a/3", "b"):
        await rig.part(key, await rig.start(key), 1, bytes(50_000))
    await obey(rig, rule("a/", abort_uploads=AbortUploads(days=1)))
    assert await walk(rig, days=1) == NOTHING
    fresh = await rig.start("a/2")
    assert await walk(rig, days=1) == Report(uploads=4)
    left = (await rig.call("ListMultipartUploads")).uploads
    assert [(found.key, found.upload_id == fresh) for found in left] == [("a/2", True), ("b", False)]
    assert await rig.usage() == Usage(uploads_bytes=50_000)
    assert await rig.is_tidy()


async def test_classes_change(rig: Rig) -> None:
    """Only the name and the generation; a second walk finds nothing to do."""
    await rig.put("large", bytes(TRANSITION_MIN_BYTES))
    await rig.put("small", b"1")
    await obey(rig, rule(transitions=(Transition(days=0, storage_class=StorageClass.STANDARD_IA),)))
    before = (await rig.call("HeadObject", key="large")).object
    assert await walk(rig, days=1) == Report(versions=1)
    after = (await rig.call("HeadObject", key="large")).object
    assert (after.storage_class, after.generation) == (StorageClass.STANDARD_IA, before.generation + 1)
    assert (after.etag, after.last_modified, after.revision) == (before.etag, before.last_modified, before.revision)
    assert await rig.get("large") == bytes(TRANSITION_MIN_BYTES)
    assert (await rig.call("HeadObject", key="small")).object.storage_class is StorageClass.STANDARD
    assert await walk(rig, days=1) == NOTHING


async def test_prefixes_that_hold_each_other(rig: Rig) -> None:
    """A key that several rules are about is looked at once; the end of a prefix's range is right at every byte."""
    for key in ("a", "a/", "a/x", "a0", "\u00ff", "\u00ff\u00ff", "\U0010ffff"):
        await rig.put(key)
    await obey(rig, *[rule(prefix, name=str(number), **EXPIRES) for number, prefix in enumerate(("a/", "a/x", "\u00ff", "\U0010ffff"))])
    assert await walk(rig, days=2) == Report(versions=5)
    assert await held(rig) == [("a", "v*"), ("a0", "v*")]
