"""What the rules of a bucket say of a version, or of an upload, at a moment.

Law: pure. A day ends at midnight UTC, so that what is due in the course of one is due at its end; a
day that the operator has shortened has no midnight. What removes comes before what makes noncurrent,
and that before a transition. Conditions all must hold, wherever in a filter they stand. A delete
marker has no tags and no size. Source: AWS, "Lifecycle configuration elements" and "Expiring objects".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final
from urllib.parse import quote

from attrs import frozen

from lightningstor_server.stores.metadata.values import Upload, Version
from lightningstor_types.buckets import Bucket
from lightningstor_types.lifecycle import (
    LifecycleConditions,
    LifecycleConfiguration,
    LifecycleRule,
    LifecycleStatus,
    NoncurrentTransition,
    Transition,
)
from lightningstor_types.objects import StorageClass
from lightningstor_types.tags import Tag

DAY_SECONDS: Final = 86_400
TRANSITION_MIN_BYTES: Final = 128 << 10
"""What is smaller stays as it is, unless the rule's filter says something of sizes (AWS, since September 2024)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_NONE: Final = LifecycleConditions()
_DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEPTHS: Final = {
    StorageClass.STANDARD: 0,
    StorageClass.REDUCED_REDUNDANCY: 0,
    StorageClass.STANDARD_IA: 1,
    StorageClass.INTELLIGENT_TIERING: 2,
    StorageClass.ONEZONE_IA: 3,
}
"""A transition leads down and never up (AWS, "Transitioning objects", supported transitions)."""


class Deed(Enum):
    """What is to be done with a version."""

    EXPIRE = auto()
    """Delete it as somebody would who names no version: it goes, or a delete marker comes."""
    REMOVE = auto()
    """Remove this very version."""
    TRANSITION = auto()


@frozen(kw_only=True)
class Standing:
    """Where a version stands among those of its key."""

    since: datetime | None = None
    """When it became noncurrent; None of the latest one."""
    newer: int = 0
    """Noncurrent versions that are newer, without delete markers."""
    alone: bool = False
    """Whether the key has no other."""


LATEST: Final = Standing()


@frozen(kw_only=True)
class Verdict:
    """What a rule says of a version."""

    deed: Deed
    storage_class: StorageClass | None = None
    """Of a transition."""


def enabled(configuration: LifecycleConfiguration) -> tuple[LifecycleRule, ...]:
    """The rules that are carried out."""
    return tuple([rule for rule in configuration.rules if rule.status is LifecycleStatus.ENABLED])


def due(begun: datetime, days: int, day_seconds: int = DAY_SECONDS) -> datetime:
    """When so many days are over; the last moment there is where that is later."""
    seconds = days * day_seconds
    if seconds >= (_LAST - begun).total_seconds() - DAY_SECONDS:
        return _LAST
    moment = begun + timedelta(seconds=seconds)
    over = (moment - _EPOCH) % timedelta(seconds=DAY_SECONDS)
    return moment if day_seconds != DAY_SECONDS or not over else moment - over + timedelta(seconds=DAY_SECONDS)


