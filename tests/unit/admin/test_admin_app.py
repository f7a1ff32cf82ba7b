"""The admin address."""

from __future__ import annotations

from typing import Any

import pytest

from lightningstor_server.admin.app import build


async def get(path: str, *, ready: bool = True) -> tuple[int, dict[bytes, bytes], bytes]:
    """What the application answers."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": [], "scheme": "http"}
    await build(lambda: ready, lambda: b"a_metric 1.0\n")(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [("live", False, 200), ("live", True, 200), ("ready", False, 503), ("ready", True, 200)],
)
async def test_health_tells_live_from_ready(path: str, status: int, *, ready: bool) -> None:
    """`live` always answers 200; `ready` 503 until requests can be sent."""
    assert (await get(f"/health/{path}", ready=ready))[0] == status


async def test_metrics_are_text() -> None:
    """In Prometheus' text format."""
    status, headers, body = await get("/metrics")
    assert (status, body) == (200, b"a_metric 1.0\n")
    assert headers[b"content-type"] == b"text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/health", "/bucket/key"])
async def test_nothing_else_is_there(path: str) -> None:
    """The admin address has no buckets."""
    assert (await get(path))[0] == 404
