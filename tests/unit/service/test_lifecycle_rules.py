"""What rules say of a version: as tables, and against a reference that asks every rule about everything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.service.lifecycle_rules import (
    DAY_SECONDS,
    TRANSITION_MIN_BYTES,
    Deed,
    Standing,
    Verdict,
    due,
    given_up,
    judge,
    shown_expiration,
)
from lightningstor_server.stores.metadata.values import NO_BODY, Upload, Version
from lightningstor_types.buckets import Bucket
from lightningstor_types.digests import ETag
from lightningstor_types.lifecycle import (
    AbortUploads,
    Expiration,
    LifecycleConditions,
    LifecycleConfiguration,
    LifecycleFilter,
    LifecycleRule,
    LifecycleStatus,
    NoncurrentExpiration,
    NoncurrentTransition,
    Transition,
)
from lightningstor_types.names import BucketName
from lightningstor_types.objects import NO_METADATA, Object, StorageClass
from lightningstor_types.settings import BucketSettings
from lightningstor_types.tags import Tag

START: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MIDNIGHT: Final = datetime(2026, 3, 5, tzinfo=UTC)
DAY: Final = timedelta(days=1)
A, B = Tag(key="a", value="1"), Tag(key="b", value="2")
EXPIRE, REMOVE = Verdict(deed=Deed.EXPIRE), Verdict(deed=Deed.REMOVE)
IA, ONE, TIERED = StorageClass.STANDARD_IA, StorageClass.ONEZONE_IA, StorageClass.INTELLIGENT_TIERING


def version(key: str = "k", *, size: int = 10, tags: tuple[Tag, ...] = (), marker: bool = False, **fields: Any) -> Version:
    """A version written at START."""
    item = Object(key=key, size=0 if marker else size, etag=ETag("e"), last_modified=START, revision=1, **fields)
    return Version(object=item, body=NO_BODY if marker else 1, tags=tags)


def rule(**fields: Any) -> LifecycleRule:
    """A rule about everything, unless it has a filter."""
    where: dict[str, Any] = {} if "prefix" in fields else {"filter": LifecycleFilter()}
    return LifecycleRule(**{"id": "r", "status": LifecycleStatus.ENABLED, **where, **fields})


DAYS_1: Final = Expiration(days=1)


@pytest.mark.parametrize(
    ("begun", "days", "day_seconds", "expected"),
    [
        (START, 0, DAY_SECONDS, MIDNIGHT),
        (START, 1, DAY_SECONDS, MIDNIGHT + DAY),
        (MIDNIGHT, 1, DAY_SECONDS, MIDNIGHT + DAY),
        (MIDNIGHT + timedelta(microseconds=1), 1, DAY_SECONDS, MIDNIGHT + 2 * DAY),
        (START, 3, 10, START + timedelta(seconds=30)),
        (START, 2**31 - 1, DAY_SECONDS, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_when_days_are_over(begun: datetime, days: int, day_seconds: int, expected: datetime) -> None:
    """At the next midnight UTC; a shortened day as it is, and no number of days is too many."""
    assert due(begun, days, day_seconds) == expected


@pytest.mark.parametrize(
    ("where", "key", "size", "tags", "selected"),
    [
        ({"prefix": "a/"}, "a/b", 1, (), True),
        ({"prefix": "a/"}, "b", 1, (), False),
        ({"filter": LifecycleFilter(prefix="a")}, "ab", 1, (), True),
        ({"filter": LifecycleFilter(tag=A)}, "k", 1, (B, A), True),
        ({"filter": LifecycleFilter(tag=A)}, "k", 1, (Tag(key="a", value="2"),), False),
        ({"filter": LifecycleFilter(size_above=5)}, "k", 5, (), False),
        ({"filter": LifecycleFilter(size_above=5)}, "k", 6, (), True),
        ({"filter": LifecycleFilter(size_below=5)}, "k", 5, (), False),
        ({"filter": LifecycleFilter(size_below=5)}, "k", 4, (), True),
        ({"filter": LifecycleFilter(all_of=LifecycleConditions(prefix="a", tags=(A, B)))}, "a", 1, (A,), False),
        ({"filter": LifecycleFilter(all_of=LifecycleConditions(prefix="a", tags=(A, B)))}, "a", 1, (A, B), True),
        ({"filter": LifecycleFilter(tag=A, all_of=LifecycleConditions(tags=(B,)))}, "a", 1, (B,), False),
    ],
)
def test_which_objects_a_rule_is_about(where: dict[str, Any], key: str, size: int, tags: tuple[Tag, ...], *, selected: bool) -> None:
    """All conditions hold, sizes are excluded themselves, a tag has its value."""
    found = judge([rule(expiration=DAYS_1, **where)], version(key, size=size, tags=tags), Standing(), MIDNIGHT + DAY, DAY_SECONDS)
    assert found == (EXPIRE if selected else None)


LARGE: Final[dict[str, Any]] = {"size": TRANSITION_MIN_BYTES}
SINCE: Final = Standing(since=START, newer=2)
MOVES: Final[dict[str, Any]] = {"transitions": (Transition(days=0, storage_class=IA), Transition(days=2, storage_class=ONE))}


@pytest.mark.parametrize(
    ("fields", "about", "standing", "days", "expected"),
    [
        ({"expiration": DAYS_1}, {}, Standing(), 0, None),
        ({"expiration": DAYS_1}, {}, Standing(), 1, EXPIRE),
        ({"expiration": Expiration(date="2026-03-06T00:00:00Z")}, {}, Standing(), 0, None),
        ({"expiration": Expiration(date="2026-03-06")}, {}, Standing(), 1, EXPIRE),
        ({"expiration": DAYS_1}, {}, SINCE, 9, None),
        ({"expiration": DAYS_1}, {"marker": True}, Standing(), 9, None),
        ({"expiration": DAYS_1}, {"marker": True}, Standing(alone=True), 0, None),
        ({"expiration": DAYS_1}, {"marker": True}, Standing(alone=True), 1, REMOVE),
        ({"expiration": Expiration(lone_markers=True)}, {"marker": True}, Standing(alone=True), 0, REMOVE),
        ({"expiration": Expiration(lone_markers=True)}, {"marker": True}, Standing(), 9, None),
        ({"expiration": Expiration(lone_markers=False)}, {"marker": True}, Standing(alone=True), 9, None),
        ({"expiration": Expiration(lone_markers=True)}, {}, Standing(alone=True), 9, None),
        ({"expiration": DAYS_1, "filter": LifecycleFilter(size_below=9)}, {"marker": True}, Standing(alone=True), 9, None),
        ({"expiration": DAYS_1, "filter": LifecycleFilter(tag=A)}, {"marker": True}, Standing(alone=True), 9, None),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1)}, {}, SINCE, 0, None),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1)}, {}, SINCE, 1, REMOVE),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1)}, {"marker": True}, SINCE, 1, REMOVE),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1)}, {}, Standing(), 9, None),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1, newer=2)}, {}, SINCE, 1, REMOVE),
        ({"noncurrent_expiration": NoncurrentExpiration(days=1, newer=3)}, {}, SINCE, 9, None),
        (MOVES, {}, Standing(), 9, None),
        (MOVES, LARGE, Standing(), 0, Verdict(deed=Deed.TRANSITION, storage_class=IA)),
        (MOVES, LARGE, Standing(), 2, Verdict(deed=Deed.TRANSITION, storage_class=ONE)),
        (MOVES, {**LARGE, "storage_class": ONE}, Standing(), 9, None),
        (MOVES, {**LARGE, "storage_class": TIERED}, Standing(), 0, None),
        ({**MOVES, "filter": LifecycleFilter(size_above=1)}, {}, Standing(), 0, Verdict(deed=Deed.TRANSITION, storage_class=IA)),
        ({**MOVES, "expiration": DAYS_1}, LARGE, Standing(), 1, EXPIRE),
        (MOVES, {"marker": True}, Standing(alone=True), 9, None),
        ({"noncurrent_transitions": (NoncurrentTransition(days=1, storage_class=IA, newer=2),)}, LARGE, SINCE, 1,
         Verdict(deed=Deed.TRANSITION, storage_class=IA)),
        ({"noncurrent_transitions": (NoncurrentTransition(days=1, storage_class=IA, newer=3),)}, LARGE, SINCE, 9, None),
        ({"noncurrent_transitions": (NoncurrentTransition(days=1, storage_class=IA),)}, {"marker": True}, SINCE, 9, None),
    ],
)  # fmt: skip
def test_what_a_rule_says(fields: dict[str, Any], about: dict[str, Any], standing: Standing, days: int, expected: Verdict | None) -> None:
    """Of a version so many days after the midnight that follows START."""
    assert judge([rule(**fields)], version(**about), standing, MIDNIGHT + days * DAY, DAY_SECONDS) == expected


def test_uploads_that_are_given_up() -> None:
    """By their prefix and their age."""
    upload = Upload(
        id="0-x", bucket=1, key="a/b", ordinal=0, initiated=START, metadata=NO_METADATA, storage_class=StorageClass.STANDARD,
        checksum_algorithm=None, checksum_type=None,
    )  # fmt: skip
    for prefix, days, expected in (("a/", 1, True), ("a/", 2, False), ("b", 1, False)):
        rules = [rule(prefix=prefix, abort_uploads=AbortUploads(days=days)), rule(expiration=DAYS_1)]
        assert given_up(rules, upload, MIDNIGHT + DAY, DAY_SECONDS) is expected


# -- against a reference

SMALL: Final = st.integers(1, 4)
TAGS: Final = st.lists(st.sampled_from([A, B]), unique=True, max_size=2).map(tuple)
CONDITIONS: Final = st.builds(
    LifecycleConditions, prefix=st.sampled_from([None, "", "a", "ab"]), tags=TAGS, size_above=st.sampled_from([None, 5]),
    size_below=st.sampled_from([None, 20]),
)  # fmt: skip
RULES: Final = st.builds(
    LifecycleRule,
    id=st.uuids().map(str),
    status=st.just(LifecycleStatus.ENABLED),
    filter=st.builds(LifecycleFilter, prefix=st.sampled_from([None, "a"]), all_of=st.none() | CONDITIONS),
    expiration=st.none()
    | st.builds(Expiration, days=SMALL)
    | st.builds(Expiration, date=st.sampled_from(["2026-03-06", "2026-03-08"]))
    | st.builds(Expiration, lone_markers=st.booleans()),
    noncurrent_expiration=st.none() | st.builds(NoncurrentExpiration, days=SMALL, newer=st.none() | SMALL),
)
VERSIONS: Final = st.builds(
    version, st.sampled_from(["a", "ab", "b"]), size=st.sampled_from([1, 5, 6, 20, 30]), tags=TAGS, marker=st.booleans()
)
STANDINGS: Final = st.builds(Standing, alone=st.booleans()) | st.builds(Standing, since=st.just(START), newer=st.integers(0, 4))


def _midnights(begun: datetime, days: int, now: datetime) -> bool:
    """Whether so many days and the rest of one are over, by counting days."""
    moment = begun + days * DAY
    while (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        moment += timedelta(seconds=1)
    return now >= moment


def _reference(rules: Iterable[LifecycleRule], of: Version, standing: Standing, now: datetime) -> Verdict | None:
    wanted = set()
    for each in rules:
        parts = [LifecycleConditions(prefix=each.filter.prefix), each.filter.all_of or LifecycleConditions()]  # type: ignore[union-attr]
        texts, tags = [part.prefix or "" for part in parts], {tag for part in parts for tag in part.tags}
        sizes = [(part.size_above, part.size_below) for part in parts if (part.size_above, part.size_below) != (None, None)]
        if of.delete_marker and (tags or sizes):
            continue
        fits = all(of.key[: len(text)] == text for text in texts) and tags <= set(of.tags if not of.delete_marker else ())
        for above, below in sizes:
            fits = fits and (above is None or of.object.size > above) and (below is None or of.object.size < below)
        if not fits:
            continue
        ends, late = each.expiration, each.noncurrent_expiration
        if standing.since is not None:
            if late is not None and (late.newer is None or standing.newer >= late.newer) and _midnights(START, late.days or 0, now):
                wanted.add(Deed.REMOVE)
            continue
        if ends is None:
            continue
        over = (ends.days is not None and _midnights(START, ends.days, now)) or (
            ends.date is not None and now.date().isoformat() >= ends.date
        )
        if of.delete_marker and standing.alone and (over or ends.lone_markers):
            wanted.add(Deed.REMOVE)
        if not of.delete_marker and over:
            wanted.add(Deed.EXPIRE)
    assert len(wanted) <= 1
    return Verdict(deed=wanted.pop()) if wanted else None


@given(rules=st.lists(RULES, max_size=4), of=VERSIONS, standing=STANDINGS, hours=st.integers(0, 24 * 6))
def test_against_the_reference(rules: list[LifecycleRule], of: Version, standing: Standing, hours: int) -> None:
    """Whatever rules there are, both say the same."""
    now = MIDNIGHT + timedelta(hours=hours)
    assert judge(rules, of, standing, now, DAY_SECONDS) == _reference(rules, of, standing, now)


@given(rules=st.lists(RULES, max_size=4), of=VERSIONS)
def test_the_date_that_is_told_is_the_one_that_is_kept(rules: list[LifecycleRule], of: Version) -> None:
    """Before it nothing expires, at it the object does; where none is told, nothing ever does."""
    settings = BucketSettings(lifecycle=LifecycleConfiguration(rules=tuple(rules)))
    bucket = Bucket(
        id=1, name=BucketName("bucket"), organisation_id=1, project_id=1, region="", created=START, generation=1, settings=settings
    )
    of = attrs.evolve(of, body=1)
    told = shown_expiration(bucket, of)
    days = [day for day in range(400) if judge(rules, of, Standing(), MIDNIGHT + day * DAY, DAY_SECONDS) == EXPIRE]
    assert (told is None) == (not days)
    if told is not None:
        assert told.startswith(f'expiry-date="{(MIDNIGHT + days[0] * DAY):%a, %d %b %Y} 00:00:00 GMT"')
