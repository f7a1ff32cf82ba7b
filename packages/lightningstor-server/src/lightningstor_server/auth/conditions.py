"""The operators of a policy's conditions, as a table, and whether a condition holds for a request.

Law: pure. A value that the policy gives is read once, when the policy is, and refused there if it is
not of the operator's kind; a value of the request that is not of that kind matches nothing. Source:
AWS, "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued context keys".

A key that is not in the request: a condition is false, a negated one true, one with `...IfExists`
true; `ForAllValues:` is true and `ForAnyValue:` false, whatever follows. Without a set operator a key
of several values matches if one of them does, and the negated operator is the opposite of that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from lightningstor_server.auth.condition_values import address, moment, network, number, octets, truth
from lightningstor_server.auth.patterns import (
    Context,
    Matcher,
    Pattern,
    Wild,
    compile_expanded,
    compile_pattern,
    context_key,
    expand,
    has_variables,
    literal,
    read_pattern,
)

VALUES_PARSED_MAX: Final = 4096
"""How many values of requests are kept parsed, of each kind."""
ARN_PARTS: Final = 6
NULL: Final = "Null"
_IF_EXISTS: Final = "IfExists"

Test = Callable[[str, Context], bool]
"""Whether a value of the request matches one of the policy's."""
Reader = Callable[[str, bool], Test]
"""Reads a value of the policy, in which policy variables are looked for if the flag says so. Raises ValueError."""
Compare = Callable[[Any, Any], bool]


