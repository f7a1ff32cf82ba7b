"""The aws command line, as PyPI has it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import servers
from clients.keys import SHELL_KEYS

RUN_SECONDS = 120.0
Aws = Callable[..., str]


@pytest.fixture(scope="session")
def run(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs `aws` with nothing of the user's environment; returns how it ended."""
    home = tmp_path_factory.mktemp("aws-home")
    # `presign` still signs by version 2 in us-east-1 unless it is told not to
    (home / "config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": servers.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY,
        "AWS_DEFAULT_REGION": servers.REGION,
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_MAX_ATTEMPTS": "1",
    }

    def aws(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "awscli", *arguments]
        return subprocess.run(command, env=environment, timeout=RUN_SECONDS, check=False, capture_output=True, **options)

    return aws


@pytest.fixture(scope="session")
def aws(run: Callable[..., subprocess.CompletedProcess[bytes]]) -> Aws:
    """Runs `aws`, which must succeed; returns what it printed."""

    def succeed(*arguments: str, **options: Any) -> str:
        done = run(*arguments, **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return succeed


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by their relative paths, with the hashes of their bytes."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file for each odd name, some of them in folders of odd names."""
    root = tmp_path / "source"
    for number, name in enumerate(SHELL_KEYS.values()):
        for path in (root / name, root / f"in {number}" / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(100) + name.encode())
    return root


def test_a_bucket_is_made_filled_emptied_and_removed(
    aws: Aws, run: Callable[..., subprocess.CompletedProcess[bytes]], s3: Any, bucket: str, folder: Path, tmp_path: Path
) -> None:
    """mb, sync up, ls, sync down, rm --recursive and rb on odd names; what came down is what went up."""
    name = f"{bucket}-cli"
    aws("s3", "mb", f"s3://{name}")
    assert name in aws("s3", "ls")
    aws("s3", "sync", str(folder), f"s3://{name}", "--only-show-errors")
    assert {item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]} == set(tree(folder))
    listing = aws("s3", "ls", f"s3://{name}", "--recursive", "--summarize")
    assert f"Total Objects: {len(tree(folder))}" in listing
    assert all(key in listing for key in SHELL_KEYS.values() if key.isprintable())
    aws("s3", "sync", f"s3://{name}", str(tmp_path / "copy"), "--only-show-errors")
    assert tree(tmp_path / "copy") == tree(folder)
    assert run("s3", "sync", str(folder), f"s3://{name}").stdout == b"", "a second sync has nothing to do"
    assert b"BucketNotEmpty" in run("s3", "rb", f"s3://{name}").stderr
    aws("s3", "rm", f"s3://{name}", "--recursive", "--only-show-errors")
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    aws("s3", "rb", f"s3://{name}")
    assert name not in aws("s3", "ls")


@pytest.mark.parametrize("key", ["a//b", "../x", "./.", "%2F", " +", "\r\n", "u\u0308", "n" * 1024], ids=repr)
def test_a_file_goes_up_and_comes_down(aws: Aws, s3: Any, bucket: str, tmp_path: Path, key: str) -> None:
    """`cp` to and from keys that no path could be."""
    source, sink = tmp_path / "source", tmp_path / "sink"
    source.write_bytes(os.urandom(50_000))
    aws("s3", "cp", str(source), f"s3://{bucket}/{key}", "--metadata", "a=b", "--content-type", "text/plain")
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/plain")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    aws("s3", "cp", f"s3://{bucket}/{key}", str(sink))
    assert sink.read_bytes() == source.read_bytes()


def test_an_object_is_copied_moved_and_removed(aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
    """`cp` from object to object, mv to a file, rm; on a key with everything in it."""
    key = "a//b/../%2F +\u00fc\U0001f600=&?#"
    s3.put_object(Bucket=bucket, Key=key, Body=b"content")
    aws("s3", "cp", f"s3://{bucket}/{key}", f"s3://{bucket}/copy")
    aws("s3", "mv", f"s3://{bucket}/copy", str(tmp_path / "sink"))
    assert (tmp_path / "sink").read_bytes() == b"content"
    aws("s3", "rm", f"s3://{bucket}/{key}")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_large_files_go_in_parts(aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
    """A file of several parts, and one from a pipe, come back whole."""
    content = os.urandom(1 << 20) * 21
    (tmp_path / "big").write_bytes(content)
    aws("s3", "cp", str(tmp_path / "big"), f"s3://{bucket}/big", "--only-show-errors")
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-3"')
    aws("s3", "cp", "-", f"s3://{bucket}/piped", input=content)
    for key in ("big", "piped"):
        aws("s3", "cp", f"s3://{bucket}/{key}", str(tmp_path / key), "--only-show-errors")
        assert (tmp_path / key).read_bytes() == content


@pytest.mark.parametrize("key", ["a b/+%2F\u00fc", "=&?#"])
def test_a_presigned_url_is_read_by_anybody(aws: Aws, bucket: str, s3: Any, key: str) -> None:
    """`presign` prints a URL that gets the object."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"content")
    url = aws("s3", "presign", f"s3://{bucket}/{key}", "--expires-in", "60").strip()
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - http only
        assert answer.read() == b"content"


def test_failures_are_named(run: Callable[..., subprocess.CompletedProcess[bytes]], bucket: str, tmp_path: Path) -> None:
    """What S3 answered reaches the terminal."""
    for expected, arguments in (
        (b"NoSuchBucket", ("s3", "ls", "s3://bucket-that-is-not-there")),
        (b"404", ("s3", "cp", f"s3://{bucket}/absent", str(tmp_path / "x"))),
        (b"NoSuchKey", ("s3api", "get-object", "--bucket", bucket, "--key", "absent", str(tmp_path / "x"))),
        (b"NoSuchUpload", ("s3api", "list-parts", "--bucket", bucket, "--key", "k", "--upload-id", "none")),
    ):
        done = run(*arguments)
        assert done.returncode != 0
        assert expected in done.stderr
