"""When a request is wanted: tables after RFC 9110 section 13 and AWS's conditional requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.service import preconditions
from lightningstor_server.service.preconditions import check_delete, check_read, check_source, check_write
from lightningstor_types import errors
from lightningstor_types.digests import ETag
from lightningstor_types.objects import Object
from lightningstor_types.operations.common import ReadConditions, WriteConditions

TAG: Final = "5d41402abc4b2a76b9719d911017c592"
SAME, OTHER = f'"{TAG}"', '"0123456789abcdef0123456789abcdef"'
MODIFIED: Final = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
SECOND: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""The moment as HTTP can say it."""
BEFORE, AFTER = SECOND - timedelta(seconds=1), SECOND + timedelta(seconds=1)
ITEM: Final = Object(key="k", size=5, etag=ETag(TAG), last_modified=MODIFIED)
TAG_PATTERN: Final = preconditions._TAG
FAILED, UNCHANGED, WANTED = errors.PreconditionFailed, errors.NotModified, None

READS = [
    # If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, outcome; steps are those of section 13.2.2
    (None, None, None, None, WANTED),
    (SAME, None, None, None, WANTED),
    (OTHER, None, None, None, FAILED),
    ("*", None, None, None, WANTED),
    (None, AFTER, None, None, WANTED),
    (None, SECOND, None, None, WANTED),
    (None, BEFORE, None, None, FAILED),
    (None, None, OTHER, None, WANTED),
    (None, None, SAME, None, UNCHANGED),
    (None, None, "*", None, UNCHANGED),
    (None, None, None, BEFORE, WANTED),
    (None, None, None, SECOND, UNCHANGED),
    (None, None, None, AFTER, UNCHANGED),
    # step 1 true: step 2 is left out, whatever the date says
    (SAME, BEFORE, None, None, WANTED),
    (OTHER, AFTER, None, None, FAILED),
    # step 3 there: step 4 is left out
    (None, None, OTHER, AFTER, WANTED),
    (None, None, SAME, BEFORE, UNCHANGED),
    # 412 comes before 304
    (OTHER, None, SAME, None, FAILED),
    (None, BEFORE, SAME, None, FAILED),
    (None, BEFORE, None, AFTER, FAILED),
    # steps 1 and 2 true: on to 3 and 4
    (SAME, None, SAME, None, UNCHANGED),
    (SAME, None, OTHER, None, WANTED),
    (SAME, None, None, AFTER, UNCHANGED),
    (SAME, BEFORE, OTHER, AFTER, WANTED),
    (None, AFTER, SAME, None, UNCHANGED),
    (None, AFTER, None, SECOND, UNCHANGED),
]
TAGS = [
    # a list of entity tags, If-Match holds, If-None-Match holds
    (SAME, True, False),
    (TAG, True, False),
    (f" {SAME} ", True, False),
    (f"{OTHER}, {SAME}", True, False),
    (f"{OTHER},{SAME},{OTHER}", True, False),
    (f"{OTHER} , {TAG}", True, False),
    (" * ", True, False),
    (OTHER, False, True),
    (f"{OTHER}, {OTHER}", False, True),
    (f'"{TAG}-2"', False, True),
    (f'"{TAG.upper()}"', False, True),
    (f'"{TAG[:-1]}"', False, True),
    ('""', False, True),
    ("", False, True),
    (f'"a,{TAG}"', False, True),
    (f"W/{OTHER}", False, True),
    # section 13.1.2: If-None-Match compares weakly; 13.1.1: If-Match strongly, and a weak tag is never strongly equal
    (f"W/{SAME}", False, False),
    (f"W/{OTHER}, {SAME}", True, False),
]


@pytest.mark.parametrize(("match", "unmodified", "none_match", "modified", "outcome"), READS)
def test_reads_follow_the_order_of_the_rfc(
    match: str | None,
    unmodified: datetime | None,
    none_match: str | None,
    modified: datetime | None,
    outcome: type[errors.StorError] | None,
) -> None:
    """Section 13.2.2, row by row; for a copy's source every refusal is 412 (AWS, CopyObject)."""
    conditions = ReadConditions(if_match=match, if_unmodified_since=unmodified, if_none_match=none_match, if_modified_since=modified)
    if outcome is None:
        check_read(conditions, ITEM)
        check_source(conditions, ITEM)
        return
    with pytest.raises(outcome):
        check_read(conditions, ITEM)
    with pytest.raises(errors.PreconditionFailed):
        check_source(conditions, ITEM)


