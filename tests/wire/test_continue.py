"""`Expect: 100-continue` on both HTTP servers, byte for byte (RFC 9110 section 10.1.1)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

import servers
from faults.s3client import S3Client, head_of, signed, target_of

ANSWER_SECONDS = 30.0
SERVERS = ("granian", "hypercorn")
CONTINUE = b"HTTP/1.1 100"
BODY = b"content"
EXPECT = {"Content-Length": str(len(BODY)), "Expect": "100-continue"}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server of one worker with an empty bucket."""
    folder = tmp_path_factory.mktemp("continue")
    with servers.running(folder / "data", "--workers", "1", "--http-server", request.param) as running:
        with S3Client(running.s3) as client:
            assert client.call("PUT").status == 200
        yield running


def connected(server: servers.Server) -> closing[socket.socket]:
    """A connection."""
    host, _, port = server.s3.rpartition(":")
    return closing(socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS))


def head_from(connection: socket.socket) -> bytes:
    """One head of a response, interim or final."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(1)
        assert more, received
        received += more
    return received


def test_a_body_is_asked_for(server: servers.Server) -> None:
    """The client waits: 100 comes first, then it sends its body, and the object is there."""
    target = target_of("asked")
    with connected(server) as connection:
        connection.sendall(head_of("PUT", target, signed("PUT", server.s3, target, EXPECT)))
        assert head_from(connection).startswith(CONTINUE)
        connection.sendall(BODY)
        assert head_from(connection).startswith(b"HTTP/1.1 200")
    with S3Client(server.s3) as client:
        assert client.call("GET", "asked").body == BODY


def test_a_body_that_does_not_wait(server: servers.Server) -> None:
    """A client that sends its body at once is served alike; a server may leave the 100 out then."""
    target = target_of("at-once")
    with connected(server) as connection:
        connection.sendall(head_of("PUT", target, signed("PUT", server.s3, target, EXPECT)) + BODY)
        told = head_from(connection)
        if told.startswith(CONTINUE):
            told = head_from(connection)
        assert told.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("bucket", ["ledger", "nowhere"])
def test_a_refusal_needs_no_body(server: servers.Server, bucket: str, request: pytest.FixtureRequest) -> None:
    """The refusal comes though the body never does, and the connection ends with it: what follows could be the body.

    Granian asks for no body then. Hypercorn has asked before the application saw the request.
    """
    target = target_of("refused", bucket=bucket)
    plain = {"Host": server.s3, **EXPECT}
    headers = plain if bucket == "ledger" else signed("PUT", server.s3, target, EXPECT)
    with connected(server) as connection:
        connection.sendall(head_of("PUT", target, headers))
        told = head_from(connection)
        if told.startswith(CONTINUE):
            assert "hypercorn" in request.node.name
            told = head_from(connection)
        assert told.startswith(b"HTTP/1.1 403" if bucket == "ledger" else b"HTTP/1.1 404")
        assert b"connection: close" in told.lower()
    with S3Client(server.s3) as client:
        assert client.call("GET", "refused").status == 404
