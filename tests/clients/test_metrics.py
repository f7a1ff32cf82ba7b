"""The usage of tenants as whoever watches a server of several workers scrapes it."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

import servers
from faults.s3client import S3Client
from lightningstor_server.telemetry import USAGE_INTERVAL_SECONDS

WAIT_SECONDS: Final = USAGE_INTERVAL_SECONDS + 15
"""The deadline of what must come; a worker that is started looks at once."""
POLL_SECONDS: Final = 0.2
SMALL: Final = b"12345"
LARGE: Final = bytes(20_000)
TENANTS: Final = ("default", "default"), ("default", None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[servers.Server]:
    """A server of two workers, of which one looks at what is used."""
    with servers.running(tmp_path / "data", "--workers=2") as running:
        yield running


def usage(server: servers.Server) -> dict[tuple[str, str | None, str], float]:
    """What a scrape says, by organisation, project and what is counted. Nothing is told twice."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=WAIT_SECONDS) as answer:
        text = answer.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples if "_usage_" in sample.name]
    found = {
        (sample.labels["organisation"], sample.labels.get("project"), sample.name.partition("usage_")[2]): sample.value
        for sample in samples
    }
    assert len(found) == len(samples)
    return found


def wait_for(server: servers.Server, **held: int) -> None:
    """Return once the root's project and its organisation are told to hold that, and nothing else is told."""
    expected = {(*tenant, name): value for tenant in TENANTS for name, value in held.items()}
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := usage(server)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(POLL_SECONDS)


def test_usage_is_scraped_as_it_was_written(server: servers.Server) -> None:
    """Objects, bytes, unfinished uploads and buckets; workers that die leave nothing behind, and whoever follows looks at once."""
    wait_for(server, objects=0, bytes=0, uploads_bytes=0, buckets=0)
    with S3Client(server.s3) as client:
        assert client.call("PUT").status == 200
        assert client.call("PUT", "small", body=SMALL).status == 200
        assert client.call("PUT", "large", body=LARGE).status == 200
        upload = client.call("POST", "upload", {"uploads": ""}).text("UploadId")
        assert client.call("PUT", "upload", {"partNumber": "1", "uploadId": upload}, body=SMALL).status == 200
    for worker in server.pids()[1:]:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    wait_for(server, objects=2, bytes=len(SMALL) + len(LARGE), uploads_bytes=len(SMALL), buckets=1)
