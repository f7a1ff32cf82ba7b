"""What an examination finds: a verdict, what was seen, and what to do about it.

Law: a finding is a value and is never raised; who examines goes on, and who asked decides what a
failure means. No secret gets into one.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Verdict(Enum):
    """How grave a finding is."""

    OK = "OK"
    WARN = "WARN"
    """It works, and will surprise somebody."""
    FAIL = "FAIL"
    """Requests fail for this."""


@frozen(kw_only=True)
class Finding:
    """One line of a check list."""

    verdict: Verdict
    name: str
    text: str
    """What was seen."""
    advice: str = ""
    """What to do; empty where there is nothing to do."""


def ok(name: str, text: str) -> Finding:
    """A finding that all is well."""
    return Finding(verdict=Verdict.OK, name=name, text=text)


def warn(name: str, text: str, advice: str = "") -> Finding:
    """A finding that something will surprise."""
    return Finding(verdict=Verdict.WARN, name=name, text=text, advice=advice)


def fail(name: str, text: str, advice: str = "") -> Finding:
    """A finding that something does not work."""
    return Finding(verdict=Verdict.FAIL, name=name, text=text, advice=advice)
