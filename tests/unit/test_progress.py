"""Long work on a terminal shows how far it is; elsewhere nothing is drawn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from unit.damaged_stores import make

COMMAND_SECONDS = 120.0


@pytest.mark.parametrize(
    ("name", "label"), [("check", "checking"), ("sweep", "sweeping"), ("salvage", "salvaging")], ids=["check", "sweep", "salvage"]
)
def test_a_terminal_shows_progress(tmp_path: Path, name: str, label: str) -> None:
    """Up to its end, on stderr; what is printed on stdout can be piped."""
    store = make(tmp_path / "data")
    options = ["--to", str(tmp_path / "out")] if name == "salvage" else ["--key-file", str(store.options.key_file)]
    line = [sys.executable, "-m", "lightningstor_server", name, "--data", str(store.options.data), *options]
    controller, terminal = os.openpty()
    try:
        done = subprocess.run(
            line, env=servers.environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=terminal, timeout=COMMAND_SECONDS, check=True
        )
    finally:
        os.close(terminal)
    with os.fdopen(controller, "rb", buffering=0) as screen:
        shown = screen.read(65_536)
    assert label.encode() in shown
    assert b"100%" in shown
    assert b"%" not in done.stdout