def dated(date: str) -> datetime:
    """The moment of a rule's date, which its configuration was checked for.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(date)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def conditions(rule: LifecycleRule) -> Iterator[LifecycleConditions]:
    """All that must hold of an object for a rule to be about it."""
    yield LifecycleConditions(prefix=rule.prefix)
    found = rule.filter
    if found is not None:
        tags = () if found.tag is None else (found.tag,)
        yield LifecycleConditions(prefix=found.prefix, tags=tags, size_above=found.size_above, size_below=found.size_below)
        yield found.all_of or _NONE


def sized(rule: LifecycleRule) -> bool:
    """Whether a rule says something of sizes."""
    return any((one.size_above, one.size_below) != (None, None) for one in conditions(rule))


def tagged(rule: LifecycleRule) -> bool:
    """Whether a rule asks for tags."""
    return any(one.tags for one in conditions(rule))


def of_versions(rule: LifecycleRule) -> bool:
    """Whether a rule does anything with versions, and not with uploads alone."""
    return bool(rule.expiration or rule.noncurrent_expiration or rule.transitions or rule.noncurrent_transitions)


def prefixes(rule: LifecycleRule) -> tuple[str, ...]:
    """The prefixes that a key must have, all of them."""
    return tuple([one.prefix for one in conditions(rule) if one.prefix])


def _selects(rule: LifecycleRule, key: str, size: int, tags: Sequence[Tag]) -> bool:
    return all(
        key.startswith(one.prefix or "")
        and all(tag in tags for tag in one.tags)
        and (one.size_above is None or size > one.size_above)
        and (one.size_below is None or size < one.size_below)
        for one in conditions(rule)
    )


def _about(rule: LifecycleRule, version: Version) -> bool:
    prefix = rule.prefix if rule.filter is None else rule.filter.prefix
    if prefix and not version.key.startswith(prefix):
        return False  # what most rules of a long list say, at the least cost
    if version.delete_marker:
        return not tagged(rule) and not sized(rule) and _selects(rule, version.key, 0, ())
    return _selects(rule, version.key, version.object.size, version.tags)


def judge(rules: Iterable[LifecycleRule], version: Version, standing: Standing, now: datetime, day_seconds: int) -> Verdict | None:
    """What is to be done with a version by now; None where nothing is."""
    about = [rule for rule in rules if _about(rule, version)]
    if standing.since is not None:
        return _judge_noncurrent(about, version, standing, standing.since, now, day_seconds)
    ends = [_expires(rule, version, day_seconds) for rule in about]
    over = any(end is not None and end <= now for end in ends)
    if version.delete_marker:
        lone = any(rule.expiration is not None and rule.expiration.lone_markers for rule in about)
        return Verdict(deed=Deed.REMOVE) if standing.alone and (over or lone) else None
    if over:
        return Verdict(deed=Deed.EXPIRE)
    steps = [(step, _step_due(step, version, day_seconds)) for rule in about for step in rule.transitions if _large(rule, version)]
    return _transition(version, [step.storage_class for step, moment in steps if moment <= now])


def _judge_noncurrent(
    rules: Sequence[LifecycleRule], version: Version, standing: Standing, since: datetime, now: datetime, day_seconds: int
) -> Verdict | None:
    for rule in rules:
        ends = rule.noncurrent_expiration
        if ends is not None and standing.newer >= (ends.newer or 0) and due(since, ends.days or 0, day_seconds) <= now:
            return Verdict(deed=Deed.REMOVE)
    if version.delete_marker:
        return None
    steps: list[NoncurrentTransition] = [step for rule in rules for step in rule.noncurrent_transitions if _large(rule, version)]
    reached = [step for step in steps if standing.newer >= (step.newer or 0) and due(since, step.days or 0, day_seconds) <= now]
    return _transition(version, [step.storage_class for step in reached])


def _expires(rule: LifecycleRule, version: Version, day_seconds: int) -> datetime | None:
    ends = rule.expiration
    if ends is None or (ends.days is None and ends.date is None):
        return None
    return dated(ends.date) if ends.date is not None else due(version.object.last_modified, ends.days or 0, day_seconds)


def _step_due(step: Transition, version: Version, day_seconds: int) -> datetime:
    return dated(step.date) if step.date is not None else due(version.object.last_modified, step.days or 0, day_seconds)


def _large(rule: LifecycleRule, version: Version) -> bool:
    return sized(rule) or version.object.size >= TRANSITION_MIN_BYTES


def _transition(version: Version, reached: Sequence[StorageClass]) -> Verdict | None:
    deepest = max(reached, key=_DEPTHS.__getitem__, default=version.object.storage_class)
    if _DEPTHS[deepest] <= _DEPTHS[version.object.storage_class]:
        return None
    return Verdict(deed=Deed.TRANSITION, storage_class=deepest)


def given_up(rules: Iterable[LifecycleRule], upload: Upload, now: datetime, day_seconds: int) -> bool:
    """Whether an upload is to be aborted by now. It has a key, and neither size nor tags yet."""
    return any(
        rule.abort_uploads is not None
        and all(upload.key.startswith(prefix) for prefix in prefixes(rule))
        and due(upload.initiated, rule.abort_uploads.days or 0, day_seconds) <= now
        for rule in rules
    )


def shown_expiration(bucket: Bucket, version: Version, named: str | None = None) -> str | None:
    """What a response tells of a current version's end: the earliest date, and the rule that says so (AWS, PutObject).

    Where a version is named there is nothing to tell: it may not be the current one. The date is the calendar's also
    where the operator has shortened the days.
    """
    configuration = bucket.settings.lifecycle
    if configuration is None or named is not None:
        return None
    rules = [rule for rule in enabled(configuration) if rule.expiration is not None and _about(rule, version)]
    ends = [(_expires(rule, version, DAY_SECONDS), rule.id) for rule in rules]
    moment, rule_id = min(((end, name or "") for end, name in ends if end is not None), default=(_LAST, ""))
    if moment == _LAST:
        return None
    day = f"{_DAY_NAMES[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d}"
    return f'expiry-date="{day} 00:00:00 GMT", rule-id="{quote(rule_id, safe="")}"'
