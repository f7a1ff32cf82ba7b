"""What tests of object lock need: a machine's two clocks, and a bucket with object lock on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.service.lock_clock import Uptime
from lightningstor_types import errors
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.operations.retention import ObjectLockEnabled, ObjectLockRule
from lightningstor_types.retention import DefaultRetention, LegalHoldStatus, LockHeaders, RetentionMode
from unit.service.rig import Rig, make_rig

GOVERNANCE, COMPLIANCE = RetentionMode
START: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY: Final = timedelta(days=1)
YEARS: Final = timedelta(days=3_650)


@attrs.define
class Machine:
    """Both clocks of a machine, which a test moves together or apart."""

    rig: Rig
    boot: str = "first"
    seconds: float = 1000.0

    def pass_time(self, passed: timedelta) -> None:
        """Time goes by."""
        self.rig.clock.now += passed
        self.seconds += passed.total_seconds()

    def set_wall(self, by: timedelta) -> None:
        """Somebody sets the clock."""
        self.rig.clock.now += by

    def reboot(self) -> None:
        """The machine comes up again."""
        self.boot, self.seconds = self.boot + "+", 1.0

    def uptime(self) -> Uptime:
        """What the kernel counts."""
        return Uptime(boot=self.boot, seconds=self.seconds)


async def make_machine() -> Machine:
    """A machine whose service has the bucket `BUCKET` with object lock."""
    rig = await make_rig()
    machine = Machine(rig)
    rig.clock.now = START
    rig.service.uptime = machine.uptime
    await rig.call("CreateBucket", object_lock=True)
    return machine


def headers(mode: RetentionMode | None = None, until: datetime | None = None, hold: LegalHoldStatus | None = None) -> LockHeaders:
    """What a write asks for."""
    return LockHeaders(mode=mode, until=until, legal_hold=hold)


async def written(rig: Rig, lock: LockHeaders | None = None, key: str = "k") -> str:
    """A version's id."""
    await rig.put(key, b"content", **({} if lock is None else {"lock": lock}))
    return str((await rig.call("HeadObject", key=key)).object.version_id)


async def default(rig: Rig, mode: RetentionMode = COMPLIANCE, *, days: int | None = None, years: int | None = None) -> None:
    """Give the bucket a default retention."""
    rule = ObjectLockRule(default_retention=DefaultRetention(mode=mode, days=days, years=years))
    await rig.call("PutObjectLockConfiguration", enabled=ObjectLockEnabled.ENABLED, rule=rule)


async def lock_of(rig: Rig, version: str, key: str = "k") -> LockHeaders:
    """What a read tells of a version's lock."""
    lock = (await rig.call("HeadObject", key=key, version_id=version)).lock
    return lock or LockHeaders()


async def is_locked(rig: Rig, version: str, key: str = "k", **fields: Any) -> bool:
    """Whether a version cannot be deleted, by neither way; else it is gone."""
    try:
        await rig.call("DeleteObject", key=key, version_id=version, **fields)
    except errors.AccessDenied:
        found = await rig.call("DeleteObjects", objects=(ObjectIdentifier(key=key, version_id=version),), **fields)
        assert [error.code for error in found.errors] == ["AccessDenied"]
        assert await rig.get(key, version_id=version) == b"content"
        return True
    with pytest.raises(errors.NoSuchVersion):
        await rig.get(key, version_id=version)
    return False
