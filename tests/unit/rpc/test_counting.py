"""Calls and messages, counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import aio

from lightningstor_server.rpc.counting import Counted
from lightningstor_server.telemetry import Metrics

SECONDS = 30.0


class Shapes:
    """A method of each shape, which all wait for `go`."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.over = asyncio.Semaphore(0)
        self.go = asyncio.Event()

    async def unary(self, message: bytes, context: Any) -> bytes:
        """Answer twice what came, or fail where nothing did."""
        await self.wait()
        if not message:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return 2 * message

    async def upload(self, messages: Any, _context: Any) -> bytes:
        """Answer one byte."""
        await self.wait()
        return b"." if [message async for message in messages] else b""

    async def download(self, message: bytes, context: Any) -> None:
        """Answer what came three times."""
        await self.wait()
        for _ in range(3):
            await context.write(message)

    async def wait(self) -> None:
        """Tell that a call runs, hold it, and tell that it is over."""
        self.begun.release()
        try:
            await self.go.wait()
        finally:
            self.over.release()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def shapes() -> Shapes:
    return Shapes()


@pytest.fixture
async def channel(shapes: Shapes, metrics: Metrics) -> AsyncIterator[aio.Channel]:
    """A channel to a server that counts."""
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(shapes.unary),
        "Upload": grpc.stream_unary_rpc_method_handler(shapes.upload),
        "Download": grpc.unary_stream_rpc_method_handler(shapes.download),
    }
    server = aio.server()
    server.add_generic_rpc_handlers((Counted(grpc.method_handlers_generic_handler("s", methods), metrics),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as made:
        yield made
    await server.stop(None)


async def upload() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"12345"


async def test_calls_and_bytes_are_counted(channel: aio.Channel, shapes: Shapes, metrics: Metrics) -> None:
    """Each call counts while it runs, and each of its messages by its length, in all three shapes."""
    calls = [channel.unary_unary("/s/Unary")(b"1234"), channel.stream_unary("/s/Upload")(upload())]
    downloading = channel.unary_stream("/s/Download")(b"1234567")
    async with asyncio.timeout(SECONDS):
        for _ in range(3):
            await shapes.begun.acquire()
        assert metrics.snapshot().in_flight == 3
        shapes.go.set()
        assert [await call for call in calls] == [b"12341234", b"."]
        assert [message async for message in downloading] == [b"1234567"] * 3
    found = metrics.snapshot()
    assert found.in_flight == 0
    assert found.moved_bytes == {"grpc": [4 + 15 + 7, 8 + 1 + 21]}


async def test_a_call_that_fails_is_over(channel: aio.Channel, shapes: Shapes, metrics: Metrics) -> None:
    """An error and a client that gives up end the count too; a method that is not there is none."""
    shapes.go.set()
    with pytest.raises(aio.AioRpcError, match="NOT_FOUND"):
        await channel.unary_unary("/s/Unary")(b"")
    with pytest.raises(aio.AioRpcError, match="UNIMPLEMENTED"):
        await channel.unary_unary("/s/Nothing")(b"")
    assert metrics.snapshot().in_flight == 0
    shapes.go.clear()
    async with asyncio.timeout(SECONDS):
        await shapes.begun.acquire()
        await shapes.over.acquire()
        call = channel.unary_unary("/s/Unary")(b"1")
        await shapes.begun.acquire()
        assert metrics.snapshot().in_flight == 1
        call.cancel()
        await shapes.over.acquire()
    assert metrics.snapshot().in_flight == 0
