"""A client's bodies: what goes out with a write, what comes in with a read.

Law: the last message says `finish`, and only after the source has ended well; a source that raises
leaves a stream without it, of which the server keeps nothing. What comes in is verified chunk by
chunk and counted, so that whoever gets to the end has every byte. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio

from lightningstor_api.chunks import closing, opened, pieces, seal
from lightningstor_api.codec import encoder
from lightningstor_api.errors import from_rpc_error
from lightningstor_api.v1 import types_pb2
from lightningstor_types.digests import NO_CHECKSUMS, Checksums
from lightningstor_types.errors import IncompleteBody, RequestTimeout
from lightningstor_types.streams import ByteStream

T = TypeVar("T")

_CHECKSUMS = encoder(types_pb2.Checksums.DESCRIPTOR, Checksums)


@asynccontextmanager
async def answer_within(seconds: float) -> AsyncIterator[None]:
    """Wait for the server, and say in our own errors how that failed.

    Raises:
        StorError: what the server answered; RequestTimeout where it did not answer in time.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    except TimeoutError as error:
        raise RequestTimeout(f"The server was silent for {seconds:g} seconds.") from error


async def outgoing(make: type[Any], head: Message, body: ByteStream) -> AsyncGenerator[bytes, None]:
    """The messages of a write: the head, then a chunk each, and `finish` with the last of them."""
    message = make(head=head, length=body.length)
    async with closing(pieces(body)) as chunks:
        async for data in chunks:
            yield message.SerializeToString()
            message = make()
            seal(message.chunk, data)
    message.finish = True
    if body.trailer != NO_CHECKSUMS:
        message.object_checksums.CopyFrom(_CHECKSUMS(body.trailer))
    yield message.SerializeToString()


class ServersStatus:
    """The status that the server ended a call with.

    Where a write fails because the server has answered already, grpc.aio puts a status of its own
    (`Internal error from Core`) over the server's, in one of ten cases here (grpc issue 36066).
    Statuses are noted when they are set, so that the server's is not lost.
    """

    def __init__(self, call: aio.StreamUnaryCall[bytes, bytes]) -> None:
        self.error: aio.AioRpcError | None = None
        call.add_done_callback(self._note)

    def _note(self, call: aio.StreamUnaryCall[bytes, bytes]) -> None:
        code, metadata = _at_hand(call.code()), _at_hand(call.trailing_metadata())
        if len(metadata) or code not in {grpc.StatusCode.OK, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED}:
            self.error = aio.AioRpcError(code, aio.Metadata(), metadata, _at_hand(call.details()), "")


def _at_hand(value: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        value.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError("a call that is done has its status")


class IncomingBody:
    """The bytes of a read, once. One that is not read to its end is to be cancelled."""

    trailer = NO_CHECKSUMS

    def __init__(
        self, call: aio.UnaryStreamCall[bytes, bytes], messages: AsyncIterator[bytes], make: type[Any], length: int, idle_seconds: float
    ) -> None:
        self.length = length
        self._call = call
        self._messages = messages
        self._make = make
        self._idle_seconds = idle_seconds

    def cancel(self) -> None:
        """Tell the server that no more is wanted; it is no error to have read everything before."""
        self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks as they come.

        Raises:
            StorError: the server failed on the way; RequestTimeout where nothing came for long.
            BadDigest: a chunk does not have the checksum that came with it.
            IncompleteBody: the stream ended before its announced length, or went past it.
        """
        count = 0
        try:
            while (raw := await self._next()) is not None:
                data = opened(self._make.FromString(raw).chunk)
                count += len(data)
                yield data
            if count != self.length:
                raise IncompleteBody(f"{self.length} bytes were announced and {count} came.")
        finally:
            self.cancel()

    async def _next(self) -> bytes | None:
        async with answer_within(self._idle_seconds):
            return await anext(self._messages, None)
