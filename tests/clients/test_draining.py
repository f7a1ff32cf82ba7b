"""What others are told while a server finishes what it has."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

import servers
from clients.conftest import HTTP_SERVERS

WAIT_SECONDS = 60.0
SIZE = 64 << 20
_Status: Any = health_pb2.HealthCheckResponse


@pytest.fixture(params=HTTP_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[servers.Server]:
    """One worker, so that it is known which one drains."""
    started = servers.start(tmp_path / "data", "--workers=1", f"--http-server={request.param}")
    yield started
    started.kill() if started.process.poll() is None else started.stop()


def readiness(server: servers.Server) -> int:
    """The status of the admin address's answer."""
    try:
        with urllib.request.urlopen(f"http://{server.admin}/health/ready", timeout=WAIT_SECONDS) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_health_while_a_download_ends(server: servers.Server) -> None:
    """After SIGTERM readiness is 503 and gRPC's watchers hear NOT_SERVING and are let go; the download ends whole."""
    body = os.urandom(SIZE)
    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name=servers.REGION,
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    s3.create_bucket(Bucket="drained")
    s3.put_object(Bucket="drained", Key="k", Body=body)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "drained", "Key": "k"})
    s3.close()
    assert readiness(server) == 200
    async with asyncio.timeout(WAIT_SECONDS), aio.insecure_channel(server.grpc) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == _Status.SERVING
        watching = stub.Watch(health_pb2.HealthCheckRequest())
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
        assert (await watching.read()).status == _Status.SERVING
        assert (await unknown.read()).status == _Status.SERVICE_UNKNOWN

        downloading = http.client.HTTPConnection(server.s3, timeout=WAIT_SECONDS)
        downloading.request("GET", url.removeprefix(server.endpoint))
        answer = downloading.getresponse()
        found = answer.read(1 << 16)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        assert (await watching.read()).status == _Status.NOT_SERVING
        assert [await each.read() for each in (watching, unknown)] == [aio.EOF, aio.EOF]
    assert readiness(server) == 503
    while piece := answer.read(1 << 20):
        found += piece
    downloading.close()
    assert hashlib.sha256(found).digest() == hashlib.sha256(body).digest()
    assert server.process.wait(WAIT_SECONDS) == 0
    assert [event for event in server.said() if event.get("level") in {"warning", "error", "critical"}] == []


def test_a_terminal_that_is_gone_ends_the_server(tmp_path: Path) -> None:
    """A server that was started from a terminal ends in order when it closes; the signal alone has it read its certificate."""
    master, slave = os.openpty()
    with servers.running(tmp_path / "data", "--workers=1", stdin=slave) as server:
        os.close(slave)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("nothing to reload")
        os.close(master)
        server.process.send_signal(signal.SIGHUP)  # the kernel's, were it our controlling terminal
        server.wait_for("stopped")
        assert server.process.wait(WAIT_SECONDS) == 0
