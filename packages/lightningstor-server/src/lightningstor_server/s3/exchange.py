"""One request's connection: what is still to be read of it, and the sending of a body that streams.

Law: a failure after the headers aborts the connection, so that a client never takes half a body for
a whole one; what a body holds is let go of however that ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lightningstor_server.auth.canonical import join_headers
from lightningstor_server.s3.payload import BODY_IDLE_SECONDS, Receive, RequestBody
from lightningstor_server.service.policy_decision import RequestFacts
from lightningstor_types.errors import StorError
from lightningstor_types.streams import ByteStream
from lightningstor_types.tenants import Caller

if TYPE_CHECKING:
    from starlette.types import Scope, Send

DRAIN_MAX_BYTES: Final = 256 << 10
"""What is left of a refused body is read up to this, so that the client sees the answer; past it the connection closes."""


class AbortedError(Exception):
    """Raised into the HTTP server after the headers are gone: it must break the connection."""


class Exchange:
    """One request's connection, and what was found out about the request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.body: RequestBody | None = None
        self.path: str = scope["raw_path"].decode("latin-1")
        self.bucket = ""
        """The bucket that it names, once the address is read; the name is not validated."""
        self.from_page = False
        """Whether a page of some origin asks, once the headers are read."""
        self.caller: Caller | None = None
        """Who asks, once that is proven."""

    def facts(self, auth_type: str, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> RequestFacts:
        """What policies may ask of how the request came."""
        client = self.scope.get("client")
        return RequestFacts(
            source_ip=client[0] if client else None,
            secure=self.scope.get("scheme") == "https",
            auth_type=auth_type,
            headers=headers,
            query=query or {},
        )

    async def left(self) -> None:
        """Return when the client has gone; what it still sends is of no interest."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def finish(self) -> bool:
        """Read what is left of a small body; False if the connection must not be used again."""
        if self.body is None:
            try:
                self.body = RequestBody.unsigned(self.receive, join_headers(self.scope["headers"]))
            except StorError:
                return False
        if self.body.ended:
            return True
        # to read would be to say 100 Continue to a client that was refused (RFC 9110 section 10.1.1)
        if not self.body.begun and any(name == b"expect" for name, _ in self.scope["headers"]):
            return False
        return await self.body.drain(DRAIN_MAX_BYTES)


async def stream(body: ByteStream, exchange: Exchange, send: Send) -> None:
    """Send a body run by run, and let go of what it holds however that ends.

    Raises:
        AbortedError: the store failed in the middle, or the client does not read; the connection must break.
    """
    gone = asyncio.ensure_future(exchange.left())
    runs = aiter(body)
    try:
        async for run in runs:
            # sending to a client that left succeeds silently on both servers
            if gone.done():
                return
            async with asyncio.timeout(BODY_IDLE_SECONDS):
                await send({"type": "http.response.body", "body": run, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except StorError as error:
        raise AbortedError(error.code) from error
    except TimeoutError as error:
        raise AbortedError("the client does not read") from error
    finally:
        gone.cancel()
        close = getattr(runs, "aclose", None)
        if close is not None:
            await close()
