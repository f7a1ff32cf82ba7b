"""The HTTP servers that the S3 front can run under.

Law: the front is an ASGI application and knows none of them. Both are held to HTTP/1.1, without
websockets, since the front's limits are reasoned for that; several processes share the port by
SO_REUSEPORT. What each of them refuses by itself is in the specification.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol

from lightningstor_server.config import Limits
from lightningstor_server.failures import StartError
from lightningstor_server.options import Address

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

BACKLOG_CONNECTIONS: Final = 1024
HEAD_MAX_BYTES: Final = 65_536
"""Of a request's line and headers together."""
ACCEPT_PROBE_SECONDS: Final = 0.02
ACCEPT_DEADLINE_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 2.0
"""How long a drain waits for connections once no request runs on them."""


class Serve(Protocol):
    """Serves until `stop`, then until what runs is done. Its caller bounds that."""

    async def __call__(self, app: Application, address: Address, *, stop: asyncio.Event, limits: Limits) -> None:
        """Serve until told to stop."""


def choose(name: str) -> str:
    """The server that `--http-server` means; `auto` takes the fastest that is installed.

    Raises:
        StartError: it is not installed.
    """
    installed = importlib.util.find_spec("granian") is not None
    if name == "auto":
        return "granian" if installed else "hypercorn"
    if name == "granian" and not installed:
        raise StartError("Granian is not installed: pip install 'lightningstor-server[standard]', or use --http-server hypercorn")
    return name


async def accepting(address: Address) -> None:
    """Return once connections to the address are accepted.

    Raises:
        TimeoutError: they are not, after ten seconds.
    """
    async with asyncio.timeout(ACCEPT_DEADLINE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(address.host, address.port)
            except ConnectionRefusedError:
                await asyncio.sleep(ACCEPT_PROBE_SECONDS)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def serve_granian(app: Application, address: Address, *, stop: asyncio.Event, limits: Limits) -> None:
    """Serve with Granian in this event loop; its threads parse and write.

    Raises:
        RuntimeError: it ended by itself, for instance since the address is taken.
    """
    counted = _Counted(app)
    server = _granian(counted, address, limits)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await serving
            raise RuntimeError(f"Granian ended while serving {address}")
        server.stop()
        # it waits for a head that a client never finishes, so the requests that run say when it is over
        while not serving.done():
            await counted.idle.wait()
            await asyncio.wait({serving}, timeout=SILENCE_SECONDS)
            if counted.running == 0:
                break
    finally:
        stopping.cancel()
        serving.cancel()


def _granian(app: Application, address: Address, limits: Limits) -> Any:
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415 - an extra
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.server.embed import Server  # noqa: PLC0415

    return Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,  # auto would take HTTP/2, with 16 MiB of headers
        http1_settings=HTTP1Settings(header_read_timeout=int(limits.header_read_seconds * 1000), max_buffer_size=HEAD_MAX_BYTES),
        websockets=False,
        runtime_threads=1,
        blocking_threads=1,
        backlog=BACKLOG_CONNECTIONS,
        # a permit for each connection, idle ones included
        backpressure=limits.max_connections,
        log_enabled=False,
        log_access=False,
    )


async def serve_hypercorn(app: Application, address: Address, *, stop: asyncio.Event, limits: Limits) -> None:
    """Serve with Hypercorn in this event loop."""
    from hypercorn.asyncio import serve  # noqa: PLC0415 - a worker under Granian need not hold it
    from hypercorn.config import Config  # noqa: PLC0415

    listener = socket.socket(address.family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((address.host, address.port))

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG_CONNECTIONS
    config.h11_max_incomplete_size = HEAD_MAX_BYTES
    config.keep_alive_timeout = max(limits.keep_alive_seconds, limits.header_read_seconds)  # the one clock it has for both
    config.keep_alive_max_requests = 1 << 30
    config.graceful_timeout = limits.drain_seconds
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None  # what it has to say comes as exceptions
    await serve(_only_http1(app), config, shutdown_trigger=stop.wait, mode="asgi")  # type: ignore[arg-type]


class _Counted:
    """The application, with a count of what runs."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.running += 1
        self.idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


def _only_http1(app: Application) -> Application:
    """Hypercorn cannot be told to leave websockets and HTTP/2 in clear text alone."""

    async def gate(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["http_version"] != "2":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 505, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            await _no_lifespan(receive, send)

    return gate


async def _no_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


SERVERS: Final[Mapping[str, Serve]] = {"granian": serve_granian, "hypercorn": serve_hypercorn}
