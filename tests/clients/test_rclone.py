"""rclone, as Debian has it: a folder goes up, is compared byte by byte, copied, and comes down."""

from __future__ import annotations

import os
import ssl
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import servers
from clients import installed
from clients.files import BIG_BYTES, fill, tree
from clients.sites import Site

RUN_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 30.0
Rclone = Callable[..., str]


@pytest.fixture
def rclone(site: Site, tmp_path: Path) -> Rclone:
    """Runs `rclone`, which must succeed; the remote is called `s`."""
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "false",
        "ACCESS_KEY_ID": servers.ACCESS_KEY,
        "SECRET_ACCESS_KEY": servers.SECRET_KEY,
        "REGION": servers.REGION,
        "ENDPOINT": site.endpoint,
        # Debian's sends x-amz-acl with every upload, `private` if it is not told otherwise. A bucket without lists
        # takes this one alone (AWS, "Controlling ownership of objects", BucketOwnerEnforced)
        "ACL": "bucket-owner-full-control",
        "CHUNK_SIZE": "5Mi",
        "UPLOAD_CUTOFF": "8Mi",
        "COPY_CUTOFF": "8Mi",
    }
    environment = site.environment(tmp_path) | {f"RCLONE_CONFIG_S_{name}": value for name, value in settings.items()}
    # it takes names for equal that differ in their normal form only, unless told not to
    options = ("--retries=1", "--low-level-retries=1", "--no-unicode-normalization", "--config=")
    command = [installed.program("rclone", "rclone"), *options]
    environment.pop("AWS_CA_BUNDLE", None)  # AWS's SDK for Go does not know rclone's transport, and gives up
    if site.authority is not None:
        command.append(f"--ca-cert={site.authority}")

    def run(*arguments: str, standard_input: bytes = b"") -> str:
        done = subprocess.run(
            [*command, *arguments], env=environment, input=standard_input, timeout=RUN_SECONDS, check=False, capture_output=True
        )
        assert done.returncode == 0, f"{arguments}\n{done.stderr.decode()}"
        return done.stdout.decode()

    return run


@pytest.fixture
def bucket(rclone: Rclone) -> Iterator[str]:
    """A bucket that rclone makes, and takes away with all that is in it."""
    name = f"rclone-{uuid.uuid4().hex}"
    rclone("mkdir", f"s:{name}")
    assert name in rclone("lsd", "s:")
    yield name
    rclone("purge", f"s:{name}")
    assert name not in rclone("lsd", "s:")


def test_a_folder_goes_up_and_comes_down(rclone: Rclone, watcher: Any, bucket: str, tmp_path: Path) -> None:
    """sync, check, lsf, sync from bucket to bucket, and back; a second sync finds nothing to do."""
    source = fill(tmp_path / "source")
    rclone("sync", str(source), f"s:{bucket}/up")
    rclone("check", str(source), f"s:{bucket}/up", "--download")
    assert {each["Key"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]} == {f"up/{name}" for name in tree(source)}
    assert watcher.head_object(Bucket=bucket, Key="up/big")["ETag"].endswith('-4"')
    assert "big\n" in rclone("lsf", "-R", "--files-only", f"s:{bucket}/up")
    rclone("sync", f"s:{bucket}/up", f"s:{bucket}/copied")
    rclone("sync", f"s:{bucket}/copied", str(tmp_path / "down"))
    assert tree(tmp_path / "down") == tree(source)
    before = {each["Key"]: each["LastModified"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]}
    rclone("sync", str(source), f"s:{bucket}/up")
    after = {each["Key"]: each["LastModified"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]}
    assert after == before


def test_one_object_is_streamed_looked_at_shared_and_removed(rclone: Rclone, site: Site, bucket: str) -> None:
    """A stream of unknown length, cat by offset, size, moveto, link, deletefile."""
    body = os.urandom(BIG_BYTES)
    rclone("rcat", f"s:{bucket}/a b/+%2F\u00fc", standard_input=body)
    assert f"({BIG_BYTES} Byte)" in rclone("size", f"s:{bucket}/a b")
    rclone("moveto", f"s:{bucket}/a b/+%2F\u00fc", f"s:{bucket}/moved=&?#")
    context = ssl.create_default_context(cafile=site.authority) if site.authority else None
    url = rclone("link", "--expire", "1m", f"s:{bucket}/moved=&?#").strip()
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - http and https only
        assert answer.read() == body
    assert rclone("lsf", "-R", f"s:{bucket}") == "moved=&?#\n"
    rclone("deletefile", f"s:{bucket}/moved=&?#")
    assert rclone("lsf", "-R", f"s:{bucket}") == ""
