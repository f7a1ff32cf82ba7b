"""From an operation's output to a response.

Law: an encoder is compiled once from the output's traits; per request it runs a list of writers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from lightningstor_server.s3.shapes import Field, fields_of
from lightningstor_server.s3.text import header_format
from lightningstor_server.s3.xml import write_document
from lightningstor_types import wire
from lightningstor_types.errors import InternalError
from lightningstor_types.objects import StorageClass
from lightningstor_types.streams import ByteStream

Headers = list[tuple[bytes, bytes]]
_USER_PREFIX: Final = b"x-amz-meta-"
_XML: Final = (b"content-type", b"application/xml")
_UNNAMED: Final = {StorageClass: StorageClass.STANDARD}
"""Values that a response does not name (AWS, GetObject: the header is there for all classes but STANDARD)."""
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+")
"""RFC 9110 section 5.6.2, in lower case."""


@frozen(kw_only=True)
class Outgoing:
    """A response, not yet sent."""

    status: int
    headers: Headers
    body: ByteStream | bytes


Write = Callable[[Any, Headers], None]


class Encoder:
    """The compiled encoder of one output."""

    def __init__(self, shape: type) -> None:
        fields = fields_of(shape)
        self._writers = tuple(_compile(fields))
        self._document = hasattr(shape, "document")
        self._encodes = any(field.name == "encoding_type" for field in fields)
        self._body = next((field.name for field in fields if wire.STREAM in field.traits), None)
        self._raw = next(((field.name, trait) for field in fields for trait in field.traits if isinstance(trait, wire.Raw)), None)
        self._partial = any(field.name == "content_range" for field in fields)

    def encode(self, output: Any, status: int) -> Outgoing:
        """The response."""
        headers: Headers = []
        for name, write in self._writers:
            value = getattr(output, name)
            if value is not None:
                write(value, headers)
        if self._partial and output.content_range is not None:
            status = 206
        if self._body is not None:
            return Outgoing(status=status, headers=headers, body=getattr(output, self._body))
        if self._raw is not None:
            name, raw = self._raw
            headers.append((b"content-type", raw.media_type.encode()))
            return Outgoing(status=status, headers=headers, body=getattr(output, name).encode())
        if not self._document:
            return Outgoing(status=status, headers=headers, body=b"")
        encoded = self._encodes and output.encoding_type is not None
        headers.append(_XML)
        return Outgoing(status=status, headers=headers, body=write_document(output, encoded=encoded))


def _compile(fields: tuple[Field, ...]) -> list[tuple[str, Write]]:
    found: list[tuple[str, Write]] = []
    for field in fields:
        header = field.trait(wire.Header)
        if header is not None:
            found.append((field.name, _header_writer(header.name.encode(), field)))
        elif field.trait(wire.Group) is not None:
            nested = tuple(_compile(fields_of(field.kind)))
            if nested:
                found.append((field.name, _group_writer(nested)))
        elif wire.USER_METADATA in field.traits:
            found.append((field.name, _write_user))
    return found


def _header_writer(name: bytes, field: Field) -> Write:
    form, unnamed = header_format(field.kind, name.decode()), _UNNAMED.get(field.kind)

    def write(value: Any, headers: Headers) -> None:
        if value is not unnamed:
            headers.append((name, header_bytes(form(value))))

    return write


def _group_writer(nested: tuple[tuple[str, Write], ...]) -> Write:
    def write(value: Any, headers: Headers) -> None:
        for name, step in nested:
            part = getattr(value, name)
            if part is not None:
                step(part, headers)

    return write


def _write_user(metadata: Any, headers: Headers) -> None:
    """What a header can hold; of the rest, which another front let in, S3 tells the number (AWS, GetObject)."""
    missing = 0
    for name, value in metadata.items():
        if _NAME.fullmatch(name) and not _FORBIDDEN.search(value):
            headers.append((_USER_PREFIX + name.encode(), header_bytes(value)))
        else:
            missing += 1
    if missing:
        headers.append((b"x-amz-missing-meta", str(missing).encode()))


def header_bytes(text: str) -> bytes:
    """A header's value, without the space around it (RFC 9110 section 5.5); one that could end the header is never sent.

    Raises:
        InternalError: it has control characters. What comes in is checked, so this is a fault of ours.
    """
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise InternalError
    return text.strip(" \t").encode("utf-8", "surrogateescape")
