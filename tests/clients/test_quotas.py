"""Quotas and revocations in a server of several workers, by clients that all want something at once."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import servers
from clients.conftest import HTTP_SERVERS
from faults.s3client import BUCKET, S3Client
from lightningstor_api import sync
from lightningstor_types.errors import QuotaExceeded
from lightningstor_types.names import BucketName, ObjectKey, TenantName
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.principals import CreateAccessKey, CreatePrincipal, RevokeAccessKey
from lightningstor_types.operations.quotas import GetTenantUsage, SetQuota
from lightningstor_types.tenants import Quota, Role

WRITERS: Final = 64
OBJECTS_MAX: Final = 1000
WORKERS: Final = 4
LARGE: Final = bytes(20_000)
"""Too long for the metadata: it makes a chunk."""
SEED: Final = "seed"
TIMEOUT_SECONDS: Final = 30.0
CONNECTIONS_MAX: Final = 64 * WORKERS
"""Opened at most, until the kernel has spread some over all workers."""


@pytest.fixture(scope="module", params=HTTP_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server of several workers with the writers' bucket."""
    with servers.running(tmp_path_factory.mktemp("quotas") / "data", f"--workers={WORKERS}", f"--http-server={request.param}") as running:
        with S3Client(running.s3) as client:
            assert client.call("PUT").status == 200
        yield running


@pytest.fixture(scope="module")
def admin(server: servers.Server) -> Iterator[sync.SyncClient]:
    """A gRPC client of the root key."""
    with sync.connect(server.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY, region=servers.REGION) as client:
        yield client


def put(client: S3Client, key: str) -> str:
    """A small object. Each way of writing gives the error's code, or nothing."""
    return client.call("PUT", key, body=b"x").code


def put_large(client: S3Client, key: str) -> str:
    """An object of a chunk."""
    return client.call("PUT", key, body=LARGE).code


def copy(client: S3Client, key: str) -> str:
    """A copy, which moves no bytes."""
    return client.call("PUT", key, headers={"x-amz-copy-source": f"/{BUCKET}/{SEED}"}).code


def upload(client: S3Client, key: str) -> str:
    """An upload of one part, given up where it is refused."""
    id_ = client.call("POST", key, {"uploads": ""}).text("UploadId")
    etag = client.call("PUT", key, {"partNumber": "1", "uploadId": id_}, body=LARGE).etag
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    refused = client.call("POST", key, {"uploadId": id_}, body=document.encode()).code
    if refused:
        assert client.call("DELETE", key, {"uploadId": id_}).status == 204
    return refused


def put_twice_and_delete(client: S3Client, key: str) -> str:
    """An object that makes room again, and another in its place; an overwrite on the way is no object more."""
    for attempt in (put, put_large):
        if refused := attempt(client, key):
            return refused
    assert client.call("DELETE", key).status == 204
    return put(client, key)


WAYS: Final[tuple[Callable[[S3Client, str], str], ...]] = (put, put_large, copy, upload, put_twice_and_delete)


def test_many_writers_end_at_the_limit(server: servers.Server, admin: sync.SyncClient) -> None:
    """64 writers of all kinds on a quota of 1,000 objects end with exactly 1,000; what was acknowledged is there, and nothing else."""
    admin.call(SetQuota(quota=Quota(objects=OBJECTS_MAX)))
    with S3Client(server.s3) as client:
        assert put(client, SEED) == ""
    begin = threading.Barrier(WRITERS)

    def over_grpc(_: S3Client, key: str) -> str:
        source = CopySource(bucket=BucketName(BUCKET), key=ObjectKey(SEED))
        try:
            admin.copy_object(CopyObject(bucket=BucketName(BUCKET), key=ObjectKey(key), source=source))
        except QuotaExceeded as refused:
            return refused.code
        return ""

    def write(number: int) -> list[str]:
        way = (*WAYS, over_grpc)[number % (len(WAYS) + 1)]
        kept: list[str] = []
        with S3Client(server.s3) as client:
            begin.wait()
            for turn in itertools.count():
                key = f"{number}/{turn}"
                if refused := way(client, key):
                    assert refused == QuotaExceeded.__name__
                    return kept
                kept.append(key)
        raise AssertionError

    with ThreadPoolExecutor(WRITERS) as pool:
        kept = [SEED, *(key for keys in pool.map(write, range(WRITERS)) for key in keys)]
    assert len(kept) == OBJECTS_MAX
    with S3Client(server.s3) as client:
        assert set(client.listed()) == set(kept)
    used = admin.call(GetTenantUsage()).usage
    assert (used.objects, used.uploads_bytes) == (OBJECTS_MAX, 0)


class Connection:
    """One connection of a key, kept alive and never opened again."""

    def __init__(self, server: servers.Server, access_key: str, secret_key: str) -> None:
        self._server = server
        self._auth = S3SigV4Auth(Credentials(access_key, secret_key), "s3", servers.REGION)
        self._connection = http.client.HTTPConnection(server.s3, timeout=TIMEOUT_SECONDS)
        self._connection.connect()
        self._connection.auto_open = 0  # a closed one is an error, not another one

    def list(self) -> tuple[int, bytes]:
        """Ask for the objects of the bucket: the status and the body."""
        target = f"/{BUCKET}?list-type=2"
        request = AWSRequest(method="GET", url=f"{self._server.endpoint}{target}", headers={})
        self._auth.add_auth(request)
        self._connection.request("GET", target, headers=dict(request.headers.items()))
        response = self._connection.getresponse()
        return response.status, response.read()

    def worker(self) -> int:
        """The process that has the other end, by the kernel's own table (proc_net_tcp(5))."""
        ours, theirs = self._connection.sock.getsockname()[1], int(self._server.s3.rpartition(":")[2])
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, *rest = line.split()
            if (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)) == (theirs, ours):
                link = f"socket:[{rest[6]}]"
                return next(pid for pid in self._server.pids() if link in _open_files(pid))
        raise AssertionError(f"no connection from port {ours}")

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def _open_files(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(descriptor.readlink()))
    return found


def test_a_revoked_key_is_refused_by_every_worker(server: servers.Server, admin: sync.SyncClient) -> None:
    """On its very next request, by each of four workers, on connections that were open and used before."""
    admin.call(CreatePrincipal(principal=TenantName("alice"), role=Role.OWNER))
    key = admin.call(CreateAccessKey(principal=TenantName("alice")))
    opened: dict[int, Connection] = {}
    try:
        for _ in range(CONNECTIONS_MAX):
            connection = Connection(server, key.access_key, key.secret_key)
            assert connection.list()[0] == 200
            if opened.setdefault(connection.worker(), connection) is not connection:
                connection.close()
            if len(opened) == WORKERS:
                break
        assert sorted(opened) == sorted(server.pids()[1:])
        admin.call(RevokeAccessKey(access_key=key.access_key))
        for worker, connection in opened.items():
            status, body = connection.list()
            assert (status, b"<Code>InvalidAccessKeyId</Code>" in body) == (403, True), worker
    finally:
        for connection in opened.values():
            connection.close()
