"""The gRPC front: every rpc of the descriptors, bound to the operation that names it.

Law: no servicer method is written by hand. The descriptors, the operation table and the codec have
to agree, or the server does not start. Messages pass gRPC as bytes and are parsed inside the error
boundary, so that a malformed one is answered as an error like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final, Protocol

import grpc
from attrs import frozen
from google.protobuf.message import Message
from grpc import aio

from lightningstor_api.codec import decoder, encoder, parsed
from lightningstor_api.errors import REQUEST_ID, to_status
from lightningstor_api.methods import METHODS, Method
from lightningstor_server.rpc.callers import Callers, facts_of, headers_of, new_request_id, request_id_of
from lightningstor_server.rpc.streams import STREAM_IDLE_SECONDS, IncomingBody, outgoing
from lightningstor_server.service.operation import I, O, Operation
from lightningstor_server.service.policy_decision import NO_FACTS, RequestFacts
from lightningstor_types.errors import RequestTimeout, StorError
from lightningstor_types.tenants import Caller

DEFAULT_DEADLINE_SECONDS: Final = 60.0
"""How long a call without a body may take when its client has set no deadline."""


class Door(Protocol):
    """What this front needs of the service."""

    async def call(
        self, operation: Operation[I, O], request: I, *, caller: Caller | None, request_id: str, facts: RequestFacts = NO_FACTS
    ) -> O:
        """Carry out an operation. Raises StorError."""

    def known_error(self, error: Exception, where: str, request_id: str) -> StorError:
        """What a caller is told of an exception; one that is not known is logged."""


@frozen(kw_only=True, eq=False)
class Bound:
    """An rpc, its operation and the codecs of its two messages."""

    method: Method
    operation: Operation[Any, Any]
    decode: Callable[..., Any]
    encode: Callable[[Any], Message]


@frozen(kw_only=True, eq=False)
class Call:
    """One call: who makes it, under which id, and where its answer goes."""

    caller: Caller | None
    request_id: str
    context: aio.ServicerContext[bytes, bytes]
    facts: RequestFacts = NO_FACTS


def bind(table: Iterable[Operation[Any, Any]], methods: Mapping[str, Method] = METHODS) -> tuple[Bound, ...]:
    """Pair every rpc with its operation.

    Raises:
        ValueError: an rpc without an operation or with two, an operation whose rpc is not in the
            descriptors, or one whose input or output is not what the messages carry.
    """
    named: dict[str, Operation[Any, Any]] = {}
    for operation in table:
        if operation.rpc is not None and named.setdefault(operation.rpc, operation) is not operation:
            raise ValueError(f"{operation.rpc} is the rpc of {operation.name} and of {named[operation.rpc].name}")
    if named.keys() != methods.keys():
        raise ValueError(f"operations and descriptors differ in {', '.join(sorted(named.keys() ^ methods.keys()))}")
    return tuple(_bound(method, named[rpc]) for rpc, method in methods.items())


def _bound(method: Method, operation: Operation[Any, Any]) -> Bound:
    if (operation.input, operation.output) != (method.input, method.output):
        raise ValueError(f"{method.rpc} carries {method.input.__name__} and {method.output.__name__}; {operation.name} has others")
    if (method.streams_in, method.streams_out) not in _SHAPES:
        raise ValueError(f"{method.rpc} streams both ways")
    decode, encode = decoder(method.head, method.input), encoder(method.answer, method.output)
    return Bound(method=method, operation=operation, decode=decode, encode=encode)


class Binding:
    """Makes gRPC's handlers of bound rpcs."""

    def __init__(
        self,
        door: Door,
        callers: Callers,
        *,
        deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
        idle_seconds: float = STREAM_IDLE_SECONDS,
    ) -> None:
        self._door = door
        self._callers = callers
        self._deadline_seconds = deadline_seconds
        self._idle_seconds = idle_seconds

    def handlers(self, bound: Iterable[Bound]) -> tuple[Any, ...]:
        """One handler a service, for `grpc.aio.Server.add_generic_rpc_handlers`."""
        services: dict[str, dict[str, Any]] = {}
        for rpc in bound:
            _, service, name = rpc.method.path.split("/")
            make, serve = _SHAPES[rpc.method.streams_in, rpc.method.streams_out]
            services.setdefault(service, {})[name] = make(self._guarded(rpc, serve))
        return tuple(grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items())

    def _guarded(self, bound: Bound, serve: _Serve) -> Callable[[Any, Any], Awaitable[bytes | None]]:
        """The error boundary: what leaves is an answer or a status with the error's code."""

        async def handle(incoming: Any, context: aio.ServicerContext[bytes, bytes]) -> bytes | None:
            request_id = new_request_id()
            metadata: Any = context.invocation_metadata() or ()  # pairs, which the type stubs take for a mapping
            try:
                headers = headers_of(metadata)
                request_id = request_id_of(headers)
                async with asyncio.timeout(self._limit(bound, context)):
                    caller = await self._callers.identify(bound.method.path, headers)
                    call = Call(caller=caller, request_id=request_id, context=context, facts=facts_of(context, headers))
                    answer = await serve(self, bound, incoming, call)
            except Exception as error:  # noqa: BLE001 - the door decides what it is; it logs what it does not know
                status = to_status(self._door.known_error(error, bound.operation.name, request_id), request_id)
                await context.abort(status.code, status.details, (*status.trailing_metadata, (REQUEST_ID, request_id)))
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            return answer

        return handle

    def _limit(self, bound: Bound, context: aio.ServicerContext[bytes, bytes]) -> float | None:
        """Seconds that the call may take; None where each message of a body has its own deadline, or the client set one."""
        if bound.operation.streams or context.time_remaining() is not None:
            return None
        return self._deadline_seconds

    async def _unary(self, bound: Bound, raw: bytes, call: Call) -> bytes:
        request = bound.decode(parsed(bound.method.request, raw))
        output = await self._door.call(bound.operation, request, caller=call.caller, request_id=call.request_id, facts=call.facts)
        return bound.encode(output).SerializeToString()

    async def _upload(self, bound: Bound, messages: AsyncIterator[bytes], call: Call) -> bytes:
        body = IncomingBody(messages, bound.method.request, idle_seconds=self._idle_seconds)
        request = bound.decode(await body.head(), body=body)
        output = await self._door.call(bound.operation, request, caller=call.caller, request_id=call.request_id, facts=call.facts)
        return bound.encode(output).SerializeToString()

    async def _download(self, bound: Bound, raw: bytes, call: Call) -> None:
        request = bound.decode(parsed(bound.method.request, raw))
        output = await self._door.call(bound.operation, request, caller=call.caller, request_id=call.request_id, facts=call.facts)
        async with aclosing(outgoing(bound.method.response, bound.encode(output), output.body)) as messages:
            async for message in messages:
                await self._send(call.context, message)

    async def _send(self, context: aio.ServicerContext[bytes, bytes], message: bytes) -> None:
        """Write a message; a client that does not read is not waited for, and one that left ends the call."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                await context.write(message)
        except TimeoutError as error:
            raise RequestTimeout from error
        except aio.InternalError as error:  # gRPC's word for a stream that is gone; its own cancellation may come later
            raise asyncio.CancelledError from error


_Serve = Callable[[Binding, Bound, Any, Call], Awaitable[bytes | None]]
_SHAPES: Final[dict[tuple[bool, bool], tuple[Callable[..., Any], _Serve]]] = {
    (False, False): (grpc.unary_unary_rpc_method_handler, Binding._unary),
    (True, False): (grpc.stream_unary_rpc_method_handler, Binding._upload),
    (False, True): (grpc.unary_stream_rpc_method_handler, Binding._download),
}
"""How an rpc is served, by whether its client and its server stream."""
