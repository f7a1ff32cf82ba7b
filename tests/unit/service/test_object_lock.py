"""The life of locked versions, and of their buckets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from lightningstor_types import errors
from lightningstor_types.names import BucketName
from lightningstor_types.objects import CopySource, ObjectMetadata
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.operations.retention import ObjectLockEnabled
from lightningstor_types.retention import LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.settings import VersioningStatus
from lightningstor_types.tenants import Role
from unit.service.locks import (
    COMPLIANCE,
    DAY,
    GOVERNANCE,
    START,
    Machine,
    default,
    headers,
    is_locked,
    lock_of,
    make_machine,
    written,
)
from unit.service.rig import BUCKET, Rig, enter_caller, project


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    """A machine whose service has the bucket `BUCKET` with object lock."""
    machine = await make_machine()
    yield machine
    await machine.rig.close()


@pytest.fixture
def rig(machine: Machine) -> Rig:
    """Its service."""
    return machine.rig


async def test_years_are_the_calendars(machine: Machine, rig: Rig) -> None:
    """A year ends on the same day, and that of 29 February on 1 March."""
    await default(rig, years=1)
    machine.pass_time(datetime(2028, 2, 28, 12, tzinfo=UTC) - START)
    ends = [(await lock_of(rig, await written(rig))).until]
    machine.pass_time(DAY)
    ends.append((await lock_of(rig, await written(rig))).until)
    assert ends == [datetime(2029, 2, 28, 12, tzinfo=UTC), datetime(2029, 3, 1, 12, tzinfo=UTC)]


@pytest.mark.parametrize("mode", RetentionMode)
async def test_a_default_retains_until_its_end(machine: Machine, rig: Rig, mode: RetentionMode) -> None:
    """Whatever makes the version: a write, a copy, a completion, each from its own moment; then the version goes."""
    await default(rig, mode, days=1)
    made = [("k", await written(rig))]
    await rig.call("CopyObject", key="copy", source=CopySource(bucket=BUCKET, key="k"))
    upload = await rig.start("parts")
    part = await rig.part("parts", upload, 1, b"content")
    machine.pass_time(DAY / 2)
    await rig.complete("parts", upload, part)
    made += [(key, str((await rig.call("HeadObject", key=key)).object.version_id)) for key in ("copy", "parts")]
    ends = [(await lock_of(rig, version, key)).until for key, version in made]
    assert ends == [START + DAY, START + DAY, START + DAY * 1.5]
    machine.pass_time(DAY / 2 - timedelta(microseconds=1))
    assert [await is_locked(rig, version, key) for key, version in made] == [True, True, True]
    machine.pass_time(timedelta(microseconds=1))
    assert [await is_locked(rig, version, key) for key, version in made] == [False, False, True]
    machine.pass_time(DAY / 2)
    assert not await is_locked(rig, made[2][1], "parts")


async def test_what_a_write_asks_for_goes_before_the_default(rig: Rig) -> None:
    """The whole retention; a hold beside it, or beside the default."""
    await default(rig, COMPLIANCE, days=1)
    asked = headers(GOVERNANCE, START + 3 * DAY, LegalHoldStatus.ON)
    assert await lock_of(rig, await written(rig, asked)) == asked
    found = await lock_of(rig, await written(rig, headers(hold=LegalHoldStatus.ON)))
    assert found == headers(COMPLIANCE, START + DAY, LegalHoldStatus.ON)


async def test_an_upload_keeps_what_it_began_with(machine: Machine, rig: Rig) -> None:
    """Also where that is over by the time it is completed."""
    lock = headers(COMPLIANCE, START + DAY, LegalHoldStatus.ON)
    upload = await rig.start("k", lock=lock)
    part = await rig.part("k", upload, 1, b"content")
    machine.pass_time(2 * DAY)
    version = (await rig.complete("k", upload, part)).version_id
    assert await lock_of(rig, version) == lock
    assert await is_locked(rig, version)
    await rig.call("PutObjectLegalHold", key="k", status=LegalHoldStatus.OFF)
    assert not await is_locked(rig, version)


async def test_a_copy_has_its_own_lock(rig: Rig) -> None:
    """The source's is not copied, neither to another key nor onto itself."""
    version = await written(rig, headers(GOVERNANCE, START + DAY, LegalHoldStatus.ON))
    for key in ("copy", "k"):
        source = CopySource(bucket=BUCKET, key="k", version_id=version)
        made = await rig.call("CopyObject", key=key, source=source)
        assert await lock_of(rig, made.version_id, key) == LockHeaders()
    asked = headers(COMPLIANCE, START + DAY)
    made = await rig.call("CopyObject", key="copy", source=CopySource(bucket=BUCKET, key="k"), lock=asked)
    assert await lock_of(rig, made.version_id, "copy") == asked


