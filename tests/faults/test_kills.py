"""kill -9 amid writing clients."""

from __future__ import annotations

import os
import secrets
import signal
import time
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from random import Random

import pytest

import servers
from faults.grpc_writers import write_by_grpc
from faults.ledger import Ledger
from faults.recovery import abort_all, at_rest, sweep, verify
from faults.s3client import S3Client
from faults.writers import Crowd, join, write

KILLS = int(os.environ.get("LIGHTNINGSTOR_KILLS", "20"))
SEED = os.environ.get("LIGHTNINGSTOR_SEED") or secrets.token_hex(4)
CLIENTS = [*[write] * 14, *[write_by_grpc] * 2]
KINDS = [(workers, http_server) for workers in ("1", "2") for http_server in ("granian", "hypercorn")]
ACKNOWLEDGED_BEFORE_KILL = (20, 400)
ACKNOWLEDGE_SECONDS = 60.0
MOMENT_SECONDS = 0.03
WORKER_KILLS = 4


def _start(data: Path, kind: tuple[str, str]) -> servers.Server:
    return servers.start(data, "--workers", kind[0], "--http-server", kind[1])


def _make_bucket(server: servers.Server) -> None:
    with S3Client(server.s3) as client:
        assert client.call("PUT").status == HTTPStatus.OK


def _end(server: servers.Server, data: Path, ledger: Ledger) -> dict[str, int]:
    """Stop, sweep, check the disk, and see that the sweep took nothing that is needed. What it removed."""
    abort_all(server.s3, ledger)
    assert server.stop() == 0
    removed = sweep(data)
    assert at_rest(data) == []
    with servers.running(data) as again:
        verify(again.s3, ledger)
    assert ledger.violations == []
    return removed


def _report(ledger: Ledger, started: float, **more: object) -> None:
    figures = {str(name): count for name, count in ledger.counts.items()}
    print({"seed": SEED, **figures, **more, "violations": len(ledger.violations), "seconds": round(time.monotonic() - started)})  # noqa: T201


@pytest.mark.timeout(900)
def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """The whole server is killed 20 times amid 16 writing clients, on one and on two workers, under both HTTP servers.

    After each restart every acknowledged object is there and whole, listings agree with reads, and acknowledged
    parts complete. In the end a sweep leaves no orphan, and all counts are the sums of what is there.
    """
    started = time.monotonic()
    draw = Random(SEED)  # noqa: S311 - to be had again by its seed
    data = tmp_path / "data"
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        server = _start(data, KINDS[0])
        try:
            _make_bucket(server)
            for number in range(KILLS):
                crowd = Crowd(s3=server.s3, grpc=server.grpc, ledger=ledger, seed=f"{SEED}-{number}")
                threads = crowd.run(CLIENTS)
                acknowledged = ledger.await_acknowledged(draw.randint(*ACKNOWLEDGED_BEFORE_KILL), ACKNOWLEDGE_SECONDS)
                time.sleep(draw.uniform(0, MOMENT_SECONDS))  # so that the kill is not tied to an answer
                crowd.dying.set()
                server.kill()
                join(threads)
                ledger.seal()
                assert acknowledged, f"seed {SEED}: the clients do not get on: {ledger.violations}"
                server = _start(data, KINDS[(number + 1) % len(KINDS)])
                verify(server.s3, ledger)
                assert ledger.violations == [], f"seed {SEED}, kill {number}"
            removed = _end(server, data, ledger)
        finally:
            server.stop()
        _report(ledger, started, kills=KILLS, **removed)


@pytest.mark.timeout(300)
def test_what_was_acknowledged_survives_the_kill_of_a_worker(tmp_path: Path) -> None:
    """One worker of two is killed, again and again; the other serves on, clients that come back find everything.

    The killed worker held locks, half-written chunks and transactions: none of them keeps the other one waiting.
    """
    started = time.monotonic()
    draw = Random(SEED)  # noqa: S311 - to be had again by its seed
    data = tmp_path / "data"
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        server = _start(data, ("2", "auto"))
        try:
            _make_bucket(server)
            crowd = Crowd(s3=server.s3, grpc=server.grpc, ledger=ledger, seed=SEED, reconnecting=True)
            threads = crowd.run([write] * len(CLIENTS))
            got_on = []
            for _ in range(WORKER_KILLS):
                got_on.append(ledger.await_acknowledged(draw.randint(*ACKNOWLEDGED_BEFORE_KILL), ACKNOWLEDGE_SECONDS))
                os.kill(draw.choice(server.pids()[1:]), signal.SIGKILL)
            got_on.append(ledger.await_acknowledged(ACKNOWLEDGED_BEFORE_KILL[1], ACKNOWLEDGE_SECONDS))
            crowd.dying.set()
            join(threads)
            assert all(got_on), f"seed {SEED}: the clients do not get on: {ledger.violations}"
            verify(server.s3, ledger)
            assert ledger.violations == [], f"seed {SEED}"
            removed = _end(server, data, ledger)
        finally:
            server.stop()
        _report(ledger, started, worker_kills=WORKER_KILLS, **removed)
