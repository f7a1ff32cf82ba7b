"""Quotas are exact, and never stand in the way of what does not grow."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.objects import CopySource
from lightningstor_types.settings import VersioningStatus
from lightningstor_types.tenants import Quota
from unit.service.rig import BUCKET, Pieces, Rig

PLACES = ["bucket", "project", "organisation"]


async def limit(rig: Rig, place: str = "project", **quota: int) -> None:
    """Set the quota of the rig's bucket, project or organisation, as an operator does."""
    project = rig.caller.project
    names: dict[str, dict[str, Any]] = {
        "bucket": {"organisation": project.organisation, "project": project.name, "bucket": BUCKET},
        "project": {"organisation": project.organisation, "project": project.name, "bucket": None},
        "organisation": {"organisation": project.organisation, "bucket": None},
    }
    await rig.call_as(attrs.evolve(rig.caller, operator=True), "SetQuota", quota=Quota(**quota), **names[place])


def unread() -> Pieces:
    """A body that must not be asked for."""
    return Pieces(AssertionError("the body was asked for"), length=10)


@pytest.mark.parametrize("place", PLACES)
async def test_objects_are_limited(rig: Rig, place: str) -> None:
    """The one beyond is refused and leaves nothing; another in the place of one is not beyond; a delete makes room."""
    await limit(rig, place, objects=2)
    for key in ("a", "b", "a"):
        await rig.put(key, b"x")
    with pytest.raises(errors.QuotaExceeded) as refused:
        await rig.put("c", b"x")
    assert refused.value.details == {"Scope": place, "Quota": "objects", "Limit": "2"}
    assert await rig.usage() == Usage(objects=2, bytes=2)
    await rig.call("DeleteObject", key="a")
    await rig.put("c", b"x")
    assert await rig.usage() == Usage(objects=2, bytes=2)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [100, 20_000])
async def test_bytes_are_limited(rig: Rig, place: str, size: int) -> None:
    """To the byte, inline or in chunks; what is refused leaves no chunk behind."""
    await limit(rig, place, bytes=2 * size)
    await rig.put("a", bytes(size))
    with pytest.raises(errors.QuotaExceeded) as refused:
        await rig.put("b", bytes(size + 1))
    assert refused.value.details == {"Scope": place, "Quota": "bytes", "Limit": str(2 * size)}
    await rig.put("b", bytes(size))
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("b", bytes(size + 1))
    assert await rig.usage() == Usage(objects=2, bytes=2 * size)
    assert await rig.is_tidy()


@pytest.mark.parametrize("place", ["project", "organisation"])
async def test_buckets_are_limited(rig: Rig, place: str) -> None:
    """A refused one leaves its name free; a deleted one makes room; one's own made again is not another."""
    await limit(rig, place, buckets=2)
    await rig.call("CreateBucket", bucket="second")
    with pytest.raises(errors.QuotaExceeded) as refused:
        await rig.call("CreateBucket", bucket="third")
    assert refused.value.details == {"Scope": place, "Quota": "buckets", "Limit": "2"}
    await rig.call("CreateBucket", bucket="second")
    await rig.call("DeleteBucket", bucket="second")
    await rig.call("CreateBucket", bucket="third")
    assert (await rig.call("GetUsage", bucket="third")).project.buckets == 2


async def test_a_quota_below_what_is_held(rig: Rig) -> None:
    """Nothing grows; reads, deletes and overwrites by what is no larger go on."""
    for key in ("a", "b", "c"):
        await rig.put(key, bytes(10))
    await limit(rig, objects=1, bytes=5)
    assert await rig.get("a") == bytes(10)
    await rig.put("a", b"smaller")
    await rig.put("a", b"s" * 7)
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("a", b"s" * 8)
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("d", b"")
    for key in ("a", "b", "c"):
        await rig.call("DeleteObject", key=key)
    await rig.put("d", bytes(5))


async def test_parts_hold_room(rig: Rig) -> None:
    """The bytes of running uploads count; giving one up makes room, replacing a part counts the difference."""
    await limit(rig, bytes=30_000)
    upload = await rig.start("k")
    await rig.part("k", upload, 1, bytes(20_000))
    await rig.part("k", upload, 1, bytes(25_000))
    with pytest.raises(errors.QuotaExceeded):
        await rig.part("k", upload, 2, bytes(5_001))
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("other", bytes(5_001))
    assert await rig.usage() == Usage(uploads_bytes=25_000)
    await rig.call("AbortMultipartUpload", key="k", upload_id=upload)
    await rig.put("other", bytes(30_000))
    assert await rig.is_tidy()


async def test_a_completion_does_not_grow(rig: Rig) -> None:
    """What its parts hold already becomes the object, also where the quota was lowered below that meanwhile."""
    upload = await rig.start("k")
    part = await rig.part("k", upload, 1, bytes(20_000))
    await limit(rig, bytes=10)
    await rig.complete("k", upload, part)
    assert await rig.usage() == Usage(objects=1, bytes=20_000)


async def test_a_completion_counts_an_object(rig: Rig) -> None:
    """Refused it leaves the upload as it was, to be completed once there is room."""
    await rig.put("other")
    await limit(rig, objects=1)
    upload = await rig.start("k")
    part = await rig.part("k", upload, 1, bytes(20_000))
    with pytest.raises(errors.QuotaExceeded):
        await rig.complete("k", upload, part)
    assert await rig.usage() == Usage(objects=1, uploads_bytes=20_000)
    await rig.call("DeleteObject", key="other")
    await rig.complete("k", upload, part)
    assert await rig.usage() == Usage(objects=1, bytes=20_000)


