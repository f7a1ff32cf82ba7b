"""A second evaluator of policies, slow and written from the language's description alone.

It shares no code with the server: it walks the JSON of a valid policy anew for every request, and
matches patterns by trying everything.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from attrs import frozen

Letters = tuple[tuple[str, bool], ...]
"""Characters of a pattern, each with whether it may be a wildcard."""


@frozen(kw_only=True)
class Asker:
    """Who asks: somebody of an account, a service, or nobody known."""

    accounts: tuple[str, ...] = ()
    resource: str = ""
    canonical_id: str = ""
    role: str | None = None
    service: str | None = None


@frozen(kw_only=True)
class Question:
    """What is asked; the context's keys in whatever case."""

    asker: Asker
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]


def verdict(texts: Sequence[str], question: Question) -> tuple[str, bool]:
    """ALLOW, DENY or NEUTRAL, and whether it is the account alone that is allowed."""
    outcomes = [outcome for text in texts for outcome in _outcomes(json.loads(text), question)]
    if any(effect == "Deny" for effect, _ in outcomes):
        return "DENY", False
    if not outcomes:
        return "NEUTRAL", False
    return "ALLOW", all(whole for _, whole in outcomes)


def _outcomes(document: Any, question: Question) -> list[tuple[str, bool]]:
    variables = document.get("Version") == "2012-10-17"
    statements = document["Statement"]
    outcomes = []
    for statement in statements if isinstance(statements, list) else [statements]:
        about, whole = _principal(statement, question.asker)
        if (
            about
            and _action(statement, question)
            and _resource(statement, question, variables=variables)
            and _conditions(statement, question, variables=variables)
        ):
            outcomes.append((statement["Effect"], whole))
    return outcomes


