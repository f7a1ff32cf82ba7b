"""The background job that carries out what the lifecycle rules of buckets say.

Law: what is due is found on snapshots, a page at a time, buckets in turn. What a page has due is then
done in one transaction, which reads the page and the rules again and judges by what it finds: so a
version that has changed meanwhile is not touched, a crash leaves whole transactions, and two jobs at
once do nothing twice. Everything goes by the same ways as when a caller deletes it; what a lock keeps
stays, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import attrs
import structlog
from attrs import frozen

from lightningstor_server.documents import ConfigError
from lightningstor_server.service.core import utc_now
from lightningstor_server.service.lifecycle_rules import LATEST, Deed, Standing, Verdict, enabled, given_up, judge, of_versions, prefixes
from lightningstor_server.service.lock_clock import Reading, Uptime, read_uptime
from lightningstor_server.service.uploads import drop_upload
from lightningstor_server.service.versions import delete, next_revision
from lightningstor_server.stores.errors import Broken, StoreError
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.values import Upload, Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.lifecycle import LifecycleRule
from lightningstor_types.names import NULL_VERSION
from lightningstor_types.operations.objects import ObjectIdentifier

BATCH_VERSIONS: Final = 200
"""How many versions, or uploads, one transaction looks at."""
BUCKETS_IN_TURN: Final = 100
INTERVAL_MAX_SECONDS: Final = 3600.0
INTERVALS_OF_A_DAY: Final = 24
_NEWEST: Final = 2**63 - 1
_HEAD_VERSIONS: Final = 102
"""As many versions of a key as decide whether a hundred of them are newer (lifecycle.NEWER_VERSIONS_MAX)."""
_log = structlog.get_logger("lightningstor.expiry")


@frozen(kw_only=True)
class Report:
    """What was done, in numbers."""

    versions: int = 0
    """Versions that went, became noncurrent or changed their class."""
    uploads: int = 0
    locked: int = 0
    """Versions that a lock keeps beyond their time."""

    def __add__(self, other: Report) -> Report:
        """Both together."""
        return Report(versions=self.versions + other.versions, uploads=self.uploads + other.uploads, locked=self.locked + other.locked)


@frozen(kw_only=True)
class _Place:
    """Where in a bucket a page begins, and where all pages end."""

    first: bytes
    older_than: int = 0
    before: bytes | None = None


@frozen(kw_only=True)
class _Page:
    """Versions of which something is due, and where the next page begins; None at the end."""

    due: Sequence[tuple[Version, Verdict]]
    following: _Place | None


class Expiry:
    """Carries out the rules of all buckets."""

    def __init__(
        self,
        metadata: Metadata,
        *,
        day_seconds: int,
        clock: Callable[[], datetime] = utc_now,
        uptime: Callable[[], Uptime] = read_uptime,
    ) -> None:
        self._metadata = metadata
        self._day_seconds = day_seconds
        self._interval_seconds = min(day_seconds / INTERVALS_OF_A_DAY, INTERVAL_MAX_SECONDS)
        self._clock = clock
        self._uptime = uptime

    async def run(self, stop: asyncio.Event) -> None:
        """Walk every interval until told to stop.

        Raises:
            Broken: the process must end.
        """
        while not stop.is_set():
            try:
                report = await self.walk(stop)
                if report != Report():
                    _log.info("lifecycle carried out", versions=report.versions, uploads=report.uploads, locked=report.locked)
            except Broken:
                raise
            except (StoreError, ConfigError) as error:
                # a setting that cannot be read, as of a later version: what is not understood deletes nothing
                _log.error("lifecycle not carried out", reason=str(error))
            try:
                await asyncio.wait_for(stop.wait(), self._interval_seconds)
            except TimeoutError:
                continue

    async def walk(self, stop: asyncio.Event | None = None) -> Report:
        """Carry out what is due by now, in all buckets, or until told to stop."""
        total, after = Report(), 0
        while True:
            buckets = await self._buckets(after)
            turns = deque([self._steps(bucket) for bucket in buckets])
            while turns:
                if stop is not None and stop.is_set():
                    return total
                steps = turns.popleft()
                try:
                    done = await anext(steps, None)
                except Broken:
                    raise
                except StoreError as error:
                    _log.error("lifecycle not carried out", reason=str(error))
                    continue  # the other buckets have their turn
                if done is not None:
                    total += done
                    turns.append(steps)
            if len(buckets) < BUCKETS_IN_TURN:
                return total
            after = buckets[-1].id

    async def _buckets(self, after: int) -> Sequence[Bucket]:
        return await self._metadata.read(lambda tx: tx.configuration.buckets_with("lifecycle", after, BUCKETS_IN_TURN))

    async def _steps(self, bucket: Bucket) -> AsyncIterator[Report]:
        """Carry out one bucket's rules, telling after each page what it did."""
        rules = _rules(bucket)
        try:
            for place in _places([rule for rule in rules if of_versions(rule)]):
                here: _Place | None = place
                while here is not None:
                    done, here = await self._page(bucket, here)
                    yield done
            async for done in self._uploads(bucket, [rule for rule in rules if rule.abort_uploads is not None]):
                yield done
        except errors.NoSuchBucket:
            return  # it was deleted meanwhile

    # -- versions

    async def _page(self, bucket: Bucket, place: _Place) -> tuple[Report, _Place | None]:
        now = self._clock()
        page = await self._metadata.read(lambda tx: self._survey(tx, bucket, place, now))
        if not page.due:
            return Report(), page.following
        reading = Reading(wall=now, uptime=self._uptime())
        return await self._metadata.commit(lambda tx: self._carry_out(tx, bucket, place, reading)), page.following

    async def _survey(self, tx: Transaction, bucket: Bucket, place: _Place, now: datetime) -> _Page:
        """What is due on a page."""
        found = await tx.history.page(
            bucket.id, first=place.first, older_than=place.older_than, before=place.before, limit=BATCH_VERSIONS + 1
        )
        inside = found[:BATCH_VERSIONS]
        if not inside:
            return _Page(due=(), following=None)
        previous, newer = await _before(tx, bucket, place)
        rules, due = _rules(bucket), []
        for index, version in enumerate(inside):
            if previous is None or previous.key != version.key:
                standing, newer = attrs.evolve(LATEST, alone=_last_of_key(version, found[index + 1 : index + 2])), 0
            else:
                standing = Standing(since=previous.object.last_modified, newer=newer)
                newer += not version.delete_marker
            previous = version
            verdict = judge(rules, version, standing, now, self._day_seconds)
            if verdict is not None:
                due.append((version, verdict))
        last = inside[-1]
        following = attrs.evolve(place, first=last.key.encode(), older_than=last.object.revision)
        return _Page(due=due, following=following if len(found) > len(inside) else None)

    async def _carry_out(self, tx: Transaction, bucket: Bucket, place: _Place, reading: Reading) -> Report:
        """Do what is due on a page, as it is now."""
        _, bucket = await next_revision(tx, bucket)
        report = Report()
        for version, verdict in (await self._survey(tx, bucket, place, reading.wall)).due:
            try:
                await _do(tx, bucket, version, verdict, reading)
            except errors.AccessDenied:
                report += Report(locked=1)
            else:
                report += Report(versions=1)
        return report

    # -- uploads

    async def _uploads(self, bucket: Bucket, rules: Sequence[LifecycleRule]) -> AsyncIterator[Report]:
        for place in _places(rules):
            first, after, full = place.first, -1, True
            while full:
                found = await self._uploads_page(bucket, first, after, place.before)
                yield await self._give_up_late(bucket, found, rules)
                full = len(found) == BATCH_VERSIONS
                if full:
                    first, after = found[-1].key.encode(), found[-1].ordinal

    async def _uploads_page(self, bucket: Bucket, first: bytes, after: int, before: bytes | None) -> Sequence[Upload]:
        return await self._metadata.read(
            lambda tx: tx.uploads.page(bucket.id, first=first, after=after, before=before, limit=BATCH_VERSIONS)
        )

    async def _give_up_late(self, bucket: Bucket, found: Sequence[Upload], rules: Sequence[LifecycleRule]) -> Report:
        now = self._clock()
        late = [upload for upload in found if given_up(rules, upload, now, self._day_seconds)]
        return await self._metadata.commit(lambda tx: self._give_up(tx, bucket, late, now)) if late else Report()

    async def _give_up(self, tx: Transaction, bucket: Bucket, late: Sequence[Upload], now: datetime) -> Report:
        _, bucket = await next_revision(tx, bucket)
        report = Report()
        for seen in late:
            upload = await tx.uploads.get(bucket.id, seen.key, seen.id)
            if upload is not None and upload.completed is None and given_up(_rules(bucket), upload, now, self._day_seconds):
                await drop_upload(tx, bucket, upload)
                report += Report(uploads=1)
        return report


