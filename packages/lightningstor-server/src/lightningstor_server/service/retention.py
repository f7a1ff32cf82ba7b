"""What object lock lets be done to a version.

Law: pure, and asked inside the transaction that would do it. A version's own lock decides, whatever
its bucket is set to by now; what cannot be known counts as locked. Nobody shortens a COMPLIANCE
retention; a GOVERNANCE one gives way to who may bypass it and says so; a legal hold gives way to
nobody. Source: AWS, "How S3 Object Lock works".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import attrs
from attrs import frozen

from lightningstor_server.service.lock_clock import Bounds
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.retention import (
    NO_LOCK_HEADERS,
    BucketLock,
    DefaultRetention,
    LegalHoldStatus,
    LockHeaders,
    ObjectLock,
    RetentionMode,
)

DEFAULT_MAX_DAYS: Final = 36_500
DEFAULT_MAX_YEARS: Final = 100
"""AWS, "How S3 Object Lock works": a default retention is of 100 years at most."""
_LOCKED: Final = "Access Denied because object protected by object lock."
OVER: Final = "The retain until date must be in the future!"
_NO_LOCK_IN_BUCKET: Final = "Bucket is missing Object Lock Configuration"


@frozen(kw_only=True)
class Retention:
    """A mode, and until when."""

    mode: RetentionMode
    until: datetime


def retention_of(lock: ObjectLock) -> Retention | None:
    """The retention of a version, over or not. One without its date never ends, one without its mode is COMPLIANCE."""
    if lock.mode is None and lock.until is None:
        return None
    return Retention(mode=lock.mode or RetentionMode.COMPLIANCE, until=lock.until or datetime.max.replace(tzinfo=UTC))


def check_free(lock: ObjectLock, now: Bounds | None, *, bypass: bool) -> None:
    """Let a version go, if nothing keeps it. Without the time no retention is over.

    Raises:
        AccessDenied: something does.
    """
    held = retention_of(lock)
    if held is not None and now is not None and held.until <= now.earliest:
        held = None
    if lock.legal_hold or (held is not None and not (bypass and held.mode is RetentionMode.GOVERNANCE)):
        raise errors.AccessDenied(_LOCKED)


def check_retention(mode: RetentionMode | None, until: datetime | None) -> Retention | None:
    """What was asked for; None for neither mode nor date.

    Raises:
        InvalidArgument: there is one without the other, or the date is none that can be kept.
    """
    if mode is None and until is None:
        return None
    if mode is None or until is None:
        raise errors.InvalidArgument("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
    try:
        return Retention(mode=mode, until=_told(until.astimezone(UTC)))
    except OverflowError:
        raise errors.InvalidArgument("The retain until date is beyond the year 9999.") from None


def _told(moment: datetime) -> datetime:
    """A date as it is told, with milliseconds and never earlier: whoever says it again must not say a shorter retention."""
    return moment + timedelta(microseconds=-moment.microsecond % 1000)


def check_future(wanted: Retention, now: Bounds) -> None:
    """Refuse a retention that is over.

    Raises:
        InvalidArgument: it is.
    """
    if wanted.until <= now.latest:
        raise errors.InvalidArgument(OVER)


def retained(lock: ObjectLock, wanted: Retention | None, now: Bounds, *, bypass: bool) -> ObjectLock:
    """The lock with another retention, None being none.

    Raises:
        AccessDenied: it would be weaker than the one there is, or of another mode.
        InvalidArgument: it is over.
    """
    held = retention_of(lock)
    if wanted is not None:
        check_future(wanted, now)
    if held is not None and held.until > now.earliest:
        extends = wanted is not None and wanted.mode is held.mode and wanted.until >= held.until
        if not extends and not (bypass and held.mode is RetentionMode.GOVERNANCE):
            raise errors.AccessDenied(_LOCKED)
    if wanted is None:
        return attrs.evolve(lock, mode=None, until=None)
    return attrs.evolve(lock, mode=wanted.mode, until=wanted.until)


def required(bucket: Bucket) -> BucketLock:
    """The object lock of a bucket.

    Raises:
        InvalidRequest: it has none.
    """
    if bucket.settings.object_lock is None:
        raise errors.InvalidRequest(_NO_LOCK_IN_BUCKET)
    return bucket.settings.object_lock


def asked(bucket: Bucket, headers: LockHeaders) -> ObjectLock:
    """The lock that the headers of a write ask for.

    Raises:
        InvalidArgument: the retention has a mode or a date alone.
        InvalidRequest: the bucket has no object lock.
    """
    if headers != NO_LOCK_HEADERS:
        required(bucket)
    wanted = check_retention(headers.mode, headers.until)
    return ObjectLock(
        mode=wanted.mode if wanted else None,
        until=wanted.until if wanted else None,
        legal_hold=None if headers.legal_hold is None else headers.legal_hold is LegalHoldStatus.ON,
    )


def locked_by_default(bucket: Bucket, lock: ObjectLock, now: Bounds) -> ObjectLock:
    """The lock of a new version: what was asked for, else what the bucket has for those that ask for nothing."""
    configured = bucket.settings.object_lock
    if configured is None or configured.default is None or retention_of(lock) is not None:
        return lock
    return attrs.evolve(lock, mode=configured.default.mode, until=_end(configured.default, now.latest))


def _end(default: DefaultRetention, begun: datetime) -> datetime:
    start = _told(begun)
    if default.years is None:
        return start + timedelta(days=default.days or 0)
    try:
        return start.replace(year=start.year + default.years)
    except ValueError:
        # of 29 February; never a day less
        return start.replace(year=start.year + default.years, month=3, day=1)


def check_default(default: DefaultRetention) -> None:
    """Refuse a default retention without a period, or with two, or with one that is none.

    Raises:
        MalformedXML: there are not exactly days or years.
        InvalidRetentionPeriod: they are not within the limits.
    """
    if (default.days is None) == (default.years is None):
        raise errors.MalformedXML
    for period, most in ((default.days, DEFAULT_MAX_DAYS), (default.years, DEFAULT_MAX_YEARS)):
        if period is not None and not 1 <= period <= most:
            raise errors.InvalidRetentionPeriod(RetentionPeriod=str(period))
