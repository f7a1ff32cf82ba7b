"""A real server process, as a user starts it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from clients import tls

ACCESS_KEY = "AKIATESTTESTTESTTEST"
SECRET_KEY = "only-for-throw-away-stores-0123456789abc"
REGION = "us-east-1"
READY_SECONDS = 60.0
EXIT_SECONDS = 60.0


class NotReadyError(Exception):
    """The server ended, or said nothing, before it was ready. Carries what it logged."""


@attrs.define(eq=False)
class Server:
    """A running `lightningstor serve`."""

    process: subprocess.Popen[str]
    data: Path
    s3: str
    grpc: str
    admin: str
    events: list[dict[str, Any]]
    """What it logged, as far as it was waited for."""
    _reader: threading.Thread
    _lines: queue.SimpleQueue[str | None] = attrs.field(factory=queue.SimpleQueue)
    authority: Path | None = None
    """The certificate to trust, where TLS is spoken."""

    @property
    def scheme(self) -> str:
        """That of the S3 and the admin address."""
        return "http" if self.authority is None else "https"

    @property
    def endpoint(self) -> str:
        """The S3 address as a URL."""
        return f"{self.scheme}://{self.s3}"

    def wait_for(self, name: str) -> dict[str, Any]:
        """The next event of that name that nobody waited for yet.

        Raises:
            NotReadyError: it did not come.
        """
        deadline = time.monotonic() + EXIT_SECONDS
        while (event := _next_event(self._lines, deadline - time.monotonic())) is not None:
            self.events.append(event)
            if event.get("event") == name:
                return event
        raise NotReadyError(self.events)

    def said(self) -> list[dict[str, Any]]:
        """All that it logged. Once it has ended."""
        while (event := _next_event(self._lines, 0)) is not None:
            self.events.append(event)
        return self.events

    def pids(self) -> list[int]:
        """The supervisor and its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *(int(child) for child in children)]

    def pss_bytes(self) -> int:
        """The memory of all processes, shared pages counted in part."""
        total = 0
        for pid in self.pids():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
        return total

    def kill(self) -> None:
        """SIGKILL to everything at once, and wait until all of it is gone."""
        pids = self.pids()
        for pid in pids:
            with suppress(ProcessLookupError):  # it may be ending by itself
                os.kill(pid, signal.SIGKILL)
        self.process.wait(EXIT_SECONDS)
        self._reader.join(EXIT_SECONDS)  # the workers hold the pipe: it ends with the last of them

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(EXIT_SECONDS)
        self._reader.join(EXIT_SECONDS)
        return code


def command(data: Path, *options: str) -> list[str]:
    """The command line of a server on free ports."""
    addresses = [f"--{name}-address=127.0.0.1:0" for name in ("s3", "grpc", "admin")]
    return [sys.executable, "-m", "lightningstor_server", "serve", f"--data={data}", *addresses, *options]


def environment(**more: str) -> dict[str, str]:
    """The environment, with the root key of the tests."""
    return os.environ | {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": ACCESS_KEY, "LIGHTNINGSTOR_ROOT_SECRET_KEY": SECRET_KEY} | more


def start(
    data: Path,
    *options: str,
    wrapper: Sequence[str] = (),
    files: tls.Certificate | None = None,
    stdin: int = subprocess.DEVNULL,
    **more: str,
) -> Server:
    """Start a server on free ports and wait until it is ready.

    `wrapper` goes before the command (strace, taskset); with `files` it speaks TLS; `more` are environment variables.

    Raises:
        NotReadyError: it did not come up.
    """
    if files is not None:
        options = (*options, f"--tls-cert={files.certificate}", f"--tls-key={files.key}")
    process = subprocess.Popen(
        [*wrapper, *command(data, *options)],
        env=environment(**more),
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    events: list[dict[str, Any]] = []
    while (event := _next_event(lines, READY_SECONDS)) is not None:
        events.append(event)
        if event.get("event") == "ready" and "s3_address" in event:
            addresses = (event["s3_address"], event["grpc_address"], event["admin_address"])
            return Server(process, data, *addresses, events, reader, lines, None if files is None else files.authority)
    process.kill()  # where it has not ended by itself
    process.wait(EXIT_SECONDS)
    raise NotReadyError(events)


def _next_event(lines: queue.SimpleQueue[str | None], seconds: float) -> dict[str, Any] | None:
    """The next line of the log; None where the server has ended, or says nothing for so long."""
    try:
        line = lines.get(timeout=max(seconds, 0))
    except queue.Empty:
        return None
    if line is None:
        return None
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"text": line}
    return event


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Pass on what the server logs, for as long as anybody holds the pipe."""
    assert process.stderr is not None
    for line in process.stderr:
        lines.put(line)
    process.stderr.close()
    lines.put(None)


@contextmanager
def running(data: Path, *options: str, **more: Any) -> Iterator[Server]:
    """A server for the length of a block, started as by `start`; it must end with exit code 0."""
    server = start(data, *options, **more)
    try:
        yield server
    finally:
        code = server.stop()
    assert code == 0, server.said()[-5:]
