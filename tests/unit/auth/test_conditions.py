"""The operators of conditions."""

from __future__ import annotations

import pytest

from lightningstor_server.auth.conditions import OPERATORS, read_condition
from lightningstor_server.auth.patterns import context_key

VALID = {
    # a family of operators: a value that a policy may have, one of a request that matches, one that does not
    "String": ("a", "a", "b"),
    "NumericEquals": ("1", "1.0", "2"),
    "NumericNotEquals": ("1", "1.0", "2"),
    "NumericLessThan": ("1", "0.5", "1.5"),
    "NumericGreaterThan": ("1", "1.5", "0.5"),
    "DateEquals": ("2026-01-01T00:00:00Z", "1767225600", "2025"),
    "DateNotEquals": ("2026-01-01T00:00:00Z", "1767225600", "2025"),
    "DateLessThan": ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999Z", "2026-01-02"),
    "DateGreaterThan": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z", "2025"),
    "Bool": ("true", "True", "false"),
    "Binary": ("YWI=", "YWI=", "YWM="),
    "IpAddress": ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
    "NotIpAddress": ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
    "Arn": ("arn:aws:s3:::b", "arn:aws:s3:::b", "arn:aws:s3:::c"),
}
CASES = [(name, *next(values for family, values in VALID.items() if name.startswith(family))) for name in OPERATORS]


def holds(name: str, wanted: str | tuple[str, ...], *given: str) -> bool:
    """Whether an operator holds for a key of these values."""
    values = (wanted,) if isinstance(wanted, str) else wanted
    return read_condition(name, "aws:Key", values, variables=True).holds({"aws:key": given} if given else {})


@pytest.mark.parametrize(("name", "wanted", "same", "other"), CASES, ids=[case[0] for case in CASES])
def test_an_operator_with_and_without_its_key(name: str, wanted: str, same: str, other: str) -> None:
    """A negated operator is the opposite, also without the key; IfExists holds without it; the set operators are told apart."""
    negated = OPERATORS[name].negated
    assert holds(name, wanted, same) is not negated
    assert holds(name, wanted, other) is negated
    assert holds(name, wanted, same, other) is not negated
    assert holds(name, wanted) is negated
    assert holds(f"{name}IfExists", wanted)
    assert holds(f"{name}IfExists", wanted, other) is negated
    for suffix in ("", "IfExists"):
        assert holds(f"ForAllValues:{name}{suffix}", wanted)
        assert holds(f"ForAllValues:{name}{suffix}", wanted, same, same) is not negated
        assert not holds(f"ForAllValues:{name}{suffix}", wanted, same, other)
        assert not holds(f"ForAnyValue:{name}{suffix}", wanted)
        assert holds(f"ForAnyValue:{name}{suffix}", wanted, same, other)
        assert holds(f"ForAnyValue:{name}{suffix}", wanted, other, other) is negated


@pytest.mark.parametrize(("name", "wanted", "same", "other"), CASES, ids=[case[0] for case in CASES])
def test_values_are_alternatives(name: str, wanted: str, same: str, other: str) -> None:
    """One of the policy's values is enough; a negated operator wants none of them."""
    for both in ((other, wanted), (wanted, other)):
        assert holds(name, both, same) is not OPERATORS[name].negated


@pytest.mark.parametrize("family", ["Numeric", "Date"])
@pytest.mark.parametrize(("less", "equal", "greater", "relation"), [
    (True, False, False, "LessThan"), (True, True, False, "LessThanEquals"), (False, True, False, "Equals"),
    (False, True, True, "GreaterThanEquals"), (False, False, True, "GreaterThan"), (True, False, True, "NotEquals"),
])  # fmt: skip
def test_order_is_strict_or_not(family: str, less: object, equal: object, greater: object, relation: str) -> None:
    """The request's value stands on the left."""
    assert [holds(family + relation, "1000000", given) for given in ("999999.5", "1000000", "1000001")] == [less, equal, greater]


