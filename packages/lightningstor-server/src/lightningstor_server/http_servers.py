"""The HTTP servers that the S3 front can run under.

Law: the front is an ASGI application and knows none of them. Both are held to HTTP/1.1, without
websockets, since the front's limits are reasoned for that; several processes share the port by
SO_REUSEPORT. What each of them refuses by itself is in the specification. A new certificate is for
new connections: those that are made go on under the old one, and none that waits is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from lightningstor_server.certificates import Certificate, Certificates, in_memory, server_context
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
HANDSHAKE_SECONDS: Final = 10.0
"""Within which a client has to make a TLS connection; Granian's own deadline, and so here for both."""


class Serve(Protocol):
    """Serves until `stop`, then until what runs is done. Its caller bounds that."""

    async def __call__(
        self, app: Application, address: Address, *, stop: asyncio.Event, limits: Limits, certificates: Certificates | None = None
    ) -> None:
        """Serve until told to stop; over TLS where there are certificates."""


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


async def serve_granian(
    app: Application, address: Address, *, stop: asyncio.Event, limits: Limits, certificates: Certificates | None = None
) -> None:
    """Serve with Granian in this event loop; its threads parse and write.

    It holds one certificate for its life. So each certificate has a server of its own, on the one
    listening socket: connections that wait there are the next one's.

    Raises:
        RuntimeError: it ended by itself.
    """
    quiet_seconds = max(limits.keep_alive_seconds, HANDSHAKE_SECONDS)
    async with asyncio.TaskGroup() as generations:
        with _listener(address) as listener:  # closed as soon as nothing is to be accepted any more
            while not stop.is_set():
                current = None if certificates is None else certificates.current
                generation = _Generation(app, address, listener, limits, current)
                generations.create_task(generation.run(stop, quiet_seconds))
                await _first(stop.wait(), _replaced(certificates, current))
                generation.superseded.set()


