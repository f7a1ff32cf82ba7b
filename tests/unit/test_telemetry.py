"""Counts and logs."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from chunk_files import WAIT_SECONDS, put, refuse
from lightningstor_server import server
from lightningstor_server.admin.metrics import Collection
from lightningstor_server.auth.vault import MASTER_KEY_BYTES
from lightningstor_server.options import Options
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.errors import ReadOnly
from lightningstor_server.telemetry import USAGE_STALE_SECONDS, USAGE_TENANTS_MAX, Metrics, configure_logging, logger
from lightningstor_types.buckets import Usage

SMALL = Usage(objects=1, bytes=2, uploads_bytes=3, buckets=4)
LARGE = Usage(objects=10, bytes=20, uploads_bytes=30, buckets=40)


@pytest.fixture
def _logging() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.fixture
async def options(tmp_path: Path) -> Options:
    """Those of a store that is prepared, for workers to open."""
    key_file = tmp_path / "the.key"
    key_file.write_bytes(base64.b64encode(bytes(MASTER_KEY_BYTES)))
    options = Options(data=tmp_path / "data", key_file=key_file)
    options.data.mkdir()
    await server.prepare(options)
    return options


def samples(collection: Collection) -> dict[str, float]:
    lines = [line for line in collection.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_counts_of_all_workers_are_summed() -> None:
    """Running and departed ones; what is of the moment counts for running ones only."""
    collection, first, second = Collection(), Metrics(), Metrics(read_only=lambda: True)
    boards = collection.enter("w0"), collection.enter("w1")
    first.observe("GetObject", "s3", "OK", 0.0007)
    first.observe("GetObject", "s3", "NoSuchKey", 100.0)
    first.moved("s3", 3, 5)
    first.in_flight = 2
    second.observe("GetObject", "s3", "OK", 0.002)
    second.in_flight = 1
    second.copy_behind = lambda: True
    for metrics, board in zip((first, second), boards, strict=True):
        metrics.flush(board)
    collection.retire(boards[0])
    found = samples(collection)
    collection.retire(boards[1])
    assert found['lightningstor_requests_total{code="OK",front="s3",operation="GetObject"}'] == 2
    assert found['lightningstor_requests_total{code="NoSuchKey",front="s3",operation="GetObject"}'] == 1
    assert found['lightningstor_request_seconds_bucket{front="s3",le="0.001",operation="GetObject"}'] == 1
    assert found['lightningstor_request_seconds_bucket{front="s3",le="60.0",operation="GetObject"}'] == 2
    assert found['lightningstor_request_seconds_count{front="s3",operation="GetObject"}'] == 3
    assert found['lightningstor_received_bytes_total{front="s3"}'] == 3
    assert found['lightningstor_sent_bytes_total{front="s3"}'] == 5
    assert found["lightningstor_requests_in_flight"] == 1
    assert found["lightningstor_store_read_only"] == 1
    assert found["lightningstor_metadata_copy_behind"] == 1


def test_a_half_written_board_shows_the_last_whole_one() -> None:
    """A scrape amid a write neither fails nor goes back."""
    collection, metrics = Collection(), Metrics()
    board = collection.enter("w0")
    assert samples(collection)["lightningstor_requests_in_flight"] == 0
    metrics.in_flight = 7
    metrics.flush(board)
    assert samples(collection)["lightningstor_requests_in_flight"] == 7
    os.pwrite(board, b"torn", 12)
    assert samples(collection)["lightningstor_requests_in_flight"] == 7
    collection.retire(board)


def usages(collection: Collection) -> dict[str, float]:
    """The samples of usage alone."""
    return {name: value for name, value in samples(collection).items() if "usage_" in name}


def test_usage_is_told_by_project_and_by_organisation() -> None:
    """Each has its four gauges, and organisations names of their own: the sum over projects counts nothing twice."""
    collection, metrics = Collection(), Metrics()
    board = collection.enter("w0")
    metrics.tell_usage({("acme", "images"): SMALL, ("acme", None): LARGE})
    metrics.flush(board)
    families = {family.name: family for family in text_string_to_metric_families(collection.text().decode()) if "usage_" in family.name}
    collection.retire(board)
    found = {
        (family.name, tuple(sorted(sample.labels.items()))): (family.type, sample.value)
        for family in families.values()
        for sample in family.samples
    }
    project, organisation = (("organisation", "acme"), ("project", "images")), (("organisation", "acme"),)
    assert found == {
        ("lightningstor_usage_objects", project): ("gauge", 1),
        ("lightningstor_usage_bytes", project): ("gauge", 2),
        ("lightningstor_usage_uploads_bytes", project): ("gauge", 3),
        ("lightningstor_usage_buckets", project): ("gauge", 4),
        ("lightningstor_organisation_usage_objects", organisation): ("gauge", 10),
        ("lightningstor_organisation_usage_bytes", organisation): ("gauge", 20),
        ("lightningstor_organisation_usage_uploads_bytes", organisation): ("gauge", 30),
        ("lightningstor_organisation_usage_buckets", organisation): ("gauge", 40),
    }
    for family in families.values():
        kind = "organisations" if "organisation_" in family.name else "projects"
        assert family.documentation.endswith(f", of the {USAGE_TENANTS_MAX:,} {kind} with the most bytes")


def test_usage_of_two_workers_is_not_summed() -> None:
    """While one hands over to another both say so: the newer alone is told, with no tenant that only the older knew."""
    now = 100.0
    collection = Collection(clock=lambda: now)
    older, newer = Metrics(clock=lambda: 99.0), Metrics(clock=lambda: 100.0)
    boards = [collection.enter(name) for name in ("w0", "w1")]
    newer.tell_usage({("acme", "images"): LARGE})
    older.tell_usage({("acme", "images"): SMALL, ("acme", "gone"): SMALL})
    for metrics, board in zip((newer, older), boards, strict=True):
        metrics.flush(board)
    found = usages(collection)
    for board in boards:
        collection.retire(board)
    assert found['lightningstor_usage_objects{organisation="acme",project="images"}'] == 10
    assert not any("gone" in name for name in found)


def test_usage_goes_with_its_worker() -> None:
    """Of one that has ended, or that looks at it no more, none is told."""
    collection, metrics = Collection(), Metrics()
    board = collection.enter("w0")
    metrics.tell_usage({("acme", "images"): SMALL})
    metrics.flush(board)
    assert len(usages(collection)) == 4
    metrics.tell_usage(None)
    metrics.flush(board)
    assert usages(collection) == {}
    metrics.tell_usage({("acme", "images"): SMALL})
    metrics.flush(board)
    assert len(usages(collection)) == 4
    collection.retire(board)
    assert usages(collection) == {}


def test_usage_of_a_worker_that_hangs_is_not_told_for_long() -> None:
    """It holds the lease and looks no more; after USAGE_STALE_SECONDS nobody takes its numbers for today's."""
    now = 100.0
    collection, metrics = Collection(clock=lambda: now), Metrics(clock=lambda: 100.0)
    board = collection.enter("w0")
    metrics.tell_usage({("acme", "images"): SMALL})
    metrics.flush(board)
    now += USAGE_STALE_SECONDS
    assert len(usages(collection)) == 4
    now += 1
    assert usages(collection) == {}
    collection.retire(board)


