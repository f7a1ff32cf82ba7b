"""The time that object lock goes by.

Law: two clocks are read at once, the wall's and one that counts since the machine came up and that
nobody can set. The first reading of a boot is kept in the store, so that workers and restarts share
it. What was locked is free only when both say so, and what is locked now is locked by the later of
the two: a wall clock that is set while the machine is up neither frees a version early nor makes a
new retention end early. A wall clock that is wrong already when the machine comes up is believed.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import structlog
from attrs import frozen

from lightningstor_server.stores.errors import StoreError
from lightningstor_server.stores.metadata.base import Metadata, Transaction

ANCHOR_SETTING: Final = "object_lock_clock"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


_log = structlog.get_logger("lightningstor.service")


@frozen(kw_only=True)
class Uptime:
    """How long the machine has been up, and which of its boots that is. Time asleep counts."""

    boot: str
    seconds: float


def read_uptime() -> Uptime:
    """The clock that only goes on (clock_gettime(2), CLOCK_BOOTTIME).

    Raises:
        OSError: the system does not tell.
    """
    return Uptime(boot=_boot(), seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()


@frozen(kw_only=True)
class Reading:
    """Both clocks, read at once."""

    wall: datetime
    uptime: Uptime


@frozen(kw_only=True)
class Bounds:
    """Between what moments the present is."""

    earliest: datetime
    """What is over by this moment is over."""
    latest: datetime
    """What begins now has begun by this moment."""


async def bounds(tx: Transaction, reading: Reading) -> Bounds:
    """What the two clocks together say. Keeps the reading if it is the first of its boot, so it needs a transaction that writes."""
    kept = await tx.configuration.get(ANCHOR_SETTING)
    anchor = None if kept is None else json.loads(kept)
    if anchor is None or anchor["boot"] != reading.uptime.boot:
        anchor = {"boot": reading.uptime.boot, "seconds": reading.uptime.seconds, "wall": reading.wall.isoformat()}
        await tx.configuration.set(ANCHOR_SETTING, json.dumps(anchor, separators=(",", ":")))
    counted = datetime.fromisoformat(anchor["wall"]) + timedelta(seconds=reading.uptime.seconds - anchor["seconds"])
    return Bounds(earliest=min(reading.wall, counted), latest=max(reading.wall, counted))


async def anchor(metadata: Metadata, reading: Reading) -> None:
    """Keep the reading if it is the first of its boot; where the store takes nothing, the first that a lock needs will be kept."""
    try:
        await metadata.commit(lambda tx: bounds(tx, reading))
    except StoreError as error:
        _log.warning("clock not kept", error=type(error).__name__, reason=str(error))
