"""What makes a call: the one engine behind both faces of the client.

Law: the client raises the classes that the server raised. A call keeps its request id through all of
its attempts, and `retries` says which are made again. Every wait has a deadline: a call without a body
has one as a whole, a body one for each step. A token that the server refuses is replaced once, since a
call that was refused for it has done nothing.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
from grpc import aio

from lightningstor_api.bodies import IncomingBody, ServersStatus, answer_within, outgoing
from lightningstor_api.codec import decoder, encoder
from lightningstor_api.credentials import Bearer, Credentials, Metadata, Signed
from lightningstor_api.methods import METHODS, Method
from lightningstor_api.retries import Retries, note, repeatable, rewindable
from lightningstor_api.signing import Signer
from lightningstor_types.errors import ExpiredToken, InternalError, InvalidToken, StorError
from lightningstor_types.operations.tokens import IssueToken, IssueTokenResult

DEADLINE_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 60.0
ISSUE_SECONDS: Final = 10.0
BY_INPUT: Final = {method.input: method for method in METHODS.values()}


class Calls:
    """Calls on one channel in the name of one access key."""

    def __init__(
        self,
        channel: aio.Channel,
        signer: Signer,
        *,
        bearer: bool,
        deadline_seconds: float = DEADLINE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        retries: Retries | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.retries = retries or Retries()
        self._channel = channel
        self._signer = signer
        self._credentials: Credentials = Bearer(signer, self._issue, monotonic) if bearer else Signed(signer=signer)
        self._deadline_seconds = deadline_seconds
        self._idle_seconds = idle_seconds
        self._stubs = {method.rpc: _stub(channel, method) for method in METHODS.values()}

    async def close(self) -> None:
        """Drop the connection; calls that run are cancelled."""
        self._credentials.close()
        await self._channel.close(None)

    async def call(self, request: Any, /, *, request_id: str | None = None, deadline_seconds: float | None = None) -> Any:
        """Make the call whose input `request` is; `request_id` names it to the server.

        `deadline_seconds` is the client's unless it is given: how long the call may take with all its
        attempts; with a body, how long the first answer to a read and the answer to a whole write may.

        Raises:
            StorError: what the server answered, or how it could not be reached.
            ValueError: a value of the request that protobuf cannot hold.
        """
        method = BY_INPUT[type(request)]
        request_id = request_id or uuid.uuid4().hex
        seconds = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        attempts_max = self.retries.attempts_max if repeatable(method, request) else 1
        end = time.monotonic() + seconds
        failures = 0
        while True:
            # a body takes as long as it takes; each of its attempts waits as long for its answer
            left = seconds if method.streams_in else end - time.monotonic()
            try:
                return await self._attempt(method, request, request_id, left)
            except StorError as error:
                failures += 1
                pause = self.retries.pause(failures)
                late = not method.streams_in and time.monotonic() + pause >= end
                if not error.retryable or failures >= attempts_max or late:
                    note(error, request, failures - 1)
                    raise
            await asyncio.sleep(pause)

    async def _attempt(self, method: Method, request: Any, request_id: str, seconds: float) -> Any:
        """One attempt; a second one where the first only showed that the token is no longer good."""
        end = time.monotonic() + seconds
        shape = _SHAPES[method.streams_in, method.streams_out]
        metadata = await self._credentials.metadata(method.path, request_id, seconds)
        try:
            return await shape(self, method, request, metadata, seconds if method.streams_in else end - time.monotonic())
        except (ExpiredToken, InvalidToken):
            again = not method.streams_in or rewindable(request.body)
            if not (self._credentials.renewable(metadata) and again):
                raise
        left = seconds if method.streams_in else end - time.monotonic()
        metadata = await self._credentials.metadata(method.path, request_id, left)
        return await shape(self, method, request, metadata, left)

    async def _issue(self) -> IssueTokenResult:
        """A new token, asked for with a signature."""
        method = BY_INPUT[IssueToken]
        metadata = self._signer.metadata(method.path, uuid.uuid4().hex)
        issued: IssueTokenResult = await self._unary(method, IssueToken(), metadata, ISSUE_SECONDS)
        return issued

    async def _unary(self, method: Method, request: Any, metadata: Metadata, seconds: float) -> Any:
        payload = encoder(method.head, method.input)(request).SerializeToString()
        async with answer_within(seconds):
            raw = await self._stubs[method.rpc](payload, timeout=seconds, metadata=metadata)
        return decoder(method.answer, method.output)(method.response.FromString(raw))

    async def _write(self, method: Method, request: Any, metadata: Metadata, seconds: float) -> Any:
        head = encoder(method.head, method.input)(request)
        call = self._stubs[method.rpc](metadata=metadata)
        status = ServersStatus(call)
        try:
            async with aclosing(outgoing(method.request, head, request.body)) as messages:
                async for message in messages:
                    if not await self._sent(call, message):
                        break
            async with answer_within(seconds):
                raw = await _answer(call, status)
        finally:
            call.cancel()
        return decoder(method.answer, method.output)(method.response.FromString(raw))

    async def _sent(self, call: aio.StreamUnaryCall[bytes, bytes], message: bytes) -> bool:
        """Whether the message went. It does not where the call is over; its status says why."""
        async with answer_within(self._idle_seconds):
            try:
                await call.write(message)
            except (asyncio.InvalidStateError, grpc.RpcError):
                return False
        return True

    async def _read(self, method: Method, request: Any, metadata: Metadata, seconds: float) -> Any:
        payload = encoder(method.head, method.input)(request).SerializeToString()
        make: Any = method.response
        call = self._stubs[method.rpc](payload, metadata=metadata)
        try:
            messages = aiter(call)
            async with answer_within(seconds):
                first = make.FromString(await anext(messages, b""))
            if first.WhichOneof("content") != "head":
                raise InternalError("The server sent a body without a head.")
            body = IncomingBody(call, messages, make, first.head.content_length, self._idle_seconds)
            return decoder(method.answer, method.output)(first.head, body=body)
        except BaseException:
            call.cancel()
            raise


_Shape = Callable[[Calls, Method, Any, Metadata, float], Awaitable[Any]]
_SHAPES: Final[dict[tuple[bool, bool], _Shape]] = {
    (False, False): Calls._unary,
    (True, False): Calls._write,
    (False, True): Calls._read,
}


async def _answer(call: aio.StreamUnaryCall[bytes, bytes], status: ServersStatus) -> bytes:
    """The server's answer to a body that was sent, or that it did not want to the end."""
    try:
        await call.done_writing()
        return await call
    except grpc.RpcError:
        if status.error is not None:
            raise status.error from None
        raise


def _stub(channel: aio.Channel, method: Method) -> Any:
    """What starts a call; messages pass through it as bytes."""
    open_ = {
        (False, False): channel.unary_unary,
        (True, False): channel.stream_unary,
        (False, True): channel.unary_stream,
    }[method.streams_in, method.streams_out]
    return open_(method.path, None, None)
