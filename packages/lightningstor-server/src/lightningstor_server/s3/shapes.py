"""What an attrs class says of its fields, read once.

Law: nothing reflects per request. Whoever compiles a decoder or encoder asks here, at import.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

import attrs
from attrs import frozen

from lightningstor_types import wire

_T = TypeVar("_T")


@frozen(kw_only=True)
class Field:
    """A field of an input or output, with its type bared and its traits."""

    name: str
    kind: Any
    """The type without Annotated, None and tuple."""
    repeated: bool
    required: bool
    default: Any
    traits: tuple[wire.Trait, ...]

    def trait(self, kind: type[_T]) -> _T | None:
        """The trait of that kind, if the field bears one."""
        return next((trait for trait in self.traits if isinstance(trait, kind)), None)


@cache
def fields_of(shape: type) -> tuple[Field, ...]:
    """The fields of an attrs class, in their order."""
    hints = typing.get_type_hints(shape, include_extras=True)
    return tuple(_fields(shape, hints))


def _fields(shape: type, hints: dict[str, Any]) -> Iterator[Field]:
    for attribute in attrs.fields(shape):
        hint, traits = hints[attribute.name], ()
        if typing.get_origin(hint) is typing.Annotated:
            hint, *found = typing.get_args(hint)
            traits = tuple(found)
        if typing.get_origin(hint) in {typing.Union, types.UnionType}:
            hint = next(option for option in typing.get_args(hint) if option is not type(None))
        repeated = typing.get_origin(hint) is tuple
        if repeated:
            hint = typing.get_args(hint)[0]
        yield Field(
            name=attribute.name,
            kind=hint,
            repeated=repeated,
            required=attribute.default is attrs.NOTHING,
            default=attribute.default,
            traits=traits,
        )
