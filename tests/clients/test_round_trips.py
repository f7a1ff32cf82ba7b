"""The matrix: each library a full round trip on odd keys, under each HTTP server, over each scheme.

The programs are in round_trips/; each is what a user of that library would write.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from clients import installed
from clients.keys import ODD_KEYS, UNSAYABLE
from clients.sites import Site

ROUND_TRIPS: Final = Path(__file__).parent / "round_trips"
RUN_SECONDS: Final = 120.0
BOTO3: Final = "boto3_round_trip.py"


def run(site: Site, home: Path, command: list[str], client: str) -> None:
    """Run a program; it has the keys that its client can say, and must succeed."""
    keys = [key for name, key in ODD_KEYS.items() if name not in UNSAYABLE.get(client, {})]
    order = site.order(f"trip-{uuid.uuid4().hex}", keys)
    done = subprocess.run(command, input=order, env=site.environment(home), timeout=RUN_SECONDS, check=False, capture_output=True, cwd=home)
    assert done.returncode == 0, f"{done.stdout.decode()}\n{done.stderr.decode()}"


def test_boto3_of_today(site: Site, tmp_path: Path) -> None:
    """CRC32 and CRC64NVME with every write, in trailers over https."""
    run(site, tmp_path, [sys.executable, str(ROUND_TRIPS / BOTO3)], "boto3")


@pytest.mark.parametrize(
    ("environment", "program", "client"),
    [
        ("boto3-1.35", BOTO3, "boto3"),
        ("others", "minio_round_trip.py", "minio-py"),
        ("others", "s3fs_round_trip.py", "s3fs"),
        ("others", "pyarrow_round_trip.py", "pyarrow"),
    ],
    ids=["boto3-1.35", "minio-py", "s3fs", "pyarrow"],
)
def test_python_libraries(
    site: Site, interpreter: Callable[[str], Path], tmp_path: Path, environment: str, program: str, client: str
) -> None:
    """boto3 from before the checksum change of 2025, MinIO's client, fsspec's, and Arrow's with the AWS SDK for C++."""
    run(site, tmp_path, [str(interpreter(environment)), str(ROUND_TRIPS / program)], client)


@pytest.mark.parametrize(("program", "client"), [("aws_sdk.mjs", "aws-sdk-js"), ("minio.mjs", "minio-js")], ids=["aws-sdk", "minio"])
def test_javascript_libraries(site: Site, npm_packages: Path, tmp_path: Path, program: str, client: str) -> None:
    """AWS's SDK and MinIO's client, as npm has them."""
    node = installed.program("node", "nodejs")
    shutil.copy(ROUND_TRIPS / program, npm_packages)  # imports are looked up beside the program
    run(site, tmp_path, [node, str(npm_packages / program)], client)
