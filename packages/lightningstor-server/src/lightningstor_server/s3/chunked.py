"""Taking a body out of aws-chunked framing, with or without signatures and a trailer.

Law: sans-io, and the outcome does not depend on how the stream is split. Decoded bytes may come
out before their chunk's signature is checked, at that chunk's end at the latest an error follows,
and whoever drives the decoder keeps nothing unless `finish` returned. Source: AWS, "Transferring
Payload in Multiple Chunks (Chunked Upload)" and "Including Trailing Headers", whose framing is
RFC 9112 section 7.1's with one known extension.
"""

from __future__ import annotations

import hmac
import re
from enum import Enum, auto
from hashlib import sha256
from typing import Final

from lightningstor_api.signature import EMPTY_SHA256, chunk_string_to_sign, sign, trailer_string_to_sign
from lightningstor_server.auth.canonical import Payload, PayloadKind
from lightningstor_server.auth.sigv4 import Signature
from lightningstor_types import errors

CHUNK_LINE_BYTES_MAX: Final = 128
"""The longest line that is right has 9 digits and a signature: 92 bytes."""
SIGNED_CHUNK_BYTES_MAX: Final = 16 * 1024**2
"""SDKs send 64 KiB to 1 MiB. It bounds how much comes out before a signature is looked at."""
UNSIGNED_CHUNK_BYTES_MAX: Final = 5 * 1024**3
"""The largest body of one request: aws-sdk-rust and aws-sdk-go-v2 send a body as one chunk."""
TRAILER_BYTES_MAX: Final = 4096
TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"

_CRLF: Final = b"\r\n"
# no sign, no 0x, no leading zeros, no space: whatever two parsers could read as two sizes
_SIZE: Final = rb"(0|[1-9a-fA-F][0-9a-fA-F]{0,8})"
_UNSIGNED_LINE: Final = re.compile(_SIZE + rb"\r\n")
_SIGNED_LINE: Final = re.compile(_SIZE + rb";chunk-signature=([0-9a-f]{64})\r\n")
_TRAILER_LINE: Final = re.compile(rb"([A-Za-z0-9!#$%&'*+\-.^_`|~]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)[ \t]*")

_TRAILER_KINDS: Final = frozenset({PayloadKind.STREAMING_SIGNED_TRAILER, PayloadKind.STREAMING_UNSIGNED_TRAILER, PayloadKind.UNSIGNED})


class _State(Enum):
    LINE = auto()  # at or in a chunk's first line
    DATA = auto()  # in a chunk's data
    DATA_END = auto()  # at or in the CRLF behind a chunk's data
    TRAILER = auto()  # behind the line of the final chunk
    DONE = auto()
    FAILED = auto()


