"""The command line, as an operator meets it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import servers
from clients.conftest import HTTP_SERVERS
from lightningstor_api.client import connect
from lightningstor_types.digests import NO_CHECKSUMS
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.objects import PutObject

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.02
ROOT = {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": servers.ACCESS_KEY, "LIGHTNINGSTOR_ROOT_SECRET_KEY": servers.SECRET_KEY}


@attrs.define(eq=False)
class Started:
    """A server that was started, with all that it says in files."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def events(self) -> list[dict[str, Any]]:
        """What was logged so far, but for a line that is being written."""
        lines = self.stderr.read_text().split("\n")[:-1]
        return [json.loads(line) if line.startswith("{") else {"text": line} for line in lines]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first event of that name, once it is logged."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            ended = self.process.poll() is not None
            found = next((each for each in self.events() if each.get("event") == event), None)
            if found is not None:
                return found
            assert not ended, self.stderr.read_text()
            assert time.monotonic() < deadline, self.stderr.read_text()
            time.sleep(POLL_SECONDS)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Any]:
    """Starts servers with an environment that has no key of ours; what still runs at the end is killed."""
    started: list[Started] = []

    def start(*options: str, data: Path | None = None, **environment: str) -> Started:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LIGHTNINGSTOR_", "AWS_"))}
        number = len(started)
        stdout, stderr = tmp_path / f"{number}.stdout", tmp_path / f"{number}.stderr"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            command = servers.command(data or tmp_path / "data", "--workers=1", *options)
            process = subprocess.Popen(command, env=clean | environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        started.append(Started(process, stdout, stderr))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait(WAIT_SECONDS)


@contextlib.contextmanager
def client(address: str, access_key: str = servers.ACCESS_KEY, secret_key: str = servers.SECRET_KEY) -> Iterator[Any]:
    """A boto3 client for a while."""
    made = boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=servers.REGION,
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    try:
        yield made
    finally:
        made.close()


def printed_key(text: str) -> dict[str, str]:
    """The root key as it is printed."""
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in text.splitlines())}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by the hash of its bytes."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def get(address: str, path: str) -> tuple[int, bytes]:
    """What an address answers to anybody."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=WAIT_SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("front", ["s3", "grpc", "admin"])
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_taken_port_ends_the_start(starter: Any, tmp_path: Path, front: str, shared: bool) -> None:  # noqa: FBT001 - a parameter
    """Exit code 2 and the address, also where its holder would share it; no key and no store are made."""
    with socket.socket() as holder:
        if shared:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        server = starter(f"--{front}-address={address}")
        assert server.process.wait(WAIT_SECONDS) == 2
    assert address in server.stderr.read_text()
    assert "Traceback" not in server.stderr.read_text()
    assert server.stdout.read_text() == ""
    assert not (tmp_path / "data.key").exists()
    assert not (tmp_path / "data" / "metadata.db").exists()


def test_a_second_server_does_not_share(starter: Any, tmp_path: Path) -> None:
    """Neither the address nor the data folder of a server that runs can be had; it goes on undisturbed."""
    first = starter(**ROOT)
    ready = first.wait_for("ready")
    second = starter(f"--s3-address={ready['s3_address']}", data=tmp_path / "other", **ROOT)
    assert second.process.wait(WAIT_SECONDS) == 2
    assert ready["s3_address"] in second.stderr.read_text()
    third = starter(**ROOT)
    assert third.process.wait(WAIT_SECONDS) == 2
    assert str(tmp_path / "data") in third.stderr.read_text()
    with client(ready["s3_address"]) as s3:
        s3.create_bucket(Bucket="still-here")
    assert first.stop() == 0


def test_a_wrong_master_key_is_refused(starter: Any, tmp_path: Path) -> None:
    """Not zero, the key id that is wanted, nothing served and nothing changed; with the right key all is there."""
    key_file, data = tmp_path / "master.key", tmp_path / "data"
    server = starter(f"--key-file={key_file}", **ROOT)
    with client(server.wait_for("ready")["s3_address"]) as s3:
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="k", Body=b"x")
    assert server.stop() == 0
    key_id = hashlib.sha256(base64.b64decode(key_file.read_text())).hexdigest()[:8]
    other = base64.b64encode(bytes(32)).decode()
    another, malformed, missing = (tmp_path / name for name in ("another.key", "malformed.key", "missing.key"))
    another.write_text(other)
    malformed.write_text("nonsense")
    before = contents(data)

    for options, environment, named in (
        ([f"--key-file={another}"], {}, key_id),
        ([f"--key-file={missing}"], {}, key_id),
        ([], {}, key_id),  # beside the data folder there is none
        ([], {"LIGHTNINGSTOR_MASTER_KEY": other}, key_id),
        ([f"--key-file={malformed}"], {}, str(malformed)),
        ([f"--key-file={key_file}"], {"LIGHTNINGSTOR_MASTER_KEY": other}, "LIGHTNINGSTOR_MASTER_KEY"),
    ):
        refused = starter(*options, **ROOT, **environment)
        assert refused.process.wait(WAIT_SECONDS) == 2
        text = refused.stderr.read_text()
        assert named in text
        assert "Traceback" not in text
        assert refused.stdout.read_text() == ""
        assert contents(data) == before
    assert not missing.exists()
    assert not (tmp_path / "data.key").exists()

    again = starter(f"--key-file={key_file}", **ROOT)
    with client(again.wait_for("ready")["s3_address"]) as s3, s3.get_object(Bucket="kept", Key="k")["Body"] as body:
        assert body.read() == b"x"
    assert again.stop() == 0


@pytest.mark.parametrize(
    ("option", "text", "named"),
    [
        ("config", 'regoin = "us-east-1"\n', "regoin"),
        ("config", "[limits]\nmax_conections = 5\n", "limits.max_conections"),
        ("config", '[new_buckets]\nobject_ownership = "Nobody"\n', "new_buckets.object_ownership"),
        ("config", '[kms.keys]\nk = "canary-of-kms"\n', "kms.keys.k"),
        ("config", "region = \n", "config.toml"),
        ("bootstrap", '[[project]]\norganisation = "o"\nname = "p"\nnmae = "p"\n', "project[0].nmae"),
        ("bootstrap", '[[project]]\norganisation = "o"\n', "project[0].name"),
    ],
)
def test_a_wrong_file_is_refused(starter: Any, tmp_path: Path, option: str, text: str, named: str) -> None:
    """Exit code 2; the file and the dotted key are named, a value never; nothing is made."""
    path = tmp_path / f"{option}.toml"
    path.write_text(text)
    server = starter(f"--{option}={path}")
    assert server.process.wait(WAIT_SECONDS) == 2
    said = server.stderr.read_text()
    assert named in said
    assert str(path) in said
    assert "canary" not in said
    assert "Traceback" not in said
    assert not (tmp_path / "data" / "metadata.db").exists()


def test_the_root_key_is_printed_once(starter: Any) -> None:
    """The first start without a key prints one that works, on stdout alone; later starts print nothing, and it still works."""
    server = starter()
    address = server.wait_for("ready")["s3_address"]
    key = printed_key(server.stdout.read_text())
    assert set(key) == {"access_key", "secret_key"}
    with client(address, **key) as s3:
        s3.create_bucket(Bucket="made-by-root")
    assert server.stop() == 0
    assert key["secret_key"] not in server.stderr.read_text()
    for _ in range(2):
        again = starter()
        with client(again.wait_for("ready")["s3_address"], **key) as s3:
            assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["made-by-root"]
        assert again.stop() == 0
        assert again.stdout.read_text() == ""
        assert key["secret_key"] not in again.stderr.read_text()


BOOTSTRAP = """
[[project]]
organisation = "acme"
name = "images"
display_name = "Images"
canonical_id = "canonical-of-images"
[[project.key]]
principal = "alice"
role = "owner"
access_key = "AKIAALICE"
secret_key = "canary-secret-of-alice"
[[project.key]]
principal = "victor"
role = "viewer"
access_key = "AKIAVICTOR"
secret_key = "canary-secret-of-victor"

