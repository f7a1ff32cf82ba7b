"""Object lock where clocks are set and where what is stored is damaged: nothing is freed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from lightningstor_server.service.lock_clock import ANCHOR_SETTING, Bounds, Reading, Uptime, anchor, bounds, read_uptime
from lightningstor_server.stores.errors import NoRoom
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types import errors
from lightningstor_types.names import BucketName
from lightningstor_types.operations.retention import ObjectLockEnabled
from lightningstor_types.retention import LegalHoldStatus
from lightningstor_types.settings import VersioningStatus
from unit.service.locks import (
    COMPLIANCE,
    DAY,
    GOVERNANCE,
    START,
    YEARS,
    Machine,
    default,
    headers,
    is_locked,
    lock_of,
    make_machine,
    written,
)
from unit.service.rig import Rig


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


async def damage(rig: Rig, sql: str, *values: Any) -> None:
    """Write something into the database that no code of ours does."""
    connection: Any = rig.metadata._database._connection
    connection.all(sql, values)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "[]", "{}", '{"mode":"OTHER","until":1,"legal_hold":false}', '{"mode":null,"until":"x","legal_hold":null}',
        '{"mode":null,"until":null,"legal_hold":"no"}', '{"mode":null,"until":1e40,"legal_hold":null}', '{"until":null,"mode":null}',
    ],
)  # fmt: skip
async def test_a_lock_that_cannot_be_read_locks(machine: Machine, rig: Rig, text: str) -> None:
    """For good and for everybody; the bytes can still be read."""
    version = await written(rig, headers(GOVERNANCE, START + DAY))
    await damage(rig, "UPDATE versions SET lock = ? RETURNING 1", text)
    machine.pass_time(YEARS)
    assert await is_locked(rig, version, bypass_governance=True)
    with pytest.raises(errors.AccessDenied):
        await rig.call("PutObjectRetention", key="k", mode=GOVERNANCE, until=rig.clock.now + DAY, bypass_governance=True)
    await rig.call("PutObjectLegalHold", key="k", status=LegalHoldStatus.OFF)
    assert await is_locked(rig, version, bypass_governance=True)


async def test_a_bucket_whose_setting_cannot_be_read_deletes_nothing(rig: Rig) -> None:
    """Nor does one that lost it: what locks a version is the version's own."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    await damage(rig, "UPDATE settings SET document = '{\"x\":1}' WHERE name = 'object_lock' RETURNING 1")
    await rig.metadata.commit(lambda tx: tx.configuration.bump())
    with pytest.raises(errors.InternalError):
        await rig.call("DeleteObject", key="k", version_id=version)
    await damage(rig, "DELETE FROM settings WHERE name = 'object_lock' RETURNING 1")
    await rig.metadata.commit(lambda tx: tx.configuration.bump())
    assert await is_locked(rig, version)


@pytest.mark.parametrize("status", [VersioningStatus.SUSPENDED, None])
async def test_a_locked_null_version_is_not_overwritten(rig: Rig, status: VersioningStatus | None) -> None:
    """Not even where versioning is off, which object lock never lets it be."""
    other = BucketName("other")
    await rig.call("CreateBucket", bucket=other)
    await rig.put("k", b"content", bucket=other)
    await rig.call("PutBucketVersioning", bucket=other, status=VersioningStatus.ENABLED)
    await rig.call("PutObjectLockConfiguration", bucket=other, enabled=ObjectLockEnabled.ENABLED)
    await rig.call("PutObjectRetention", bucket=other, key="k", mode=GOVERNANCE, until=START + DAY)
    await damage(rig, "DELETE FROM settings RETURNING 1")
    await rig.metadata.commit(lambda tx: tx.configuration.bump())
    if status is not None:
        await rig.call("PutBucketVersioning", bucket=other, status=status)
    with pytest.raises(errors.AccessDenied):
        await rig.put("k", b"new", bucket=other)
    assert await rig.get("k", bucket=other) == b"content"