def _rules(bucket: Bucket) -> tuple[LifecycleRule, ...]:
    configuration = bucket.settings.lifecycle
    return () if configuration is None else enabled(configuration)


def _places(rules: Iterable[LifecycleRule]) -> list[_Place]:
    """The parts of a bucket that rules are about, none of them twice."""
    wanted = sorted({max(prefixes(rule), key=len, default="").encode() for rule in rules})
    apart: list[bytes] = []
    for prefix in wanted:
        if not apart or not prefix.startswith(apart[-1]):
            apart.append(prefix)
    return [_Place(first=prefix, older_than=_NEWEST, before=_behind(prefix)) for prefix in apart]


def _behind(prefix: bytes) -> bytes | None:
    """The first bytes that sort behind all with this prefix; None where nothing does."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _last_of_key(version: Version, following: Sequence[Version]) -> bool:
    return not following or following[0].key != version.key


async def _before(tx: Transaction, bucket: Bucket, place: _Place) -> tuple[Version | None, int]:
    """The version right before a page, as things are, and how many noncurrent ones of its key stand before the page.

    A page that begins with a key has none.
    """
    if place.older_than == _NEWEST:
        return None, 0
    key = place.first.decode()
    newest = await tx.history.page(bucket.id, first=place.first, older_than=_NEWEST, before=place.first + b"\0", limit=_HEAD_VERSIONS)
    ahead = [version for version in newest if version.object.revision >= place.older_than]
    last = await tx.history.of_revision(bucket.id, key, place.older_than) or (ahead[-1] if ahead else None)
    return last, sum(not version.delete_marker for version in ahead[1:])


async def _do(tx: Transaction, bucket: Bucket, version: Version, verdict: Verdict, reading: Reading) -> None:
    """Do with a version what the rules say.

    Raises:
        AccessDenied: a lock keeps it; nothing was done.
    """
    if verdict.deed is Deed.TRANSITION and verdict.storage_class is not None:
        item = version.object
        moved = attrs.evolve(item, storage_class=verdict.storage_class, generation=item.generation + 1)
        await tx.versions.describe(bucket.id, attrs.evolve(version, object=moved))
        return
    if await tx.history.of_revision(bucket.id, version.key, version.object.revision) is None:
        return  # a null version that the key's delete marker, made right before, has replaced; its id is the marker's now
    named = None if verdict.deed is Deed.EXPIRE else version.object.version_id or NULL_VERSION
    await delete(tx, bucket, ObjectIdentifier(key=version.key, version_id=named), reading)
