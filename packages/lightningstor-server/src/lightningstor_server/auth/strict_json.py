"""JSON that others wrote, read within limits and without guessing.

Law: a member that is there twice, a number that is no JSON and nesting beyond the limit are errors,
found before anything is built of them. Numbers stay as they are written. What is quoted in an error is
ASCII and short, so that it can stand in any answer. Source: RFC 8259.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

QUOTED_CHARACTERS_MAX: Final = 100

_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_DEPTHS: Final = {"{": 1, "[": 1, "}": -1, "]": -1}


class Number(str):
    """A number of the document, as it is written."""

    __slots__ = ()


def load(text: str, *, bytes_max: int, depth_max: int) -> Any:
    """The value of a document: dict, list, str, bool, None and `Number`.

    Raises:
        ValueError: it is too long, too deep or no JSON. The text is a sentence.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("The document is no Unicode text.") from None
    if size > bytes_max:
        raise ValueError(f"The document has {size} bytes; {bytes_max} are the most.")
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += _DEPTHS.get(match[0], 0)
        if depth > depth_max:
            raise ValueError(f"The document is nested deeper than {depth_max} levels.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"The document is no JSON: {error.msg} at character {error.pos}.") from None


def quoted(text: str) -> str:
    """A text for an error."""
    short = text[:QUOTED_CHARACTERS_MAX]
    return json.dumps(short) + ("..." if short != text else "")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{quoted(next(name for name in names if names.count(name) > 1))} is there twice in one object.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"The document is no JSON: it has no {name}.")
