"""Protobuf messages and the values they carry, field by field, by name.

Law: a codec is compiled once for a pair of message and class and never reflects again. The two have
fields of the same names, streams excepted; what has not does not compile, so a test that compiles every pair
is a test that the codec is total. Names and enumerations are parsed on the way in, hence a value
that was decoded is valid.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

import attrs
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from lightningstor_types import wire
from lightningstor_types.errors import InvalidArgument

M = TypeVar("M", bound=Message)
Convert = Callable[[Any], Any]
_Pair = tuple[Descriptor, type[Any]]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ECHO_MAX_CHARACTERS: Final = 64

_SCALARS: Final[Mapping[type, frozenset[int]]] = {
    bool: frozenset({FieldDescriptor.TYPE_BOOL}),
    int: frozenset({FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}),
    str: frozenset({FieldDescriptor.TYPE_STRING}),
}
_ZEROS: Final = (0, "", False)


@attrs.frozen(kw_only=True, eq=False)
class _Field:
    """A field of a class and of its message, and how a value passes between them."""

    name: str
    write: Convert
    read: Convert
    presence: bool
    """The message tells an absent field from a zero one."""
    required: bool
    default: Any
    """What need not be written: an empty nested value."""


def parsed(message: type[M], raw: bytes) -> M:
    """Parse a request.

    Raises:
        InvalidArgument: these are no bytes of such a message, or it has a field that this version
            does not know: that may be a condition, and a condition passed over is a lost object.
    """
    try:
        request = message.FromString(raw)
    except DecodeError as error:
        raise InvalidArgument("The request is no message of its type.") from error
    size = request.ByteSize()
    request.DiscardUnknownFields()  # type: ignore[no-untyped-call, unused-ignore]
    if request.ByteSize() != size:
        raise InvalidArgument("The request has a field that this server does not know.")
    return request


def encoder(message: Descriptor, cls: type[Any]) -> Callable[[Any], Message]:
    """What makes a message of a value of `cls`.

    Raises:
        TypeError: the two do not have the same fields. The encoder raises ValueError for a value
            that protobuf cannot hold (a lone surrogate, an integer out of range).
    """
    return _encoder((message, cls))


def decoder(message: Descriptor, cls: type[Any]) -> Callable[..., Any]:
    """What makes a value of `cls` of a message; a stream, where it has one, is given by keyword.

    Raises:
        TypeError: the two do not have the same fields. The decoder raises InvalidArgument, or what
            the parser of a name raises, for a value that is not valid.
    """
    return _decoder((message, cls))


@cache
def _encoder(pair: _Pair) -> Callable[[Any], Message]:
    fields = tuple((field.name, field.write, field.default) for field in _fields(*pair))
    make = GetMessageClass(pair[0])

    def encode(value: Any) -> Message:
        content = {}
        for name, write, default in fields:
            item = getattr(value, name)
            if item is not None and item is not default:
                content[name] = write(item)
        return make(**content)

    return encode


@cache
def _decoder(pair: _Pair) -> Callable[..., Any]:
    cls, fields = pair[1], _fields(*pair)
    plain = tuple((field.name, field.read) for field in fields if not field.presence)
    tested = tuple((field.name, field.read, field.required) for field in fields if field.presence)

    def decode(content: Any, **streams: Any) -> Any:
        for name, read in plain:
            streams[name] = read(getattr(content, name))
        for name, read, required in tested:
            if content.HasField(name):
                streams[name] = read(getattr(content, name))
            elif required:
                raise InvalidArgument(f"The field {name} is missing.", ArgumentName=name)
        return cls(**streams)

    return decode


def _fields(message: Descriptor, cls: type[Any]) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    attributes = {field.name: field for field in attrs.fields(cls) if not is_stream(hints[field.name])}
    named = {field.name: field for field in message.fields}
    if named.keys() != attributes.keys():
        raise TypeError(f"{message.full_name} and {cls.__name__} differ in {sorted(named.keys() ^ attributes.keys())}")
    return tuple(_field(named[name], attribute, hints[name]) for name, attribute in attributes.items())


def is_stream(hint: Any) -> bool:
    """Whether a field of this type is a body, which travels beside the message."""
    return wire.STREAM in getattr(hint, "__metadata__", ())


def _field(field: FieldDescriptor, attribute: attrs.Attribute[Any], hint: Any) -> _Field:
    plain, nullable = _bare(hint)
    required = attribute.default is attrs.NOTHING
    if not field.has_presence and not required and attribute.default not in _ZEROS and not field.is_repeated:
        raise TypeError(f"{field.full_name}: zero and absence differ here, so it has to be optional")
    if field.has_presence and field.message_type is None and required:
        raise TypeError(f"{field.full_name}: it is always there, so it cannot be optional")
    write, read = _converters(field, plain)
    nested = field.message_type is not None and not nullable and not required
    return _Field(
        name=field.name,
        write=write,
        read=read,
        presence=field.has_presence,
        required=required and field.has_presence,
        default=attribute.default if nested else None,
    )


def _bare(hint: Any) -> tuple[Any, bool]:
    """A type without its traits and without `None`, and whether it had that."""
    if hasattr(hint, "__metadata__"):
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (choice for choice in typing.get_args(hint) if choice is not types.NoneType)
        return hint, True
    return hint, False


def _converters(field: FieldDescriptor, hint: Any) -> tuple[Convert, Convert]:
    origin = typing.get_origin(hint)
    if origin is tuple and field.message_type is FieldMask.DESCRIPTOR:
        return _mask, _paths
    if origin is tuple and field.is_repeated:
        write, read = _single(field, typing.get_args(hint)[0])
        return (lambda values: [write(value) for value in values]), (lambda values: tuple(read(value) for value in values))
    if origin is Mapping and field.is_repeated and typing.get_args(hint) == (str, str):
        return dict, dict
    if origin is None and not field.is_repeated:
        return _single(field, hint)
    raise TypeError(f"{field.full_name} cannot carry {hint}")


def _single(field: FieldDescriptor, kind: type[Any]) -> tuple[Convert, Convert]:
    if kind is datetime and field.message_type is Timestamp.DESCRIPTOR:
        return _timestamp, _moment
    if attrs.has(kind) and field.message_type is not None:
        return encoder(field.message_type, kind), decoder(field.message_type, kind)
    scalar = next((known for known in _SCALARS if issubclass(kind, known)), None)
    if scalar is None or field.type not in _SCALARS[scalar]:
        raise TypeError(f"{field.full_name} cannot carry {kind}")
    return scalar, _reader(field, kind)


def _reader(field: FieldDescriptor, kind: type[Any]) -> Convert:
    """What validates a scalar on its way in."""
    parse: Convert | None = getattr(kind, "parse", None)
    if issubclass(kind, StrEnum):
        return _choice(field.name, kind)
    if parse is None:
        return kind
    if issubclass(kind, int):
        return lambda number: parse(str(number))
    return parse


def _choice(name: str, kind: type[StrEnum]) -> Convert:
    choices = {choice.value: choice for choice in kind}

    def choose(text: str) -> StrEnum:
        try:
            return choices[text]
        except KeyError:
            raise InvalidArgument(
                f"{name} is one of {', '.join(choices)}.", ArgumentName=name, ArgumentValue=text[:ECHO_MAX_CHARACTERS]
            ) from None

    return choose


def _mask(paths: tuple[str, ...]) -> FieldMask:
    return FieldMask(paths=paths)


def _paths(mask: FieldMask) -> tuple[str, ...]:
    return tuple(mask.paths)


def _timestamp(moment: datetime) -> Timestamp:
    elapsed = moment - EPOCH
    return Timestamp(seconds=elapsed.days * 86_400 + elapsed.seconds, nanos=elapsed.microseconds * 1_000)


def _moment(timestamp: Timestamp) -> datetime:
    try:
        return EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1_000)
    except OverflowError as error:
        raise InvalidArgument("A time is beyond the years 1 to 9999.") from error
