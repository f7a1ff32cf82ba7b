"""Clients that leave in the middle of a body, in either direction."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

import servers
from faults.ledger import Value, content_of
from faults.s3client import UNSIGNED, S3Client, head_of, signed, target_of
from lightningstor_server.options import CHUNKS_FOLDER, METADATA_FILE

INLINE_BYTES = 8 << 10
CHUNK_BYTES = 600 << 10
TWO_CHUNKS_BYTES = 17 << 20
WIRE_CHUNK_BYTES = 64 << 10
ABORTED = 200
DESCRIPTORS_SLACK = 4
SETTLE_SECONDS = 30.0
SETTLE_STEP_SECONDS = 0.05
STILL_SECONDS = 1.0
ANSWER_SECONDS = 30.0
# Hypercorn notices that a client closed an idle connection only when it would have closed it itself
CONFIG = "[limits]\nkeep_alive_seconds = 1.0\nheader_read_seconds = 1.0\n"
TABLES = ("versions", "bodies", "chunks", "pieces")
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.fixture(scope="module", params=["granian", "hypercorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server of one worker with an empty bucket."""
    folder = tmp_path_factory.mktemp("vanish")
    config = folder / "config.toml"
    config.write_text(CONFIG)
    with servers.running(folder / "data", "--workers", "1", "--http-server", request.param, "--config", str(config)) as running:
        with S3Client(running.s3) as client:
            assert client.call("PUT").status == 200
        yield running


@pytest.fixture(scope="module")
def sockets(server: servers.Server) -> int:
    """The sockets of the worker while nobody speaks to it."""
    return _lowest(lambda: _sockets(server))


def _head(server: servers.Server, method: str, key: str, headers: dict[str, str], payload: str = UNSIGNED) -> bytes:
    target = target_of(key)
    return head_of(method, target, signed(method, server.s3, target, headers, payload))


def _by_length(server: servers.Server, key: str, content: bytes) -> bytes:
    return _head(server, "PUT", key, {"Content-Length": str(len(content))}) + content


def _by_length_continued(server: servers.Server, key: str, content: bytes) -> bytes:
    return _head(server, "PUT", key, {"Content-Length": str(len(content)), "Expect": "100-continue"}) + content


def _by_chunks(server: servers.Server, key: str, content: bytes) -> bytes:
    return _head(server, "PUT", key, {"Transfer-Encoding": "chunked"}) + _chunked(content) + b"0\r\n\r\n"