[[project]]
organisation = "acme"
name = "backups"
[[project.key]]
principal = "bob"
role = "owner"
access_key = "AKIABOB"
secret_key = "{bob}"
"""


def test_the_bootstrap_file_is_applied_at_each_start(starter: Any, tmp_path: Path) -> None:
    """Projects and keys are as declared, bucket names apart by project; applying again changes nothing, a new secret replaces the old."""
    path = tmp_path / "bootstrap.toml"
    for bob, made in (("canary-secret-of-bob", True), ("canary-secret-of-bob", False), ("canary-new-secret-of-bob", False)):
        path.write_text(BOOTSTRAP.format(bob=bob))
        server = starter(f"--bootstrap={path}", **ROOT)
        address = server.wait_for("ready")["s3_address"]
        with (
            client(address, "AKIAALICE", "canary-secret-of-alice") as alice,
            client(address, "AKIAVICTOR", "canary-secret-of-victor") as victor,
            client(address, "AKIABOB", bob) as his,
        ):
            for owner, content in ((alice, b"images"), (his, b"backups")):
                if made:
                    owner.create_bucket(Bucket="shared-name")
                    owner.put_object(Bucket="shared-name", Key="k", Body=content)
                assert owner.get_object(Bucket="shared-name", Key="k")["Body"].read() == content
            assert victor.get_object(Bucket="shared-name", Key="k")["Body"].read() == b"images"
            with pytest.raises(ClientError) as error:
                victor.put_object(Bucket="shared-name", Key="k", Body=b"no")
            assert error.value.response["Error"]["Code"] == "AccessDenied"
            assert alice.list_buckets()["Owner"] == {"ID": "canonical-of-images", "DisplayName": "Images"}
        assert server.stop() == 0
        assert server.stdout.read_text() == ""
    with_old = starter(f"--bootstrap={path}", **ROOT)
    with client(with_old.wait_for("ready")["s3_address"], "AKIABOB", "canary-secret-of-bob") as old, pytest.raises(ClientError) as error:
        old.list_buckets()
    assert error.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert with_old.stop() == 0


@pytest.mark.parametrize("http_server", HTTP_SERVERS)
def test_health_and_metrics_are_on_the_admin_address_alone(starter: Any, http_server: str) -> None:
    """The admin address answers probes and scrapes and no S3; on the S3 address their paths are buckets and keys."""
    server = starter(f"--http-server={http_server}", **ROOT)
    ready = server.wait_for("ready")
    admin, address = ready["admin_address"], ready["s3_address"]
    assert get(admin, "/health/live")[0] == 200
    assert get(admin, "/health/ready")[0] == 200
    for path in ("/health/live", "/health/ready", "/metrics", "/health"):
        status, answer = get(address, path)
        assert (status, b"<Code>NoSuchBucket</Code>" in answer) == (404, True), "there it is a bucket like any other"
    with client(address) as s3:
        with pytest.raises(ClientError) as error:
            s3.list_objects_v2(Bucket="metrics")
        assert error.value.response["Error"]["Code"] == "NoSuchBucket"
        for bucket, key in (("health", "live"), ("metrics", "metrics")):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=key, Body=b"an object")
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"an object"
    assert get(admin, "/metrics/metrics")[0] == 404
    assert get(admin, "/")[0] == 404
    metric(admin, 'lightningstor_requests_total{code="OK",front="s3",operation="PutObject"} 2.0')
    metric(admin, "lightningstor_workers_ready 1.0")
    assert server.stop() == 0


def metric(address: str, line: str) -> None:
    """Return once a scrape has the line: counts reach the supervisor a little later."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        status, scraped = get(address, "/metrics")
        assert status == 200
        if line in scraped.decode().splitlines():
            return
        assert time.monotonic() < deadline, scraped.decode()
        time.sleep(POLL_SECONDS)


