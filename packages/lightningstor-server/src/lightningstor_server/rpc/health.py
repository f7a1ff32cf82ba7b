"""The standard health service, for this server as a whole.

Law: it says SERVING until the server drains, then NOT_SERVING, and then ends its streams: the
library's own keeps them open, and a drain would wait for each of them until its time is over.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

OVERALL: Final = ""
"""The name that stands for the whole server (grpc.health.v1)."""


_Status: Final[Any] = health_pb2.HealthCheckResponse
_Answer = Any
"""A message of that type, whose stubs not every installation has."""


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc, unused-ignore] # for the same reason
    """Answers health checks."""

    def __init__(self) -> None:
        self._draining = asyncio.Event()

    async def withdraw(self) -> None:
        """Say from now on that no requests are taken."""
        self._draining.set()

    async def Check(self, request: Any, context: aio.ServicerContext[Any, Any]) -> _Answer:  # noqa: N802 - the rpc's name
        """The state at this moment; NOT_FOUND for a name that is not `OVERALL`."""
        if request.service != OVERALL:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._answer()

    async def Watch(self, request: Any, context: aio.ServicerContext[Any, Any]) -> None:  # noqa: N802
        """The state, and again when it changes."""
        known, draining = request.service == OVERALL, self._draining.is_set()
        await context.write(self._answer() if known else _Status(status=_Status.SERVICE_UNKNOWN))
        await self._draining.wait()
        if known and not draining:
            await context.write(self._answer())

    def _answer(self) -> _Answer:
        return _Status(status=_Status.NOT_SERVING if self._draining.is_set() else _Status.SERVING)
