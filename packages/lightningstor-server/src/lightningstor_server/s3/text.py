"""Values as text: headers, query parameters and XML speak the same types.

Law: one table of types, each with how it is read and how it is written. Reading is strict and its
failures are typed; the one exception is what RFC 9110 says to ignore.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from lightningstor_server.s3.address import decoded
from lightningstor_types.digests import ChecksumAlgorithm, ChecksumType, ETag
from lightningstor_types.errors import InvalidArgument, InvalidRequest, InvalidStorageClass, InvalidURI, StorError
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId, VersionId
from lightningstor_types.objects import ByteRange, CopySource, StorageClass
from lightningstor_types.operations.objects import ChecksumMode
from lightningstor_types.tags import Tag, TagSet

_RANGE: Final = re.compile(r"bytes=([0-9]{0,64})-([0-9]{0,64})")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")  # what every engine's 64 bits hold
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO_CHARACTERS: Final = len("2026-01-01T00:00:00.000")
_DATES_CACHED: Final = 4096

Parser = Callable[[str, str], Any]
"""From the text and the name it came under, for the error."""


def _integer(text: str, name: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidArgument(f"Provided {name} not an integer or within integer range", ArgumentName=name, ArgumentValue=text[:64])
    return int(text)


def _boolean(text: str, name: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise InvalidArgument(f"{name} is true or false", ArgumentName=name, ArgumentValue=text[:64])
    return text.lower() == "true"


def _moment(text: str, name: str) -> datetime | None:
    """An HTTP date or ISO 8601; an invalid one in a condition is ignored (RFC 9110 section 13.1.3)."""
    try:
        moment = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError):
        if name.endswith("-since"):
            return None
        raise InvalidArgument(f"{name} is no date", ArgumentName=name, ArgumentValue=text[:64]) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _range(text: str, name: str) -> ByteRange | None:
    """One byte range. What is malformed, or several, is ignored (RFC 9110 section 14.2), but in a copy's source."""
    match = _RANGE.fullmatch(text.strip())
    first, last = match.groups() if match else ("", "")
    if match and first and (not last or int(first) <= int(last)):
        return ByteRange(offset=int(first), limit=int(last) - int(first) + 1 if last else None)
    if match and not first and last:
        # a suffix of no bytes is unsatisfiable, not malformed (RFC 9110 section 14.1.2)
        return ByteRange(offset=-int(last), limit=None) if int(last) else ByteRange(offset=0, limit=0)
    if name != "range":
        raise InvalidArgument(f"The {name} value must be of the form bytes=first-last", ArgumentName=name, ArgumentValue=text[:64])
    return None


def _copy_source(text: str, name: str) -> CopySource:
    """`bucket/key`, percent-encoded, with or without a leading slash, with `?versionId=` where one is meant."""
    path, versioned, version = text.partition("?versionId=")
    bucket, slash, key = decoded(path.encode("utf-8", "surrogateescape")).removeprefix("/").partition("/")
    if not slash or not bucket or not key:
        raise InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", ArgumentName=name)
    return CopySource(bucket=BucketName.parse(bucket), key=ObjectKey.parse(key), version_id=VersionId.parse(version) if versioned else None)


def _tag_set(text: str, name: str) -> TagSet | None:
    """`key=value` pairs, encoded as in an HTML form; an equals sign may lack, and an empty text is no set (AWS, PutObject)."""
    pairs = [part.partition("=") for part in text.split("&") if part]
    try:
        tags = tuple([Tag(key=_of_form(key), value=_of_form(value)) for key, _, value in pairs])
    except InvalidURI:
        tags = ()
    if len({tag.key for tag in tags}) < len(pairs):
        raise InvalidArgument(f"The {name} value is pairs of URL-encoded UTF-8, and has no key twice.", ArgumentName=name)
    return TagSet(tags=tags) if tags else None


def _of_form(text: str) -> str:
    return decoded(text.replace("+", " ").encode("utf-8", "surrogateescape"))


def _choice(kind: type[StrEnum], error: type[StorError]) -> Parser:
    def parse(text: str, name: str) -> StrEnum:
        try:
            return kind(text.upper() if kind in _WITHOUT_CASE else text)
        except ValueError:
            message = None if error is InvalidStorageClass else f"Value for {name} is invalid."
            raise error(message, ArgumentName=name, ArgumentValue=text[:64]) from None

    return parse


_WITHOUT_CASE: Final = frozenset({ChecksumMode})
"""Choices in capitals that are taken in any case: the AWS SDK for C++ asks for `enabled`."""
_CHOICE_ERRORS: Final[dict[type[StrEnum], type[StorError]]] = {
    StorageClass: InvalidStorageClass,
    ChecksumAlgorithm: InvalidRequest,
    ChecksumType: InvalidRequest,
}

_PARSERS: Final[dict[type, Parser]] = {
    str: lambda text, _: text,
    int: _integer,
    bool: _boolean,
    datetime: _moment,
    ETag: lambda text, _: ETag(text.strip().strip('"')),
    ByteRange: _range,
    CopySource: _copy_source,
    TagSet: _tag_set,
    BucketName: lambda text, _: BucketName.parse(text),
    ObjectKey: lambda text, _: ObjectKey.parse(text),
    VersionId: lambda text, _: VersionId.parse(text),
    UploadId: lambda text, _: UploadId.parse(text),
    PartNumber: lambda text, _: PartNumber.parse(text),
}


def parser_of(kind: type) -> Parser:
    """How text becomes a value of this type.

    Raises:
        LookupError: no text can; found when the fronts compile, at start.
    """
    if kind in _PARSERS:
        return _PARSERS[kind]
    if issubclass(kind, StrEnum):
        return _choice(kind, _CHOICE_ERRORS.get(kind, InvalidArgument))
    raise LookupError(f"no text form for {kind.__name__}")


@lru_cache(_DATES_CACHED)
def _http_date(moment: datetime) -> str:
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"


def http_date(moment: datetime) -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7)."""
    return _http_date(moment)


def iso_date(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as S3's XML has it."""
    return moment.isoformat(timespec="milliseconds")[:_ISO_CHARACTERS] + "Z"


def _flag(value: bool) -> str:  # noqa: FBT001 - a formatter has one argument
    return "true" if value else "false"


_COMMON: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    int: str,
    bool: _flag,
    ETag: lambda value: f'"{value}"',
}


_ISO_HEADERS: Final = frozenset({"x-amz-object-lock-retain-until-date"})
"""Dates that are written as XML has them (AWS, GetObject)."""


def header_format(kind: type, name: str = "") -> Callable[[Any], str]:
    """How a value of this type is written into the header of this name."""
    if kind is datetime and name in _ISO_HEADERS:
        return iso_date
    return http_date if kind is datetime else _COMMON.get(kind, str)


_ELEMENTS: Final[dict[type, Callable[[Any], str]]] = {
    int: str,
    bool: _flag,
    datetime: iso_date,
    ETag: lambda value: f"&quot;{value}&quot;",
}


def element_format(kind: type) -> Callable[[Any], str] | None:
    """How a value of this type is written into an XML element, where nothing of it can need escaping; else None."""
    if issubclass(kind, StrEnum):
        return lambda value: value.value
    return _ELEMENTS.get(kind) or (str if issubclass(kind, int) else None)
