"""The aws command line under each HTTP server, over each scheme."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Final

from clients.files import fill, tree
from clients.sites import Site

RUN_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 30.0
QUIET: Final = "--only-show-errors"


def test_a_round_trip(site: Site, watcher: Any, tmp_path: Path) -> None:
    """mb, sync up in parts, cp from object to object, presign, sync down, rm --recursive, rb."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")

    def aws(*arguments: str) -> str:
        command = [sys.executable, "-m", "awscli", *arguments]
        done = subprocess.run(command, env=site.environment(home), timeout=RUN_SECONDS, check=False, capture_output=True)
        assert done.returncode == 0, f"{arguments}\n{done.stderr.decode()}"
        return done.stdout.decode()

    url, source = f"s3://aws-{uuid.uuid4().hex}", fill(tmp_path / "source")
    bucket = url.removeprefix("s3://")
    aws("s3", "mb", url)
    aws("s3", "sync", str(source), url, QUIET)
    assert {each["Key"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]} == set(tree(source))
    aws("s3", "cp", f"{url}/big", f"{url}/a//b/../%2F +\u00fc=&?#", QUIET)
    context = ssl.create_default_context(cafile=site.authority) if site.authority else None
    shared = aws("s3", "presign", f"{url}/a//b/../%2F +\u00fc=&?#", "--expires-in", "60").strip()
    with urllib.request.urlopen(shared, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - http and https only
        assert answer.read() == (source / "big").read_bytes()
    aws("s3", "rm", f"{url}/a//b/../%2F +\u00fc=&?#", QUIET)
    aws("s3", "sync", url, str(tmp_path / "down"), QUIET)
    assert tree(tmp_path / "down") == tree(source)
    aws("s3", "rm", url, "--recursive", QUIET)
    aws("s3", "rb", url)
    assert bucket not in aws("s3", "ls")