async def test_a_copy_counts_as_much_as_its_source(rig: Rig) -> None:
    """It moves no bytes and holds them all the same, as an object and as a part."""
    await rig.put("a", bytes(20_000))
    await limit(rig, bytes=30_000)
    source = CopySource(bucket=BUCKET, key="a")  # type: ignore[arg-type]
    with pytest.raises(errors.QuotaExceeded):
        await rig.call("CopyObject", key="b", source=source)
    upload = await rig.start("c")
    with pytest.raises(errors.QuotaExceeded):
        await rig.call("UploadPartCopy", key="c", upload_id=upload, part_number=1, source=source)
    assert await rig.usage() == Usage(objects=1, bytes=20_000)


async def test_each_version_counts(rig: Rig) -> None:
    """A versioned bucket holds its old versions; a delete marker needs no room, and removing a version makes some."""
    await rig.call("PutBucketVersioning", status=VersioningStatus.ENABLED)
    await limit(rig, objects=2)
    await rig.put("a", b"1")
    await rig.put("a", b"2")
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("a", b"3")
    marker = await rig.call("DeleteObject", key="a")
    assert marker.delete_marker
    assert await rig.usage() == Usage(objects=2, bytes=2)
    await rig.call("DeleteObject", key="a", version_id=marker.version_id)
    current = await rig.call("HeadObject", key="a")
    await rig.call("DeleteObject", key="a", version_id=current.object.version_id)
    await rig.put("a", b"3")


@pytest.mark.parametrize("place", PLACES)
async def test_a_body_without_room_is_not_asked_for(rig: Rig, place: str) -> None:
    """Where its length is known: of an object that is one too many or too large, and of a part."""
    await rig.put("a", b"123")
    upload = await rig.start("k")
    await limit(rig, place, bytes=12)
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("b", unread())
    with pytest.raises(errors.QuotaExceeded):
        await rig.part("k", upload, 1, unread())
    await rig.put("a", Pieces(bytes(10), length=10))
    await limit(rig, place, objects=1)
    with pytest.raises(errors.QuotaExceeded):
        await rig.put("b", unread())


async def test_room_that_is_taken_meanwhile(rig: Rig) -> None:
    """The transaction decides: a body for which there was room when it began is refused at its end."""
    await limit(rig, objects=1)

    async def overtake() -> None:
        await rig.put("first", b"x")

    with pytest.raises(errors.QuotaExceeded):
        await rig.put("second", Pieces(bytes(20_000), overtake, bytes(10), length=20_010))
    assert await rig.usage() == Usage(objects=1, bytes=1)
    assert await rig.is_tidy()


async def test_many_writers_end_at_the_limit(rig: Rig) -> None:
    """Together they write exactly as many objects as there may be; batches that are refused in part lose nothing."""
    await limit(rig, objects=50)

    async def write(number: int) -> bool:
        try:
            await rig.put(f"k{number}", b"x")
        except errors.QuotaExceeded:
            return False
        return True

    outcomes = await asyncio.gather(*(write(number) for number in range(200)))
    assert sum(outcomes) == 50
    assert await rig.usage() == Usage(objects=50, bytes=50)


@pytest.mark.parametrize("quota", [{"objects": -1}, {"bytes": -1}, {"buckets": -5}])
async def test_a_quota_is_no_negative_number(rig: Rig, quota: dict[str, int]) -> None:
    """Nor does a bucket have one on buckets, nor is one set on what is not there."""
    with pytest.raises(errors.InvalidArgument):
        await limit(rig, **quota)
    with pytest.raises(errors.InvalidArgument):
        await limit(rig, "bucket", buckets=1)
    operator = attrs.evolve(rig.caller, operator=True)
    for names, error in (
        ({"organisation": "nowhere", "bucket": None}, errors.NoSuchEntity),
        ({"organisation": "o", "project": "nowhere", "bucket": None}, errors.NoSuchEntity),
        ({"project": "p", "bucket": None}, errors.InvalidArgument),
        ({"bucket": "nowhere"}, errors.NoSuchBucket),
    ):
        for name, fields in (("SetQuota", {"quota": Quota()}), ("GetTenantUsage", {})):
            with pytest.raises(error):
                await rig.call_as(operator, name, **names, **fields)


async def test_usage_is_told_with_its_quota(rig: Rig) -> None:
    """Of all three; a project's owner sees its own project's and buckets', not the organisation's."""
    await rig.put("a", b"123")
    for number, place in enumerate(PLACES):
        await limit(rig, place, objects=10 + number)
    operator = attrs.evolve(rig.caller, operator=True)
    found = [
        await rig.call_as(operator, "GetTenantUsage", **names)
        for names in ({"bucket": BUCKET}, {"bucket": None}, {"organisation": "o", "bucket": None})
    ]
    assert [each.quota.objects for each in found] == [10, 11, 12]
    assert [each.usage for each in found] == [Usage(objects=1, bytes=3), *[Usage(objects=1, bytes=3, buckets=1)] * 2]
    assert await rig.call("GetTenantUsage", bucket=None) == found[1]
    assert await rig.call("GetTenantUsage", bucket=BUCKET) == found[0]
    with pytest.raises(errors.AccessDenied):
        await rig.call("GetTenantUsage", organisation="o", bucket=None)
