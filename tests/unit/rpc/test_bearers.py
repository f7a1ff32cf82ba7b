"""Bearer tokens through a server on the loopback, and the faces of the client on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import grpc
import pytest
from grpc import aio

import faces
from lightningstor_api import listings, sync
from lightningstor_api.client import Client, connect
from lightningstor_api.sources import Flow
from lightningstor_server.auth.tokens import TOKEN_SECONDS, Tokens
from lightningstor_server.rpc.server import assemble, listen
from lightningstor_server.service.bearers import Bearers
from lightningstor_types import errors
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.buckets import CreateBucket, ListBuckets
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import GetObject, PutObject
from lightningstor_types.operations.tokens import IssueToken

KEYS = b"k" * 32


@attrs.define
class Server:
    """A server that takes tokens, and what it was asked with."""

    rig: faces.Rig
    target: str
    bearers: Bearers
    seen: list[tuple[str, str]]
    ahead: timedelta = timedelta(0)

    def now(self) -> Any:
        """The server's clock."""
        return faces.NOW + self.ahead

    def options(self, **others: Any) -> dict[str, Any]:
        """How alpha's owner connects."""
        owner = self.rig.alpha.owner
        return {"access_key": owner.access_key, "secret_key": owner.secret, "clock": lambda: faces.NOW, **others}

    def schemes(self) -> list[tuple[str, str]]:
        """The method and the scheme of each call since the last look."""
        seen, self.seen[:] = list(self.seen), []
        return seen


@attrs.define
class Watch(aio.ServerInterceptor):  # type: ignore[type-arg]
    """Notes each call's method and the scheme of its credential."""

    seen: list[tuple[str, str]]

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """Note and go on."""
        (authorization,) = (value for name, value in details.invocation_metadata if name == "authorization")
        self.seen.append((details.method.rpartition("/")[2], str(authorization).partition(" ")[0]))
        return await continuation(details)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server on the loopback."""
    async with faces.rig() as rig:
        seen: list[tuple[str, str]] = []
        made = Server(rig, "", None, seen)  # type: ignore[arg-type]
        made.bearers = rig.service.bearers = Bearers(rig.identities, Tokens(KEYS), clock=made.now)
        whole = aio.server
        monkeypatch.setattr(aio, "server", lambda **options: whole(**options, interceptors=[Watch(seen)]))
        running = assemble(rig.service, rig.identities, clock=lambda: faces.NOW, region=faces.REGION, bearers=made.bearers)
        made.target = f"127.0.0.1:{listen(running, '127.0.0.1:0')}"
        await running.start()
        yield made
        await running.stop(None)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Alpha's owner's client."""
    async with connect(server.target, **server.options()) as connected:
        yield connected


async def test_one_signature_gets_a_token_for_all_calls(client: Client, server: Server) -> None:
    """Calls of every shape bear it."""
    await client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
    await client.upload("bucket", "k", b"content")
    assert await client.read("bucket", "k") == b"content"
    bearer = [(name, "Bearer") for name in ("CreateBucket", "WriteObject", "ReadObject")]
    assert server.schemes() == [("Issue", "AWS4-HMAC-SHA256"), *bearer]


@pytest.mark.parametrize("lost", ["expired", "another key"])
async def test_a_token_that_is_refused_is_replaced(client: Client, server: Server, lost: str) -> None:
    """The call that found out is made again, a write with its body too; its caller notices nothing."""
    await client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
    if lost == "expired":
        server.ahead = timedelta(seconds=TOKEN_SECONDS)
    else:
        server.bearers._tokens = Tokens(b"o" * 32)
    server.schemes()
    await client.upload("bucket", "k", b"content")
    issue = ("Issue", "AWS4-HMAC-SHA256")
    assert server.schemes() == [("WriteObject", "Bearer"), issue, ("WriteObject", "Bearer")]
    assert await client.read("bucket", "k") == b"content"


async def test_a_body_that_cannot_begin_again_is_sent_once(client: Client, server: Server) -> None:
    """Where the token was refused after it began, the refusal is raised and nothing is stored."""
    await client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
    server.ahead = timedelta(seconds=TOKEN_SECONDS)

    with pytest.raises(errors.ExpiredToken):
        await client.write_object(PutObject(bucket=BucketName("bucket"), key=ObjectKey("k"), body=Flow([b"content"])))
    with pytest.raises(errors.NoSuchKey):
        await client.read("bucket", "k")


