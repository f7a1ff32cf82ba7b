"""The admin address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lightningstor_server.admin.app import build
from starlette.testclient import TestClient


@pytest.fixture
def state() -> dict[str, bool]:
    return {"ready": False}


@pytest.fixture
def client(state: dict[str, bool]) -> Iterator[TestClient]:
    with TestClient(build(lambda: state["ready"], lambda: b"a_metric 1.0\n")) as client:
        yield client


def test_health_tells_live_from_ready(client: TestClient, state: dict[str, bool]) -> None:
    """`live` always answers 200; `ready` 503 until requests can be sent."""
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 503
    state["ready"] = True
    assert client.get("/health/ready").status_code == 200


def test_metrics_are_text(client: TestClient) -> None:
    """In Prometheus' text format."""
    answer = client.get("/metrics")
    assert answer.text == "a_metric 1.0\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health", "/bucket/key"])
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    """The admin address has no buckets."""
    assert client.get(path, follow_redirects=False).status_code in {307, 404}
