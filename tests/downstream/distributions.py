"""Looks into the built distributions: `distributions.py DIST AGAIN`.

Law: what is shipped is the package, its types and its licence, and nothing else; a wheel that is
built from the sdist is the wheel that was built from the tree.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

NAMES = ("types", "api", "server")


def wheel(folder: Path, name: str) -> dict[str, bytes]:
    """The files of a distribution's wheel."""
    (path,) = folder.glob(f"lightningstor_{name}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def sdist(folder: Path, name: str) -> set[str]:
    """The names of an sdist's files, below its own folder."""
    (path,) = folder.glob(f"lightningstor_{name}-*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def check(dist: Path, again: Path, name: str) -> None:
    """Every promise for one of them."""
    package, built = f"lightningstor_{name}", wheel(dist, name)
    top = {member.partition("/")[0] for member in built}
    (information,) = top - {package}
    assert information.endswith(".dist-info"), top
    assert f"{package}/py.typed" in built
    assert f"{information}/licenses/LICENSE" in built
    assert b"License-Expression: Apache-2.0" in built[f"{information}/METADATA"]
    leftovers = [member for member in built if "test" in member.split("/") or "__pycache__" in member or member.endswith(".pyc")]
    assert leftovers == []
    source = sdist(dist, name)
    assert {"pyproject.toml", "README.md", "LICENSE", f"src/{package}/py.typed"} <= source
    assert [member for member in source if member.startswith("tests/") or "__pycache__" in member] == []
    if name == "server":
        assert {"deployment/Containerfile", "deployment/lightningstor.service", "deployment/lightningstor.toml"} <= source
    assert wheel(again, name) == built, "the sdist makes another wheel"


def main(dist: str, again: str) -> None:
    """Look at all three."""
    for name in NAMES:
        check(Path(dist), Path(again), name)
        sys.stdout.write(f"lightningstor-{name}: wheel and sdist as promised\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
