"""Patterns of the policy language: `*`, `?` and policy variables, and how they match.

Law: pure, and never worse than the length of the text times that of one piece of the pattern: a piece
between two `*` is found leftmost and never looked for again, so that no pattern can make the matcher
go back. What a variable stands for is text: a `*` in the name of a user matches a `*` and nothing else.
Source: AWS, "IAM JSON policy elements: Resource" and "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from functools import lru_cache, partial
from typing import Final

from attrs import frozen

EXPANSIONS_MAX: Final = 4096
"""How many patterns are kept compiled in which variables had their values put."""

_TAG_FAMILIES: Final = ("s3:existingobjecttag/", "s3:requestobjecttag/", "s3:buckettag/")
_VARIABLE: Final = re.compile(r"\$\{(?:(?P<itself>[*?$])|(?P<key>[A-Za-z0-9.-]+:[^,{}'$*?]*[^,{}'$*?\s])(?:, *'(?P<default>[^']*)')?)\}")

Context = Mapping[str, tuple[str, ...]]
"""What is known of a request: the values of each key, the keys as `context_key` writes them. No values is no key."""
Matcher = Callable[[str], bool]


def context_key(name: str) -> str:
    """A context key's name in the one form that is looked up.

    Names are not told apart by case (AWS, "IAM JSON policy elements: Condition"), the keys of S3's tags are.
    """
    folded = name.lower()
    for family in _TAG_FAMILIES:
        if folded.startswith(family):
            return family + name[len(family) :]
    return folded


class Wild(Enum):
    """What stands for other characters."""

    ANY = auto()
    """`*`: any number of characters, `/` and `:` among them."""
    ONE = auto()
    """`?`: exactly one."""


@frozen
class Variable:
    """`${key}` or `${key, 'default'}`."""

    key: str
    default: str | None = None

    def value(self, context: Context) -> str | None:
        """What it stands for in a request; None for nothing, as a key that is not there or has several values."""
        values = context.get(self.key) or ()
        return values[0] if len(values) == 1 else self.default


Token = str | Wild | Variable
Pattern = tuple[Token, ...]
_WILDS: Final = {"*": Wild.ANY, "?": Wild.ONE}


def read_pattern(text: str, *, variables: bool, wildcards: bool = True) -> Pattern:
    """Read a pattern. Two literals never stand side by side.

    Raises:
        ValueError: a `${` begins no variable.
    """
    return _joined(_tokens(text, variables=variables, wildcards=wildcards))


def _tokens(text: str, *, variables: bool, wildcards: bool) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if variables and text.startswith("${", at):
            match = _VARIABLE.match(text, at)
            if match is None:
                raise ValueError("a policy variable has the form ${key} or ${key, 'default'}, and a dollar sign before a brace is ${$}")
            yield match["itself"] or Variable(context_key(match["key"]), match["default"])
            at = match.end()
        else:
            yield _WILDS.get(text[at], text[at]) if wildcards else text[at]
            at += 1


def _joined(tokens: Iterator[Token]) -> Pattern:
    joined: list[Token] = []
    for token in tokens:
        if isinstance(token, str) and joined and isinstance(joined[-1], str):
            joined[-1] += token
        elif token is not Wild.ANY or not joined or joined[-1] is not Wild.ANY:
            joined.append(token)
    return tuple(joined)


def is_fixed(pattern: Pattern) -> bool:
    """Whether a pattern stands for one text alone, whatever the request."""
    return all(isinstance(token, str) for token in pattern)


def has_variables(pattern: Pattern) -> bool:
    """Whether what a pattern matches depends on the request."""
    return any(isinstance(token, Variable) for token in pattern)


def expand(pattern: Pattern, context: Context) -> Pattern | None:
    """Put the values of a request in the place of the variables; None where one has no value."""
    tokens: list[Token] = []
    for token in pattern:
        if isinstance(token, Variable):
            value = token.value(context)
            if value is None:
                return None
            tokens.append(value)
        else:
            tokens.append(token)
    return _joined(iter(tokens))


def literal(pattern: Pattern) -> str:
    """The text of a pattern that is fixed."""
    return "".join(token for token in pattern if isinstance(token, str))


def compile_pattern(pattern: Pattern) -> Matcher:
    """What tells whether a whole text matches a pattern without variables."""
    if is_fixed(pattern):
        return partial(_equal, literal(pattern))
    if pattern == (Wild.ANY,):
        return _anything
    if len(pattern) == 2 and isinstance(pattern[0], str) and pattern[1] is Wild.ANY:  # noqa: PLR2004 - a text and a `*`
        return partial(_begins, pattern[0])
    pieces = tuple(_pieces(pattern))
    if len(pieces) == 1:
        return partial(_covers, pieces[0])
    return partial(_threads, pieces[0], pieces[1:-1], pieces[-1])


compile_expanded: Final = lru_cache(EXPANSIONS_MAX)(compile_pattern)
"""`compile_pattern` for what `expand` gives: the same callers come back with the same values."""


def _equal(wanted: str, text: str) -> bool:
    return text == wanted


def _anything(_: str) -> bool:
    return True


def _begins(prefix: str, text: str) -> bool:
    return text.startswith(prefix)


@frozen
class Piece:
    """What stands between two `*`: as many characters as the text it matches."""

    characters: str
    gaps: frozenset[int]
    """Where a `?` stands, in `characters` as any one."""

    def at(self, text: str, start: int) -> bool:
        """Whether it matches at a place; the text is long enough."""
        if not self.gaps:
            return text.startswith(self.characters, start)
        return all(index in self.gaps or text[start + index] == character for index, character in enumerate(self.characters))

    def after(self, text: str, start: int, end: int) -> int:
        """The end of its first match within `text[start:end]`; -1 for none."""
        if not self.gaps:
            found = text.find(self.characters, start, end)
            return found + len(self.characters) if found >= 0 else -1
        # Shift-And (Baeza-Yates and Gonnet, 1992): bit n of the state says that n + 1 characters match up to here
        masks = _masks(self)
        gaps, done, state = masks[""], 1 << (len(self.characters) - 1), 0
        for at in range(start, end):
            state = (state << 1 | 1) & masks.get(text[at], gaps)
            if state & done:
                return at + 1
        return -1


@lru_cache(EXPANSIONS_MAX)
def _masks(piece: Piece) -> dict[str, int]:
    gaps = sum(1 << index for index in piece.gaps)
    masks = {"": gaps}
    for index, character in enumerate(piece.characters):
        masks[character] = masks.get(character, gaps) | 1 << index
    return masks


def _pieces(pattern: Pattern) -> Iterator[Piece]:
    characters, gaps = "", set[int]()
    for token in pattern:
        if token is Wild.ANY:
            yield Piece(characters, frozenset(gaps))
            characters, gaps = "", set()
        elif token is Wild.ONE:
            gaps.add(len(characters))
            characters += "?"
        elif isinstance(token, str):
            characters += token
        else:
            raise TypeError("a variable has to be expanded before it is matched")
    yield Piece(characters, frozenset(gaps))


def _covers(piece: Piece, text: str) -> bool:
    return len(text) == len(piece.characters) and piece.at(text, 0)


def _threads(first: Piece, between: tuple[Piece, ...], last: Piece, text: str) -> bool:
    at, end = len(first.characters), len(text) - len(last.characters)
    if at > end or not first.at(text, 0) or not last.at(text, end):
        return False
    for piece in between:
        at = piece.after(text, at, end)
        if at < 0:
            return False
    return True


def begins_with(pattern: Pattern, text: str) -> bool:
    """Whether some text that begins with `text` matches; a variable may have any value."""
    places = {0}
    tokens = [token if isinstance(token, str) else Wild.ANY if isinstance(token, Variable) else token for token in pattern]
    units = [unit for token in tokens for unit in (token if isinstance(token, str) else (token,))]
    for character in text:
        places = {step for place in _reached(places, units) if place < len(units) for step in _steps(units[place], place, character)}
    return bool(_reached(places, units))


def _reached(places: set[int], units: list[str | Wild]) -> set[int]:
    reached = set(places)
    for place in sorted(places):
        beyond = place
        while beyond < len(units) and units[beyond] is Wild.ANY:
            beyond += 1
            reached.add(beyond)
    return reached


def _steps(unit: str | Wild, place: int, character: str) -> tuple[int, ...]:
    if unit is Wild.ANY:
        return (place,)
    return (place + 1,) if unit is Wild.ONE or unit == character else ()