async def test_a_clock_set_forward_frees_nothing(machine: Machine, rig: Rig) -> None:
    """Also for a process that starts then: what was counted since the machine came up goes on, in the store."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    machine.set_wall(YEARS)
    assert await is_locked(rig, version)
    with pytest.raises(errors.AccessDenied):
        await rig.call("PutObjectRetention", key="k")
    machine.pass_time(DAY - timedelta(seconds=1))
    assert await is_locked(rig, version)
    machine.pass_time(timedelta(seconds=1))
    assert not await is_locked(rig, version)


async def test_a_clock_set_back_frees_nothing_and_shortens_nothing(machine: Machine, rig: Rig) -> None:
    """Old retentions last until their dates; new ones begin at the moment that was counted."""
    await default(rig, days=1)
    old = await written(rig)
    machine.set_wall(-YEARS)
    machine.pass_time(timedelta(hours=1))
    new = await written(rig)
    assert (await lock_of(rig, new)).until == START + DAY + timedelta(hours=1)
    for until in (START - YEARS + DAY, START + timedelta(minutes=59)):
        with pytest.raises(errors.InvalidArgument):
            await rig.put("k", b"x", lock=headers(COMPLIANCE, until))
        with pytest.raises(errors.InvalidArgument):
            await rig.start("k", lock=headers(COMPLIANCE, until))
    machine.pass_time(2 * DAY)
    assert await is_locked(rig, old)
    machine.set_wall(YEARS)
    assert not await is_locked(rig, old)
    assert not await is_locked(rig, new)


async def test_a_boot_begins_with_the_wall_clock(machine: Machine, rig: Rig) -> None:
    """The time that the machine was off is over; a clock that is set after that is not believed again."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    machine.set_wall(DAY / 2)
    machine.reboot()
    assert await is_locked(rig, version)
    machine.set_wall(YEARS)
    assert await is_locked(rig, version)
    machine.pass_time(DAY / 2)
    assert not await is_locked(rig, version)


async def test_bounds_keep_the_first_reading_of_a_boot(rig: Rig) -> None:
    """One reading a boot; the two moments are the wall's and the counted one, in their order."""

    def asked(boot: str, seconds: float, wall: datetime) -> Any:
        reading = Reading(wall=wall, uptime=Uptime(boot=boot, seconds=seconds))
        return rig.metadata.commit(lambda tx: bounds(tx, reading))

    hour = timedelta(hours=1)
    assert await asked("a", 10.0, START) == Bounds(earliest=START, latest=START)
    assert await asked("a", 3610.0, START) == Bounds(earliest=START, latest=START + hour)
    assert await asked("a", 3610.0, START + DAY) == Bounds(earliest=START + hour, latest=START + DAY)
    assert await asked("b", 5.0, START + DAY) == Bounds(earliest=START + DAY, latest=START + DAY)
    kept = await rig.metadata.read(lambda tx: tx.configuration.get(ANCHOR_SETTING))
    assert kept == '{"boot":"b","seconds":5.0,"wall":"2026-03-05T05:06:07+00:00"}'


async def test_a_kept_reading_that_cannot_be_read_frees_nothing(machine: Machine, rig: Rig) -> None:
    """Without the time no retention is over, and none begins."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    machine.pass_time(2 * DAY)

    async def spoil(tx: Transaction) -> None:
        await tx.configuration.set(ANCHOR_SETTING, "{")

    await rig.metadata.commit(spoil)
    with pytest.raises(errors.InternalError):
        await rig.call("DeleteObject", key="k", version_id=version)
    assert await rig.get("k") == b"content"


def test_the_machines_clock() -> None:
    """It names its boot and goes on."""
    first, second = read_uptime(), read_uptime()
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds


async def test_a_start_keeps_the_reading(machine: Machine, rig: Rig) -> None:
    """So that a clock set after it is not believed, whether anything was locked by then or not."""
    version = await written(rig, headers(COMPLIANCE, START + DAY))
    machine.reboot()
    await anchor(rig.metadata, Reading(wall=rig.clock.now, uptime=machine.uptime()))
    machine.set_wall(YEARS)
    assert await is_locked(rig, version)


async def test_a_start_on_a_store_that_takes_nothing() -> None:
    """It is no reason not to start."""

    class Full:
        async def commit(self, _: object) -> None:
            raise NoRoom

    full: Any = Full()
    with structlog.testing.capture_logs() as logs:
        await anchor(full, Reading(wall=START, uptime=Uptime(boot="a", seconds=1.0)))
    assert [(entry["event"], entry["error"]) for entry in logs] == [("clock not kept", "NoRoom")]
