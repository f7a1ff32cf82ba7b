"""Clients that are programs, and clients that need an environment of their own.

Law: what a registry has is installed here, once, into pytest's cache, and again when its list
changes. What the system has to bring is asked for by name; in CI its absence is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

INSTALL_SECONDS: Final = 300.0
FOLDER: Final = Path(__file__).parent
DONE: Final = "installed.txt"
VENVS: Final = {
    # the last that sends Content-MD5, and no checksums unless it is asked
    "boto3-1.35": ("boto3==1.35.99",),
    # s3fs comes with aiobotocore, which fits no current boto3
    "others": ("minio>=7.2.20", "s3fs>=2026.9", "pyarrow>=26"),
}
"""Environments and what is in them."""

MakeFolder = Callable[[str], Path]


def python(name: str, folder: Path) -> Path:
    """The interpreter of an environment of VENVS, made in the folder if it is not there."""
    wanted = VENVS[name]

    def install() -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin/pip"), "install", "-q", *wanted])

    _once(folder, "\n".join((sys.version, *wanted)), install)
    return folder / "bin/python"


def node_modules(folder: Path) -> Path:
    """The packages of package.json, installed in the folder if they are not there."""
    wanted = (FOLDER / "package.json").read_text()

    def install() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(wanted)
        _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"], cwd=folder)

    _once(folder, wanted, install)
    return folder


def program(name: str, package: str) -> str:
    """The path of a program that the system has; else the test is skipped, or fails where CI is set."""
    found = shutil.which(name)
    if found is None:
        told = f"{name} is not installed: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


def _once(folder: Path, wanted: str, install: Callable[[], None]) -> None:
    """Install, unless what is wanted was installed to its end before."""
    mark = folder / DONE
    if not mark.exists() or mark.read_text() != wanted:
        install()
        mark.write_text(wanted)


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
