"""From a request to an operation's input.

Law: a decoder is compiled once from the input's traits; per request it runs a list of readers. An
absent field keeps the input's own default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from lightningstor_server.s3.shapes import Field, fields_of
from lightningstor_server.s3.text import Parser, parser_of
from lightningstor_server.s3.xml import read_document
from lightningstor_types import wire
from lightningstor_types.digests import ChecksumAlgorithm
from lightningstor_types.errors import InvalidArgument, InvalidRequest, MalformedXML, MissingSecurityHeader, NotImplemented
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId, VersionId
from lightningstor_types.streams import ByteStream

_USER_PREFIX: Final = "x-amz-meta-"
_ABSENT: Final = object()
_OVERRIDE_PREFIX: Final = "response-"
_NEVER_EMPTY: Final = (VersionId, UploadId, PartNumber)
"""Of these the empty text is an error: `DELETE ?versionId=` must not delete what is current."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@frozen(kw_only=True)
class Incoming:
    """A request, taken apart."""

    bucket: str
    key: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: ByteStream


Read = Callable[[Incoming], Any]


class Decoder:
    """The compiled decoder of one input."""

    def __init__(self, shape: type) -> None:
        self._shape = shape
        self._readers = tuple(_compile(shape, ""))
        self._raw = next((field.name for field in fields_of(shape) if field.trait(wire.Raw) is not None), None)
        self.reads_document = hasattr(shape, "document") or self._raw is not None
        self.streams = any(wire.STREAM in field.traits for field in fields_of(shape))

    def decode(self, request: Incoming, document: bytes = b"") -> Any:
        """The input.

        Raises:
            StorError: something in it cannot be read.
        """
        values = self._read(document) if document else {}
        for name, read in self._readers:
            value = read(request)
            if value is not _ABSENT and value is not None:
                values[name] = value
        try:
            return self._shape(**values)
        except TypeError:
            raise InvalidRequest(f"{self._shape.__name__} lacks a parameter that it needs.") from None

    def _read(self, document: bytes) -> dict[str, Any]:
        """The values of the document; an input may have an error of its own for one that is malformed."""
        try:
            if self._raw is not None:
                return {self._raw: document.decode()}
            return read_document(self._shape, document)
        except (MalformedXML, UnicodeDecodeError):
            raise getattr(self._shape, "malformed", MalformedXML) from None


def _compile(shape: type, prefix: str) -> list[tuple[str, Read]]:
    found = []
    for field in fields_of(shape):
        read = _reader(field, prefix)
        if read is not None:
            found.append((field.name, read))
    return found


def _reader(field: Field, prefix: str) -> Read | None:
    for trait in field.traits:
        match trait:
            case wire.Header(name):
                return _text_reader("headers", prefix + name, field)
            case wire.Query(name):
                return _text_reader("query", name, field)
            case wire.Group(inner):
                return _group_reader(field, inner)
            case wire.Place():
                if trait in _PLACES:
                    return _PLACES[trait]
    return None


def _text_reader(source: str, name: str, field: Field) -> Read:
    parse = _list_of(parser_of(field.kind)) if field.repeated else parser_of(field.kind)
    plain = field.kind is str and not field.repeated
    optional = not plain and field.kind not in _NEVER_EMPTY

    def from_headers(request: Incoming) -> Any:
        text = request.headers.get(name)
        if text is None:
            return _ABSENT
        return _checked(text, name) if plain else parse(text, name)

    def from_query(request: Incoming) -> Any:
        text = request.query.get(name)
        if text is None or (optional and not text):
            return _ABSENT
        return text if plain else parse(text, name)

    def from_override(request: Incoming) -> Any:
        text = request.query.get(name)
        if text is not None and _CONTROL.search(text):
            raise InvalidArgument("A header has no control characters.", ArgumentName=name)
        return text

    if source == "headers":
        return from_headers
    return from_override if name.startswith(_OVERRIDE_PREFIX) else from_query


def _list_of(parse: Parser) -> Parser:
    """A list with commas between its members; empty ones are none (RFC 9110 section 5.6.1)."""
    return lambda text, name: tuple([parse(part.strip(" \t"), name) for part in text.split(",") if part.strip(" \t")])


def _checked(text: str, name: str) -> str:
    """A header's text, which is UTF-8 if it is kept or told: the other front has to tell it too."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidArgument(f"The header {name} is no UTF-8.", ArgumentName=name)
    return text


def _group_reader(field: Field, prefix: str) -> Read:
    readers = tuple(_compile(field.kind, prefix))

    def read(request: Incoming) -> Any:
        values = {name: value for name, read in readers if (value := read(request)) is not _ABSENT and value is not None}
        return field.kind(**values) if values else _ABSENT

    return read


def _user_metadata(request: Incoming) -> Any:
    found = {name[len(_USER_PREFIX) :]: value for name, value in request.headers.items() if name.startswith(_USER_PREFIX)}
    if not found:
        return _ABSENT
    if "" in found:
        raise InvalidArgument("User metadata have a name.", ArgumentName=_USER_PREFIX)
    return {name: _checked(value, _USER_PREFIX + name) for name, value in found.items()}


_PLACES: Final[dict[wire.Place, Read]] = {
    wire.BUCKET: lambda request: BucketName.parse(request.bucket),
    wire.KEY: lambda request: ObjectKey.parse(request.key),
    wire.STREAM: lambda request: request.body,
    wire.USER_METADATA: _user_metadata,
}

_NOT_YET: Final[dict[str, frozenset[str]]] = {
    # headers that promise something to the sender, with the values that promise only what is so anyway
    "x-amz-write-offset-bytes": frozenset(),
}
_NOT_YET_PREFIXES: Final = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
)
_CHECKSUM_PREFIX: Final = "x-amz-checksum-"
_CHECKSUM_HEADERS: Final = frozenset(
    _CHECKSUM_PREFIX + name for name in (*(known.field for known in ChecksumAlgorithm), "algorithm", "mode", "type")
)
"""Any other is a checksum that cannot be compared."""


def check_promises(headers: Mapping[str, str]) -> None:
    """Refuse a request that asks for what is not built: to ignore it would be to lie.

    Raises:
        NotImplemented: a header implies functionality that this server does not have.
    """
    for name, value in headers.items():
        if not name.startswith("x-amz-"):
            continue
        unknown_checksum = name.startswith(_CHECKSUM_PREFIX) and name not in _CHECKSUM_HEADERS
        if (name in _NOT_YET and value not in _NOT_YET[name]) or name.startswith(_NOT_YET_PREFIXES) or unknown_checksum:
            raise NotImplemented(Header=name)


def check_digest_given(headers: Mapping[str, str]) -> None:
    """AWS, DeleteObjects: the body is protected by Content-MD5 or by a checksum.

    Raises:
        MissingSecurityHeader: neither is there.
    """
    if "content-md5" not in headers and not any(name.startswith("x-amz-checksum-") for name in headers) and "x-amz-trailer" not in headers:
        raise MissingSecurityHeader("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
