"""s3cmd, as Debian has it."""

from __future__ import annotations

import subprocess
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
S3cmd = Callable[..., str]


@pytest.fixture
def s3cmd(site: Site, tmp_path: Path) -> S3cmd:
    """Runs `s3cmd`, which must succeed."""
    settings = {
        "access_key": servers.ACCESS_KEY,
        "secret_key": servers.SECRET_KEY,
        "host_base": site.address,
        "host_bucket": site.address,  # without %(bucket)s: path style
        "bucket_location": servers.REGION,
        "use_https": str(site.secure),
        "ca_certs_file": str(site.authority or ""),
        "multipart_chunk_size_mb": "5",
        "max_retries": "0",
        "progress_meter": "False",
    }
    config = tmp_path / "s3cfg"
    config.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    command = [installed.program("s3cmd", "s3cmd"), f"--config={config}"]

    def run(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], env=site.environment(tmp_path), timeout=RUN_SECONDS, check=False, capture_output=True)
        assert done.returncode == 0, f"{arguments}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()

    return run


@pytest.fixture
def bucket(s3cmd: S3cmd) -> Iterator[str]:
    """A bucket that s3cmd makes, empties and removes."""
    name = f"s3cmd-{uuid.uuid4().hex}"
    s3cmd("mb", f"s3://{name}")
    assert f"s3://{name}" in s3cmd("ls")
    yield name
    s3cmd("del", "--recursive", "--force", f"s3://{name}")
    s3cmd("rb", f"s3://{name}")
    assert f"s3://{name}" not in s3cmd("ls")


def test_a_folder_goes_up_and_comes_down(s3cmd: S3cmd, watcher: Any, bucket: str, tmp_path: Path) -> None:
    """A sync up in parts, ls, du, info, sync down; a second sync has nothing to do."""
    source = fill(tmp_path / "source", "s3cmd")
    s3cmd("sync", f"{source}/", f"s3://{bucket}/up/")
    assert {each["Key"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]} == {f"up/{name}" for name in tree(source)}
    assert watcher.head_object(Bucket=bucket, Key="up/big")["ETag"].endswith('-4"')
    assert f"s3://{bucket}/up/big" in s3cmd("ls", "--recursive", f"s3://{bucket}")
    assert str(sum(path.stat().st_size for path in source.rglob("*") if path.is_file())) in s3cmd("du", f"s3://{bucket}")
    assert f"File size: {BIG_BYTES}" in s3cmd("info", f"s3://{bucket}/up/big")
    (tmp_path / "down").mkdir()
    s3cmd("sync", f"s3://{bucket}/up/", f"{tmp_path / 'down'}/")
    assert tree(tmp_path / "down") == tree(source)
    assert "upload:" not in s3cmd("sync", f"{source}/", f"s3://{bucket}/up/")


@pytest.mark.parametrize("key", ["a b/+%2F\u00fc", "=&?#", "a//b", "\U0001f600"])
def test_one_object_is_put_copied_moved_and_got(s3cmd: S3cmd, watcher: Any, bucket: str, tmp_path: Path, key: str) -> None:
    """put, cp, mv, get and del, of keys that a shell and a URL would change."""
    (tmp_path / "file").write_bytes(b"of " + key.encode())
    s3cmd("put", str(tmp_path / "file"), f"s3://{bucket}/{key}", "--add-header=x-amz-meta-kind:odd")
    assert watcher.head_object(Bucket=bucket, Key=key)["Metadata"]["kind"] == "odd"
    s3cmd("cp", f"s3://{bucket}/{key}", f"s3://{bucket}/copied {key}")
    s3cmd("mv", f"s3://{bucket}/copied {key}", f"s3://{bucket}/moved {key}")
    s3cmd("get", f"s3://{bucket}/moved {key}", str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == b"of " + key.encode()
    s3cmd("del", f"s3://{bucket}/moved {key}")
    assert [each["Key"] for each in watcher.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