@pytest.mark.parametrize("http_server", HTTP_SERVERS)
def test_sigterm_lets_an_upload_finish(starter: Any, http_server: str) -> None:
    """A body that is half sent at SIGTERM is taken to its end and acknowledged; the exit code is 0 and the object is kept."""
    server = starter(f"--http-server={http_server}", **ROOT)
    ready = server.wait_for("ready")
    address, admin = ready["s3_address"], ready["admin_address"]
    content = os.urandom(8 << 20)
    half = len(content) // 2
    with client(address) as s3:
        s3.create_bucket(Bucket="drained")
        url = s3.generate_presigned_url("put_object", Params={"Bucket": "drained", "Key": "k"})
    with contextlib.closing(http.client.HTTPConnection(address, timeout=WAIT_SECONDS)) as connection:
        connection.putrequest("PUT", url.removeprefix(f"http://{address}"))
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content[:half])
        metric(admin, "lightningstor_requests_in_flight 1.0")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        assert get(admin, "/health/live")[0] == 200
        assert get(admin, "/health/ready")[0] == 503
        connection.send(content[half:])
        with connection.getresponse() as answer:
            assert answer.status == 200
    assert server.process.wait(WAIT_SECONDS) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))

    again = starter(f"--http-server={http_server}", **ROOT)
    with client(again.wait_for("ready")["s3_address"]) as s3, s3.get_object(Bucket="drained", Key="k")["Body"] as body:
        assert body.read() == content
    assert again.stop() == 0