async def test_a_revoked_key_is_refused_on_its_next_call(client: Client, server: Server) -> None:
    """Token or not: the client's error is that of the key."""
    await client.list_buckets(ListBuckets())

    async def nobody(_access_key: str) -> None:
        return None

    server.rig.identities.find = nobody
    with pytest.raises(errors.InvalidAccessKeyId):
        await client.list_buckets(ListBuckets())


async def test_a_server_that_takes_no_tokens_gets_signatures(server: Server) -> None:
    """It is asked once."""
    server.rig.service.bearers = None
    async with connect(server.target, **server.options()) as client:
        await client.list_buckets(ListBuckets())
        await client.list_buckets(ListBuckets())
    signed = "AWS4-HMAC-SHA256"
    assert server.schemes() == [("Issue", signed), ("ListBuckets", signed), ("ListBuckets", signed)]


async def test_a_client_that_wants_no_token_asks_for_none(server: Server) -> None:
    """It signs; and it can ask by itself."""
    async with connect(server.target, **server.options(bearer=False)) as client:
        await client.list_buckets(ListBuckets())
        issued = await client.issue_token(IssueToken())
    assert [scheme for _, scheme in server.schemes()] == ["AWS4-HMAC-SHA256"] * 2
    assert issued.expires == faces.NOW + timedelta(seconds=TOKEN_SECONDS)


async def test_a_token_gets_no_token(client: Client) -> None:
    """Over the wire as in the law."""
    await client.list_buckets(ListBuckets())
    with pytest.raises(errors.AccessDenied):
        await client.issue_token(IssueToken())


async def test_a_wrong_secret_is_told_as_such(server: Server) -> None:
    """By the call that wanted a token."""
    async with connect(server.target, **server.options(secret_key="another")) as client:
        with pytest.raises(errors.SignatureDoesNotMatch):
            await client.list_buckets(ListBuckets())


async def test_the_plain_face_does_all_of_it(server: Server) -> None:
    """Calls, transfers, streams and errors without an event loop of the caller's; threads share a client."""

    def plainly() -> None:
        with sync.connect(server.target, **server.options()) as client:
            client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
            told: list[int] = []
            client.upload("bucket", "k", iter([b"con", b"tent"]), progress=lambda count, _: told.append(count))
            assert told[-1] == 7
            assert b"".join(client.stream("bucket", "k")) == client.read("bucket", "k") == b"content"
            found = client.read_object(GetObject(bucket=BucketName("bucket"), key=ObjectKey("k")))
            assert (found.head.content_length, found.body.length, b"".join(found.body)) == (7, 7, b"content")
            left = client.read_object(GetObject(bucket=BucketName("bucket"), key=ObjectKey("k")))
            assert next(left.body) == b"content"
            left.body.close()
            assert [listed.key for listed in client.iter_objects("bucket")] == ["k"]
            with pytest.raises(errors.NoSuchKey) as caught:
                client.read("bucket", "none")
            assert caught.value.details["Key"] == "none"
            others = [threading.Thread(target=client.upload, args=("bucket", f"t{number}", b"x")) for number in range(4)]
            for other in others:
                other.start()
            for other in others:
                other.join()
            assert len(list(client.iter_objects("bucket", prefix="t"))) == 4
        with pytest.raises(RuntimeError):
            client.read("bucket", "k")
        client.close()

    await asyncio.to_thread(plainly)


async def test_a_plain_client_that_is_forgotten_is_closed(server: Server) -> None:
    """Its thread ends with it, and not under a call that is all that is left of it."""

    def forget() -> list[str]:
        buckets = sync.connect(server.target, **server.options()).list_buckets(ListBuckets()).buckets
        assert buckets == ()
        return [thread.name for thread in threading.enumerate()]

    assert "lightningstor-client" not in await asyncio.to_thread(forget)


async def test_a_callback_cannot_call_its_own_plain_client(server: Server) -> None:
    """It would wait for itself: it is told so."""

    def inward() -> None:
        with sync.connect(server.target, **server.options()) as client:
            client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
            with pytest.raises(RuntimeError, match="callbacks"):
                client.upload("bucket", "k", b"x", progress=lambda *_: client.read("bucket", "k"))

    await asyncio.to_thread(inward)


async def test_a_listing_goes_over_its_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys in their order, each once, behind where it begins."""
    await client.create_bucket(CreateBucket(bucket=BucketName("bucket")))
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        await client.upload("bucket", key, b"")
    whole = ListObjectsV2
    monkeypatch.setattr(listings, "ListObjectsV2", lambda **fields: whole(**fields, max_keys=2))
    assert [listed.key async for listed in client.iter_objects("bucket")] == keys
    assert [listed.key async for listed in client.iter_objects("bucket", prefix="k", start_after="k1")] == keys[2:]
