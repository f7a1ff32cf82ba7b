"""The typed client, on a real server and under TLS: files, parts, tokens, both faces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

import faces
import servers
from clients import tls
from clients.keys import NO_XML_KEYS, ODD_KEYS
from lightningstor_api import sync
from lightningstor_api.calls import BY_INPUT
from lightningstor_api.client import connect
from lightningstor_api.codec import decoder
from lightningstor_server.auth.tokens import Tokens
from lightningstor_server.rpc.server import assemble, listen
from lightningstor_server.service.bearers import Bearers
from lightningstor_types import errors
from lightningstor_types.names import PART_MIN_BYTES, BucketName
from lightningstor_types.objects import ByteRange, ObjectMetadata
from lightningstor_types.operations.buckets import CreateBucket, ListBuckets
from lightningstor_types.operations.common import WriteConditions
from lightningstor_types.operations.objects import HeadObject
from lightningstor_types.operations.tokens import IssueToken
from lightningstor_types.operations.upload_listing import ListMultipartUploads

MIB = 1 << 20
LONG_BYTES = 70 * MIB + 5
CONNECTIONS = 16
KEYS = {"access_key": servers.ACCESS_KEY, "secret_key": servers.SECRET_KEY}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Two workers on one address."""
    with servers.running(tmp_path_factory.mktemp("grpc") / "data", "--workers=2") as running:
        yield running


@pytest.fixture
def plain(server: servers.Server) -> Iterator[sync.SyncClient]:
    """A plain client, and the bucket `b-<number>` of its own."""
    with sync.connect(server.grpc, **KEYS) as client:
        yield client


@pytest.fixture
def bucket(plain: sync.SyncClient) -> str:
    """A bucket that is new."""
    name = BucketName.parse(f"bucket-{os.urandom(8).hex()}")
    plain.create_bucket(CreateBucket(bucket=name))
    return name


