"""The names that policies use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lightningstor_server.service
from lightningstor_server.auth.patterns import context_key
from lightningstor_server.auth.principals import account_id, iam_arn, read_principal, sts_arn
from lightningstor_server.auth.vocabulary import (
    ABSENT_KEYS,
    FILLED_KEYS,
    MULTIVALUED_KEYS,
    S3_ACTIONS,
    TAG_KEYS,
    is_context_key,
    names_an_action,
)

OF_NO_BUCKET = {"s3:ListAllMyBuckets"}


def test_what_the_rules_ask_for_can_be_allowed() -> None:
    """Every action of S3's that stands in a rule is known, or is done with no bucket."""
    texts = [path.read_text() for path in Path(lightningstor_server.service.__file__).parent.glob("*.py")]
    named = {name for text in texts for name in re.findall(r'"(s3:[A-Z][A-Za-z]+)"', text)}
    asked = {name for name in named if not is_context_key(name)}
    assert len(asked) > 20
    assert asked - OF_NO_BUCKET <= S3_ACTIONS


@pytest.mark.parametrize(
    ("pattern", "known"),
    [("s3:GetObject", True), ("S3:getobject", True), ("s3:*", True), ("s3:Get*Tagging", True), ("s3:Fly*", False), ("ec2:*", False)],
)
def test_a_pattern_names_an_action_if_it_matches_one(pattern: str, known: object) -> None:
    """In whatever case."""
    assert names_an_action(pattern) is known


def test_each_key_is_in_one_table() -> None:
    """And known in whatever case; a tag's key follows its family."""
    keys = [context_key(key) for key in (*FILLED_KEYS, *MULTIVALUED_KEYS, *ABSENT_KEYS)]
    assert len(set(keys)) == len(keys)
    assert all(is_context_key(key.swapcase()) for key in keys)
    assert all(is_context_key(f"{family}x/y") and not is_context_key(family) for family in TAG_KEYS)
    assert not is_context_key("s3:nothing")
    assert not is_context_key("prefix")


def test_the_arns_that_are_written_are_understood() -> None:
    """An account by its number in twelve digits, and what is in it."""
    account = account_id(7)
    assert account == "000000000007"
    for arn in (
        iam_arn(account, "root"),
        iam_arn(account, "user/team/al"),
        iam_arn(account, "role/r"),
        sts_arn(account, "assumed-role/r/s"),
    ):
        assert read_principal("AWS", arn) == f"AWS {arn}"
    assert read_principal("AWS", account) == read_principal("AWS", iam_arn(account, "root"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("AWS", "arn:aws:iam::1:user/a*"),
        ("AWS", "a b"),
        ("AWS", "arn:aws:iam::1:policy/p"),
        ("Service", "S3"),
        ("Federated", ""),
        ("None", "x"),
    ],
)
def test_what_is_no_principal(kind: str, text: str) -> None:
    """No part of a name is a wildcard (AWS, "AWS JSON policy elements: Principal")."""
    with pytest.raises(ValueError, match="principal"):
        read_principal(kind, text)
