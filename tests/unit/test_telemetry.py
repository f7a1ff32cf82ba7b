"""Counts and logs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from lightningstor_server.admin.metrics import Collection
from lightningstor_server.telemetry import Metrics, configure_logging, logger


@pytest.fixture
def _logging() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


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