class Halting:
    """A body that stops in its middle until it is told to go on."""

    length = 32 << 20  # more than connections buffer: once half of it has gone, the server has taken some
    trailer = NO_CHECKSUMS

    def __init__(self) -> None:
        self.halted, self.go_on = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pieces of 1 MiB."""
        for number in range(32):
            if number == 16:
                self.halted.set()
                await self.go_on.wait()
            yield bytes(1 << 20)


async def test_sigterm_lets_a_grpc_write_finish(starter: Any) -> None:
    """The same of a stream: what is half sent is taken to its end and acknowledged, and the exit code is 0."""
    server = starter(**ROOT)
    address = server.wait_for("ready")["grpc_address"]
    body = Halting()
    async with asyncio.timeout(WAIT_SECONDS), connect(address, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY) as grpc:
        await grpc.create_bucket(CreateBucket(bucket=BucketName("drained")))
        writing = asyncio.ensure_future(grpc.write_object(PutObject(bucket=BucketName("drained"), key=ObjectKey("k"), body=body)))
        await body.halted.wait()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.wait_for, "draining")
        body.go_on.set()
        assert (await writing).size == body.length
    assert await asyncio.to_thread(server.process.wait, WAIT_SECONDS) == 0


@pytest.mark.parametrize("http_server", HTTP_SERVERS)
def test_idle_connections_do_not_hold_the_end(starter: Any, tmp_path: Path, http_server: str) -> None:
    """SIGTERM does not wait its hour for connections on which nothing is asked, or not to the end."""
    config = tmp_path / "config.toml"
    config.write_text("[limits]\ndrain_seconds = 3600\n")
    server = starter(f"--http-server={http_server}", f"--config={config}", **ROOT)
    host, _, port = server.wait_for("ready")["s3_address"].rpartition(":")
    with socket.create_connection((host, int(port))), socket.create_connection((host, int(port))) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert server.stop() == 0


def test_secrets_are_not_told(starter: Any, tmp_path: Path) -> None:
    """No secret is in stdout, in stderr or in plain in the data folder, whatever requests and errors it was part of."""
    bootstrap, config = tmp_path / "bootstrap.toml", tmp_path / "config.toml"
    bootstrap.write_text(BOOTSTRAP.format(bob="canary-secret-of-bob"))
    kms = base64.b64encode(b"canary-of-the-kms-key-32-bytes!!").decode()
    config.write_text(f'[kms.keys]\nmine = "{kms}"\n')
    master = base64.b64encode(b"canary-of-the-master-key-32-byte").decode()
    root = {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": "AKIAROOTROOTROOTROOT", "LIGHTNINGSTOR_ROOT_SECRET_KEY": "canary-secret-of-root"}
    server = starter(f"--bootstrap={bootstrap}", f"--config={config}", LIGHTNINGSTOR_MASTER_KEY=master, **root)
    address = server.wait_for("ready")["s3_address"]
    signatures = []
    for access_key, secret_key in (
        ("AKIAROOTROOTROOTROOT", "canary-secret-of-root"),
        ("AKIABOB", "canary-wrong-secret"),
        ("AKIANOBODY", "canary-x"),
    ):
        with client(address, access_key, secret_key) as s3:
            url = s3.generate_presigned_url("get_object", Params={"Bucket": "canaries", "Key": "canary"})
            signatures.append(url.rpartition("X-Amz-Signature=")[2])
            get(address, url.removeprefix(f"http://{address}"))
            with contextlib.suppress(ClientError):
                s3.create_bucket(Bucket="canaries")
                s3.put_object(Bucket="canaries", Key="k", Body=b"x")
    assert server.stop() == 0
    said = server.stdout.read_text() + server.stderr.read_text()
    for secret in ("canary", kms, master, *signatures):
        assert secret not in said
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    for secret in ("canary-secret", kms, master, "canary-of-the"):
        assert secret.encode() not in stored
    assert b"AKIABOB" in stored, "the search sees what is in the store"
