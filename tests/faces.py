"""Both faces of one service on stores in memory: S3 by ASGI, without a socket, and a real gRPC server.

A face takes an operation's input and gives its output, or raises the error that it was told.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from attrs import define, evolve, field, frozen

import http_calls
from asgi import Request, Response, exchange
from lightningstor_api.client import Client, connect
from lightningstor_server.auth.tokens import TOKEN_KEY_LABEL, Tokens
from lightningstor_server.auth.vault import MASTER_KEY_BYTES, Vault, secret_context
from lightningstor_server.rpc.server import assemble, listen
from lightningstor_server.s3.app import S3App
from lightningstor_server.service.bearers import Bearers
from lightningstor_server.service.core import Service
from lightningstor_server.service.identity import Identities
from lightningstor_server.service.settings import Settings
from lightningstor_server.stores.memory import MemoryBlobs
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.sql import SqlMetadata
from lightningstor_server.stores.metadata.sqlite import open_memory
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types.streams import BytesStream, ByteStream
from lightningstor_types.tenants import Project, Role
from signers import Signer

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""When everything happens; whole seconds, since HTTP's dates have no fractions."""
REGION: Final = "us-east-1"
Ask = Callable[..., Awaitable[Response]]
"""`Rig.ask`, as a fixture hands it out."""
DOMAIN: Final = "s3.test"


@frozen(kw_only=True)
class Tenant:
    """A project of the rig, and the keys of its principals by their roles."""

    project: Project
    signers: dict[Role, Signer]

    @property
    def owner(self) -> Signer:
        """The owner's key."""
        return self.signers[Role.OWNER]


@define(kw_only=True, eq=False)
class Rig:
    """A service on stores in memory, with the two projects `alpha` and `beta` of one organisation."""

    service: Service
    metadata: SqlMetadata
    blobs: MemoryBlobs
    identities: Identities
    alpha: Tenant
    beta: Tenant
    app: S3App = field(init=False)
    region: str = REGION

    def __attrs_post_init__(self) -> None:
        domains = (DOMAIN,)
        self.app = S3App(self.service, self.identities, region=self.region, domains=domains, clock=lambda: NOW)

    async def send(self, request: Request, signer: Signer | None = None) -> Response:
        """Send a raw request, signed in its header if a signer is given."""
        return await exchange(self.app, signer.header(request) if signer else request)

    async def ask(self, method: str, target: str, *headers: tuple[str, str], body: bytes = b"") -> Response:
        """Send a request of alpha's owner: its method, its path with the query, its headers and its body."""
        path, _, query = target.partition("?")
        request = Request(method=method, path=path.encode("latin-1"), query=query.encode("latin-1")).with_headers(*headers)
        if body or method in {"PUT", "POST"}:
            request = request.with_body(body)
        return await exchange(self.app, self.alpha.owner.by_hand(request))

    def s3(self, signer: Signer | None = None) -> S3Face:
        """The S3 face of a key, alpha's owner's by default."""
        return S3Face(rig=self, signer=signer or self.alpha.owner)

    async def __call__(self, request: Any, signer: Signer | None = None) -> Any:
        """Make a call over S3, to prepare or to look."""
        return await self.s3(signer)(request)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored: all rows of all tables, and the bytes of all chunks."""
        database: Any = self.metadata._database
        connection = database._connection
        tables = [name for (name,) in connection.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        rows = {name: sorted(connection.all(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608 - the schema's own names
        return rows | {"chunks of the medium": [(name, bytes(content)) for name, content in sorted(self.blobs.contents.items())]}


class Face(Protocol):
    """One way in."""

    async def __call__(self, request: Any) -> Any:
        """The output of an operation for this input. Raises StorError."""


@define(kw_only=True)
class S3Face:
    """S3 over HTTP, each request signed in its header."""

    rig: Rig
    signer: Signer

    async def __call__(self, request: Any) -> Any:
        """See `Face`. A body comes as bytes."""
        response = await self.send(http_calls.to_request(request))
        return http_calls.to_output(request, response)

    async def send(self, request: Request) -> Response:
        """Sign and send a raw request."""
        return await exchange(self.rig.app, self.signer.header(request))


@define(kw_only=True)
class GrpcFace:
    """gRPC over a socket of the loopback."""

    client: Client

    async def __call__(self, request: Any) -> Any:
        """See `Face`. A body comes as bytes."""
        output = await self.client.call(request)
        if hasattr(output, "body"):
            output = evolve(output, body=BytesStream(await gathered(output.body)))
        return output


async def gathered(body: ByteStream) -> bytes:
    """All of a body."""
    return b"".join([piece async for piece in body])


@asynccontextmanager
async def rig(*, settings: Settings | None = None) -> AsyncIterator[Rig]:
    """A rig with fresh stores."""
    metadata, blobs = await open_memory(), MemoryBlobs()
    vault = Vault(os.urandom(MASTER_KEY_BYTES))
    settings = settings or Settings(region=REGION)
    alpha, beta = [await _tenant(metadata, vault, name, settings.region) for name in ("alpha", "beta")]
    identities = Identities(metadata, vault)
    bearers = Bearers(identities, Tokens(vault.derive(TOKEN_KEY_LABEL)), clock=lambda: NOW)
    service = Service(metadata=metadata, blobs=blobs, settings=settings, clock=lambda: NOW, bearers=bearers, sealer=vault)
    made = Rig(service=service, metadata=metadata, blobs=blobs, identities=identities, alpha=alpha, beta=beta, region=settings.region)
    try:
        yield made
    finally:
        await metadata.close()
        await blobs.close()


async def _tenant(metadata: SqlMetadata, vault: Vault, name: str, region: str) -> Tenant:
    """A project with a key for each role."""
    blank = Project(
        id=0, organisation_id=0, organisation="org", name=name, display_name=name.title(), email="", canonical_id=f"canonical-{name}"
    )
    signers = {role: Signer(access_key=f"{name}-{role}", secret=secrets.token_hex(20), region=region, moment=NOW) for role in Role}

    async def work(tx: Transaction) -> Project:
        project = await tx.tenants.put_project(blank)
        for role, signer in signers.items():
            sealed = vault.seal(signer.secret.encode(), secret_context(signer.access_key))
            key = AccessKey(id=signer.access_key, secret=sealed, project=project, principal=str(role), role=role, active=True)
            await tx.keys.put(key)
        await tx.configuration.bump()
        return project

    return Tenant(project=await metadata.commit(work), signers=signers)


@asynccontextmanager
async def grpc_face(rig: Rig, signer: Signer | None = None) -> AsyncIterator[GrpcFace]:
    """The gRPC face of a key, alpha's owner's by default; a server on a free port of the loopback."""
    signer = signer or rig.alpha.owner
    async with AsyncExitStack() as stack:
        server = assemble(rig.service, rig.identities, clock=lambda: NOW, region=rig.region, bearers=rig.service.bearers)
        port = listen(server, "127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        client = connect(
            f"127.0.0.1:{port}",
            access_key=signer.access_key,
            secret_key=signer.secret,
            region=signer.region,
            bearer=False,
            clock=lambda: signer.moment,
        )
        yield GrpcFace(client=await stack.enter_async_context(client))


def soon(seconds: float) -> datetime:
    """A moment so many seconds from when everything happens."""
    return NOW + timedelta(seconds=seconds)