class ChunkedDecoder:
    """A decoder for one body. Feed it everything, then call `finish`.

    `payload` may be any but a hash; an unsigned payload is for a body that only its
    Content-Encoding says is aws-chunked. `signature` is the request's, for signed chunks.
    `trailer_names` are what x-amz-trailer announced, in lower case.
    """

    def __init__(
        self, payload: Payload, signature: Signature | None, *, decoded_length: int, trailer_names: frozenset[str] = frozenset()
    ) -> None:
        if payload.kind is PayloadKind.HASH or (payload.chunks_signed and signature is None):
            raise ValueError("no framing goes with a hash, and signed chunks need the signature of their request")
        self._kind = payload.kind
        self._signature = signature if payload.chunks_signed else None
        self._line_pattern = _SIGNED_LINE if payload.chunks_signed else _UNSIGNED_LINE
        self._chunk_max = SIGNED_CHUNK_BYTES_MAX if payload.chunks_signed else UNSIGNED_CHUNK_BYTES_MAX
        self._decoded_length = decoded_length
        self._trailer_names = trailer_names
        self._state = _State.LINE
        self._pending = b""  # an unfinished line, CRLF or trailer
        self._left = 0  # bytes of this chunk to come
        self._total = 0  # bytes of the chunks that were begun
        self._previous = signature.seed if signature is not None else ""
        self._announced = ""  # the signature that this chunk's line gave
        self._hash = sha256()
        self._trailers: dict[str, str] = {}

    @property
    def done(self) -> bool:
        """Whether the body is whole and all of it verified."""
        return self._state is _State.DONE

    @property
    def trailers(self) -> dict[str, str]:
        """The trailer by lower-case name, without its signature; empty until the decoder is done."""
        return dict(self._trailers)

    def feed(self, data: bytes) -> list[bytes]:
        """The decoded bytes in the next piece of the stream.

        Raises:
            InvalidRequest: the framing is malformed, or a chunk is too large.
            IncompleteBody: the chunks hold more than was announced.
            SignatureDoesNotMatch: a chunk is not what was signed.
            MalformedTrailerError: what follows the final chunk is too long to be a trailer.
        """
        if self._state in (_State.DONE, _State.FAILED):
            raise errors.InvalidRequest("The aws-chunked body goes on behind its end.")
        before, self._state = self._state, _State.FAILED  # stands if anything below raises
        return self._feed(data, before)

    def _feed(self, data: bytes, state: _State) -> list[bytes]:
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if state is _State.DATA:
                piece = data[at : at + self._left]  # the whole of `data` is not copied by this
                at += len(piece)
                pieces.append(piece)
                if self._take(piece):
                    state = _State.DATA_END
            elif state is _State.LINE:
                at, line = self._take_line(data, at)
                if line is not None:
                    state = _State.DATA if self._begin_chunk(line) else _State.TRAILER
            elif state is _State.DATA_END:
                at, ended = self._take_crlf(data, at)
                if ended:
                    state = _State.LINE
            else:
                self._pending += data[at : at + TRAILER_BYTES_MAX + 1]
                if len(self._pending) > TRAILER_BYTES_MAX:
                    raise errors.MalformedTrailerError
                at = end
        self._state = state
        return pieces

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises:
            IncompleteBody: the stream was cut off, or holds less than was announced.
            MalformedTrailerError: the trailer is not what was announced, or its signature is missing.
            SignatureDoesNotMatch: the trailer is not what was signed.
        """
        state, self._state = self._state, _State.FAILED
        if state is not _State.TRAILER or self._total != self._decoded_length:
            raise errors.IncompleteBody
        if self._kind in _TRAILER_KINDS:
            self._trailers = self._read_trailer(self._pending)
        elif self._pending != _CRLF:
            raise errors.IncompleteBody if _CRLF.startswith(self._pending) else errors.MalformedTrailerError
        if self._trailers.keys() != self._trailer_names:
            raise errors.MalformedTrailerError("The trailer does not hold what x-amz-trailer announced.")
        self._state = _State.DONE

    # -- chunks -----------------------------------------

    def _take_line(self, data: bytes, at: int) -> tuple[int, bytes | None]:
        """Where to go on, and the line once it is whole."""
        room = CHUNK_LINE_BYTES_MAX - len(self._pending)
        stop = data.find(b"\n", at, at + room) + 1
        if not stop:
            self._pending += data[at : at + room]
            if len(self._pending) >= CHUNK_LINE_BYTES_MAX:
                raise errors.InvalidRequest("A chunk of the aws-chunked body begins with too long a line.")
            return len(data), None
        line, self._pending = self._pending + data[at:stop], b""
        return stop, line

    def _begin_chunk(self, line: bytes) -> bool:
        """Whether data follows; the final chunk has none, and its signature is checked here."""
        match = self._line_pattern.fullmatch(line)
        if match is None:
            raise errors.InvalidRequest("A chunk of the aws-chunked body does not begin as this payload's chunks must.")
        size = int(match[1], 16)
        if size > self._chunk_max:
            raise errors.InvalidRequest(f"A chunk of the aws-chunked body has more than {self._chunk_max} bytes.")
        self._total += size
        if self._total > self._decoded_length:
            raise errors.IncompleteBody("The body holds more bytes than x-amz-decoded-content-length announced.")
        self._left = size
        if self._signature is not None:
            self._announced = match[2].decode("ascii")
            self._hash = sha256()
            if size == 0:
                self._check_chunk(self._signature, EMPTY_SHA256)
        return size > 0

    def _take(self, piece: bytes) -> bool:
        """Count a piece of data; whether the chunk is whole, in which case its signature was right."""
        self._left -= len(piece)
        if self._signature is not None:
            self._hash.update(piece)
            if self._left == 0:
                self._check_chunk(self._signature, self._hash.hexdigest())
        return self._left == 0

    def _check_chunk(self, signature: Signature, data_sha256: str) -> None:
        text = chunk_string_to_sign(signature.amz_date, signature.scope, self._previous, data_sha256)
        expected = sign(signature.signing_key, text)
        if not hmac.compare_digest(expected, self._announced):
            raise errors.SignatureDoesNotMatch
        self._previous = expected

    def _take_crlf(self, data: bytes, at: int) -> tuple[int, bool]:
        """Where to go on, and whether the CRLF is whole."""
        stop = at + len(_CRLF) - len(self._pending)
        self._pending += data[at:stop]
        if not _CRLF.startswith(self._pending):
            raise errors.InvalidRequest("A chunk of the aws-chunked body does not end where its size says.")
        ended = len(self._pending) == len(_CRLF)
        if ended:
            self._pending = b""
        return stop, ended

    # -- the trailer -----------------------------------------

    def _read_trailer(self, section: bytes) -> dict[str, str]:
        """The trailer's fields, its signature checked where there must be one."""
        fields: dict[str, str] = {}
        for line in _trailer_lines(section):
            match = _TRAILER_LINE.fullmatch(line)
            name = match[1].decode("ascii").lower() if match is not None else ""
            if match is None or name in fields:
                raise errors.MalformedTrailerError
            fields[name] = match[2].decode("ascii")
        if self._signature is not None:
            given = fields.pop(TRAILER_SIGNATURE, None)
            if given is None:
                raise errors.MalformedTrailerError(f"The trailer lacks {TRAILER_SIGNATURE}.")
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(fields.items())).encode("ascii")
            text = trailer_string_to_sign(self._signature.amz_date, self._signature.scope, self._previous, canonical)
            if not hmac.compare_digest(sign(self._signature.signing_key, text), given):
                raise errors.SignatureDoesNotMatch
        return fields


def _trailer_lines(section: bytes) -> list[bytes]:
    """The field lines of a trailer section, in the layouts that clients send.

    RFC 9112's is the fields and an empty line. AWS's page can also be read as an empty line (the
    end of an empty chunk) and the fields. minio-go ends a field with LF, and puts a CRLF before the
    signature or before the last empty line. Empty lines elsewhere, and fields behind them, are not
    part of any.
    """
    lines = [line.removesuffix(b"\r") for line in section.split(b"\n")]
    if lines.pop() or not lines:  # what follows the last LF, and so was cut off; or nothing came at all
        raise errors.IncompleteBody
    if lines and not lines[0]:
        del lines[0]
    for _ in range(2):
        if lines and not lines[-1]:
            lines.pop()
    fields = [line for line in lines if line]
    gap = len(lines) - len(fields)
    if gap and (gap > 1 or lines[-2:-1] != [b""] or not lines[-1].lower().startswith(TRAILER_SIGNATURE.encode())):
        raise errors.MalformedTrailerError
    return fields