def _some(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _value(context: Mapping[str, tuple[str, ...]], key: str) -> tuple[str, ...]:
    def same(one: str, other: str) -> bool:
        family, slash, tag = one.partition("/")
        other_family, other_slash, other_tag = other.partition("/")
        exact = family.lower() in {"s3:existingobjecttag", "s3:requestobjecttag"}
        tags = tag == other_tag if exact else tag.lower() == other_tag.lower()
        return family.lower() == other_family.lower() and slash == other_slash and tags

    return next((values for name, values in context.items() if same(name, key)), ())


def _principal(statement: Any, asker: Asker) -> tuple[bool, bool]:
    if "Principal" not in statement and "NotPrincipal" not in statement:
        return True, False
    listed = statement.get("Principal", statement.get("NotPrincipal"))
    grades = [_names(kind, text, asker) for kind, texts in ({"*": "*"} if listed == "*" else listed).items() for text in _some(texts)]
    if "NotPrincipal" in statement:
        return not any(grades), False
    return any(grades), "own" not in grades


def _names(kind: str, text: str, asker: Asker) -> str:
    """How an entry names the asker: not at all, by its account, or by its own name."""
    if kind == "*":
        return "own"
    if kind == "Service":
        return "own" if asker.service == text else ""
    if asker.service is not None:
        return ""
    if kind == "AWS" and text == "*":
        return "own"
    whole = "own" if asker.resource == "root" else "account"
    if kind == "CanonicalUser":
        return whole if asker.accounts and text == asker.canonical_id else ""
    for account in asker.accounts:
        if text in (account, f"arn:aws:iam::{account}:root"):
            return whole
        service = "sts" if asker.resource.startswith("assumed-role/") else "iam"
        if text == f"arn:aws:{service}::{account}:{asker.resource}" or (asker.role and text == f"arn:aws:iam::{account}:{asker.role}"):
            return "own"
    return ""


def _action(statement: Any, question: Question) -> bool:
    patterns = _some(statement.get("Action", statement.get("NotAction")))
    found = any(_glob(tuple((letter, True) for letter in pattern.lower()), question.action.lower()) for pattern in patterns)
    return found is ("Action" in statement)


def _resource(statement: Any, question: Question, *, variables: bool) -> bool:
    patterns = [
        _substituted(text, question.context, variables=variables) for text in _some(statement.get("Resource", statement.get("NotResource")))
    ]
    found = any(pattern is not None and _glob(pattern, question.resource) for pattern in patterns)
    if "Resource" in statement:
        return found
    return not found and not (None in patterns and statement["Effect"] == "Allow")


def _substituted(text: str, context: Mapping[str, tuple[str, ...]], *, variables: bool) -> Letters | None:
    letters: list[tuple[str, bool]] = []
    rest = text
    while rest:
        if variables and rest.startswith("${"):
            inside, _, rest = rest[2:].partition("}")
            name, comma, default = inside.partition(",")
            if inside in {"*", "?", "$"}:
                letters.append((inside, False))
                continue
            values = _value(context, name)
            if len(values) != 1 and not comma:
                return None
            letters.extend((letter, False) for letter in (values[0] if len(values) == 1 else default.strip(" ")[1:-1]))
        else:
            letters.append((rest[0], True))
            rest = rest[1:]
    return tuple(letters)


def _glob(pattern: Letters, text: str) -> bool:
    @cache
    def match(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(text)
        letter, wild = pattern[at]
        if wild and letter == "*":
            return match(at + 1, place) or (place < len(text) and match(at, place + 1))
        return place < len(text) and ((wild and letter == "?") or letter == text[place]) and match(at + 1, place + 1)

    return match(0, 0)


def _conditions(statement: Any, question: Question, *, variables: bool) -> bool:
    return all(
        condition(name, _value(question.context, key), [_scalar(value) for value in _some(values)], question.context, variables=variables)
        for name, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _scalar(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def condition(name: str, given: tuple[str, ...], wanted: list[str], context: Mapping[str, tuple[str, ...]], *, variables: bool) -> bool:
    """Whether one operator holds for one key."""
    if name == "Null":
        return ("true" if not given else "false") in [value.lower() for value in wanted]
    set_operator, _, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    positive = base.replace("Not", "") if base != "NotIpAddress" else "IpAddress"
    negated = positive != base
    if set_operator and (not given or given == ("",)):
        return set_operator == "ForAllValues"
    if not given:
        return negated or base != rest
    each = [any(_same(positive, value, want, context, variables=variables) for want in wanted) for value in given]
    if set_operator == "ForAllValues":
        return all(match is not negated for match in each)
    if set_operator == "ForAnyValue":
        return any(match is not negated for match in each)
    return any(each) is not negated


def _same(operator: str, given: str, wanted: str, context: Mapping[str, tuple[str, ...]], *, variables: bool) -> bool:
    if operator.startswith(("String", "Arn")):
        pattern = _substituted(wanted, context, variables=variables)
        if pattern is None:
            return False
        plain = "".join(letter for letter, _ in pattern)
        if operator == "StringEquals":
            return given == plain
        if operator == "StringEqualsIgnoreCase":
            return given.casefold() == plain.casefold()
        return _glob(pattern, given) if operator == "StringLike" else _arn(pattern, given)
    family = re.match("Numeric|Date|Bool|Binary|IpAddress", operator)
    assert family is not None
    try:
        return _compare(family[0], operator.removeprefix(family[0]), given, wanted)
    except ValueError:
        return False


def _arn(pattern: Letters, given: str) -> bool:
    if pattern == (("*", True),):
        return given.count(":") >= 5
    parts: list[Letters] = [()]
    for letter in pattern:
        if letter[0] == ":" and len(parts) < 6:
            parts.append(())
        else:
            parts[-1] = (*parts[-1], letter)
    values = given.split(":", 5)
    return len(parts) == len(values) == 6 and all(_glob(part, value) for part, value in zip(parts, values, strict=True))


def _compare(family: str, relation: str, given: str, wanted: str) -> bool:
    if family == "Bool":
        return given.lower() == wanted.lower()
    if family == "Binary":
        return base64.b64decode(given, validate=True) == base64.b64decode(wanted, validate=True)
    if family == "IpAddress":
        return ip_address(given) in ip_network(wanted, strict=False)
    read = _number if family == "Numeric" else _moment
    one, other = read(given), read(wanted)
    return {
        "Equals": one == other,
        "LessThan": one < other,
        "LessThanEquals": one <= other,
        "GreaterThan": one > other,
        "GreaterThanEquals": one >= other,
    }[relation]


def _number(text: str) -> Fraction:
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise ValueError(text)
    return Fraction(text)


def _moment(text: str) -> Fraction:
    if re.fullmatch(r"\d{4}", text):
        text += "-01-01"
    elif re.fullmatch(r"\d{4}-\d\d", text):
        text += "-01"
    elif "-" not in text[1:]:
        return _number(text)
    if "T" not in text:
        text += "T00:00:00Z"
    return Fraction(datetime.fromisoformat(text).timestamp())
