"""The canonical request as the server rebuilds it from the bytes that came.

Law: the path and the query are decoded once and encoded again, never normalised: `//`, `.` and `..`
are part of a key. So a client that leaves `+`, `=`, `~`, `(` or `'` bare signs what we compute,
while another key never does. Header values are the wire's bytes read as latin-1 and go back the
same way. Source: AWS, "Create a signed AWS API request", steps 1 and 2, and "Signature
calculations for the Authorization header" for S3's exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from attrs import field, frozen

from lightningstor_types import errors

PAYLOAD_HEADER: Final = "x-amz-content-sha256"
SIGNATURE_PARAMETER: Final = "X-Amz-Signature"

_PLAIN_PATH: Final = re.compile(rb"[A-Za-z0-9\-._~/]+")
_PLAIN_PARAMETER: Final = re.compile(rb"[A-Za-z0-9\-._~]*")
_SPACES: Final = re.compile(r"[ \t]+")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")

# Lists, which RFC 9110 section 5.3 lets a sender spread over several lines; minio-go does so with
# x-amz-trailer. AWS joins repeated user metadata too ("Working with object metadata").
_LIST_HEADERS: Final = frozenset({"x-amz-trailer", "x-amz-object-attributes", "x-amz-optional-object-attributes"})
_LIST_PREFIX: Final = "x-amz-meta-"
_SINGLE_HEADERS: Final = frozenset({"authorization", "content-length", "content-md5", "date", "host"})


@frozen(kw_only=True)
class SignedRequest:
    """What a signature is over. Header names are lower case and values latin-1, as `join_headers` makes them."""

    method: str
    path: bytes
    query: bytes
    headers: Mapping[str, str] = field(repr=False)


class PayloadKind(Enum):
    """What `x-amz-content-sha256` says of the body."""

    HASH = auto()
    """The body is as sent and has the hash that was signed; it must be compared at the body's end."""
    UNSIGNED = auto()
    """The body is as sent and the signature does not cover it."""
    STREAMING_SIGNED = auto()
    """aws-chunked, every chunk signed, no trailer."""
    STREAMING_SIGNED_TRAILER = auto()
    """aws-chunked, every chunk signed, the trailer signed too."""
    STREAMING_UNSIGNED_TRAILER = auto()
    """aws-chunked without signatures; the trailer carries a checksum."""


@frozen
class Payload:
    """The value of `x-amz-content-sha256`: its kind, and its text as it was signed."""

    kind: PayloadKind
    text: str

    @property
    def sha256(self) -> str | None:
        """The announced hash in lower-case hex, where it is one."""
        return self.text.lower() if self.kind is PayloadKind.HASH else None

    @property
    def chunked(self) -> bool:
        """Whether the body must be taken out of aws-chunked framing."""
        return self.kind in _CHUNKED

    @property
    def chunks_signed(self) -> bool:
        """Whether each chunk carries a signature."""
        return self.kind in _CHUNKS_SIGNED


_CHUNKS_SIGNED: Final = frozenset({PayloadKind.STREAMING_SIGNED, PayloadKind.STREAMING_SIGNED_TRAILER})
_CHUNKED: Final = _CHUNKS_SIGNED | {PayloadKind.STREAMING_UNSIGNED_TRAILER}

UNSIGNED: Final = Payload(PayloadKind.UNSIGNED, "UNSIGNED-PAYLOAD")
_LITERALS: Final = {
    payload.text: payload
    for payload in (
        UNSIGNED,
        Payload(PayloadKind.STREAMING_SIGNED, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        Payload(PayloadKind.STREAMING_SIGNED_TRAILER, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        Payload(PayloadKind.STREAMING_UNSIGNED_TRAILER, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    )
}
_ECDSA: Final = frozenset({"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"})


def payload_of(value: str) -> Payload:
    """The meaning of an `x-amz-content-sha256` value.

    Raises:
        NotImplemented: a framing of Signature Version 4A.
        InvalidArgument: anything else that is unknown. It is never taken for a plain body: framing
            that is stored is corrupted data.
    """
    if _SHA256.fullmatch(value):
        return Payload(PayloadKind.HASH, value)
    literal = _LITERALS.get(value)
    if literal is not None:
        return literal
    if value in _ECDSA:
        raise errors.NotImplemented(f"The {PAYLOAD_HEADER} value {value} is not supported. Please use AWS4-HMAC-SHA256.")
    known = ", ".join(_LITERALS)
    raise errors.InvalidArgument(
        f"{PAYLOAD_HEADER} must be {known}, or a valid sha256 value.", ArgumentName=PAYLOAD_HEADER, ArgumentValue=value
    )


def canonical_path(path: bytes) -> str:
    """The path of the request target in canonical form; S3's keys keep their slashes."""
    if _PLAIN_PATH.fullmatch(path):
        return path.decode("ascii")
    return quote_from_bytes(unquote_to_bytes(path), safe="/") or "/"


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """The parameters in the order sent, each name and value in canonical encoding.

    `+` is a space, as Go's and Java's form encoders mean it and sign it (`%20`). Whoever reads the
    parameters must read it so too, or would act on another value than the one signed. A parameter
    without a value has the empty one; empty segments between `&` are none.
    """
    pairs = []
    for segment in query.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            pairs.append((_canonical_parameter(name), _canonical_parameter(value)))
    return pairs


def _canonical_parameter(raw: bytes) -> str:
    if _PLAIN_PARAMETER.fullmatch(raw):
        return raw.decode("ascii")
    return quote_from_bytes(unquote_to_bytes(raw.replace(b"+", b" ")), safe="")


def canonical_query(query: bytes, *, presigned: bool = False) -> str:
    """The query in canonical form: sorted by encoded name, then value.

    Of a presigned request the signature itself is left out.
    """
    if not query:
        return ""
    pairs = query_pairs(query)
    if presigned:
        pairs = [pair for pair in pairs if pair[0] != SIGNATURE_PARAMETER]
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def fold(value: str) -> str:
    """A header value without the space around it, and with runs of space within made one."""
    if "  " in value or "\t" in value:
        value = _SPACES.sub(" ", value)
    return value.strip(" ")


def canonical_request(request: SignedRequest, *, signed: Sequence[str], payload: str, presigned: bool) -> bytes:
    """The canonical request over the headers that `signed` names, in that order.

    Raises:
        KeyError: a signed header is not there.
        ValueError: a header value was not read as latin-1.
    """
    headers = request.headers
    lines = [request.method, canonical_path(request.path), canonical_query(request.query, presigned=presigned)]
    lines += [f"{name}:{fold(headers[name])}" for name in signed]
    lines += ["", ";".join(signed), payload]
    return "\n".join(lines).encode("latin-1")


def join_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers as the signature sees them: lower-case names, latin-1 values, lists joined by `,`.

    Raises:
        InvalidArgument: a header that has one value came more than once. Which of the two would be
            signed and which obeyed is nothing to guess about.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE_HEADERS or _is_single_amz(name):
            raise errors.InvalidArgument(f"The header {name} was sent more than once.", ArgumentName=name)
        else:
            headers[name] = f"{headers[name]},{value}"
    return headers


def _is_single_amz(name: str) -> bool:
    return name.startswith("x-amz-") and not name.startswith(_LIST_PREFIX) and name not in _LIST_HEADERS
