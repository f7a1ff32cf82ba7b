"""Bodies on the server's side of a stream: head first, then chunks, in each direction.

Law: a body that came is complete only with `finish`; a client that vanished ends its stream without
it, and then the iteration raises, whatever the transport says. Every chunk is verified before its
bytes are handed on. A silent client is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from lightningstor_api.chunks import closing, opened, pieces, seal
from lightningstor_api.codec import decoder, parsed
from lightningstor_api.v1 import types_pb2
from lightningstor_types.digests import NO_CHECKSUMS, Checksums
from lightningstor_types.errors import IncompleteBody, InvalidArgument, RequestTimeout
from lightningstor_types.streams import ByteStream

STREAM_IDLE_SECONDS: Final = 60.0
"""How long a client may take over one message of a stream."""

_CHECKSUMS: Final = decoder(types_pb2.Checksums.DESCRIPTOR, Checksums)


class IncomingBody:
    """The body of a client's stream of messages: `head` first, then the iteration, once."""

    def __init__(self, messages: AsyncIterator[bytes], make: type[Any], *, idle_seconds: float = STREAM_IDLE_SECONDS) -> None:
        self.length: int | None = None
        self.trailer: Checksums = NO_CHECKSUMS
        self._messages = messages
        self._make = make
        self._idle_seconds = idle_seconds
        self._finished = False

    async def head(self) -> Message:
        """The message that the stream begins with.

        Raises:
            InvalidArgument: it begins with something else.
        """
        first: Any = parsed(self._make, await self._next())
        if first.WhichOneof("content") != "head":
            raise InvalidArgument("The first message of a stream is its head.")
        if first.HasField("length"):
            self.length = first.length
        self._note_end(first)
        head: Message = first.head
        return head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes of each chunk.

        Raises:
            IncompleteBody: the stream ended without `finish`, or the bytes are not as many as announced.
            InvalidArgument: a message that is no chunk, or a chunk that is too large.
            BadDigest: a chunk does not have the checksum that came with it.
            RequestTimeout: the client was silent for too long.
        """
        count = 0
        while not self._finished:
            message = self._read(await self._next())
            if message.WhichOneof("content") == "chunk":
                data = opened(message.chunk)
                count += len(data)
                if self.length is not None and count > self.length:
                    raise _wrong_length(self.length)
                self._note_end(message)
                yield data
            elif message.WhichOneof("content") is None and message.finish:
                self._note_end(message)
            else:
                raise InvalidArgument("Every message of a stream but the first has a chunk.")
        if self.length is not None and count != self.length:
            raise _wrong_length(self.length)

    def _read(self, raw: bytes) -> Any:
        try:
            return self._make.FromString(raw)
        except DecodeError as error:
            raise InvalidArgument("The request is no message of its type.") from error

    def _note_end(self, message: Any) -> None:
        self._finished = message.finish
        if message.HasField("object_checksums"):
            self.trailer = _CHECKSUMS(message.object_checksums)

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_seconds):
                raw = await anext(self._messages, None)
        except TimeoutError as error:
            raise RequestTimeout from error
        if raw is None:
            raise IncompleteBody("The stream ended without a message that says finish.")
        return raw


def _wrong_length(length: int) -> IncompleteBody:
    return IncompleteBody(f"{length} bytes were announced, and that is not what came.")


async def outgoing(make: type[Any], head: Message, body: ByteStream) -> AsyncGenerator[bytes, None]:
    """The messages of an answer with a body: its head, then a chunk each."""
    async with closing(pieces(body)) as chunks:
        yield make(head=head).SerializeToString()
        async for data in chunks:
            message = make()
            seal(message.chunk, data)
            yield message.SerializeToString()
