"""Requests that boto3 does not make: signed by botocore, framed by hand, sent as they are.

Law: nothing here is the product's code, so that a mistake is not made on both sides.
"""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode

import attrs
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import servers

TIMEOUT_SECONDS: Final = 30.0
SIGNED: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()


@attrs.frozen
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Auth(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """S3's signer, with the payload value that it is told to sign."""

    def __init__(self, payload: str, secret: str = servers.SECRET_KEY) -> None:
        super().__init__(Credentials(servers.ACCESS_KEY, secret), "s3", servers.REGION)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore calls it so
        """The value of x-amz-content-sha256."""
        return self._payload


def send(
    server: servers.Server,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    payload: str = UNSIGNED,
) -> Answer:
    """Sign a request by its headers and send it. `path` is not encoded yet."""
    request = _signed(_Auth(payload), server, method, path, query or {}, dict(headers or {}))
    return deliver(server.s3, method, _target(path, query or {}), dict(request.headers.items()), body)


def send_streaming(
    server: servers.Server,
    path: str,
    content: bytes,
    *,
    payload: str,
    trailer: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    spoil: bytes = b"",
    chunk_bytes: int = 65536,
) -> Answer:
    """PUT `content` in aws-chunked framing; `spoil` goes in place of the first bytes after signing."""
    trailer = trailer or {}
    auth = _Auth(payload)
    more = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(content)), **(headers or {})}
    if trailer:
        more["X-Amz-Trailer"] = ",".join(trailer)
    request = _signed(auth, server, "PUT", path, {}, more)
    framed = b"".join(_framed(auth, request, content, trailer, chunk_bytes))
    if spoil:
        framed = framed.replace(content[: len(spoil)], spoil, 1)
    return deliver(server.s3, "PUT", _target(path, {}), dict(request.headers.items()), framed)


def deliver(address: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send a request that is finished, on a connection of its own. Values of headers go as UTF-8."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)
    try:
        connection.putrequest(method, target, skip_host="host" in {name.lower() for name in headers}, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode())
        if not {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def _target(path: str, query: Mapping[str, str]) -> str:
    return quote(path, safe="/-._~") + ("?" + urlencode(query, quote_via=quote) if query else "")


def _signed(auth: _Auth, server: servers.Server, method: str, path: str, query: Mapping[str, str], headers: dict[str, str]) -> AWSRequest:
    request = AWSRequest(method=method, url=server.endpoint + _target(path, query), headers=headers)
    auth.add_auth(request)
    return request


def _framed(auth: _Auth, request: AWSRequest, content: bytes, trailer: Mapping[str, str], chunk_bytes: int) -> Iterator[bytes]:
    """AWS, "Transferring payload in multiple chunks", signed and unsigned."""
    signed = auth.payload(request) != UNSIGNED_TRAILER
    previous = request.headers["Authorization"].rpartition("Signature=")[2]
    for start in [*range(0, len(content), chunk_bytes), len(content)]:
        data = content[start : start + chunk_bytes]
        yield f"{len(data):x}".encode()
        if signed:
            digest = hashlib.sha256(data).hexdigest()
            previous = _next(auth, request, "PAYLOAD", previous, EMPTY_SHA256, digest)
            yield b";chunk-signature=" + previous.encode()
        yield b"\r\n" + (data + b"\r\n" if data else b"")
    for name, value in trailer.items():
        yield f"{name}:{value}\r\n".encode()
    if signed and trailer:
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(trailer.items())).encode()
        yield f"x-amz-trailer-signature:{_next(auth, request, 'TRAILER', previous, hashlib.sha256(canonical).hexdigest())}\r\n".encode()
    yield b"\r\n"


def _next(auth: _Auth, request: AWSRequest, kind: str, *parts: str) -> str:
    """The next signature of the chain."""
    timestamp = request.context["timestamp"]
    scope = auth.credential_scope(request)
    signature: str = auth.signature("\n".join((f"AWS4-HMAC-SHA256-{kind}", timestamp, scope, *parts)), request)
    return signature