@pytest.mark.parametrize("lock", [headers(COMPLIANCE, START + DAY), headers(hold=LegalHoldStatus.ON)], ids=["retained", "held"])
async def test_a_locked_version_outlives_everything(machine: Machine, rig: Rig, lock: LockHeaders) -> None:
    """An overwrite, a delete marker and its removal, and a bypass; only then its own time."""
    version = await written(rig, lock)
    await rig.put("k", b"other")
    marker = (await rig.call("DeleteObject", key="k")).version_id
    batch = await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="k"), ObjectIdentifier(key="k", version_id=version)))
    assert [deleted.delete_marker for deleted in batch.deleted] == [True]
    assert [error.version_id for error in batch.errors] == [version]
    await rig.call("DeleteObject", key="k", version_id=marker)
    assert await is_locked(rig, version, bypass_governance=True)
    with pytest.raises(errors.BucketNotEmpty):
        await rig.call("DeleteBucket")
    await rig.call("PutObjectLegalHold", key="k", version_id=version, status=LegalHoldStatus.OFF)
    machine.pass_time(DAY)
    assert not await is_locked(rig, version)


async def test_metadata_in_place_are_locked_too(machine: Machine, rig: Rig) -> None:
    """A locked version stays as it was written."""
    await written(rig, headers(GOVERNANCE, START + DAY))
    with pytest.raises(errors.AccessDenied):
        await rig.call("UpdateObject", key="k", metadata=ObjectMetadata(user={"a": "b"}))
    machine.pass_time(DAY)
    await rig.call("UpdateObject", key="k", metadata=ObjectMetadata(user={"a": "b"}))


async def test_bypassing_is_a_right_and_has_to_be_said(rig: Rig) -> None:
    """Both, and of GOVERNANCE alone; to say it without the right hinders nothing that needs no right."""
    editor = await enter_caller(rig.metadata, project(), Role.EDITOR)
    governed = await written(rig, headers(GOVERNANCE, START + DAY))
    shorter = {"key": "k", "mode": GOVERNANCE, "until": START + DAY / 2}
    assert await is_locked(rig, governed)
    with pytest.raises(errors.AccessDenied):
        await rig.call("PutObjectRetention", **shorter)
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(editor, "PutObjectRetention", **shorter, bypass_governance=True)
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(editor, "DeleteObject", key="k", version_id=governed, bypass_governance=True)
    free = await written(rig, key="free")
    await rig.call_as(editor, "DeleteObject", key="free", version_id=free, bypass_governance=True)
    await rig.call("PutObjectRetention", **shorter, bypass_governance=True)
    assert (await lock_of(rig, governed)).until == START + DAY / 2
    await rig.call("PutObjectRetention", key="k", bypass_governance=True)
    assert not await is_locked(rig, governed)
    compliant = await written(rig, headers(COMPLIANCE, START + DAY))
    with pytest.raises(errors.AccessDenied):
        await rig.call("PutObjectRetention", key="k", mode=COMPLIANCE, until=START + DAY / 2, bypass_governance=True)
    assert await is_locked(rig, compliant, bypass_governance=True)


async def test_who_may_read_may_be_told(rig: Rig) -> None:
    """A viewer is told of a lock and sets none; an editor sets one and cannot configure the bucket."""
    viewer, editor = [await enter_caller(rig.metadata, project(), role) for role in (Role.VIEWER, Role.EDITOR)]
    asked = headers(GOVERNANCE, START + DAY, LegalHoldStatus.ON)
    await written(rig, asked)
    assert (await rig.call_as(viewer, "HeadObject", key="k")).lock == asked
    assert (await rig.call_as(viewer, "GetObjectRetention", key="k")).mode is GOVERNANCE
    for caller, name, fields in (
        (viewer, "PutObjectRetention", {"key": "k", "mode": GOVERNANCE, "until": START + 2 * DAY}),
        (viewer, "PutObjectLegalHold", {"key": "k", "status": LegalHoldStatus.OFF}),
        (editor, "PutObjectLockConfiguration", {"enabled": ObjectLockEnabled.ENABLED}),
    ):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(caller, name, **fields)
    await rig.call_as(editor, "PutObjectLegalHold", key="k", status=LegalHoldStatus.OFF)


async def test_versions_stay_on(rig: Rig) -> None:
    """With object lock they cannot be suspended, also not by one who knew the bucket before."""
    with pytest.raises(errors.InvalidBucketState):
        await rig.call("PutBucketVersioning", status=VersioningStatus.SUSPENDED)
    await rig.call("PutBucketVersioning", status=VersioningStatus.ENABLED)
    assert (await rig.call("GetBucketVersioning")).status is VersioningStatus.ENABLED


async def test_a_null_version_from_before_is_locked_as_any(rig: Rig) -> None:
    """Object lock on an existing bucket: what was there has no lock until it is given one."""
    other = BucketName("other")
    await rig.call("CreateBucket", bucket=other)
    await rig.put("k", b"content", bucket=other)
    await rig.call("PutBucketVersioning", bucket=other, status=VersioningStatus.ENABLED)
    await rig.call("PutObjectLockConfiguration", bucket=other, enabled=ObjectLockEnabled.ENABLED)
    await rig.call("PutObjectLegalHold", bucket=other, key="k", version_id="null", status=LegalHoldStatus.ON)
    await rig.put("k", b"new", bucket=other)
    with pytest.raises(errors.AccessDenied):
        await rig.call("DeleteObject", bucket=other, key="k", version_id="null")


async def test_a_refused_delete_changes_nothing(rig: Rig) -> None:
    """Neither the counts nor the order: the transaction leaves no trace but the clocks'."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    before = await rig.usage()
    assert await is_locked(rig, version)
    assert await rig.usage() == before
    assert await rig.is_tidy()