@pytest.mark.parametrize(
    ("name", "wanted", "given", "outcome"),
    [
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", "A", "a", False),
        ("StringEqualsIgnoreCase", "STRASSE", "straße", True),
        ("StringLike", "http://www.example.com/*", "http://www.example.com/", True),
        ("StringLike", "http://www.example.com/*", "http://example.com", False),
        ("StringLike", "", "", True),
        ("StringLike", "a?", "a", False),
        ("NumericLessThanEquals", "10", "10.0", True),
        ("NumericEquals", "10", "ten", False),
        ("NumericNotEquals", "10", "ten", True),
        ("NumericEquals", "0.1", "0.10", True),
        ("NumericEquals", "9007199254740993", "9007199254740992", False),
        ("NumericEquals", "1", "1" * 41, False),
        ("DateEquals", "2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", True),
        ("DateEquals", "1970", "0", True),
        ("DateEquals", "2026-02", "2026-02-01", True),
        ("DateLessThan", "2026-01-02T03:04:05.2Z", "2026-01-02T03:04:05.19Z", True),
        ("DateEquals", "0001-01-01T00:00+14:00", "0001-01-01T00:00+14:00", True),
        ("Bool", "false", "FALSE", True),
        ("Bool", "false", "", False),
        ("IpAddress", "192.0.2.1", "192.0.2.1", True),
        ("IpAddress", "192.0.2.77/24", "192.0.2.1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", True),
        ("IpAddress", "192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("IpAddress", "::ffff:192.0.2.0/120", "192.0.2.1", True),
        ("IpAddress", "fe80::/10", "fe80::1%eth0", True),
        ("IpAddress", "192.0.2.0/24", "192.0.2.1, 10.0.0.1", False),
        ("NotIpAddress", "192.0.2.0/24", "unknown", True),
        ("ArnLike", "arn:aws:someservice:*:1:finance/*", "arn:aws:someservice:x:2:store/abc:1:finance/document", False),
        ("ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::b:c/d", True),
        ("ArnLike", "*", "arn:aws:s3:::b", True),
        ("ArnLike", "arn:aws:s3:::*", "b", False),
        ("ArnNotLike", "arn:aws:s3:::*", "b", True),
        ("BinaryEquals", "YWI=", "YWI", False),
    ],
)
def test_values_are_compared_by_their_kind(name: str, wanted: str, given: str, outcome: object) -> None:
    """Numbers, dates, addresses and ARNs as what they are; what is no such thing in a request matches nothing."""
    assert holds(name, wanted, given) is outcome


@pytest.mark.parametrize(("wanted", "there", "absent"), [("true", False, True), ("false", True, False), (("true", "FALSE"), True, True)])
def test_null_is_about_the_key(wanted: str | tuple[str, ...], there: object, absent: object) -> None:
    """`true` wants it absent and `false` present; an empty value is a value."""
    assert holds("Null", wanted, "x") is there
    assert holds("Null", wanted, "") is there
    assert holds("Null", wanted) is absent


def test_an_empty_text_is_an_empty_set() -> None:
    """For the set operators, and for them alone."""
    assert holds("ForAllValues:StringEquals", "a", "")
    assert not holds("ForAnyValue:StringEquals", "", "")
    assert holds("StringEquals", "", "")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", "a"), ("Equals", "a"), ("stringEquals", "a"), ("StringEquals ", "a"), ("StringEqualsIfExistsIfExists", "a"),
        ("ForSomeValues:StringEquals", "a"), (":StringEquals", "a"), ("ForAnyValue:ForAllValues:StringEquals", "a"),
        ("NullIfExists", "true"), ("ForAnyValue:Null", "true"), ("Null", "yes"), ("Null", ""),
        ("NumericEquals", ""), ("NumericEquals", "1e3"), ("NumericEquals", "NaN"), ("NumericEquals", "1."), ("NumericEquals", "٣"),
        ("NumericEquals", "${aws:username}"), ("NumericEquals", "1" * 41),
        ("DateEquals", "2026-13"), ("DateEquals", "2026-01-02T03:04:05"), ("DateEquals", "0000"), ("DateEquals", "2026-01-02T24:00Z"),
        ("DateEquals", "2026*"), ("DateEquals", "today"),
        ("Bool", "1"), ("Bool", ""), ("BinaryEquals", "YWI"), ("BinaryEquals", "*"),
        ("IpAddress", "192.0.2.0/33"), ("IpAddress", "192.0.2"), ("IpAddress", "192.0.2.0/255.255.255.0"), ("IpAddress", "*"),
        ("IpAddress", "fe80::1%eth0"), ("IpAddress", "::/129"), ("IpAddress", ""),
        ("ArnEquals", "arn:aws:s3"), ("ArnLike", "arn:*"), ("ArnLike", ""),
        ("StringEquals", "${"), ("StringEquals", "${}"), ("StringLike", "${aws:username"), ("StringLike", "${aws:username,'x'"),
        ("StringLike", "${user}"), ("StringLike", "${aws:${x}}"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_language_is_refused(name: str, wanted: str) -> None:
    """When it is read, and not when it is used."""
    with pytest.raises(ValueError, match=r"\w"):
        read_condition(name, "aws:Key", (wanted,), variables=True)


def test_variables_are_texts() -> None:
    """Their values have no wildcards; without a value nothing matches, and a negated operator holds."""
    like = read_condition("StringLike", "s3:prefix", ("home/${aws:username}/*",), variables=True)
    assert like.holds({"s3:prefix": ("home/al/x",), "aws:username": ("al",)})
    assert not like.holds({"s3:prefix": ("home/al/x",), "aws:username": ("*",)})
    assert like.holds({"s3:prefix": ("home/*/x",), "aws:username": ("*",)})
    assert not like.holds({"s3:prefix": ("home/${aws:username}/x",)})
    assert not like.holds({"s3:prefix": ("home/al/x",), "aws:username": ("al", "bo")})
    unlike = read_condition("StringNotLike", "s3:prefix", ("home/${aws:username}/*",), variables=True)
    assert unlike.holds({"s3:prefix": ("home/al/x",)})
    folded = read_condition("StringEqualsIgnoreCase", "s3:prefix", ("${aws:username}",), variables=True)
    assert folded.holds({"s3:prefix": ("AL",), "aws:username": ("al",)})
    assert not folded.holds({"s3:prefix": ("AL",)})
    arn = read_condition("ArnEquals", "aws:SourceArn", ("${aws:PrincipalArn}",), variables=True)
    assert arn.holds({"aws:sourcearn": ("arn:aws:iam::1:user/*",), "aws:principalarn": ("arn:aws:iam::1:user/*",)})
    assert not arn.holds({"aws:sourcearn": ("arn:aws:iam::1:user/al",), "aws:principalarn": ("arn:aws:iam::1:user/*",)})
    assert not arn.holds({"aws:sourcearn": ("arn:aws:iam::1:user/al",), "aws:principalarn": ("al",)})


def test_keys_are_told_apart_by_case_in_tags_of_objects_alone() -> None:
    """Names of keys are not, and IAM's tags are not; of an object's tags `A` and `a` are two."""
    assert context_key("AWS:SourceIP") == context_key("aws:sourceIp")
    assert context_key("aws:PrincipalTag/Team") == context_key("aws:principaltag/team")
    assert context_key("S3:existingobjecttag/Team") == context_key("s3:ExistingObjectTag/Team")
    assert context_key("s3:ExistingObjectTag/Team") != context_key("s3:ExistingObjectTag/team")