async def _first(*waits: Coroutine[Any, Any, object], beside: tuple[asyncio.Task[None], ...] = ()) -> None:
    """Return once one of them has ended; the waits end with it."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait({*tasks, *beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _replaced(certificates: Certificates | None, seen: Certificate | None) -> None:
    if certificates is None or seen is None:
        await asyncio.Event().wait()  # never: there is none to replace
    else:
        await certificates.after(seen)


class _Generation:
    """A Granian that serves one certificate."""

    def __init__(
        self, app: Application, address: Address, listener: socket.socket, limits: Limits, certificate: Certificate | None
    ) -> None:
        self._counted = _Counted(app)
        self._held = contextlib.ExitStack()
        paths = None
        if certificate is not None:
            # it reads them when it begins to serve, a while after this
            paths = (self._held.enter_context(in_memory(certificate.chain)), self._held.enter_context(in_memory(certificate.key)))
        # its own descriptor of the socket that is shared; it closes that with itself
        self._descriptor = os.dup(listener.fileno())
        self._server = _granian(self._counted, address, limits, self._descriptor, paths)
        self.superseded = asyncio.Event()
        """Set when another one accepts."""

    async def run(self, stop: asyncio.Event, quiet_seconds: float) -> None:
        """Serve; when superseded, go on with the connections that are left until nothing is asked on them for so long.

        Raises:
            RuntimeError: it ended by itself.
        """
        serving: asyncio.Task[None] = asyncio.create_task(self._server.serve())
        try:
            await _first(stop.wait(), self.superseded.wait(), beside=(serving,))
            if serving.done():
                raise RuntimeError("Granian ended while serving") from serving.exception()
            if not stop.is_set():
                self._stop_accepting()
                await _first(stop.wait(), self._counted.quiet(quiet_seconds), beside=(serving,))
            self._server.stop()
            # it waits for a head that a client never finishes, so the requests that run say when it is over
            while not serving.done():
                await self._counted.idle.wait()
                await asyncio.wait({serving}, timeout=SILENCE_SECONDS)
                if self._counted.running == 0:
                    break
        finally:
            serving.cancel()
            self._held.close()

    def _stop_accepting(self) -> None:
        """Put a socket that nobody knows in the place of the one that it accepts from.

        Told to stop, it would drop the handshakes that are under way and close every connection
        between two requests, also one on which a request is coming in just now.
        """
        with socket.socket(socket.AF_UNIX) as silent:
            silent.settimeout(0)  # without this, it would wait here for one
            silent.bind("")  # to a name that the kernel makes up (unix(7), autobind)
            silent.listen(0)
            os.dup2(silent.fileno(), self._descriptor, inheritable=False)


def _granian(app: Application, address: Address, limits: Limits, descriptor: int, certificate: tuple[str, str] | None) -> Any:
    from granian.constants import HTTPModes, Interfaces, SSLProtocols  # noqa: PLC0415 - an extra
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.net import SocketHolder  # type: ignore[attr-defined, unused-ignore] # noqa: PLC0415
    from granian.server.embed import Server  # noqa: PLC0415

    hold: Any = SocketHolder  # whose types are behind its code

    class OnSocket(Server):  # type: ignore[misc, unused-ignore] # it ships no types
        """Serves a socket that is there, and a certificate that is in no file."""

        def _init_shared_socket(self) -> None:
            self._shd: Any = hold(descriptor, False, BACKLOG_CONNECTIONS)  # noqa: FBT003 - whether it is a Unix socket

        def build_ssl_context(self, *_: object) -> None:
            chain, key = certificate or (None, None)
            self.ssl_ctx: Any = (certificate is not None, chain, key, None, str(SSLProtocols.tls12), None, [], False)

    return OnSocket(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,  # auto would take HTTP/2, with 16 MiB of headers
        http1_settings=HTTP1Settings(header_read_timeout=int(limits.header_read_seconds * 1000), max_buffer_size=HEAD_MAX_BYTES),
        websockets=False,
        runtime_threads=1,
        blocking_threads=1,
        # a permit for each connection, idle ones included
        backpressure=limits.max_connections,
        log_enabled=False,
        log_access=False,
    )


def _listener(address: Address) -> socket.socket:
    """A socket that shares the address with those of other workers.

    Raises:
        OSError: the address is taken.
    """
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((address.host, address.port))
    except OSError:
        listener.close()
        raise
    return listener


async def serve_hypercorn(
    app: Application, address: Address, *, stop: asyncio.Event, limits: Limits, certificates: Certificates | None = None
) -> None:
    """Serve with Hypercorn in this event loop."""
    from hypercorn.asyncio import serve  # noqa: PLC0415 - a worker under Granian need not hold it
    from hypercorn.config import Config  # noqa: PLC0415

    _named_continue()

    class Secured(Config):
        """Speaks TLS with a certificate that is in no file."""

        ssl_enabled = certificates is not None  # else it goes by the names of files

        def create_ssl_context(self) -> ssl.SSLContext | None:
            return None if certificates is None else server_context(certificates)

    config = Secured()
    config.bind = [f"fd://{_listener(address).detach()}"]
    config.ssl_handshake_timeout = HANDSHAKE_SECONDS
    config.backlog = BACKLOG_CONNECTIONS
    config.h11_max_incomplete_size = HEAD_MAX_BYTES
    config.keep_alive_timeout = max(limits.keep_alive_seconds, limits.header_read_seconds)  # the one clock it has for both
    config.keep_alive_max_requests = 1 << 30
    config.graceful_timeout = limits.drain_seconds
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None  # what it has to say comes as exceptions
    await serve(_only_http1(app), config, shutdown_trigger=stop.wait, mode="asgi")  # type: ignore[arg-type]


def _named_continue() -> None:
    """Make Hypercorn say `100 Continue` and not `100`.

    A reason may be empty (RFC 9112 section 4), but botocore from before 2025 takes a 100 without one
    for the final answer, and never sends the body.
    """
    import h11  # noqa: PLC0415 - Hypercorn's
    from hypercorn import protocol  # noqa: PLC0415
    from hypercorn.protocol.h11 import H11Protocol  # noqa: PLC0415

    class Named(H11Protocol):
        async def _send_h11_event(self, event: Any) -> None:
            if isinstance(event, h11.InformationalResponse) and event.status_code == HTTPStatus.CONTINUE:
                event = h11.InformationalResponse(status_code=event.status_code, headers=event.headers.raw_items(), reason=b"Continue")
            await super()._send_h11_event(event)

    protocol.H11Protocol = Named  # type: ignore[attr-defined] # it asks for it by this name, connection by connection


class _Counted:
    """The application, with a count of what runs."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.running = 0
        self.begun = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.running += 1
        self.begun += 1
        self.idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def quiet(self, seconds: float) -> None:
        """Return once nothing has run for so long."""
        seen = -1
        while seen != self.begun:
            await self.idle.wait()
            seen = self.begun
            await asyncio.sleep(seconds)


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
