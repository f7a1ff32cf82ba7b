"""Power cuts amid writing clients, and the proof that these tests see what they look for."""

from __future__ import annotations

import os
import secrets
import signal
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import attrs
import pytest

import servers
from faults.disks import Disk, disk
from faults.grpc_writers import write_by_grpc
from faults.ledger import Ledger
from faults.recovery import abort_all, at_rest, sweep, verify
from faults.s3client import S3Client
from faults.writers import Crowd, join, write

CUTS = int(os.environ.get("LIGHTNINGSTOR_POWER_CUTS", "10"))
MUTANT_CUTS_MAX = 60
SEED = os.environ.get("LIGHTNINGSTOR_SEED") or secrets.token_hex(4)
DISK_BYTES = 2 << 30
CLIENTS = [*[write] * 7, write_by_grpc]
ACKNOWLEDGED_BEFORE_CUT = (10, 300)
ACKNOWLEDGED_BEFORE_MUTANTS_CUT = (300, 500)
"""Enough for SQLite to write its log over again: while the log still grows, its fdatasync makes the file system commit
folders too, and hides that nobody synced them."""
ACKNOWLEDGE_SECONDS = 60.0
MOMENT_SECONDS = 0.03
CONFIG = "[limits]\nsweep_interval_seconds = 1\nsweep_grace_seconds = 5\n"

MUTANTS = {
    "no fsync of folders": """
        import os, stat

        def fsync(descriptor, really=os.fsync):
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                really(descriptor)

        os.fsync = fsync
        """,
    "no fdatasync of chunks": """
        import os

        os.fdatasync = lambda descriptor: None
        """,
    "synchronous=NORMAL": """
        import apsw

        class Connection(apsw.Connection):
            def execute(self, statement, *values, **options):
                said = {"PRAGMA synchronous = FULL": "PRAGMA synchronous = NORMAL", "PRAGMA synchronous": "SELECT 2"}
                return super().execute(said.get(statement, statement), *values, **options)

        apsw.Connection = Connection
        """,
}
"""What a store must not leave out; each is put into every process of the server."""


@attrs.define(eq=False)
class Trial:
    """A store on a disk whose power is cut, again and again."""

    medium: Disk
    ledger: Ledger
    config: Path
    environment: dict[str, str]
    draw: Random
    acknowledged: tuple[int, int] = ACKNOWLEDGED_BEFORE_CUT
    cuts: int = 0
    server: servers.Server | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.medium.folder / "data"

    def start(self) -> servers.Server:
        """Start the server."""
        workers = ("1", "2")[self.cuts % 2]
        self.server = servers.start(self.data, "--workers", workers, "--config", str(self.config), **self.environment)
        return self.server

    def cut(self) -> None:
        """Have clients write, cut the power, let it come back, and compare."""
        server = self.server or self._first()
        crowd = Crowd(s3=server.s3, grpc=server.grpc, ledger=self.ledger, seed=f"{SEED}-{self.cuts}")
        threads = crowd.run(CLIENTS)
        acknowledged = self.ledger.await_acknowledged(self.draw.randint(*self.acknowledged), ACKNOWLEDGE_SECONDS)
        time.sleep(self.draw.uniform(0, MOMENT_SECONDS))  # so that the cut is not tied to an answer
        crowd.dying.set()
        crowd.dark.set()
        self.medium.cut()
        _kill(server)
        join(threads)
        self.ledger.seal()
        assert acknowledged, f"seed {SEED}: the clients do not get on: {self.ledger.violations}"
        self.cuts += 1
        self.medium.remount()
        verify(self.start().s3, self.ledger)

    def _first(self) -> servers.Server:
        server = self.start()
        with S3Client(server.s3) as client:
            assert client.call("PUT").status == 200
        return server

    def end(self) -> None:
        """Stop the server, whatever its state."""
        if self.server is not None:
            self.server.stop()

    def report(self, started: float, name: str) -> None:
        """Say what was done."""
        figures = {str(what): count for what, count in self.ledger.counts.items()}
        seconds = round(time.monotonic() - started)
        print({"trial": name, "seed": SEED, **figures, "cuts": self.cuts, "violations": len(self.ledger.violations), "seconds": seconds})  # noqa: T201


def _kill(server: servers.Server) -> None:
    """SIGKILL to all of a server that may be ending by itself, since its disk failed."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for pid in server.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    server.stop()


@contextmanager
def _trial(folder: Path, kind: str, **environment: str) -> Iterator[Trial]:
    """A trial on a new disk."""
    config = folder / "config.toml"
    config.write_text(CONFIG)
    with disk(folder, kind, DISK_BYTES) as medium, closing(Ledger(folder / "ledger.jsonl")) as ledger:
        trial = Trial(medium, ledger, config, environment, Random(SEED))  # noqa: S311 - to be had again by its seed
        try:
            yield trial
        finally:
            trial.end()


@pytest.mark.timeout(120 + 30 * CUTS)
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_what_was_acknowledged_survives_power_cuts(tmp_path: Path, kind: str) -> None:
    """After every cut all that was acknowledged is there and whole; in the end a sweep leaves no orphan, and counts are sums."""
    started = time.monotonic()
    with _trial(tmp_path, kind) as trial:
        for _ in range(CUTS):
            trial.cut()
            assert trial.ledger.violations == [], f"seed {SEED}, cut {trial.cuts}"
        assert trial.server is not None
        abort_all(trial.server.s3, trial.ledger)
        assert trial.server.stop() == 0
        removed = sweep(trial.data)
        assert at_rest(trial.data) == [], removed
        verify(trial.start().s3, trial.ledger)
        assert trial.ledger.violations == []
        trial.report(started, kind)


@pytest.mark.timeout(120 + 30 * MUTANT_CUTS_MAX)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_store_that_leaves_out_a_step_is_caught(tmp_path: Path, name: str) -> None:
    """With one step of the write path left out, cuts lose what was acknowledged, and these tests say so."""
    started = time.monotonic()
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(MUTANTS[name]))
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    with _trial(tmp_path, "ext4", PYTHONPATH=path) as trial:
        trial.acknowledged = ACKNOWLEDGED_BEFORE_MUTANTS_CUT
        while not trial.ledger.violations and trial.cuts < MUTANT_CUTS_MAX:
            try:
                trial.cut()
            except servers.NotReadyError as error:
                if not trial.cuts:
                    raise
                trial.ledger.violate(f"the store does not open any more: {error}")
        trial.report(started, name)
        assert trial.ledger.violations, f"seed {SEED}: {name} was not seen in {trial.cuts} cuts"
