"""What tests of the lifecycle job need: rules, the job under a test's clock, and a look at what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lightningstor_server.service.expiry import Expiry, Report
from lightningstor_server.service.lifecycle_rules import DAY_SECONDS
from lightningstor_server.service.lock_clock import Uptime
from lightningstor_types.lifecycle import Expiration, LifecycleRule, LifecycleStatus, NoncurrentExpiration
from lightningstor_types.settings import VersioningStatus
from unit.service.rig import Rig

START: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY: Final = timedelta(days=1)
NOTHING: Final = Report()
EXPIRES: Final[dict[str, Any]] = {"expiration": Expiration(days=1)}
LATE: Final[dict[str, Any]] = {"noncurrent_expiration": NoncurrentExpiration(days=1)}


def rule(prefix: str = "", *, name: str = "r", **actions: Any) -> LifecycleRule:
    """A rule about a prefix."""
    return LifecycleRule(id=name, prefix=prefix, status=LifecycleStatus.ENABLED, **actions)


async def obey(rig: Rig, *rules: LifecycleRule, bucket: str = "") -> None:
    """Set the rules of a bucket."""
    await rig.call("PutBucketLifecycleConfiguration", rules=rules, **({"bucket": bucket} if bucket else {}))


async def versioned(rig: Rig, status: VersioningStatus = VersioningStatus.ENABLED) -> None:
    """Set the bucket's versioning."""
    await rig.call("PutBucketVersioning", status=status)


def job(rig: Rig, day_seconds: int = DAY_SECONDS) -> Expiry:
    """The job, with the rig's clock as both clocks."""

    def uptime() -> Uptime:
        return Uptime(boot="one", seconds=(rig.clock.now - START).total_seconds())

    rig.service.uptime = uptime
    return Expiry(rig.metadata, day_seconds=day_seconds, clock=lambda: rig.clock.now, uptime=uptime)


async def walk(rig: Rig, *, days: float = 0) -> Report:
    """Move the clock on, then let the job walk once."""
    rig.clock.now += days * DAY
    return await job(rig).walk()


async def held(rig: Rig) -> list[tuple[str, str]]:
    """Every version and delete marker of the bucket: key, and `v` or `m` with a star on the latest."""
    page = await rig.call("ListObjectVersions")
    marks = [(found.key, "v" + "*" * found.latest) for found in page.versions]
    return sorted([*marks, *[(found.key, "m" + "*" * found.latest) for found in page.delete_markers]])
