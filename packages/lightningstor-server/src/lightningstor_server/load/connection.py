"""One HTTP/1.1 connection to an S3 endpoint.

Law: a request is sent as it was made, its target and its headers byte for byte; nothing is followed,
retried or decoded. h11 holds the protocol, since it is small, strict, and with Hypercorn here
anyway; asyncio's streams carry it, so that hundreds of connections need one thread. The caller
gives every wait its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Self

import h11
from attrs import evolve, field, frozen

READ_BYTES: Final = 256 << 10
SEND_BYTES: Final = 256 << 10
BODY_BYTES_MAX: Final = 4 << 20
"""Of a response that is kept. One that goes to a sink may have any length."""
HEAD_BYTES_MAX: Final = 64 << 10
CLOSE_SECONDS: Final = 5.0
PORT_MAX: Final = 65_535

Headers = Sequence[tuple[str, str]]
Sink = Callable[[bytes | bytearray], None]
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ProtocolError(Exception):
    """The far side ended the connection, or does not speak HTTP/1.1. The message says which."""


@frozen(kw_only=True)
class Endpoint:
    """Where an S3 server is."""

    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    address: str | None = None
    """Where to connect, where that is not the host."""

    @property
    def authority(self) -> str:
        """The Host header: without the scheme's own port, as clients send it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS["http" if self.tls is None else "https"] else f"{name}:{self.port}"


def endpoint_of(scheme: str, authority: str, tls: ssl.SSLContext | None = None) -> Endpoint:
    """The endpoint of a URL's scheme and its `host`, `host:port` or `[v6]:port`.

    Raises:
        ValueError: the port is none.
    """
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return Endpoint(host=authority.strip("[]"), port=DEFAULT_PORTS[scheme], tls=tls)
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) <= PORT_MAX:
        raise ValueError("expected HOST or HOST:PORT")
    return Endpoint(host=host.strip("[]"), port=int(port), tls=tls)


@frozen(kw_only=True)
class Request:
    """What is sent. `target` is the path and the query, encoded."""

    method: str
    target: str
    headers: Headers
    body: bytes | memoryview = b""


@frozen(kw_only=True)
class Response:
    """What came back. Names of headers are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    """Empty where it went to a sink."""
    received: int
    """Bytes of the body."""
    continued: bool = False
    """Whether a `100 Continue` came before it."""
    unsent: bool = False
    """Whether the body was held back, since this came instead of `100 Continue`."""


class Connection:
    """A connection that carries one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        """Connect, and shake hands where TLS is asked for.

        Raises:
            OSError, ssl.SSLError: it cannot.
        """
        name = None if endpoint.tls is None else endpoint.host
        host = endpoint.address or endpoint.host
        return cls(*await asyncio.open_connection(host, endpoint.port, ssl=endpoint.tls, server_hostname=name, limit=READ_BYTES))

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS state."""
        found: ssl.SSLObject | None = self._writer.get_extra_info("ssl_object")
        return found

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent on it."""
        return self._http.our_state is h11.IDLE and self._http.their_state is h11.IDLE

    async def exchange(self, request: Request, sink: Sink | None = None, *, patience_seconds: float | None = None) -> Response:
        """Send a request and read its response to the end.

        A 2xx response's body goes to `sink` where there is one. With `patience_seconds`, the body is
        held back until `100 Continue` comes or that time has passed (RFC 9110 section 10.1.1), and
        not sent at all after a final answer.

        Raises:
            ProtocolError: the connection ended, or what came is no HTTP.
            OSError: the connection broke.
        """
        try:
            await self._send(h11.Request(method=request.method, target=request.target, headers=list(request.headers)))
            event: h11.Event | None = None
            if patience_seconds is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience_seconds):
                        event = await self._event()
            continued, unsent = isinstance(event, h11.InformationalResponse), isinstance(event, h11.Response)
            if not unsent:
                await self._send_body(request.body)
                event = await self._event()
            while isinstance(event, h11.InformationalResponse):
                event = await self._event()
            if not isinstance(event, h11.Response):
                raise ProtocolError("the connection was closed before an answer came")
            return evolve(await self._response(event, sink), continued=continued, unsent=unsent)
        except h11.ProtocolError as error:
            raise ProtocolError(str(error)) from None

    async def close(self) -> None:
        """Close it, whatever state it is in."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.wait_closed()

    async def _response(self, head: h11.Response, sink: Sink | None) -> Response:
        kept = bytearray()
        received = 0
        take: Sink = sink if sink is not None and head.status_code < 300 else kept.extend  # noqa: PLR2004 - what failed is XML
        while isinstance(event := await self._event(), h11.Data):
            received += len(event.data)
            if len(kept) + len(event.data) > BODY_BYTES_MAX and take == kept.extend:
                raise ProtocolError(f"the answer is longer than {BODY_BYTES_MAX} bytes")
            take(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ProtocolError("the connection was closed within an answer")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return Response(status=head.status_code, headers=headers, body=bytes(kept), received=received)

    async def _send(self, event: h11.Request | h11.EndOfMessage) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def _send_body(self, body: bytes | memoryview) -> None:
        for start in range(0, len(body), SEND_BYTES):
            piece = body[start : start + SEND_BYTES]
            for data in self._http.send_with_data_passthrough(h11.Data(data=piece)) or ():  # type: ignore[arg-type]  # it takes any buffer
                self._writer.write(data)
            await self._writer.drain()
        await self._send(h11.EndOfMessage())

    async def _event(self) -> h11.Event | None:
        """The next event; None where the connection was closed."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(READ_BYTES))
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return None
            else:
                assert not isinstance(event, type)  # noqa: S101 - the two sentinels are dealt with above
                return event
