"""The metadata are lost; the copy has them, and the chunks have their bytes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
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

LOSSES = int(os.environ.get("LIGHTNINGSTOR_LOSSES", "4"))
SEED = os.environ.get("LIGHTNINGSTOR_SEED") or secrets.token_hex(4)
CLIENTS = [*[write] * 10, *[write_by_grpc] * 2]
ACKNOWLEDGED_BEFORE_LOSS = (50, 500)
ACKNOWLEDGE_SECONDS = 60.0
COMMAND_SECONDS = 120.0
MOMENT_SECONDS = 0.03
BIG = b"0123456789abcdef" * 6000


def command(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command on a store at rest, as an operator runs it."""
    line = [sys.executable, "-m", "lightningstor_server", name, *map(str, arguments)]
    return subprocess.run(line, env=servers.environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)


def lose_metadata(data: Path) -> None:
    """Remove the database, its log and its index."""
    for path in data.glob("metadata.db*"):
        path.unlink()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder."""
    return tmp_path / "data"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder of the copy."""
    return tmp_path / "copy"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """What was asked and answered."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        yield ledger


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_the_loss_of_the_metadata(data: Path, copy: Path, ledger: Ledger) -> None:
    """The server is killed amid 12 writing clients on two workers, and its database removed, log and all, again and again.

    Restored from the copy it has every acknowledged object with its bytes. `check` finds no damage, and a sweep leaves
    exactly the chunks that are named.
    """
    draw = Random(SEED)  # noqa: S311 - to be had again by its seed
    options = ("--workers", "2", "--metadata-copy", str(copy))
    server = servers.start(data, *options)
    try:
        with S3Client(server.s3) as client:
            assert client.call("PUT").status == HTTPStatus.OK
        for number in range(LOSSES):
            crowd = Crowd(s3=server.s3, grpc=server.grpc, ledger=ledger, seed=f"{SEED}-{number}")
            threads = crowd.run(CLIENTS)
            acknowledged = ledger.await_acknowledged(draw.randint(*ACKNOWLEDGED_BEFORE_LOSS), ACKNOWLEDGE_SECONDS)
            time.sleep(draw.uniform(0, MOMENT_SECONDS))  # so that the kill is not tied to an answer
            crowd.dying.set()
            server.kill()
            join(threads)
            ledger.seal()
            assert acknowledged, f"seed {SEED}: the clients do not get on: {ledger.violations}"
            lose_metadata(data)
            restored = command("restore", "--from", copy, "--data", data)
            assert restored.returncode == 0, restored.stderr
            checked = command("check", "--data", data)
            assert checked.returncode == 0, f"seed {SEED}: {checked.stdout}"
            server = servers.start(data, *options)
            verify(server.s3, ledger)
            assert ledger.violations == [], f"seed {SEED}, loss {number}"
        abort_all(server.s3, ledger)
        assert server.stop() == 0
    finally:
        server.stop()
    sweep(data)
    assert at_rest(data) == []
    print({"seed": SEED, "losses": LOSSES, **{str(name): count for name, count in ledger.counts.items()}})  # noqa: T201


def test_a_server_never_begins_in_the_place_of_a_lost_one(data: Path, copy: Path) -> None:
    """Started on what is left, it refuses with exit code 2: the copy is all that there is. Restored, it starts."""
    with servers.running(data, "--workers", "1", "--metadata-copy", str(copy)) as server, S3Client(server.s3) as client:
        assert client.call("PUT").status == HTTPStatus.OK
        assert client.call("PUT", "key", body=b"value").status == HTTPStatus.OK
    lose_metadata(data)
    refused = command("serve", "--data", data, "--metadata-copy", copy, "--s3-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0")
    assert refused.returncode == 2
    assert "restore" in refused.stderr
    restored = command("restore", "--from", copy, "--data", data)
    assert restored.returncode == 0
    assert "objects = 1" in restored.stdout
    with servers.running(data, "--workers", "1", "--metadata-copy", str(copy)) as server, S3Client(server.s3) as client:
        assert client.call("GET", "key").body == b"value"


def test_a_restore_overwrites_nothing(data: Path, copy: Path) -> None:
    """Where metadata are there it refuses; with --force it moves them aside, the old log with them."""
    with servers.running(data, "--workers", "1", "--metadata-copy", str(copy)) as server, S3Client(server.s3) as client:
        assert client.call("PUT").status == HTTPStatus.OK
    before = (data / "metadata.db").read_bytes()
    refused = command("restore", "--from", copy, "--data", data)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--force" in refused.stderr
    assert (data / "metadata.db").read_bytes() == before
    forced = command("restore", "--from", copy, "--data", data, "--force")
    assert forced.returncode == 0, forced.stderr
    (aside,) = data.glob("metadata.db.replaced-*")
    assert aside.read_bytes() == before
    assert list(data.glob("metadata.db-wal.replaced-*"))
    assert not (data / "metadata.db-wal").exists()
    assert command("check", "--data", data).returncode == 0


def test_a_restore_from_nothing_says_so(data: Path, copy: Path) -> None:
    """Exit code 2, one line, and no metadata are made."""
    for folder in (copy, copy.parent):
        refused = command("restore", "--from", folder, "--data", data)
        assert refused.returncode == 2
        assert refused.stderr.startswith("lightningstor: ")
        assert len(refused.stderr.splitlines()) == 1
    assert not (data / "metadata.db").exists()


def test_what_is_newer_than_the_copy_is_told(data: Path, copy: Path) -> None:
    """Chunks that the restored state does not know are remarks; rows that name removed chunks are damage."""
    with servers.running(data, "--workers", "1", "--metadata-copy", str(copy)) as server, S3Client(server.s3) as client:
        assert client.call("PUT").status == HTTPStatus.OK
        assert client.call("PUT", "old", body=BIG).status == HTTPStatus.OK
    with servers.running(data, "--workers", "1") as server, S3Client(server.s3) as client:
        assert client.call("PUT", "new", body=BIG).status == HTTPStatus.OK
        assert client.call("DELETE", "old").status == HTTPStatus.NO_CONTENT
    sweep(data)
    assert command("restore", "--from", copy, "--data", data, "--force").returncode == 0
    checked = command("check", "--data", data, "--json")
    assert checked.returncode == 1
    found = sorted((finding["kind"], finding["damage"]) for finding in map(json.loads, checked.stdout.splitlines()))
    assert found == [("missing-chunk", True), ("orphan", False)]


def test_without_metadata_and_copy_the_bytes_are_saved(data: Path, tmp_path: Path) -> None:
    """Of every object that is not in the metadata itself."""
    with servers.running(data, "--workers", "1") as server, S3Client(server.s3) as client:
        assert client.call("PUT").status == HTTPStatus.OK
        assert client.call("PUT", "big", body=BIG).status == HTTPStatus.OK
    lose_metadata(data)
    saved = command("salvage", "--data", data, "--to", tmp_path / "out")
    assert saved.returncode == 0, saved.stderr
    (line,) = map(json.loads, (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert (tmp_path / "out" / line["id"]).read_bytes() == BIG
