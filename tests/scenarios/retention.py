"""Scenarios of object lock."""

from __future__ import annotations

from datetime import timedelta

from attrs import evolve

from faces import NOW
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.objects import DeleteObject, DeleteObjects, GetObject, HeadObject, ObjectIdentifier, PutObject
from lightningstor_types.operations.retention import (
    GetObjectLegalHold,
    GetObjectLockConfiguration,
    GetObjectRetention,
    ObjectLockEnabled,
    ObjectLockRule,
    PutObjectLegalHold,
    PutObjectLockConfiguration,
    PutObjectRetention,
)
from lightningstor_types.operations.uploads import CreateMultipartUpload
from lightningstor_types.operations.versioning import PutBucketVersioning
from lightningstor_types.retention import DefaultRetention, LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.settings import VersioningStatus
from scenarios.objects import BUCKET, KEY
from scenarios.play import Play, body, scenario

PLAIN = BucketName("plain")
AT = {"bucket": BUCKET, "key": KEY}
TOMORROW = NOW + timedelta(days=1)
GOVERNED = LockHeaders(mode=RetentionMode.GOVERNANCE, until=TOMORROW, legal_hold=LegalHoldStatus.OFF)


@scenario
async def object_lock_of_a_bucket(play: Play) -> None:
    """With versions alone, on for good, with one default at a time."""
    on = PutObjectLockConfiguration(bucket=PLAIN, enabled=ObjectLockEnabled.ENABLED)
    await play(on)
    await play.bucket(PLAIN)
    await play(GetObjectLockConfiguration(bucket=PLAIN))
    await play(on)
    for status in (VersioningStatus.ENABLED, VersioningStatus.SUSPENDED):
        await play(PutBucketVersioning(bucket=PLAIN, status=status))
        await play(on)
        await play(GetObjectLockConfiguration(bucket=PLAIN))
    await play(CreateBucket(bucket=BUCKET, object_lock=True))
    await play(CreateBucket(bucket=BUCKET))
    for days, years in ((1, None), (None, 1), (1, 1), (None, None), (0, None), (None, -1), (36_501, None), (None, 101)):
        rule = ObjectLockRule(default_retention=DefaultRetention(mode=RetentionMode.COMPLIANCE, days=days, years=years))
        await play(evolve(on, bucket=BUCKET, rule=rule))
        await play(GetObjectLockConfiguration(bucket=BUCKET))
    await play(evolve(on, bucket=BUCKET, enabled=None))
    await play(evolve(on, bucket=BUCKET))
    await play(GetObjectLockConfiguration(bucket=BUCKET))


@scenario
async def locks_of_versions(play: Play) -> None:
    """Set by the write and changed afterwards; what they keep, and what passes them by."""
    await play(CreateBucket(bucket=BUCKET, object_lock=True))
    for headers in (GOVERNED, evolve(GOVERNED, mode=None), evolve(GOVERNED, until=None), evolve(GOVERNED, until=NOW)):
        await play(PutObject(**AT, lock=headers, body=body(b"x")))
        await play(CreateMultipartUpload(**AT, lock=headers))
        await play(CopyObject(bucket=BUCKET, key=ObjectKey("copy"), source=CopySource(bucket=BUCKET, key=KEY), lock=headers))
    version = (await play(PutObject(**AT, lock=GOVERNED, body=body(b"y")))).version_id
    for request in (HeadObject, GetObject, GetObjectRetention, GetObjectLegalHold):
        await play(request(**AT))
        await play(request(**AT, version_id="nonsense"))
    for days in (2, 1, 3):
        for bypass in (False, True):
            until = NOW + timedelta(days=days)
            await play(PutObjectRetention(**AT, mode=RetentionMode.GOVERNANCE, until=until, bypass_governance=bypass))
            await play(GetObjectRetention(**AT))
    await play(PutObjectRetention(**AT, mode=RetentionMode.GOVERNANCE))
    await play(PutObjectLegalHold(**AT))
    one = (ObjectIdentifier(key=KEY, version_id=version),)
    for status in LegalHoldStatus:
        await play(PutObjectLegalHold(**AT, status=status))
        await play(GetObjectLegalHold(**AT))
        for bypass in (False, True):
            await play(DeleteObjects(bucket=BUCKET, objects=one, bypass_governance=bypass))
    await play(DeleteObject(**AT, version_id=version, bypass_governance=True))


@scenario
async def locks_where_there_are_none(play: Play) -> None:
    """A bucket without object lock takes none and tells of none."""
    await play.bucket()
    await play(PutObject(**AT, lock=GOVERNED, body=body(b"x")))
    await play(PutObject(**AT, body=body(b"x")))
    await play(PutObjectRetention(**AT, mode=RetentionMode.GOVERNANCE, until=TOMORROW))
    await play(PutObjectLegalHold(**AT, status=LegalHoldStatus.ON))
    for request in (HeadObject, GetObjectRetention, GetObjectLegalHold):
        await play(request(**AT))
