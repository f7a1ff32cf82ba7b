"""The keys that policies may ask of what a request gives: its headers, its parameters, its tags.

Law: what an operation's input has a field for is told under the name of its header or parameter, for
both fronts alike. A value that is the field's default was given only if the front heard the name.
Source: AWS, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache, reduce
from typing import Any, Final

import attrs

from lightningstor_server.auth.patterns import context_key
from lightningstor_types import wire
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.retention import PutObjectLegalHold, PutObjectRetention
from lightningstor_types.tags import TagSet

_ENCRYPTION: Final = (
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm",
)  # fmt: skip
_OF_THEIR_NAME: Final = (
    *_ENCRYPTION, "x-amz-acl", "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp",
    "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership", "x-amz-storage-class",
    "x-amz-website-redirect-location", "if-match", "if-none-match",
)  # fmt: skip
_HEADER_KEYS: Final = {
    **{name: context_key(f"s3:{name}") for name in _OF_THEIR_NAME},
    **{f"x-amz-{name}": context_key(f"s3:{name}") for name in
       ("object-lock-mode", "object-lock-retain-until-date", "object-lock-legal-hold")},
}  # fmt: skip
_QUERY_KEYS: Final = {name: context_key(f"s3:{name}") for name in ("prefix", "delimiter", "max-keys")}
_ALWAYS: Final = {name: context_key(f"s3:{name}") for name in (*_ENCRYPTION, "x-amz-content-sha256")}
"""Headers of the request as a whole, whatever the operation has a field for."""
_MODE, _UNTIL, _HOLD = (context_key(f"s3:object-lock-{name}") for name in ("mode", "retain-until-date", "legal-hold"))
_REMAINING_DAYS: Final = context_key("s3:object-lock-remaining-retention-days")
_REQUEST_TAG: Final = context_key("s3:RequestObjectTag/")
_REQUEST_TAG_KEYS: Final = context_key("s3:RequestObjectTagKeys")
_DAY_SECONDS: Final = 86_400


@attrs.frozen
class _Step:
    """A field of an input that has a key."""

    key: str
    name: str
    """Of its header or parameter."""
    path: tuple[str, ...]
    default: Any


@cache
def _steps(shape: type) -> tuple[_Step, ...]:
    return tuple(_walk(shape, "", ()))


def _walk(shape: type, prefix: str, path: tuple[str, ...]) -> Iterator[_Step]:
    hints = typing.get_type_hints(shape, include_extras=True)
    for field in attrs.fields(shape):
        inner, *traits = typing.get_args(hints[field.name]) if typing.get_origin(hints[field.name]) is typing.Annotated else (None,)
        at = (*path, field.name)
        for trait in traits:
            if isinstance(trait, wire.Group):
                nested = next((part for part in (typing.get_args(inner) or (inner,)) if isinstance(part, type) and attrs.has(part)), None)
                if nested is not None:
                    yield from _walk(nested, prefix + trait.prefix, at)
            elif isinstance(trait, wire.Header) and prefix + trait.name in _HEADER_KEYS:
                yield _Step(_HEADER_KEYS[prefix + trait.name], prefix + trait.name, at, field.default)
            elif isinstance(trait, wire.Query) and trait.name in _QUERY_KEYS:
                yield _Step(_QUERY_KEYS[trait.name], trait.name, at, field.default)


def given_keys(request: Any, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> dict[str, tuple[str, ...]]:
    """What the request gives, by the keys of it; the front's headers and parameters by their names."""
    found: dict[str, tuple[str, ...]] = {key: (headers[name],) for name, key in _ALWAYS.items() if name in headers}
    shape: type = type(request)
    for step in _steps(shape):
        value: Any = reduce(lambda held, name: None if held is None else getattr(held, name), step.path, request)
        if value is not None and value != step.default:
            found[step.key] = (_text(value),)
        elif step.name in headers or step.name in query:
            found[step.key] = (headers.get(step.name, query.get(step.name, "")),)
    match request:
        case PutObjectRetention():
            found |= _known({_MODE: request.mode, _UNTIL: request.until})
        case PutObjectLegalHold():
            found |= _known({_HOLD: request.status})
    return found | _remaining(request, now) | _tag_keys(request)


def _known(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: (_text(value),) for key, value in values.items() if value is not None}


def _remaining(request: Any, now: datetime) -> dict[str, tuple[str, ...]]:
    """In how many days, begun ones counted, a retention ends."""
    until = request.until if isinstance(request, PutObjectRetention) else getattr(getattr(request, "lock", None), "until", None)
    if not isinstance(until, datetime):
        return {}
    return {_REMAINING_DAYS: (str(math.ceil((until - now).total_seconds() / _DAY_SECONDS)),)}


def _tag_keys(request: Any) -> dict[str, tuple[str, ...]]:
    """The tags that an object is given; those that a copy of its source's does not heed are none."""
    given, directive = getattr(request, "tagging", None), getattr(request, "tagging_directive", None)
    if not isinstance(given, TagSet) or not hasattr(request, "key") or (directive is not None and directive.value != "REPLACE"):
        return {}
    found = {_REQUEST_TAG + tag.key: (tag.value,) for tag in given.tags}
    return found | {_REQUEST_TAG_KEYS: tuple(tag.key for tag in given.tags)} if found else {}


def _text(value: Any) -> str:
    """A value as its header has it."""
    if isinstance(value, CopySource):
        return f"{value.bucket}/{value.key}" + (f"?versionId={value.version_id}" if value.version_id else "")
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value.value if isinstance(value, Enum) else value)
