"""`lightningstor doctor` and `lightningstor bench` against a real server, and through proxies that meddle."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

import servers
from clients import sites

RUN_SECONDS: Final = 120.0
HEAD_BYTES_MAX: Final = 1 << 16

Change = Callable[[bytes], bytes]


def run(endpoint: str, *arguments: str, secret: str = servers.SECRET_KEY) -> subprocess.CompletedProcess[str]:
    """Run a command with the key in the environment. The secret is in nothing that it says."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": servers.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": servers.REGION,
        "AWS_ENDPOINT_URL": endpoint,
    }
    command = [sys.executable, "-m", "lightningstor_server", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert secret not in done.stdout + done.stderr
    return done


@contextmanager
def meddling(address: str, *, requests: Change = bytes, answers: Change = bytes) -> Iterator[str]:
    """A proxy for the length of a block, which changes the heads of requests or the bytes of answers; its URL.

    It tells the server to close after each answer, so that each connection has one request.
    """
    host, _, port = address.rpartition(":")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
                piece = self.request.recv(HEAD_BYTES_MAX)
                if not piece:
                    return
                head += piece
            head, _, rest = head.partition(b"\r\n\r\n")
            with suppress(OSError), socket.create_connection((host, int(port)), timeout=RUN_SECONDS) as far:
                far.sendall(requests(head) + b"\r\nConnection: close\r\n\r\n" + rest)
                back = threading.Thread(target=self.back, args=(far,))
                back.start()
                with suppress(OSError):
                    while piece := self.request.recv(HEAD_BYTES_MAX):
                        far.sendall(piece)
                back.join()

        def back(self, far: socket.socket) -> None:
            with suppress(OSError):
                while piece := far.recv(HEAD_BYTES_MAX):
                    self.request.sendall(answers(piece))
                self.request.shutdown(socket.SHUT_RDWR)

    class Proxy(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Proxy(("127.0.0.1", 0), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()


def failing(output: str) -> list[str]:
    """The names of the findings that fail."""
    return re.findall(r"^FAIL +(\S+.*?)  ", output, re.MULTILINE)


def test_a_site_that_is_well_is_well(site: sites.Site) -> None:
    """Over http and https, on each HTTP server: nothing fails, and each probe arrives."""
    trust = [] if site.authority is None else [f"--ca-file={site.authority}"]
    result = run(site.endpoint, "doctor", site.endpoint, *trust)
    assert result.returncode == 0, result.stdout
    assert failing(result.stdout) == []
    for name in ("dns", "tcp", "server", "clock", "signature", "path-percent", "path-slashes", "query", "header-underscore", "expect"):
        assert re.search(rf"^OK +{name} ", result.stdout, re.MULTILINE), result.stdout
    assert ("certificate" in result.stdout) == site.secure


def test_a_certificate_that_nobody_knows_fails(site: sites.Site) -> None:
    """It is told, with what is in it; the rest is examined all the same."""
    if not site.secure:
        wrong = run(site.endpoint, "doctor", f"https://{site.address}")
        assert (wrong.returncode, failing(wrong.stdout)) == (1, ["tls"])
        return
    result = run(site.endpoint, "doctor", site.endpoint)
    assert (result.returncode, failing(result.stdout)) == (1, ["tls"])
    assert "Authority of the tests" in result.stdout
    assert re.search(r"^OK +signature ", result.stdout, re.MULTILINE)


def test_a_proxy_that_changes_the_host_is_found(server: servers.Server) -> None:
    """Both names are told, and nothing else fails."""
    with meddling(server.s3, requests=lambda head: re.sub(rb"(?i)\r\nhost: [^\r]*", b"\r\nHost: inner.example", head)) as endpoint:
        result = run(endpoint, "doctor", endpoint)
    assert result.returncode == 1
    assert failing(result.stdout) == ["server", "header host"]
    assert "the server computed 'inner.example'" in result.stdout


PROXIES: dict[str, tuple[Change, list[str], str]] = {
    "slashes": (lambda head: re.sub(rb"(?<=[a-z])//", b"/", head, count=1), ["path-slashes"], "OK"),
    "dots": (lambda head: head.replace(b"/a/./b/../c", b"/a/c"), ["path-dots"], "OK"),
    "decoding": (lambda head: head.replace(b"%25", b"%", 1), ["path-percent"], "OK"),
    "plus": (lambda head: head.replace(b"+", b"%20"), ["path-plus"], "OK"),
    "adding": (lambda head: head.replace(b" HTTP/1.1", b"&via=proxy HTTP/1.1") if b"?" in head else head, ["query", "query-empty"], "OK"),
    "underscores": (lambda head: re.sub(rb"\r\nx-amz-meta-under_score:[^\r]*", b"", head), [], "WARN header-underscore"),
    "encodings": (lambda head: re.sub(rb"\r\naccept-encoding:[^\r]*", b"\r\naccept-encoding: gzip", head), [], "WARN header-encoding"),
}


@pytest.mark.parametrize("name", PROXIES)
def test_what_a_proxy_changes_is_found(server: servers.Server, name: str) -> None:
    """Exactly the rows that it breaks fail."""
    change, expected, shown = PROXIES[name]
    with meddling(server.s3, requests=change) as endpoint:
        result = run(endpoint, "doctor", endpoint)
    assert failing(result.stdout) == expected, result.stdout
    assert result.returncode == (1 if expected else 0)
    assert shown in result.stdout


def test_a_wrong_clock_and_another_server_are_found(server: servers.Server) -> None:
    """By the Date header, and by an answer that is none of S3."""
    with meddling(server.s3, answers=lambda data: re.sub(rb"(?i)(\r\ndate: \w+, \d\d \w+) \d{4}", rb"\1 2001", data)) as endpoint:
        assert "clock" in failing(run(endpoint, "doctor", endpoint).stdout)
    admin = f"http://{server.admin}"
    assert failing(run(admin, "doctor", admin).stdout) == ["answer"]


def test_what_does_not_answer_is_told() -> None:
    """A closed port, a silent one within the deadline, a name that is none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run(endpoint, "doctor", endpoint, "--timeout=0.3")
        assert (result.returncode, failing(result.stdout)) == (1, ["http"])
    result = run(endpoint, "doctor", endpoint)
    assert (result.returncode, failing(result.stdout)) == (1, ["tcp"])
    assert failing(run(endpoint, "doctor", "http://name.invalid").stdout) == ["dns"]


def test_who_reads_no_further_is_told_nothing(server: servers.Server) -> None:
    """As by `| head`: it ends, and takes the closed pipe for no fault of a file's."""
    command = [sys.executable, "-m", "lightningstor_server", "doctor", server.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(RUN_SECONDS)) == ("", 1)


def test_a_wrong_secret_is_told_from_a_wrong_key(server: servers.Server) -> None:
    """The canonical requests are the same, so the secret differs; a key that is none is named."""
    result = run(server.endpoint, "doctor", server.endpoint, secret="not-the-secret-of-this-key")
    assert failing(result.stdout) == ["server", "secret"]
    result = run(server.endpoint, "doctor", server.endpoint, "--access-key=AKIANOBODY")
    assert failing(result.stdout) == ["signature"]
    assert "InvalidAccessKeyId" in result.stdout


def test_a_presigned_url_of_boto3_is_explained(server: servers.Server, s3: Any) -> None:
    """It is right as it is, and not with another path."""
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "a b/ü+~"}, ExpiresIn=60)
    assert run(server.endpoint, "doctor", url).returncode == 0
    assert "path-slashes" in failing(run(server.endpoint, "doctor", url.replace("a%20b/", "a%20b//")).stdout)


def names(s3: Any) -> set[str]:
    return {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


@pytest.mark.parametrize("mix", ["mixed", "put", "get", "range", "list", "delete", "multipart", "get=2,put=1,multipart=1"])
def test_every_mix_runs_and_leaves_nothing(server: servers.Server, s3: Any, mix: str) -> None:
    """All operations succeed, what is read is verified, and the bucket that was made is gone."""
    before = names(s3)
    arguments = (f"--mix={mix}", "--requests=24", "--connections=4", "--objects=5", "--verify", "--json")
    result = run(server.endpoint, "bench", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads(result.stdout)
    assert document["total"]["requests"] == 24
    assert document["errors"] == {}
    assert document["left_behind"] == ""
    assert all(row["latency_seconds"]["max"] > 0 for row in document["operations"].values())
    assert names(s3) == before


def test_a_bucket_that_was_there_stays_as_it_was(server: servers.Server, s3: Any, bucket: str) -> None:
    """Its objects are neither read nor removed, and nothing is added."""
    s3.put_object(Bucket=bucket, Key="mine", Body=b"x")
    result = run(server.endpoint, "bench", f"--bucket={bucket}", "--requests=50", "--objects=3", "--connections=3")
    assert result.returncode == 0, result.stdout + result.stderr
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["mine"]
    assert result.stdout.splitlines()[0].split()[:3] == ["operation", "requests", "errors"]


def test_an_object_larger_than_a_chunk_is_verified(site: sites.Site) -> None:
    """Over http and https."""
    trust = [] if site.authority is None else [f"--ca-file={site.authority}"]
    arguments = ("--mix=get=1,put=1,range=1", "--size=9MiB", "--requests=9", "--connections=3", "--objects=2", "--verify", "--json")
    result = run(site.endpoint, "bench", *arguments, *trust)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["total"]["bytes"] > 9 << 20


def test_bytes_that_differ_are_seen(server: servers.Server) -> None:
    """With --verify, a proxy that changes a byte is found; without it the length alone is looked at."""

    def spoil(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if not data.rstrip().endswith(b">") and len(data) > 4096 else data

    with meddling(server.s3, answers=spoil) as endpoint:
        arguments = ("--mix=get", "--size=64KiB", "--requests=8", "--connections=1", "--objects=1", "--json")
        careless, careful = run(endpoint, "bench", *arguments), run(endpoint, "bench", *arguments, "--verify")
    assert (careless.returncode, careful.returncode) == (0, 1)
    assert json.loads(careful.stdout)["errors"] == {"(the bytes read are not those written)": 8}


def test_what_cannot_be_begun_exits_2(server: servers.Server) -> None:
    """One line with the reason, and where to ask on."""
    for endpoint, secret, reason in (
        (server.endpoint, "not-the-secret-of-this-key", "SignatureDoesNotMatch"),
        ("http://127.0.0.1:1", servers.SECRET_KEY, "ConnectionRefusedError"),
    ):
        result = run(endpoint, "bench", "--requests=1", secret=secret)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        assert reason in result.stderr


def test_an_interrupted_run_leaves_nothing(server: servers.Server, s3: Any) -> None:
    """Ctrl-C removes what was written."""
    name = f"bench-{uuid.uuid4().hex}"
    environment = os.environ | {"AWS_ACCESS_KEY_ID": servers.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY}
    command = [sys.executable, "-m", "lightningstor_server", "bench", f"--endpoint={server.endpoint}", f"--bucket={name}", "--seconds=3600"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            ends = time.monotonic() + RUN_SECONDS
            while name not in names(s3) or not s3.list_objects_v2(Bucket=name, Prefix="bench-").get("KeyCount"):
                assert time.monotonic() < ends
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=RUN_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert name not in names(s3)


def test_the_secret_is_read_from_nowhere_else(server: servers.Server, tmp_path: Path) -> None:
    """Without a key, bench says which one is missing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {"HOME": str(tmp_path)}
    command = [sys.executable, "-m", "lightningstor_server", "bench", f"--endpoint={server.endpoint}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert result.returncode == 2
    assert "--access-key" in result.stderr