class Quantifier(Enum):
    """How the several values of one key are taken together."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


# -- texts


def _text(text: str, variables: bool, *, wildcards: bool = False) -> Test:  # noqa: FBT001 - a reader's form
    pattern = read_pattern(text, variables=variables, wildcards=wildcards)
    return partial(_expanded, pattern) if has_variables(pattern) else partial(_matched, compile_pattern(pattern))


def _text_of_any_case(text: str, variables: bool) -> Test:  # noqa: FBT001
    pattern = read_pattern(text, variables=variables, wildcards=False)
    return partial(_expanded_folded, pattern) if has_variables(pattern) else partial(_folded, literal(pattern).casefold())


def _matched(matcher: Matcher, value: str, _: Context) -> bool:
    return matcher(value)


def _expanded(pattern: Pattern, value: str, context: Context) -> bool:
    expanded = expand(pattern, context)
    return expanded is not None and compile_expanded(expanded)(value)


def _folded(wanted: str, value: str, _: Context) -> bool:
    return value.casefold() == wanted


def _expanded_folded(pattern: Pattern, value: str, context: Context) -> bool:
    expanded = expand(pattern, context)
    return expanded is not None and literal(expanded).casefold() == value.casefold()


# -- ARNs, whose six parts are compared one by one


def _arn(text: str, variables: bool) -> Test:  # noqa: FBT001
    pattern = read_pattern(text, variables=variables)
    if has_variables(pattern):
        return partial(_expanded_arn, pattern)
    matchers = _arn_matchers(pattern)
    if matchers is None:
        raise ValueError("an ARN has six parts with colons between them")
    return partial(_matched_arn, matchers)


@lru_cache(VALUES_PARSED_MAX)
def _arn_matchers(pattern: Pattern) -> tuple[Matcher, ...] | None:
    if pattern == (Wild.ANY,):
        return (compile_pattern(pattern),) * ARN_PARTS
    parts: list[list[str | Wild]] = [[]]
    for token in pattern:
        if isinstance(token, str):
            first, *rest = token.split(":", ARN_PARTS - len(parts))
            parts[-1].append(first)
            parts.extend([part] for part in rest)
        elif isinstance(token, Wild):
            parts[-1].append(token)
    if len(parts) != ARN_PARTS:
        return None
    return tuple(compile_pattern(tuple(token for token in part if token)) for part in parts)


def _matched_arn(matchers: tuple[Matcher, ...], value: str, _: Context) -> bool:
    parts = value.split(":", ARN_PARTS - 1)
    return len(parts) == ARN_PARTS and all(matcher(part) for matcher, part in zip(matchers, parts, strict=True))


def _expanded_arn(pattern: Pattern, value: str, context: Context) -> bool:
    expanded = expand(pattern, context)
    matchers = None if expanded is None else _arn_matchers(expanded)
    return matchers is not None and _matched_arn(matchers, value, context)


# -- what is parsed before it is compared


def _kind(parse: Callable[[str], Any], parse_given: Callable[[str], Any] | None = None) -> Callable[[Compare], Reader]:
    """Readers of one kind of values: `parse` reads the policy's, `parse_given` the request's, which may be the same."""

    @lru_cache(VALUES_PARSED_MAX)
    def parsed(text: str) -> Any:
        try:
            return (parse_given or parse)(text)
        except ValueError:
            return None

    def test(compare: Compare, wanted: Any, value: str, _: Context) -> bool:
        given = parsed(value)
        return given is not None and compare(given, wanted)

    def reader(compare: Compare) -> Reader:
        return lambda text, _: partial(test, compare, parse(text))

    return reader


def _within(given: Any, wanted: Any) -> bool:
    return given in wanted


_numeric: Final = _kind(number)
_date: Final = _kind(moment)


@frozen
class Operator:
    """A row of the table."""

    read: Reader
    negated: bool = False


OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType({
    "StringEquals": Operator(_text),
    "StringNotEquals": Operator(_text, negated=True),
    "StringEqualsIgnoreCase": Operator(_text_of_any_case),
    "StringNotEqualsIgnoreCase": Operator(_text_of_any_case, negated=True),
    "StringLike": Operator(partial(_text, wildcards=True)),
    "StringNotLike": Operator(partial(_text, wildcards=True), negated=True),
    "NumericEquals": Operator(_numeric(operator.eq)),
    "NumericNotEquals": Operator(_numeric(operator.eq), negated=True),
    "NumericLessThan": Operator(_numeric(operator.lt)),
    "NumericLessThanEquals": Operator(_numeric(operator.le)),
    "NumericGreaterThan": Operator(_numeric(operator.gt)),
    "NumericGreaterThanEquals": Operator(_numeric(operator.ge)),
    "DateEquals": Operator(_date(operator.eq)),
    "DateNotEquals": Operator(_date(operator.eq), negated=True),
    "DateLessThan": Operator(_date(operator.lt)),
    "DateLessThanEquals": Operator(_date(operator.le)),
    "DateGreaterThan": Operator(_date(operator.gt)),
    "DateGreaterThanEquals": Operator(_date(operator.ge)),
    "Bool": Operator(_kind(truth)(operator.eq)),
    "BinaryEquals": Operator(_kind(octets)(operator.eq)),
    "IpAddress": Operator(_kind(network, address)(_within)),
    "NotIpAddress": Operator(_kind(network, address)(_within), negated=True),
    "ArnEquals": Operator(_arn),
    "ArnNotEquals": Operator(_arn, negated=True),
    "ArnLike": Operator(_arn),
    "ArnNotLike": Operator(_arn, negated=True),
})  # fmt: skip
"""Every operator but `Null`, which is about the key and not about its values."""


@frozen(kw_only=True)
class Condition:
    """One key under one operator. All conditions of a statement must hold."""

    operator: str
    """Its name in the table, without what stands before and behind it."""
    quantifier: Quantifier
    if_exists: bool
    key: str
    """As `context_key` has it."""
    values: tuple[str, ...]
    tests: tuple[Test, ...] = field(eq=False, repr=False)
    negated: bool = field(repr=False)
    absent: bool = field(repr=False)
    """What it is where the key is not in the request."""

    def holds(self, context: Context) -> bool:
        """Whether it holds for what is known of a request."""
        values = context.get(self.key)
        if not values:
            return self.absent
        if self.quantifier is Quantifier.NONE:
            return self._any(values, context) is not self.negated
        if values == ("",):
            return self.absent  # AWS: a value that resolves to an empty data set, such as an empty string
        holds = (self._any((value,), context) is not self.negated for value in values)
        return all(holds) if self.quantifier is Quantifier.ALL else any(holds)

    def _any(self, values: Sequence[str], context: Context) -> bool:
        for value in values:
            for test in self.tests:
                if test(value, context):
                    return True
        return False


def read_condition(name: str, key: str, values: tuple[str, ...], *, variables: bool) -> Condition:
    """Read a condition as a policy has it; the operator with its `ForAnyValue:` and its `IfExists`.

    Raises:
        ValueError: there is no such operator, or a value is not of its kind. The text says which.
    """
    before, colon, after = name.rpartition(":")
    base = after.removesuffix(_IF_EXISTS)
    if_exists = base != after
    if name == NULL:
        return _null(context_key(key), values)
    known = OPERATORS.get(base)
    if known is None or (colon and before not in {Quantifier.ALL.value, Quantifier.ANY.value}):
        raise ValueError("there is no such operator")
    quantifier = Quantifier(before)
    absent = {Quantifier.NONE: if_exists or known.negated, Quantifier.ALL: True, Quantifier.ANY: False}[quantifier]
    return Condition(
        operator=base,
        quantifier=quantifier,
        if_exists=if_exists,
        key=context_key(key),
        values=values,
        tests=tuple(known.read(value, variables) for value in values),
        negated=known.negated,
        absent=absent,
    )


def _null(key: str, values: tuple[str, ...]) -> Condition:
    wanted = {truth(value) for value in values}
    return Condition(
        operator=NULL,
        quantifier=Quantifier.NONE,
        if_exists=False,
        key=key,
        values=values,
        tests=(lambda _, __: False in wanted,),
        negated=False,
        absent=True in wanted,
    )
