"""A sweeper that works while bodies come in."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

import servers
from faults.ledger import Value, content_of
from faults.s3client import S3Client, head_of, signed, target_of
from lightningstor_server.options import CHUNKS_FOLDER

CHUNK_BYTES = 8 << 20
BODY_BYTES = 2 * CHUNK_BYTES + 12_345
FIRST_BYTES = CHUNK_BYTES + (1 << 20)
CONFIG = "[limits]\nsweep_interval_seconds = 1\nsweep_grace_seconds = 0.05\n"
SWEEPS_SECONDS = 6.0
"""Several sweeps, and many times the grace."""
WAIT_SECONDS = 20.0
STEP_SECONDS = 0.05


@pytest.mark.parametrize("http_server", ["granian", "hypercorn"])
def test_a_body_that_takes_longer_than_the_grace_is_kept_whole(tmp_path: Path, http_server: str) -> None:
    """Chunks of a body that still comes in are no orphans, however old they are: an acknowledged object has all of them.

    The upload may be refused in the end; then nothing is there. It must not be acknowledged with a part of it swept away.
    """
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    content = content_of("slow", BODY_BYTES)
    options = ("--workers", "1", "--http-server", http_server, "--config", str(config))
    with servers.running(tmp_path / "data", *options) as server, S3Client(server.s3) as client:
        assert client.call("PUT").status == 200
        status = _put_slowly(server, content)
        found = client.value("slow")
    assert (status, found) in ((200, Value.of(content)), (503, None))


def _put_slowly(server: servers.Server, content: bytes) -> int:
    """Send more than a chunk, wait for several sweeps, send the rest. The status of the answer."""
    target = target_of("slow")
    headers = signed("PUT", server.s3, target, {"Content-Length": str(len(content))})
    host, _, port = server.s3.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(head_of("PUT", target, headers) + content[:FIRST_BYTES])
        _await_first_chunk(server)
        time.sleep(SWEEPS_SECONDS)  # the slowness of the client is what is tested
        connection.sendall(content[FIRST_BYTES:])
        return int(connection.recv(4096).split(maxsplit=2)[1])


def _await_first_chunk(server: servers.Server) -> None:
    """Wait until the first chunk has its name."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not any(path.is_file() for path in (server.data / CHUNKS_FOLDER).rglob("*")):
        assert time.monotonic() < deadline
        time.sleep(STEP_SECONDS)
