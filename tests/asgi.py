"""HTTP over ASGI, without a socket: what a server would hand to the S3 front, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from attrs import evolve, field, frozen

HOST: Final = "s3.test"
ANSWER_SECONDS: Final = 30.0
"""Nothing here waits for anything outside the process; an answer that takes longer never comes."""

RawHeaders = tuple[tuple[bytes, bytes], ...]


@frozen(kw_only=True)
class Request:
    """A request as it is on the wire. `messages` is the body in the pieces in which it arrives."""

    method: str = "GET"
    path: bytes = b"/"
    query: bytes = b""
    headers: RawHeaders = ()
    messages: tuple[bytes, ...] = (b"",)
    vanishes: bool = False
    """The client goes away behind the last message, before the body has ended."""

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.messages)

    def header(self, name: str) -> str | None:
        """A header's value."""
        return next((value.decode("latin-1") for found, value in self.headers if found.decode("latin-1").lower() == name), None)

    def with_headers(self, *headers: tuple[str, str]) -> Request:
        """The request with headers put on, beside what is there."""
        return evolve(self, headers=(*self.headers, *((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)))

    def without_headers(self, *names: str) -> Request:
        """The request with headers taken off."""
        return evolve(self, headers=tuple(pair for pair in self.headers if pair[0].decode("latin-1").lower() not in names))

    def with_body(self, body: bytes, *, pieces: int = 1) -> Request:
        """The request with another body and its length, arriving in so many pieces."""
        size = max(1, -(-len(body) // pieces))
        messages = tuple(body[at : at + size] for at in range(0, len(body), size)) or (b"",)
        return evolve(self.without_headers("content-length"), messages=messages).with_headers(("content-length", str(len(body))))


@frozen(kw_only=True)
class Response:
    """What came back."""

    status: int
    raw_headers: RawHeaders
    body: bytes
    complete: bool = True
    """False where the application broke off in the middle of the body."""
    headers: Mapping[str, str] = field(init=False)

    @headers.default
    def _by_name(self) -> Mapping[str, str]:
        names = [name for name, _ in self.raw_headers]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.raw_headers}


async def exchange(app: Any, request: Request) -> Response:
    """Send a request to an application and take its response.

    What the application raises is raised here, unless the response had begun: a server would break its connection.
    """
    pending = list(request.messages)
    over = asyncio.Event()
    started: dict[str, Any] = {}
    pieces: list[bytes] = []
    ended = False

    async def receive() -> dict[str, Any]:
        if pending:
            body = pending.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(pending) or request.vanishes}
        if not request.vanishes:
            await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal ended
        assert not ended, "something is sent behind the end of the response"
        if message["type"] == "http.response.start":
            assert not started
            started.update(message)
            return
        assert started
        pieces.append(message.get("body", b""))
        ended = not message.get("more_body", False)

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await app(scope(request), receive, send)
    except Exception:
        if not started:
            raise
        return Response(status=started["status"], raw_headers=tuple(started["headers"]), body=b"".join(pieces), complete=False)
    finally:
        over.set()
    assert ended
    response = Response(status=started["status"], raw_headers=tuple(started["headers"]), body=b"".join(pieces))
    _check_framing(request, response)
    return response


def _check_framing(request: Request, response: Response) -> None:
    """What RFC 9110 demands of every response (sections 8.6, 9.3.2, 15.3.5 and 15.4.5), and header values that may be sent."""
    for name, value in response.raw_headers:
        assert name == name.lower()
        assert not set(value) & {0, 10, 13}
        assert value == value.strip(b" \t")
    length = response.headers.get("content-length")
    if request.method == "HEAD" or response.status in {204, 304}:
        assert response.body == b""
    elif length is not None:
        assert int(length) == len(response.body)
    if response.status in {204, 304}:
        assert length is None


def scope(request: Request) -> dict[str, Any]:
    """The scope that an ASGI server makes of a request, its lossy `path` included."""
    headers: Sequence[tuple[bytes, bytes]] = request.headers
    if not any(name.lower() == b"host" for name, _ in headers):
        headers = ((b"host", HOST.encode()), *headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path.decode("latin-1")),
        "raw_path": request.path,
        "query_string": request.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 9001),
    }
