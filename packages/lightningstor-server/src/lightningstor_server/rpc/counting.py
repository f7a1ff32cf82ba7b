"""Calls counted while they run, and the bytes of their messages.

Law: counting wraps a handler once, when it is first asked for, and adds no task and no copy to a
call. Health and reflection are not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import grpc

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Counts(Protocol):
    """Where it is counted. In the thread of the event loop alone."""

    in_flight: int

    def moved(self, front: str, received_bytes: int, sent_bytes: int) -> None:
        """Count bytes that came and went."""


class Counted(grpc.GenericRpcHandler):  # type: ignore[type-arg, unused-ignore] # generic in the stubs alone
    """A service's handler, with its calls counted. Its messages are bytes on both sides."""

    def __init__(self, handler: Any, counts: Counts) -> None:
        self._handler = handler
        self._counts = counts
        self._made: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The method's handler; None where the service has no such method."""
        method = handler_call_details.method
        if method not in self._made:
            found: Any = self._handler.service(handler_call_details)
            if found is None:
                return None  # and not kept: a client names as many as it likes
            self._made[method] = self._counting(found)
        return self._made[method]

    def _counting(self, found: Any) -> Any:
        kind = next(kind for kind in _KINDS if getattr(found, kind) is not None)
        behaviour = {kind: self._running(getattr(found, kind))}
        return found._replace(request_deserializer=self._received, response_serializer=self._sent, **behaviour)

    def _running(self, serve: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def counted(incoming: Any, context: Any) -> Any:
            self._counts.in_flight += 1
            try:
                return await serve(incoming, context)
            finally:
                self._counts.in_flight -= 1

        return counted

    def _received(self, message: bytes) -> bytes:
        self._counts.moved("grpc", len(message), 0)
        return message

    def _sent(self, message: bytes) -> bytes:
        self._counts.moved("grpc", 0, len(message))
        return message
