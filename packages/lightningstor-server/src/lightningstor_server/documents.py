"""TOML tables into frozen values, and back into plain ones.

Law: the annotations of an attrs class are the only description of its table. What they do not
name, or do not admit, is an error with the dotted key. No message ever holds a value: it may be a
secret.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeVar, Union, cast, get_args, get_origin, runtime_checkable

import attrs

from lightningstor_server.failures import StartError

T = TypeVar("T")

DOCUMENT_MAX_BYTES: Final = 1 << 20


class ConfigError(StartError):
    """A file that the operator wrote cannot be used. `key` is dotted, empty where the whole file is meant."""

    def __init__(self, source: str, key: str, reason: str) -> None:
        super().__init__(f"{source}: {key}: {reason}" if key else f"{source}: {reason}")
        self.source = source
        self.key = key
        self.reason = reason


@runtime_checkable
class Rule(Protocol):
    """A constraint in an annotation, beyond the type."""

    @property
    def wanted(self) -> str:
        """What is admitted, to follow the word `expected`."""

    def admits(self, value: Any) -> bool:
        """Whether the value, which has the annotated type, is one of them."""


@attrs.frozen
class Between:
    """A number from `least` to `most`, both included."""

    least: float
    most: float

    @property
    def wanted(self) -> str:
        """What is expected, for the error."""
        return f"a number from {self.least} to {self.most}"

    def admits(self, value: Any) -> bool:
        """Whether a value is within the limits."""
        return bool(self.least <= value <= self.most)


@attrs.frozen
class Matching:
    """A text of which all matches the pattern."""

    pattern: str
    wanted: str

    def admits(self, value: Any) -> bool:
        """Whether a value is within the limits."""
        return re.fullmatch(self.pattern, value) is not None


@attrs.frozen
class Sized:
    """Bytes or an array of exactly or at least so many members."""

    least: int
    most: int
    wanted: str

    def admits(self, value: Any) -> bool:
        """Whether a value is within the limits."""
        return self.least <= len(value) <= self.most


def load(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or is longer than a mebibyte.
    """
    try:
        with path.open("rb") as file:
            content = file.read(DOCUMENT_MAX_BYTES + 1)
        if len(content) > DOCUMENT_MAX_BYTES:
            raise ConfigError(str(path), "", f"longer than {DOCUMENT_MAX_BYTES} bytes")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(str(path), "", error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "", "not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "", f"not TOML: {error}") from error


def structure(cls: type[T], table: Mapping[str, Any], source: str) -> T:
    """The value that a document describes.

    Raises:
        ConfigError: an unknown or missing key, or a value that is not what the key wants.
    """
    try:
        return cast("T", _table(cls, table, ""))
    except _Refused as refused:
        raise ConfigError(source, refused.key, refused.reason) from None


def plain(value: Any) -> Any:
    """What `structure` makes the same value of again: tables, arrays, texts, numbers and booleans."""
    if attrs.has(type(value)):
        return {field.name: plain(member) for field in attrs.fields(type(value)) if (member := getattr(value, field.name)) is not None}
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, StrEnum) else value


@cache
def hints(cls: type) -> Mapping[str, Any]:
    """The keys of a table and their annotations."""
    resolved = typing.get_type_hints(cls, include_extras=True)
    return {field.name: resolved[field.name] for field in attrs.fields(cast("Any", cls))}


class _Refused(Exception):
    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason


def _join(prefix: str, name: str) -> str:
    shown = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else repr(name)
    return f"{prefix}.{shown}" if prefix else shown


def _table(cls: type, table: Any, prefix: str) -> Any:
    if not isinstance(table, Mapping):
        raise _Refused(prefix, "expected a table")
    known = hints(cls)
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise _Refused(_join(prefix, name), f"unknown key, did you mean {near[0]!r}?" if near else "unknown key")
    for field in attrs.fields(cls):
        if field.default is attrs.NOTHING and field.name not in table:
            raise _Refused(_join(prefix, field.name), "missing")
    return cls(**{name: _value(known[name], value, _join(prefix, name)) for name, value in table.items()})


def _value(hint: Any, value: Any, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        read = _value(arguments[0], value, key)
        for rule in arguments[1:]:
            if isinstance(rule, Rule) and not rule.admits(read):
                raise _Refused(key, f"expected {rule.wanted}")
        return read
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        return _value(inner, value, key)
    if origin is tuple:
        return tuple(_value(arguments[0], member, f"{key}[{index}]") for index, member in enumerate(_of(list, value, key)))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(arguments, _of(dict, value, key), key)
    if attrs.has(hint):
        return _table(hint, value, key)
    if issubclass(hint, StrEnum):
        return _choice(hint, value, key)
    return _SCALARS[hint](value, key)


def _mapping(arguments: tuple[Any, ...], members: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    names, values = arguments
    read = {_value(names, name, _join(key, name)): _value(values, member, _join(key, name)) for name, member in members.items()}
    return types.MappingProxyType(read)


_NAMES: Final = {list: "an array", dict: "a table", bool: "true or false", int: "an integer", float: "a number", str: "a text"}


def _of(kind: type[T], value: Any, key: str) -> T:
    # bool is an int to Python and never one to TOML, hence the exact type
    if type(value) is not kind:
        raise _Refused(key, f"expected {_NAMES[kind]}")
    return value


def _number(value: Any, key: str) -> float:
    return float(value) if type(value) is int else _of(float, value, key)


def _base64(value: Any, key: str) -> bytes:
    try:
        return base64.b64decode(_of(str, value, key), validate=True)
    except (binascii.Error, ValueError):
        raise _Refused(key, "expected base64") from None


def _choice(kind: type[StrEnum], value: Any, key: str) -> StrEnum:
    try:
        return kind(_of(str, value, key))
    except ValueError:
        raise _Refused(key, f"expected one of {', '.join(repr(str(member)) for member in kind)}") from None


_SCALARS: Final[Mapping[Any, Callable[[Any, str], Any]]] = {
    bool: lambda value, key: _of(bool, value, key),
    int: lambda value, key: _of(int, value, key),
    float: _number,
    str: lambda value, key: _of(str, value, key),
    bytes: _base64,
}
