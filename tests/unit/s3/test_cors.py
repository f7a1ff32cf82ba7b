"""Which rule counts, and what is said of it."""

from __future__ import annotations

import pytest

from lightningstor_server.s3.cors import ORIGIN_MAX_CHARACTERS, REQUESTED_HEADERS_MAX, Asked, allowed, preflight, readable
from lightningstor_types.cors import CorsRule
from lightningstor_types.errors import AccessForbidden, BadRequest

VARY = b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def rule(origin: str = "https://a.test", *, methods: str = "GET", headers: str = "", expose: str = "", age: int | None = None) -> CorsRule:
    """A rule; names have spaces between them."""
    return CorsRule(
        allowed_origins=tuple(origin.split()),
        allowed_methods=tuple(methods.split()),
        allowed_headers=tuple(headers.split()),
        expose_headers=tuple(expose.split()),
        max_age_seconds=age,
    )


def told(asked: Asked, *rules: CorsRule) -> dict[str, str] | None:
    """What a preflight is told, by names without their prefix; None where it is refused."""
    try:
        headers = allowed(rules, asked, "OBJECT")
    except AccessForbidden:
        return None
    assert len(dict(headers)) == len(headers)
    return {name.decode().removeprefix("access-control-"): value.decode() for name, value in headers}


def ask(origin: str, method: str = "GET", *headers: str) -> Asked:
    """A preflight."""
    return Asked(origin=origin, method=method, headers=headers)


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("https://a.test", "https://a.test", True),
        ("https://a.test", "HTTPS://a.test", False),
        ("https://a.test", "https://a.test.evil", False),
        ("https://*.a.test", "https://x.y.a.test", True),
        ("https://*.a.test", "https://a.test", False),
        ("*suffix", "foo.suffix", True),
        ("*suffix", "foo.suffix.x", False),
        ("start*end", "startend", True),
        ("start*end", "start12end", True),
        ("aba*ba", "aba", False),
        ("prefix*", "prefix", True),
        ("prefix*", "x.prefix", False),
        ("*", "null", True),
        ("https://a?test", "https://a.test", False),
        ("https://[a-z]", "https://b", False),
    ],
)
def test_origins(pattern: str, origin: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """One `*` stands for any characters, also for none; case counts, and no other character means anything."""
    assert (told(ask(origin), rule(pattern)) is not None) == fits


def test_what_a_preflight_is_told() -> None:
    """The page's own origin with credentials, the methods of the rule, the headers that were asked for."""
    found = told(
        ask("https://a.test", "PUT", "x-amz-meta-a", "content-type"), rule(methods="GET PUT", headers="*", expose="ETag x-b", age=30)
    )
    assert found == {
        "allow-origin": "https://a.test",
        "allow-methods": "GET, PUT",
        "allow-headers": "x-amz-meta-a, content-type",
        "max-age": "30",
        "expose-headers": "ETag, x-b",
        "allow-credentials": "true",
        "vary": VARY.decode(),
    }


def test_the_star_has_no_credentials() -> None:
    """`*` is said by the rule that names it, and by no other."""
    assert told(ask("https://a.test"), rule("*")) == {"allow-origin": "*", "allow-methods": "GET", "vary": VARY.decode()}
    found = told(ask("https://a.test"), rule("https://* *"))
    assert found is not None
    assert (found["allow-origin"], found["allow-credentials"]) == ("https://a.test", "true")


def test_the_first_rule_that_matches_counts() -> None:
    """In its origin, its method and all of the headers."""
    rules = (rule(methods="PUT"), rule(headers="x-a"), rule(headers="x-*", age=1), rule("*", headers="*", age=2))
    assert told(ask("https://a.test"), *rules) == told(ask("https://a.test"), rules[1])
    for asked, age in ((ask("https://a.test", "GET", "x-b"), "1"), (ask("https://a.test", "GET", "x-b", "y"), "2")):
        found = told(asked, *rules)
        assert found is not None
        assert found["max-age"] == age
    assert told(ask("https://b.test", "DELETE"), *rules) is None


@pytest.mark.parametrize(
    ("patterns", "name", "fits"),
    [("X-Amz-*", "x-amz-date", True), ("*", "anything", True), ("x-a", "x-ab", False), ("", "x", False), ("X-A y", "x-a", True)],
)
def test_headers(patterns: str, name: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Without regard to case; none is allowed that no rule names."""
    asked = preflight({"origin": "https://a.test", "access-control-request-method": "GET", "access-control-request-headers": name.upper()})
    assert (told(asked, rule(headers=patterns)) is not None) == fits


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"access-control-request-method": "GET"},
        {"origin": "", "access-control-request-method": "GET"},
        {"origin": "https://a.test"},
        {"origin": "https://a.test", "access-control-request-method": ""},
        {"origin": "https://a.test", "access-control-request-method": "get"},
        {"origin": "https://a.test", "access-control-request-method": "PATCH"},
        {"origin": "https://a.test", "access-control-request-method": "GET, PUT"},
    ],
)
def test_what_is_no_preflight(headers: dict[str, str]) -> None:
    """It has an origin, and a method that S3 has."""
    with pytest.raises(BadRequest):
        preflight(headers)


@pytest.mark.parametrize(
    ("origin", "names"),
    [
        ("https://a.test\r\nx: y", ()),
        ("https://a.test x", ()),
        ("https://a.test,https://b.test", ()),
        ("https://\xe9.test", ()),
        ("https://a.test\x00", ()),
        ("x" * (ORIGIN_MAX_CHARACTERS + 1), ()),
        ("https://a.test", ("x\r\ny",)),
        ("https://a.test", ("x y",)),
        ("https://a.test", ("x:y",)),
        ("https://a.test", ("x",) * (REQUESTED_HEADERS_MAX + 1)),
    ],
)
def test_nothing_is_echoed_that_is_not_of_its_grammar(origin: str, names: tuple[str, ...]) -> None:
    """Whatever a rule allows: it would be another header, or another value."""
    everything = rule("https://* *", headers="*")
    assert told(ask(origin, "GET", *names), everything) is None
    if not names:
        assert readable((everything,), {"origin": origin}, "GET") == [(b"vary", VARY)]


def test_answers_that_pages_read() -> None:
    """The method is the request's, or the one that it says; without rules nothing is told, without a match only that it varies."""
    found = (rule("https://a.test", methods="GET", expose="ETag", age=30),)
    said = dict(readable(found, {"origin": "https://a.test"}, "GET"))
    assert said == {
        b"access-control-allow-origin": b"https://a.test",
        b"access-control-allow-methods": b"GET",
        b"access-control-expose-headers": b"ETag",
        b"access-control-allow-credentials": b"true",
        b"vary": VARY,
    }
    assert dict(readable(found, {"origin": "https://a.test", "access-control-request-method": "GET"}, "PUT")) == said
    assert readable(found, {"origin": "https://a.test"}, "PUT") == [(b"vary", VARY)]
    assert readable((), {"origin": "https://a.test"}, "GET") == []
