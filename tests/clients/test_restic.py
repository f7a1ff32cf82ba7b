"""restic, as Debian has it: it trusts no storage, and reads back what it wrote."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import servers
from clients import installed
from clients.files import fill, tree
from clients.sites import Site

RUN_SECONDS: Final = 120.0
Restic = Callable[..., str]


@pytest.fixture
def bucket() -> str:
    """A name; restic makes the bucket."""
    return f"restic-{uuid.uuid4().hex}"


@pytest.fixture
def restic(site: Site, bucket: str, tmp_path: Path) -> Restic:
    """Runs `restic`, which must succeed, on a repository below an odd prefix."""
    environment = site.environment(tmp_path) | {
        "RESTIC_REPOSITORY": f"s3:{site.endpoint}/{bucket}/a b/+\u00fc",
        "RESTIC_PASSWORD": servers.SECRET_KEY,
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [installed.program("restic", "restic")]
    if site.authority is not None:
        command.append(f"--cacert={site.authority}")

    def run(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], env=environment, timeout=RUN_SECONDS, check=False, capture_output=True)
        assert done.returncode == 0, f"{arguments}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()

    return run


def test_a_backup_is_made_checked_restored_and_pruned(restic: Restic, watcher: Any, bucket: str, tmp_path: Path) -> None:
    """init, two backups, check of all data, restore of the first, forget with prune; the rest still restores."""
    source = fill(tmp_path / "source")
    first = tree(source)
    restic("init")
    restic("backup", str(source))
    (source / "big").write_bytes(b"no longer")
    restic("backup", str(source))
    snapshots = [each["id"] for each in json.loads(restic("snapshots", "--json"))]
    assert len(snapshots) == 2
    restic("check", "--read-data", "--no-cache")
    restic("restore", "--no-cache", snapshots[0], "--target", str(tmp_path / "first"))
    assert tree(tmp_path / "first" / source.relative_to("/")) == first
    before = stored(watcher, bucket)
    restic("forget", snapshots[0], "--prune", "--max-unused=0")
    assert stored(watcher, bucket) < before - (16 << 20)
    restic("check", "--read-data", "--no-cache")
    restic("restore", "--no-cache", "latest", "--target", str(tmp_path / "second"))
    assert tree(tmp_path / "second" / source.relative_to("/")) == tree(source)


def stored(watcher: Any, bucket: str) -> int:
    """The bytes in a bucket."""
    return sum(each["Size"] for page in watcher.get_paginator("list_objects_v2").paginate(Bucket=bucket) for each in page["Contents"])
