"""TLS on all three addresses of a real server, and a certificate that changes while it runs."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import os
import signal
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from cryptography import x509

import servers
from clients import tls
from clients.conftest import HTTP_SERVERS
from lightningstor_api.client import connect
from lightningstor_types.errors import StorError
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import GetObject, PutObject
from lightningstor_types.streams import BytesStream

WAIT_SECONDS = 60.0
MIB = 1 << 20
HANDSHAKES = 24
"""By so many connections every one of two workers is met: the kernel deals them out by a hash."""
RELOADS = 5
CALLERS = 4


@pytest.fixture(scope="module", params=HTTP_SERVERS)
def http_server(request: pytest.FixtureRequest) -> str:
    """Each HTTP server."""
    name: str = request.param
    return name


@pytest.fixture
def files(tmp_path: Path) -> tls.Certificate:
    """A certificate that a test may replace."""
    return tls.issue(tmp_path)


@pytest.fixture
def own(tmp_path: Path, files: tls.Certificate, http_server: str) -> Iterator[servers.Server]:
    """A server that a test may change."""
    with servers.running(tmp_path / "data", "--workers=2", f"--http-server={http_server}", files=files) as running:
        yield running


@pytest.fixture(scope="module")
def server(http_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server that all tests share; whatever its clients did, it logs no failure."""
    folder = tmp_path_factory.mktemp("tls")
    with servers.running(folder / "data", "--workers=2", f"--http-server={http_server}", files=tls.issue(folder)) as running:
        yield running
    assert [event for event in running.said() if event.get("level") in {"error", "critical"} or "text" in event] == []


@contextmanager
def client(server: servers.Server, **settings: Any) -> Iterator[Any]:
    """A boto3 client that does not repeat what failed."""
    made = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name=servers.REGION,
        verify=str(server.authority),
        config=Config(retries={"total_max_attempts": 1}, signature_version="s3v4", **settings),
    )
    try:
        yield made
    finally:
        made.close()


def trusting(authority: Path | None) -> ssl.SSLContext:
    """A client's context."""
    return ssl.create_default_context(cafile=str(authority))