@pytest.mark.parametrize(("tags", "match", "none_match"), TAGS)
def test_lists_of_entity_tags(tags: str, *, match: bool, none_match: bool) -> None:
    """Section 8.8.3; S3 takes tags without quotes, too."""
    for conditions, holds, error in (
        (ReadConditions(if_match=tags), match, errors.PreconditionFailed),
        (ReadConditions(if_none_match=tags), none_match, errors.NotModified),
    ):
        if holds:
            check_read(conditions, ITEM)
        else:
            with pytest.raises(error):
                check_read(conditions, ITEM)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_that_holds_or_not(text: str) -> None:
    """Nothing that a client can send breaks the comparison."""
    try:
        check_read(ReadConditions(if_match=text), ITEM)
    except errors.PreconditionFailed:
        assert text.strip() != "*"


@pytest.mark.parametrize("text", [" " * 8000, "a" * 8000 + '"', '"' * 8001, 'W/"' * 2700], ids=["spaces", "bare", "quotes", "weak"])
def test_a_long_header_costs_little(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no tag is tried once and ends the reading: a search from every place would cost the square of the length."""
    tried: list[int] = []

    class Counted:
        """The pattern, which can be tried at a place and not searched for."""

        def match(self, condition: str, at: int = 0) -> re.Match[str] | None:
            tried.append(at)
            return TAG_PATTERN.match(condition, at)

    monkeypatch.setattr(preconditions, "_TAG", Counted())
    with pytest.raises(errors.PreconditionFailed):
        check_read(ReadConditions(if_match=text), ITEM)
    assert tried == [0]


def test_the_answer_304_carries_the_tag() -> None:
    """RFC 9110 section 15.4.5."""
    with pytest.raises(errors.NotModified) as raised:
        check_read(ReadConditions(if_none_match="*"), ITEM)
    assert raised.value.details == {"ETag": TAG}


@pytest.mark.parametrize(
    ("match", "none_match", "there", "outcome"),
    [
        (None, None, True, None),
        (None, None, False, None),
        (None, "*", False, None),
        (None, "*", True, errors.PreconditionFailed),
        (None, SAME, True, errors.PreconditionFailed),
        (None, OTHER, True, None),
        (None, SAME, False, None),
        (SAME, None, True, None),
        (TAG, None, True, None),
        ("*", None, True, None),
        (OTHER, None, True, errors.PreconditionFailed),
        (SAME, None, False, errors.NoSuchKey),
        ("*", None, False, errors.NoSuchKey),
        (SAME, "*", True, errors.PreconditionFailed),
    ],
)
def test_writes_take_what_aws_takes(
    match: str | None, none_match: str | None, there: object, outcome: type[errors.StorError] | None
) -> None:
    """AWS, "Conditional writes": If-Match on nothing is 404; If-None-Match with a tag is RFC 9110's, which AWS does not take."""
    conditions = WriteConditions(if_match=match, if_none_match=none_match)
    current = ITEM if there else None
    if outcome is None:
        check_write(conditions, current)
    else:
        with pytest.raises(outcome):
            check_write(conditions, current)


@pytest.mark.parametrize(
    ("etag", "modified", "size", "outcome"),
    [
        (None, None, None, None),
        (SAME, None, None, None),
        ("*", None, None, None),
        (OTHER, None, None, errors.PreconditionFailed),
        (None, SECOND, None, None),
        (None, MODIFIED, None, None),
        (None, BEFORE, None, errors.PreconditionFailed),
        (None, SECOND + timedelta(seconds=2), None, errors.PreconditionFailed),
        (None, None, 5, None),
        (None, None, 0, errors.PreconditionFailed),
        (SAME, SECOND, 5, None),
        (SAME, SECOND, 6, errors.PreconditionFailed),
        (OTHER, SECOND, 5, errors.PreconditionFailed),
    ],
)
def test_deletes_take_what_aws_takes(
    etag: str | None, modified: datetime | None, size: int | None, outcome: type[errors.StorError] | None
) -> None:
    """AWS, "Conditional deletes": all that is given must hold; where nothing is there, nothing is to be done."""
    if outcome is None:
        check_delete(ITEM, etag=etag, modified=modified, size=size)
    else:
        with pytest.raises(outcome):
            check_delete(ITEM, etag=etag, modified=modified, size=size)
    check_delete(None, etag=etag, modified=modified, size=size)