def _by_aws_chunks(server: servers.Server, key: str, content: bytes) -> bytes:
    body = _chunked(content) + b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    headers = {
        "Content-Length": str(len(body)),
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(content)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    return _head(server, "PUT", key, headers, UNSIGNED_TRAILER) + body


def _chunked(content: bytes) -> bytes:
    pieces = [content[at : at + WIRE_CHUNK_BYTES] for at in range(0, len(content), WIRE_CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


Framing = Callable[[servers.Server, str, bytes], bytes]
FRAMINGS = [_by_length, _by_length_continued, _by_chunks, _by_aws_chunks]
SIZES = [INLINE_BYTES, CHUNK_BYTES, TWO_CHUNKS_BYTES]


def _connect(server: servers.Server) -> socket.socket:
    host, _, port = server.s3.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS)


def _close(connection: socket.socket) -> None:
    connection.close()


def _reset(connection: socket.socket) -> None:
    """RST in place of FIN: SO_LINGER with no time to linger."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LEAVINGS = [_close, _reset]


def _send(connection: socket.socket, data: bytes) -> None:
    """Send as much as the server takes; it may close before the end."""
    try:
        connection.sendall(data)
    except ConnectionError:
        return


def _vanish(server: servers.Server, message: bytes, share: float, leave: Callable[[socket.socket], None]) -> None:
    """Send a share of a request, and go."""
    connection = _connect(server)
    _send(connection, message[: int(len(message) * share)])
    leave(connection)


def _descriptors(server: servers.Server) -> list[str]:
    """What the worker has open."""
    folder = Path(f"/proc/{server.pids()[1]}/fd")
    found = []
    for descriptor in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(descriptor.readlink()))
    return found


def _sockets(server: servers.Server) -> int:
    return sum(name.startswith("socket:") for name in _descriptors(server))


def _await(what: Callable[[], bool], told: Callable[[], object]) -> None:
    """Wait until something holds, for it follows from events that the client does not see."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not what():
        assert time.monotonic() < deadline, told()
        time.sleep(SETTLE_STEP_SECONDS)


def _files(server: servers.Server) -> list[str]:
    return [path.name for path in (server.data / CHUNKS_FOLDER).rglob("*") if path.is_file()]


def _rows(server: servers.Server) -> int:
    with closing(apsw.Connection(str(server.data / METADATA_FILE), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        return sum(int(database.execute(f"SELECT count(*) FROM {table}").get) for table in TABLES)  # noqa: S608 - they are our own


def _assert_nothing_stored(server: servers.Server, sockets: int) -> None:
    """Once the server let go of the connections, which it does by itself, there is no object, no row and no file."""
    _await(lambda: _sockets(server) <= sockets, lambda: (sockets, _descriptors(server)))
    assert _files(server) == []
    assert _rows(server) == 0
    with S3Client(server.s3) as client:
        assert client.listed() == {}


@pytest.mark.parametrize("leave", LEAVINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_that_breaks_off_stores_nothing(
    server: servers.Server, sockets: int, framing: Framing, size: int, leave: Callable[[socket.socket], None]
) -> None:
    """However a body is framed and wherever it breaks off, no object, no row and no file come of it."""
    message = framing(server, "broken", content_of("broken", size))
    head = message.index(b"\r\n\r\n") + 4
    for share in (head / len(message), 0.5, (len(message) - 1) / len(message)):
        _vanish(server, message, share, leave)
    _assert_nothing_stored(server, sockets)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_that_ends_early_is_no_object(server: servers.Server, sockets: int, framing: Framing) -> None:
    """A client that ends its side in mid-body and listens on is told an error or nothing, and nothing is stored."""
    message = framing(server, "short", content_of("short", CHUNK_BYTES))
    with _connect(server) as connection:
        _send(connection, message[: len(message) // 2])
        connection.shutdown(socket.SHUT_WR)
        answer = _last_status(connection)
    assert answer in (None, 400), answer
    _assert_nothing_stored(server, sockets)


def _last_status(connection: socket.socket) -> int | None:
    """The status of the answer, past any 100; None where the connection ends without one."""
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionError:
        return None
    statuses = [int(line.split()[1]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    return next((status for status in statuses if status != 100), None)


def test_a_broken_overwrite_leaves_what_was_there(server: servers.Server) -> None:
    """An overwrite that breaks off leaves the object as it was; a whole one afterwards replaces it."""
    first, second = content_of("first", CHUNK_BYTES), content_of("second", CHUNK_BYTES)
    with S3Client(server.s3) as client:
        assert client.call("PUT", "kept", body=first).status == 200
    for leave in LEAVINGS:
        for framing in FRAMINGS:
            _vanish(server, framing(server, "kept", second), 0.7, leave)
    with S3Client(server.s3) as client:
        assert client.value("kept") == Value.of(first)
        assert client.call("PUT", "kept", body=second).status == 200
        assert client.value("kept") == Value.of(second)
        assert client.call("DELETE", "kept").status == 204


def test_descriptors_come_back(server: servers.Server) -> None:
    """After 200 uploads and downloads that were broken off the worker holds as many descriptors as before, and answers."""
    content = content_of("large", TWO_CHUNKS_BYTES)
    with S3Client(server.s3) as client:
        assert client.call("PUT", "large", body=content).status == 200
    for number in range(8):  # what is opened once and kept, as threads' own, is opened by now
        _break_off(server, number)
    before = _lowest(lambda: len(_descriptors(server)))
    for number in range(ABORTED):
        _break_off(server, number)
    _await(lambda: len(_descriptors(server)) <= before + DESCRIPTORS_SLACK, lambda: (before, _descriptors(server)))
    with S3Client(server.s3) as client:
        assert client.value("large") == Value.of(content)
        assert client.listed() == {"large": (Value.of(content).etag, TWO_CHUNKS_BYTES)}
        assert client.call("DELETE", "large").status == 204


def _break_off(server: servers.Server, number: int) -> None:
    """Every second one a download, the others uploads of all framings, sizes and ways to leave."""
    leave = LEAVINGS[number // 2 % 2]
    if number % 2:
        _read_and_leave(server, leave, (0, 1000, 3 << 20)[number % 3])
        return
    framing = FRAMINGS[number // 2 % len(FRAMINGS)]
    size = SIZES[1] if number % 20 else SIZES[2]
    _vanish(server, framing(server, f"broken/{number}", content_of(str(number), size)), 0.6, leave)


def _read_and_leave(server: servers.Server, leave: Callable[[socket.socket], None], received_bytes: int) -> None:
    connection = _connect(server)
    connection.sendall(_head(server, "GET", "large", {}))
    while received_bytes > 0:
        received_bytes -= len(connection.recv(min(received_bytes, 65_536)))
    leave(connection)


def _lowest(count: Callable[[], int]) -> int:
    """What a count comes down to, once it has been still for a while."""
    lowest, still_until = count(), time.monotonic() + STILL_SECONDS
    while time.monotonic() < still_until:
        time.sleep(SETTLE_STEP_SECONDS)
        if (now := count()) < lowest:
            lowest, still_until = now, time.monotonic() + STILL_SECONDS
    return lowest
