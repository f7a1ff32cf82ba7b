"""Object lock as other rules need it: on a new version, before one goes, and in what a read tells.

Law: the clocks are asked inside the transaction that acts (`lock_clock`), and only where there is a
lock. To ask for a lock, to pass one by and to be told of one are permissions of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightningstor_server.service import retention
from lightningstor_server.service.core import Context
from lightningstor_server.service.lock_clock import Reading, bounds
from lightningstor_server.service.operation import Permission
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.names import BucketName
from lightningstor_types.retention import NO_LOCK, NO_LOCK_HEADERS, LegalHoldStatus, LockHeaders, ObjectLock


def lock_permissions(bucket: BucketName, key: str, headers: LockHeaders | None) -> Iterable[Permission]:
    """What a write must be allowed beside the writing, for the lock that it asks for."""
    headers = headers or NO_LOCK_HEADERS
    if headers.mode is not None or headers.until is not None:
        yield Permission(action="s3:PutObjectRetention", bucket=bucket, key=key)
    if headers.legal_hold is not None:
        yield Permission(action="s3:PutObjectLegalHold", bucket=bucket, key=key)


def asked_lock(ctx: Context, headers: LockHeaders) -> ObjectLock:
    """The lock that a write asks for, refused before its body is received.

    Raises:
        InvalidArgument: the retention is half of one, or over.
        InvalidRequest: the bucket has no object lock.
    """
    if headers is NO_LOCK_HEADERS:
        return NO_LOCK
    lock = retention.asked(ctx.bucket, headers)
    if lock.until is not None and lock.until <= ctx.now():
        raise errors.InvalidArgument(retention.OVER)
    return lock


async def check_asked(tx: Transaction, bucket: Bucket, asked: ObjectLock, reading: Reading) -> None:
    """Refuse what is asked for, if it is over by the later of the clocks.

    Raises:
        InvalidArgument: it is.
        InvalidRequest: the bucket has no object lock.
    """
    wanted = retention.retention_of(asked)
    if wanted is not None:
        retention.required(bucket)
        retention.check_future(wanted, await bounds(tx, reading))


async def new_lock(tx: Transaction, bucket: Bucket, asked: ObjectLock, reading: Reading) -> ObjectLock:
    """The lock of a version that is written now: what was asked for, else the bucket's default."""
    if bucket.settings.object_lock is None:
        return asked
    return retention.locked_by_default(bucket, asked, await bounds(tx, reading))


async def check_free(tx: Transaction, version: Version, reading: Reading | None, *, bypass: bool) -> None:
    """Let a version be changed or go, if nothing keeps it; without a reading of the clocks any lock does.

    Raises:
        AccessDenied: something does.
    """
    if version.lock is not NO_LOCK:
        now = None if reading is None else await bounds(tx, reading)
        retention.check_free(version.lock, now, bypass=bypass)


def may_bypass(ctx: Context, request: Any, key: str, version_id: str | None) -> bool:
    """Whether the caller says that a GOVERNANCE retention is to give way, and may. To say it without the right is no error."""
    if not request.bypass_governance:
        return False
    return ctx.allows(Permission(action="s3:BypassGovernanceRetention", bucket=request.bucket, key=key, version=version_id))


def shown_lock(ctx: Context, version: Version, version_id: str | None) -> LockHeaders | None:
    """What a read tells of a version's lock: what the caller may know of it."""
    lock = version.lock
    if lock is NO_LOCK:
        return None
    held, hold = retention.retention_of(lock), lock.legal_hold
    if held is not None and not ctx.allows(_about("s3:GetObjectRetention", ctx, version, version_id)):
        held = None
    if hold is not None and not ctx.allows(_about("s3:GetObjectLegalHold", ctx, version, version_id)):
        hold = None
    return LockHeaders(
        mode=held.mode if held else None,
        until=held.until if held else None,
        legal_hold=None if hold is None else LegalHoldStatus.ON if hold else LegalHoldStatus.OFF,
    )


def _about(action: str, ctx: Context, version: Version, version_id: str | None) -> Permission:
    return Permission(action=action, bucket=ctx.bucket.name, key=version.key, version=version_id)