async def test_a_store_that_failed_is_told_to_be_read_only(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's gauge is its blob store's: 0 while it takes writes, 1 once one could not be made durable."""
    opened: list[FilesystemBlobs] = []

    def opening(*arguments: Any, **named: Any) -> FilesystemBlobs:
        opened.append(FilesystemBlobs(*arguments, **named))
        return opened[0]

    monkeypatch.setattr(server, "FilesystemBlobs", opening)
    parts, collection = await server.build_worker(options, "w0"), Collection()
    board = collection.enter("w0")
    parts.metrics.flush(board)
    assert samples(collection)["lightningstor_store_read_only"] == 0
    refuse(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(ReadOnly):
        await put(opened[0])
    monkeypatch.undo()
    parts.metrics.flush(board)
    assert samples(collection)["lightningstor_store_read_only"] == 1
    collection.retire(board)
    await parts.rpc.stop(None)
    await parts.close()


async def test_one_worker_alone_looks_at_usage(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is background work: done at once by who holds the lease, and what was told is taken back when that ends."""
    plain, told, stop = Metrics.tell_usage, asyncio.Event(), asyncio.Event()

    def tell(metrics: Metrics, of: Any) -> None:
        plain(metrics, of)
        told.set()

    monkeypatch.setattr(Metrics, "tell_usage", tell)
    parts = await server.build_worker(options, "w0")
    assert parts.metrics.snapshot().usage is None
    jobs = [asyncio.create_task(job(stop)) for job in parts.background]
    await asyncio.wait_for(told.wait(), WAIT_SECONDS)
    usage = parts.metrics.snapshot().usage
    assert usage is not None
    assert dict(usage.of) == {("default", "default"): Usage(), ("default", None): Usage()}
    stop.set()
    await asyncio.wait_for(asyncio.gather(*jobs), WAIT_SECONDS)
    assert parts.metrics.snapshot().usage is None
    await parts.rpc.stop(None)
    await parts.close()


@pytest.mark.usefixtures("_logging")
def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends in values are escaped; a library's record and a trace have the same form."""
    configure_logging(worker="w0")
    logger("test").info("hello", key='a\r\nb\u2028{"event": "forged"}')
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger("test").error("failed", exc_info=True)
    logging.getLogger("somebody.else").warning("from a\nlibrary")
    lines = capsys.readouterr().err.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["hello", "failed", "from a\nlibrary"]
    assert {event["worker"] for event in events} == {"w0"}
    assert events[0]["key"] == 'a\r\nb\u2028{"event": "forged"}'
    assert "ValueError: first\nsecond" in events[1]["exception"]
    assert events[2]["logger"] == "somebody.else"
