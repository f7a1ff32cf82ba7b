"""Bodies as they come in, verified as they come.

Law: what is iterated to its end is what the sender signed and announced: its length, its hash or
its chunk signatures. A client that vanishes, falls silent or sends less ends the iteration with an
error, and whoever iterates keeps nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from lightningstor_server.auth.canonical import UNSIGNED, Payload, PayloadKind, payload_of
from lightningstor_server.auth.sigv4 import Signature
from lightningstor_server.s3.chunked import ChunkedDecoder
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums

BODY_IDLE_SECONDS: Final = 60.0
"""How long a sender may be silent in the middle of a body."""
_CHECKSUM_PREFIX: Final = "x-amz-checksum-"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class RequestBody:
    """The body of one request, taken out of its framing."""

    def __init__(self, receive: Receive, headers: Mapping[str, str], payload: Payload, signature: Signature | None) -> None:
        self._receive = receive
        self._payload = payload
        self._wire_length = _length(headers, "content-length")
        self.length = self._wire_length
        self.trailer = NO_CHECKSUMS
        self.begun = False
        """Whether any of it was asked for; a body that was not stays in the connection."""
        self.lost = False
        """Whether the sender left or fell silent: there is nothing to wait for any more."""
        self.ended = self._wire_length == 0 or (self._wire_length is None and "transfer-encoding" not in headers)
        self._decoder = self._framing(headers, signature)

    @classmethod
    def unsigned(cls, receive: Receive, headers: Mapping[str, str]) -> RequestBody:
        """The body of a request that nobody signed.

        Raises:
            AccessDenied: it says that its chunks are signed.
            InvalidArgument: its x-amz-content-sha256 is unknown.
        """
        spoken = headers.get("x-amz-content-sha256")
        payload = UNSIGNED if spoken is None else payload_of(spoken)
        if payload.chunks_signed:
            raise errors.AccessDenied
        return cls(receive, headers, payload, None)

    def _framing(self, headers: Mapping[str, str], signature: Signature | None) -> ChunkedDecoder | None:
        """The decoder of aws-chunked framing, where the payload value or Content-Encoding says that the body has it.

        A body whose hash as sent was signed is what was sent, whatever its Content-Encoding says.

        Raises:
            MissingContentLength: the decoded length is not announced.
        """
        coded = "aws-chunked" in {part.strip().lower() for part in headers.get("content-encoding", "").split(",")}
        if self._payload.kind is PayloadKind.HASH or not (coded or self._payload.chunked):
            return None
        self.length = _length(headers, "x-amz-decoded-content-length")
        if self.length is None:
            raise errors.MissingContentLength
        announced = frozenset(name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip())
        return ChunkedDecoder(self._payload, signature, decoded_length=self.length, trailer_names=announced)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The decoded pieces.

        Raises:
            IncompleteBody: it ended early, or the client went away.
            RequestTimeout: the client fell silent.
            XAmzContentSHA256Mismatch, SignatureDoesNotMatch: it is not what was signed.
            MalformedTrailerError: its trailer is not the one that was announced.
        """
        expected = self._payload.sha256
        hasher = hashlib.sha256() if expected is not None else None
        received = 0
        async for data in self._messages():
            received += len(data)
            if self._wire_length is not None and received > self._wire_length:
                raise errors.IncompleteBody
            if hasher is not None:
                hasher.update(data)
            if self._decoder is None:
                yield data
            else:
                for piece in self._decoder.feed(data):
                    yield piece
        if self._wire_length is not None and received != self._wire_length:
            raise errors.IncompleteBody
        if hasher is not None and hasher.hexdigest() != expected:
            raise errors.XAmzContentSHA256Mismatch(ClientComputedContentSHA256=str(expected), S3ComputedContentSHA256=hasher.hexdigest())
        if self._decoder is not None:
            self._decoder.finish()
            self.trailer = _trailer_checksums(self._decoder.trailers)

    async def _messages(self) -> AsyncIterator[bytes]:
        """What the HTTP server hands over, up to the end that it saw."""
        self.begun = True
        while not self.ended:
            try:
                async with asyncio.timeout(BODY_IDLE_SECONDS):
                    message = await self._receive()
            except TimeoutError:
                self.lost = True
                raise errors.RequestTimeout from None
            if message["type"] == "http.disconnect":
                self.lost = True
                raise errors.IncompleteBody
            self.ended = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def read(self, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            MaxMessageLengthExceeded: it is longer than the limit.
        """
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > limit_bytes:
                raise errors.MaxMessageLengthExceeded(MaxMessageLengthBytes=str(limit_bytes))
            pieces.append(piece)
        return b"".join(pieces)

    async def drain(self, limit_bytes: int) -> bool:
        """Take and drop what is left of a refused body; False if it is more than the limit, or will not come."""
        size = 0
        if self.lost:
            return False
        try:
            async for data in self._messages():
                size += len(data)
                if size > limit_bytes:
                    return False
        except errors.StorError:
            return False
        return True


def check_length_given(headers: Mapping[str, str]) -> None:
    """A body needs its length announced, or its end framed.

    Raises:
        MissingContentLength: neither is so.
    """
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise errors.MissingContentLength


def announced_algorithm(headers: Mapping[str, str]) -> str | None:
    """The checksum that the trailer will bring, under the name that x-amz-sdk-checksum-algorithm has for it."""
    for name in headers.get("x-amz-trailer", "").lower().split(","):
        if name.strip().startswith(_CHECKSUM_PREFIX):
            return name.strip().removeprefix(_CHECKSUM_PREFIX).upper()
    return None


def _length(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19:  # noqa: PLR2004 - what fits into 64 bits
        raise errors.InvalidArgument(f"{name} is no length", ArgumentName=name, ArgumentValue=text[:64])
    return int(text)


def _trailer_checksums(trailers: Mapping[str, str]) -> Checksums:
    """The checksums that came behind the body; other trailers mean nothing here."""
    known = {algorithm.field for algorithm in ChecksumAlgorithm}
    found = {name.removeprefix(_CHECKSUM_PREFIX): value for name, value in trailers.items() if name.startswith(_CHECKSUM_PREFIX)}
    return Checksums(**{name: value for name, value in found.items() if name in known})
