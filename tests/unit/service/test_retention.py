"""What object lock lets be done to a version: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final

import pytest

from lightningstor_server.service import retention
from lightningstor_server.service.lock_clock import Bounds
from lightningstor_types import errors
from lightningstor_types.retention import NO_LOCK, DefaultRetention, ObjectLock, RetentionMode
from unit.service.locks import (
    COMPLIANCE,
    DAY,
    GOVERNANCE,
    START,
)

NOW: Final = Bounds(earliest=START, latest=START)


LOCKS: Final = [
    ObjectLock(mode=mode, until=until, legal_hold=hold)
    for mode, until, hold in product((None, GOVERNANCE, COMPLIANCE), (None, START - DAY, START, START + DAY), (None, False, True))
]


@pytest.mark.parametrize("lock", LOCKS, ids=repr)
@pytest.mark.parametrize("bypass", [False, True])
def test_what_keeps_a_version(lock: ObjectLock, *, bypass: bool) -> None:
    """A hold, or a retention that is not over and not bypassed; half a retention is a whole one without an end."""
    retains = (lock.mode, lock.until) != (None, None) and (lock.until is None or lock.until > START)
    gives_way = bypass and lock.mode is GOVERNANCE
    for now in (NOW, None):
        untimed = now is None and (lock.mode, lock.until) != (None, None)
        kept = bool(lock.legal_hold) or ((retains or untimed) and not gives_way)
        if kept:
            with pytest.raises(errors.AccessDenied):
                retention.check_free(lock, now, bypass=bypass)
        else:
            retention.check_free(lock, now, bypass=bypass)


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("held", LOCKS, ids=repr)
def test_what_a_retention_may_become(held: ObjectLock, *, bypass: bool) -> None:
    """Longer in its mode always, anything else by bypassing GOVERNANCE, and anything once it is over; the hold stays."""
    there = retention.retention_of(held)
    active = there is not None and there.until > START
    for mode, until in [(None, None), *product(RetentionMode, (START + DAY - timedelta(seconds=1), START + DAY, START + 2 * DAY))]:
        wanted = None if mode is None or until is None else retention.Retention(mode=mode, until=until)
        extends = active and there is not None and wanted is not None and wanted.mode is there.mode and wanted.until >= there.until
        if not active or extends or (bypass and there is not None and there.mode is GOVERNANCE):
            changed = retention.retained(held, wanted, NOW, bypass=bypass)
            assert changed == ObjectLock(mode=mode, until=until, legal_hold=held.legal_hold)
        else:
            with pytest.raises(errors.AccessDenied):
                retention.retained(held, wanted, NOW, bypass=bypass)


def test_a_retention_is_in_the_future_by_the_later_clock() -> None:
    """What is over by either clock is refused."""
    now = Bounds(earliest=START - DAY, latest=START)
    for until in (START - DAY, START):
        with pytest.raises(errors.InvalidArgument):
            retention.retained(NO_LOCK, retention.Retention(mode=GOVERNANCE, until=until), now, bypass=True)
    retention.retained(NO_LOCK, retention.Retention(mode=GOVERNANCE, until=START + timedelta(milliseconds=1)), now, bypass=False)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC), datetime(2030, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
        (datetime(2030, 1, 1, 0, 0, 0, 999_001, tzinfo=UTC), datetime(2030, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (datetime.fromisoformat("2030-01-01T00:00:00+02:00"), datetime(2029, 12, 31, 22, tzinfo=UTC)),
        (datetime.max.replace(tzinfo=UTC), None),
        (datetime.fromisoformat("9999-12-31T23:00:00-02:00"), None),
        (datetime.fromisoformat("0001-01-01T00:00:00+02:00"), None),
    ],
)
def test_dates_are_kept_as_they_can_be_told(asked: datetime, kept: datetime | None) -> None:
    """Whole milliseconds in UTC, never earlier than asked; one that cannot be kept is refused."""
    if kept is None:
        with pytest.raises(errors.InvalidArgument):
            retention.check_retention(COMPLIANCE, asked)
    else:
        assert retention.check_retention(COMPLIANCE, asked) == retention.Retention(mode=COMPLIANCE, until=kept)


@pytest.mark.parametrize(
    ("days", "years", "error"),
    [
        (1, None, None), (36_500, None, None), (None, 1, None), (None, 100, None),
        (None, None, errors.MalformedXML), (1, 1, errors.MalformedXML),
        *((days, None, errors.InvalidRetentionPeriod) for days in (0, -1, 36_501)),
        *((None, years, errors.InvalidRetentionPeriod) for years in (0, -1, 101)),
    ],
)  # fmt: skip
def test_default_periods(days: int | None, years: int | None, error: type[errors.StorError] | None) -> None:
    """Days or years, at least one and at most a hundred years."""
    asked = DefaultRetention(mode=GOVERNANCE, days=days, years=years)
    if error is None:
        retention.check_default(asked)
    else:
        with pytest.raises(error):
            retention.check_default(asked)