@pytest.mark.parametrize("key", {**ODD_KEYS, **NO_XML_KEYS}.values(), ids={**ODD_KEYS, **NO_XML_KEYS}.keys())
def test_a_file_comes_back_under_any_key(plain: sync.SyncClient, bucket: str, key: str, tmp_path: Path) -> None:
    """Bytes, metadata and the key itself, from a file and into one."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3 * MIB + 1))
    said = ObjectMetadata(content_type="text/x-test", user={"who": "me"})
    done = plain.upload(bucket, key, source, metadata=said)
    found = plain.download(bucket, key, target)
    assert (found.etag, found.size, found.metadata) == (done.etag, done.size, said)
    assert target.read_bytes() == source.read_bytes()
    assert [listed.key for listed in plain.iter_objects(bucket)] == [key]


def test_a_long_file_goes_in_parts(plain: sync.SyncClient, bucket: str, tmp_path: Path) -> None:
    """Its parts make the same bytes, both ways, with progress to the last one; a range is a range of it."""
    source, target = tmp_path / "source", tmp_path / "target"
    content = os.urandom(LONG_BYTES)
    source.write_bytes(content)
    up: list[tuple[int, int | None]] = []
    down: list[tuple[int, int | None]] = []
    done = plain.upload(bucket, "long", source, progress=lambda *counts: up.append(counts))
    assert (done.size, done.etag.rpartition("-")[2]) == (LONG_BYTES, "5")
    found = plain.download(bucket, "long", target, progress=lambda *counts: down.append(counts))
    assert (found.etag, up[-1], down[-1]) == (done.etag, (LONG_BYTES, LONG_BYTES), (LONG_BYTES, LONG_BYTES))
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()
    middle = ByteRange(offset=16 * MIB - 3, limit=2 * MIB)
    assert plain.read(bucket, "long", byte_range=middle) == content[16 * MIB - 3 :][: 2 * MIB]


def test_an_iterator_that_fails_leaves_nothing(plain: sync.SyncClient, bucket: str) -> None:
    """Neither an object nor an upload, whether it failed in its first part or in a later one."""

    def failing(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield bytes(MIB)
        raise OSError("disk")

    for count in (1, 12):
        with pytest.raises(OSError, match="disk"):
            plain.upload(bucket, "k", failing(count), part_bytes=PART_MIN_BYTES)
    assert list(plain.iter_objects(bucket)) == []
    assert plain.list_uploads(ListMultipartUploads(bucket=BucketName(bucket))).uploads == ()


def test_errors_are_the_servers_classes(plain: sync.SyncClient, bucket: str) -> None:
    """With their details; a condition that fails changes nothing."""
    plain.upload(bucket, "lock", b"me", conditions=WriteConditions(if_none_match="*"))
    with pytest.raises(errors.PreconditionFailed):
        plain.upload(bucket, "lock", b"you", conditions=WriteConditions(if_none_match="*"))
    assert plain.read(bucket, "lock") == b"me"
    with pytest.raises(errors.NoSuchBucket) as caught:
        list(plain.stream("not-there", "k"))
    assert caught.value.details == {"BucketName": "not-there"}
    with pytest.raises(errors.InvalidRange):
        plain.read(bucket, "lock", byte_range=ByteRange(offset=5))


async def test_a_server_that_is_gone_is_unavailable() -> None:
    """Reads and writes alike, within the deadline."""
    async with connect("127.0.0.1:1", **KEYS, deadline_seconds=5) as client:
        with pytest.raises(errors.ServiceUnavailable):
            await client.list_buckets(ListBuckets())
        with pytest.raises(errors.ServiceUnavailable):
            await client.upload("bucket", "k", b"x")


async def test_a_token_is_good_in_every_worker(server: servers.Server) -> None:
    """A token that one worker issued is taken on many connections, which the workers share."""
    async with connect(server.grpc, **KEYS, bearer=False) as client:
        issued = await client.issue_token(IssueToken())
    method = BY_INPUT[ListBuckets]
    for _ in range(CONNECTIONS):
        async with aio.insecure_channel(server.grpc, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            call = channel.unary_unary(method.path, None, None)
            raw = await call(b"", metadata=(("authorization", f"Bearer {issued.token}"),), timeout=10)
            assert decoder(method.answer, method.output)(method.response.FromString(raw)).owner is not None
            with pytest.raises(grpc.RpcError, match="token"):
                await call(b"", metadata=(("authorization", f"Bearer {issued.token[:-1]}"),), timeout=10)


async def test_tls_is_trusted_by_its_authority(tmp_path: Path) -> None:
    """Under `ca_file` or the certificates themselves, with tokens; an authority that is not known is no server."""
    files = tls.issue(tmp_path)
    async with faces.rig() as rig:
        rig.service.bearers = Bearers(rig.identities, Tokens(bytes(32)), clock=lambda: faces.NOW)
        running = assemble(rig.service, rig.identities, clock=lambda: faces.NOW, region=faces.REGION, bearers=rig.service.bearers)
        pair = [(files.key.read_bytes(), files.certificate.read_bytes())]
        target = f"localhost:{listen(running, '127.0.0.1:0', grpc.ssl_server_credentials(pair))}"
        await running.start()
        owner = rig.alpha.owner
        keys: dict[str, Any] = {"access_key": owner.access_key, "secret_key": owner.secret, "clock": lambda: faces.NOW}
        for trusted in ({"ca_file": files.authority}, {"root_certificates": files.authority.read_bytes()}):
            async with connect(target, **keys, **trusted) as client:
                assert (await client.list_buckets(ListBuckets())).buckets == ()
        async with connect(target, **keys, tls=True, deadline_seconds=5) as client:
            with pytest.raises(errors.ServiceUnavailable):
                await client.list_buckets(ListBuckets())
        await running.stop(None)


async def test_both_faces_see_one_store(server: servers.Server, plain: sync.SyncClient, bucket: str) -> None:
    """What one wrote the other reads, side by side in one process."""
    async with connect(server.grpc, **KEYS) as client:
        await client.upload(bucket, "k", b"from the asynchronous one")
        head = await client.head_object(HeadObject(bucket=BucketName(bucket), key="k"))  # type: ignore[arg-type]
        assert head.content_length == len(b"from the asynchronous one")
    assert plain.read(bucket, "k") == b"from the asynchronous one"
