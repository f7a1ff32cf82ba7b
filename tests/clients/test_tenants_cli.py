"""`lightningstor org|project|principal|key|quota|usage` against a real server, and what becomes of the secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from attrs import define
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

import servers
from lightningstor_server.cli.main import main

READY_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
CHOSEN: Final = "a-secret-that-somebody-chose-42"
ROOT: Final = {"LIGHTNINGSTOR_ACCESS_KEY": servers.ACCESS_KEY, "LIGHTNINGSTOR_SECRET_KEY": servers.SECRET_KEY}
IMAGES: Final = ("--organisation", "acme", "--project", "images")


@define(eq=False)
class Store:
    """A server and everything that it writes."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path
    ready: dict[str, Any]

    def written(self) -> dict[Path, bytes]:
        """Every file of the store and its log."""
        files = [path for path in self.data.parent.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A server of two workers whose log is a file."""
    folder = tmp_path_factory.mktemp("tenants")
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            servers.command(folder / "data", "--workers=2"), env=servers.environment(), stdin=subprocess.DEVNULL, stderr=stderr
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        ready: dict[str, Any] = {}
        while "s3_address" not in ready:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(POLL_SECONDS)
            events = [json.loads(line) for line in log.read_text().split("\n")[:-1] if line.startswith("{")]
            ready = next((event for event in events if "s3_address" in event), {})
        yield Store(process, folder / "data", log, ready)
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


Tool = Callable[..., Result]


@pytest.fixture
def tool(store: Store) -> Tool:
    """Runs a command in the name of the root key, or of another; a refusal is expected where `fails` is its exit code."""

    def run(*arguments: str, fails: int = 0, stdin: str | None = None, **environment: str) -> Result:
        clean = {name: None for name in os.environ if name.startswith(("LIGHTNINGSTOR_", "AWS_"))}
        result = CliRunner().invoke(
            main, [*arguments, "--address", store.ready["grpc_address"]], env={**clean, **(environment or ROOT)}, input=stdin
        )
        assert result.exit_code == fails, result.output
        return result

    return run


@pytest.fixture(scope="module")
def tenant(store: Store) -> None:
    """The organisation acme, its project images, and alice, its owner: made by the program itself, as a user starts it."""
    for arguments in (
        ("org", "create", "acme"),
        ("project", "create", "--organisation", "acme", "images"),
        ("principal", "create", *IMAGES, "alice", "--role", "owner"),
    ):
        command = [sys.executable, "-m", "lightningstor_server", *arguments, "--address", store.ready["grpc_address"]]
        done = subprocess.run(command, env=os.environ | ROOT, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert arguments[-1] in done.stdout or "alice" in done.stdout


def s3_of(store: Store, access_key: str, secret_key: str) -> Any:
    """A boto3 client of a key."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://{store.ready['s3_address']}",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=servers.REGION,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_from_a_key_to_its_end(store: Store, tenant: None, tool: Tool) -> None:
    """What `key create` prints is a key that S3 takes, until it is revoked; it stays in lists until it is deleted."""
    del tenant
    key = json.loads(tool("key", "create", *IMAGES, "alice", "--json").stdout)
    s3 = s3_of(store, key["access_key"], key["secret_key"])
    s3.create_bucket(Bucket="of-alice")
    assert s3.list_buckets()["Owner"]["DisplayName"] == "images"
    listed = tool("key", "list", *IMAGES).stdout
    assert key["access_key"] in listed
    assert key["secret_key"] not in listed + tool("key", "list", *IMAGES, "--json").stdout
    tool("key", "revoke", *IMAGES, key["access_key"])
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()
    (entry,) = [each for each in json.loads(tool("key", "list", *IMAGES, "--json").stdout) if each["access_key"] == key["access_key"]]
    assert (entry["active"], entry["principal"], entry["role"]) == (False, "alice", "owner")
    tool("key", "delete", key["access_key"])
    assert key["access_key"] not in tool("key", "list", *IMAGES).stdout
    s3.close()


def test_an_owner_of_a_project(tenant: None, tool: Tool, tmp_path: Path) -> None:
    """With AWS's variables, or options and a file: it administers its own project without naming it, and no other."""
    del tenant
    secret = tmp_path / "secret"
    secret.write_text(CHOSEN + "\n")
    tool("key", "create", *IMAGES, "alice", "--id", "ALICE", "--secret-file", str(secret))
    aws = {"AWS_ACCESS_KEY_ID": "ALICE", "AWS_SECRET_ACCESS_KEY": CHOSEN}
    assert "bob is there, as viewer" in tool("principal", "create", "bob", "--role", "viewer", **aws).stdout
    assert "bob is editor now" in tool("principal", "set-role", "bob", "editor", **aws).stdout
    made = tool("key", "create", "bob", "--access-key", "ALICE", "--secret-key-file", "-", stdin=CHOSEN, UNRELATED="1").stdout
    assert made.splitlines()[0].startswith("access key = AKIA")
    assert [line.split()[0] for line in tool("principal", "list", **aws).stdout.splitlines()] == ["PRINCIPAL", "alice", "bob"]
    for arguments in (("org", "list"), ("project", "list", "--organisation", "acme"), ("usage", "--organisation", "acme")):
        assert tool(*arguments, fails=1, **aws).stderr == "lightningstor: AccessDenied: Access Denied\n"


def test_a_quota_and_its_usage(store: Store, tenant: None, tool: Tool) -> None:
    """What is set is shown with what is used of it, holds for S3, and is lifted by setting none."""
    del tenant
    s3 = s3_of(store, servers.ACCESS_KEY, servers.SECRET_KEY)
    s3.create_bucket(Bucket="limited")
    tool("quota", "set", "--bucket", "limited", "--objects", "1", "--bytes", "1KiB")
    s3.put_object(Bucket="limited", Key="a", Body=bytes(1024))
    with pytest.raises(ClientError, match="QuotaExceeded") as refused:
        s3.put_object(Bucket="limited", Key="b", Body=b"x")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    table = [line.split() for line in tool("usage", "--bucket", "limited").stdout.splitlines()]
    assert table == [["WHAT", "USED", "LIMIT"], ["objects", "1", "1"], ["bytes", "1024", "1024"], ["buckets", "0", "-"]]
    found = json.loads(tool("quota", "show", "--bucket", "limited", "--json").stdout)
    assert (found["usage"]["bytes"], found["quota"]) == (1024, {"objects": 1, "bytes": 1024, "buckets": None})
    tool("quota", "set", "--bucket", "limited")
    s3.put_object(Bucket="limited", Key="b", Body=b"x")
    s3.close()


def test_organisations_and_projects(tenant: None, tool: Tool) -> None:
    """Made, listed, changed and deleted; what something depends on is refused with its code and exit code 1."""
    del tenant
    assert tool("org", "create", "acme", fails=1).stderr.startswith("lightningstor: EntityAlreadyExists: ")
    tool("org", "create", "short")
    tool("project", "create", "--organisation", "short", "lived", "--display-name", "Short Lived", "--email", "s@l")
    assert "s@m" in tool("project", "update", "--organisation", "short", "lived", "--email", "s@m").stdout
    (found,) = json.loads(tool("project", "list", "--organisation", "short", "--json").stdout)
    assert (found["project"], found["display_name"], found["email"]) == ("lived", "Short Lived", "s@m")
    assert tool("org", "delete", "short", fails=1).stderr.startswith("lightningstor: DeleteConflict: ")
    tool("project", "delete", "--organisation", "short", "lived")
    tool("org", "delete", "short")
    assert {each["organisation"] for each in json.loads(tool("org", "list", "--json").stdout)} == {"acme", "default"}


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("org", "create", "../x"), ROOT, "A name has 1 to 128"),
        (("key", "revoke", "a b"), ROOT, "An access key id has 3 to 128"),
        (("key", "create", "alice", "--id", "HALF"), ROOT, "--id and --secret-file go together"),
        (("quota", "set", "--bytes", "10 GB"), ROOT, "expected bytes, or a number with KiB"),
        (("quota", "set", "--bytes", "9EiB"), ROOT, "expected bytes"),
        (("org", "list"), {"LIGHTNINGSTOR_ACCESS_KEY": "A"}, "Set LIGHTNINGSTOR_ACCESS_KEY and LIGHTNINGSTOR_SECRET_KEY"),
        (("org", "list"), {"AWS_ACCESS_KEY_ID": "A"}, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (("org", "list", "--secret-key-file", "/nowhere"), ROOT, "no secret can be read"),
        (("org", "list", "--ca-file", "/nowhere"), ROOT, "/nowhere: No such file"),
    ],
)
def test_what_the_user_can_mend(tool: Tool, arguments: tuple[str, ...], environment: dict[str, str], told: str) -> None:
    """Is said on stderr, without a trace, with exit code 2, before the server is asked."""
    result = tool(*arguments, fails=2, **environment)
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_secret_and_a_server_that_is_not_there(tool: Tool) -> None:
    """Exit code 1 and the error's code; the secret is not repeated."""
    wrong = {"LIGHTNINGSTOR_ACCESS_KEY": servers.ACCESS_KEY, "LIGHTNINGSTOR_SECRET_KEY": "not-the-secret"}
    result = tool("org", "list", fails=1, **wrong)
    assert result.stderr.startswith("lightningstor: SignatureDoesNotMatch: ")
    assert "not-the-secret" not in result.output


def test_no_secret_is_written_in_plain(store: Store, tenant: None, tool: Tool) -> None:
    """Of no key, in no file of the store and in no line of its log: generated, chosen, refused or the root's."""
    del tenant
    made = json.loads(tool("key", "create", *IMAGES, "alice", "--json").stdout)
    tool("key", "create", *IMAGES, "alice", "--id", "CHOSEN", "--secret-file", "-", stdin="canary-that-is-kept-sealed")
    tool("key", "create", *IMAGES, "alice", "--id", "CHOSEN", "--secret-file", "-", stdin="canary-that-is-refused", fails=1)
    refused = tool("key", "create", *IMAGES, "alice", "--id", "OTHER", "--secret-file", "-", stdin="canary with spaces", fails=2)
    assert "canary" not in refused.output
    files = store.written()
    assert any(path.name.startswith("metadata.db") and b"CHOSEN" in content for path, content in files.items())
    assert b'"ready"' in files[store.log]
    for secret in (made["secret_key"], "canary", CHOSEN, servers.SECRET_KEY):
        for path, content in files.items():
            assert secret.encode() not in content, path