def get(server: servers.Server, path: str) -> str:
    """What the admin address answers."""
    with urllib.request.urlopen(f"https://{server.admin}{path}", context=trusting(server.authority), timeout=WAIT_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def handshake(address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection that is made."""
    plain = socket.create_connection(endpoint(address), timeout=WAIT_SECONDS)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def any_certificate() -> ssl.SSLContext:
    """A context that looks at the certificate and trusts nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def serial(address: str) -> int:
    """The serial number of the certificate that a new connection gets."""
    with handshake(address, any_certificate()) as connection:
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def serial_in(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def served_everywhere(server: servers.Server, number: int) -> None:
    """Wait until every new connection to any address gets this certificate."""
    for address in (server.s3, server.grpc, server.admin):
        deadline = time.monotonic() + WAIT_SECONDS
        while {serial(address) for _ in range(HANDSHAKES)} != {number}:
            assert time.monotonic() < deadline, address


@pytest.mark.parametrize("size", [0, 1, 100_000, 9 * MIB])
@pytest.mark.parametrize(
    ("settings", "framing"),
    [
        ({}, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ({"request_checksum_calculation": "when_required"}, None),
        ({"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": False}}, "UNSIGNED-PAYLOAD"),
    ],
    ids=["trailer", "signed", "unsigned"],
)
def test_uploads_in_the_framings_of_https(server: servers.Server, size: int, settings: dict[str, Any], framing: str | None) -> None:
    """boto3 sends a trailer with its checksum over https, the body's hash, or nothing that covers it: all are stored as they were."""
    sent, body = [], os.urandom(size)
    bucket = f"framing-{size}-{len(settings)}"
    with client(server, **settings) as s3:
        s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers["X-Amz-Content-SHA256"]))
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(body))
        assert sent == [(framing or hashlib.sha256(body).hexdigest()).encode()]
        answer = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert answer["Body"].read() == body
    assert answer["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_multipart_upload_of_20_mib(server: servers.Server, algorithm: str) -> None:
    """Parts with trailers, several at a time, under every checksum."""
    body, found, bucket = os.urandom(20 * MIB), io.BytesIO(), f"parts-{algorithm.lower()}"
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    with client(server) as s3:
        s3.create_bucket(Bucket=bucket)
        s3.upload_fileobj(io.BytesIO(body), bucket, "k", Config=config, ExtraArgs={"ChecksumAlgorithm": algorithm})
        s3.download_fileobj(bucket, "k", found, Config=config)
        assert s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-4"')
    assert hashlib.sha256(found.getvalue()).digest() == hashlib.sha256(body).digest()


async def test_grpc_under_its_root(server: servers.Server) -> None:
    """A client that trusts the authority writes and reads; one that trusts another, and one in clear text, are not served."""
    assert server.authority is not None
    named: dict[str, Any] = {"bucket": BucketName("over-grpc"), "key": ObjectKey("k")}
    key: dict[str, Any] = {"access_key": servers.ACCESS_KEY, "secret_key": servers.SECRET_KEY}
    with client(server) as s3:
        s3.create_bucket(Bucket="over-grpc")
    async with asyncio.timeout(WAIT_SECONDS), connect(server.grpc, ca_file=server.authority, **key) as trusted:
        await trusted.write_object(PutObject(**named, body=BytesStream(b"x" * MIB)))
        answer = await trusted.read_object(GetObject(**named))
        assert b"".join([piece async for piece in answer.body]) == b"x" * MIB
    for roots in (None, grpc.ssl_channel_credentials()):
        async with asyncio.timeout(WAIT_SECONDS), connect(server.grpc, deadline_seconds=1.0, tls=roots, **key) as refused:
            with pytest.raises(StorError):
                await refused.read_object(GetObject(**named))


def test_the_admin_address_speaks_tls(server: servers.Server) -> None:
    """Health and metrics are had over https."""
    assert (get(server, "/health/live"), get(server, "/health/ready")) == ("live\n", "ready\n")
    assert "lightningstor_workers_ready 2.0" in get(server, "/metrics")


@pytest.mark.parametrize(("front", "protocol"), [("s3", "http/1.1"), ("grpc", "h2"), ("admin", "http/1.1")])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_negotiated(server: servers.Server, front: str, protocol: str, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3; HTTP/1.1 where HTTP is spoken, whatever the client would prefer, and HTTP/2 for gRPC."""
    context = any_certificate()
    context.minimum_version = context.maximum_version = version
    with handshake(getattr(server, front), context) as connection:
        assert connection.version() == version.name.replace("v1_", "v1.")
        assert connection.selected_alpn_protocol() == protocol


@pytest.mark.parametrize("front", ["s3", "grpc", "admin"])
def test_older_versions_are_refused(server: servers.Server, front: str) -> None:
    """A client of TLS 1.1 says hello, and the server ends the connection (RFC 8996 section 5)."""
    context = any_certificate()
    context.set_ciphers("ALL:@SECLEVEL=0")  # a client that would
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError), match=r"EOF occurred|alert|reset by peer"):
        handshake(getattr(server, front), context)


@pytest.mark.parametrize("front", ["s3", "admin"])
def test_clear_text_is_refused(server: servers.Server, front: str) -> None:
    """A request in the clear gets no answer of HTTP, and its connection ends; the next one over TLS is served."""
    with socket.create_connection(endpoint(getattr(server, front)), timeout=WAIT_SECONDS) as plain:
        plain.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        try:
            while piece := plain.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
    assert b"HTTP" not in answer
    with handshake(getattr(server, front), trusting(server.authority)) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 ")


def test_clients_that_leave_are_no_failure(server: servers.Server) -> None:
    """Amid the handshake, after it, amid a request and amid its answer: nothing of it is logged as a failure (by the fixture)."""
    with client(server) as s3:
        s3.create_bucket(Bucket="left")
        s3.put_object(Bucket="left", Key="k", Body=bytes(4 * MIB))
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "left", "Key": "k"})
    request = f"GET {url.removeprefix(server.endpoint)} HTTP/1.1\r\nHost: {server.s3}\r\n\r\n".encode()
    with socket.create_connection(endpoint(server.s3), timeout=WAIT_SECONDS) as plain:
        plain.sendall(b"\x16\x03\x01\x02")
    for front in (server.s3, server.admin):
        with handshake(front, trusting(server.authority)) as connection:
            connection.sendall(request[:20])
            with socket.socket(fileno=connection.detach()) as raw:
                raw.settimeout(WAIT_SECONDS)
                raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that does not open
                while raw.recv(4096):
                    pass
    for sent, linger in ((b"", False), (request[:20], False), (request, False), (request, True)):
        with handshake(server.s3, trusting(server.authority)) as connection:
            connection.sendall(sent)
            if sent == request:
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
            if linger:  # a reset in place of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    with client(server) as s3:
        assert s3.head_object(Bucket="left", Key="k")["ContentLength"] == 4 * MIB


async def test_a_new_certificate_leaves_connections_alone(own: servers.Server, files: tls.Certificate) -> None:
    """After SIGHUP every new connection gets the new one; a slow download, a connection between requests and a channel go on."""
    body = os.urandom(32 * MIB)
    with client(own) as s3:
        s3.create_bucket(Bucket="bbb")
        s3.put_object(Bucket="bbb", Key="k", Body=body)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bbb", "Key": "k"}).removeprefix(own.endpoint)
    old = serial_in(files.certificate)
    served_everywhere(own, old)
    connections = [http.client.HTTPSConnection(own.s3, context=trusting(files.authority), timeout=WAIT_SECONDS) for _ in range(2)]
    downloading, waiting = connections
    downloading.request("GET", url)
    answer = downloading.getresponse()
    found = answer.read(MIB)
    waiting.request("GET", url, headers={"range": "bytes=0-9"})
    assert waiting.getresponse().read() == body[:10]
    roots = files.authority.read_bytes()
    async with connect(own.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY, root_certificates=roots) as channel:
        named: dict[str, Any] = {"bucket": BucketName("bbb"), "key": ObjectKey("k")}
        assert (await channel.read_object(GetObject(**named))).content_length == len(body)

        new = serial_in(tls.issue(files.certificate.parent).certificate)
        own.process.send_signal(signal.SIGHUP)
        assert own.wait_for("certificate reloaded")["serial"] == f"{new:x}"
        served_everywhere(own, new)

        assert (await channel.read_object(GetObject(**named))).content_length == len(body)
    while piece := answer.read(MIB):
        found += piece
    assert hashlib.sha256(found).digest() == hashlib.sha256(body).digest()
    for connection in connections:  # the socket of each is the one that it had
        assert connection.sock is not None
        connection.request("GET", url, headers={"range": "bytes=0-9"})
        assert connection.getresponse().read() == body[:10]
        connection.close()


def test_no_new_connection_is_lost(own: servers.Server, files: tls.Certificate) -> None:
    """While certificates change, every connection that is made is served."""
    over, failures, served = threading.Event(), [], []

    def call() -> None:
        while not over.is_set():
            try:
                with handshake(own.s3, any_certificate()) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    served.append(connection.recv(4096).startswith(b"HTTP/1.1 403"))
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(RELOADS):
            new = serial_in(tls.issue(files.certificate.parent).certificate)
            own.process.send_signal(signal.SIGHUP)
            own.wait_for("certificate reloaded")
            served_everywhere(own, new)
    finally:
        over.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)
    assert failures == []
    assert len(served) > RELOADS
    assert all(served)


def test_a_broken_certificate_is_refused(own: servers.Server, files: tls.Certificate, tmp_path: Path) -> None:
    """The old one stays, one line says why, and a worker that is started later has the old one too."""
    old, folder = serial_in(files.certificate), tmp_path / "other"
    folder.mkdir()
    other = tls.issue(folder)
    for path, content in ((files.key, other.key.read_bytes()), (files.certificate, b"nonsense\n")):
        path.write_bytes(content)
        own.process.send_signal(signal.SIGHUP)
        assert str(path) in own.wait_for("certificate refused")["reason"]
    served_everywhere(own, old)
    victim = own.pids()[1]
    os.kill(victim, signal.SIGKILL)
    own.wait_for("worker ended")
    deadline = time.monotonic() + WAIT_SECONDS
    while "lightningstor_workers_ready 2.0" not in get(own, "/metrics"):
        assert time.monotonic() < deadline
    served_everywhere(own, old)


def test_sighup_without_tls_changes_nothing(tmp_path: Path) -> None:
    """There is nothing to reload, and the server goes on."""
    with servers.running(tmp_path / "data", "--workers=1") as plain:
        plain.process.send_signal(signal.SIGHUP)
        plain.wait_for("nothing to reload")
        with urllib.request.urlopen(f"http://{plain.admin}/health/ready", timeout=WAIT_SECONDS) as answer:
            assert answer.status == 200
