"""Patterns and how much it takes to match them."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightningstor_server.auth.patterns import Wild, begins_with, compile_pattern, expand, read_pattern

TEXTS = st.text("ab/", max_size=12)
PATTERNS = st.text("ab/*?", max_size=10)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern without variables matches."""
    return compile_pattern(read_pattern(pattern, variables=False))(text)


@given(pattern=PATTERNS, text=TEXTS)
@example(pattern="*ab*b", text="ab")
@example(pattern="*a?*b", text="ab")
def test_wildcards_are_the_shell_s(pattern: str, text: str) -> None:
    """`*` is any number of characters, `/` too, and `?` one."""
    assert matches(pattern, text) is fnmatchcase(text, pattern)


@given(pattern=PATTERNS, text=TEXTS, more=TEXTS)
def test_what_may_begin_a_match(pattern: str, text: str, more: str) -> None:
    """What matches begins with each of its beginnings; a literal beginning that differs never does."""
    read = read_pattern(pattern, variables=False)
    if matches(pattern, text + more):
        assert begins_with(read, text)
    assert not begins_with(read_pattern("x" + pattern, variables=False), "y" + text)


def test_a_variable_may_begin_with_anything() -> None:
    """Before a request is known."""
    read = read_pattern("arn:aws:s3:::${aws:username}/x", variables=True)
    assert begins_with(read, "arn:aws:s3:::b/")
    assert not begins_with(read, "arn:aws:s4:::b/")


def _lines(pattern: str, text: str) -> int:
    matcher = compile_pattern(read_pattern(pattern, variables=False))
    matcher("")  # what is prepared once is not counted
    lines = 0

    def trace(*_: object) -> object:
        nonlocal lines
        lines += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        matcher(text)
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    "pattern", ["a*" * 500 + "b", "*a" * 500 + "b", "*?a" * 300 + "b", "?*" * 500 + "b", "*a?" * 300 + "*b", "*" * 999 + "b"]
)
def test_no_pattern_makes_the_matcher_go_back(pattern: str) -> None:
    """The steps grow with the text and the pattern, not with their product, let alone with more."""
    text = "a" * 1024
    assert _lines(pattern, text) <= 10 * (len(text) + len(pattern))


def test_the_steps_are_counted() -> None:
    """Else the test before this one could not fail."""
    assert _lines("*a?" * 100 + "*b", "a" * 1000 + "b") > 100


@pytest.mark.parametrize(
    ("pattern", "context", "text"),
    [
        ("home/${aws:username}/*", {"aws:username": ("al",)}, "home/al/"),
        ("home/${AWS:UserName}", {"aws:username": ("al",)}, "home/al"),
        ("${*}${?}${$}", {}, "*?$"),
        ("${aws:username, 'nobody'}", {}, "nobody"),
        ("${aws:username,'nobody'}", {}, "nobody"),
        ("${aws:username, 'nobody'}", {"aws:username": ("al",)}, "al"),
        ("${aws:username, ''}x", {}, "x"),
        ("${aws:PrincipalTag/cost center}", {"aws:principaltag/cost center": ("7",)}, "7"),
        ("*${aws:username}*", {"aws:username": ("",)}, "anything"),
        ("$", {}, "$"),
        ("$x{", {}, "$x{"),
    ],
)
def test_variables_stand_for_values(pattern: str, context: dict[str, tuple[str, ...]], text: str) -> None:
    """A key's one value, a default, or a character that has a meaning otherwise."""
    expanded = expand(read_pattern(pattern, variables=True), context)
    assert expanded is not None
    assert compile_pattern(expanded)(text)


@pytest.mark.parametrize("name", ["*", "?", "a*", "../x", "${aws:userid}", "a/b", "$"])
def test_a_user_s_name_is_matched_exactly(name: str) -> None:
    """MinIO #7791: what looks like a wildcard, a path or a variable in a name is a text."""
    expanded = expand(read_pattern("home/${aws:username}/", variables=True), {"aws:username": (name,), "aws:userid": ("al",)})
    assert expanded == (f"home/{name}/",)
    assert compile_pattern(expanded)(f"home/{name}/")
    assert not compile_pattern(expanded)("home/al/")
    assert not compile_pattern(expanded)(f"home/{name}x/")


def test_a_variable_without_a_value_is_told() -> None:
    """So is one of several values; without variables in the language it is a text."""
    read = read_pattern("${aws:username}", variables=True)
    assert expand(read, {}) is None
    assert expand(read, {"aws:username": ()}) is None
    assert expand(read, {"aws:username": ("a", "b")}) is None
    assert read_pattern("${aws:username}", variables=False) == ("${aws:username}",)
    assert read_pattern("a**b", variables=False) == ("a", Wild.ANY, "b")
