"""A gRPC server on the loopback in front of a service that says what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import define, field, frozen
from grpc import aio

from lightningstor_api.client import Client, connect
from lightningstor_api.methods import METHODS
from lightningstor_api.retries import Retries
from lightningstor_server.rpc.binding import Binding, bind
from lightningstor_server.rpc.callers import Callers
from lightningstor_server.rpc.server import assemble, listen
from lightningstor_server.service.operation import Operation
from lightningstor_types.errors import InternalError, StorError
from lightningstor_types.tenants import Caller, Project, Role

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "secret/of+alice"
PROJECT = Project(id=1, organisation_id=1, organisation="o", name="p", display_name="P", email="p@example.org", canonical_id="c")
ALICE = Caller(project=PROJECT, principal="alice", role=Role.OWNER, access_key="ALICE")


async def no_rule(_context: Any, _request: Any) -> Any:
    """What a bound operation would do; the service of the tests does not ask it."""
    raise NotImplementedError


@frozen(kw_only=True)
class StaticCredential:
    """A secret and a caller."""

    secret: str
    caller: Caller


class StaticIdentities:
    """One access key."""

    async def find(self, access_key: str) -> StaticCredential | None:
        """Alice's, or none."""
        return StaticCredential(secret=SECRET, caller=ALICE) if access_key == "ALICE" else None


@define
class FakeService:
    """Answers each operation with what a test has put into `answers`."""

    answers: dict[type[Any], Callable[[Any], Awaitable[Any]]] = field(factory=dict)
    calls: list[tuple[str, Any, Caller | None, str]] = field(factory=list)
    unexpected: list[Exception] = field(factory=list)

    async def call(self, operation: Operation[Any, Any], request: Any, *, caller: Caller | None, request_id: str, **_: Any) -> Any:
        """Note the call and answer it."""
        self.calls.append((operation.name, request, caller, request_id))
        return await self.answers[operation.input](request)

    def known_error(self, error: Exception, where: str, request_id: str) -> StorError:  # noqa: ARG002 - the service's own signature
        """A StorError as it is; anything else is noted."""
        if isinstance(error, StorError):
            return error
        self.unexpected.append(error)
        return InternalError()


def make_operation(rpc: str, /, **changes: Any) -> Operation[Any, Any]:
    """The operation of an rpc, as its rule would have entered it."""
    method = METHODS[rpc]
    values = {
        "name": method.input.__name__,
        "input": method.input,
        "output": method.output,
        "route": None,
        "rpc": rpc,
        "action": "s3:Test",
        "rule": no_rule,
        "streams": method.streams_in or method.streams_out,
    }
    return Operation(**{**values, **changes})


@pytest.fixture
def operation() -> Callable[..., Operation[Any, Any]]:
    """Makes the operation of an rpc."""
    return make_operation


@pytest.fixture
def table() -> tuple[Operation[Any, Any], ...]:
    """An operation for every rpc."""
    return tuple(make_operation(rpc) for rpc in METHODS)


@pytest.fixture
def service() -> FakeService:
    """The service behind the server."""
    return FakeService()


@pytest.fixture
async def target(service: FakeService, table: tuple[Operation[Any, Any], ...]) -> AsyncIterator[str]:
    """The address of a server that runs."""
    server = assemble(service, StaticIdentities(), clock=lambda: NOW, region="us-east-1", table=table)
    port = listen(server, "127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
async def hasty(service: FakeService, table: tuple[Operation[Any, Any], ...]) -> AsyncIterator[str]:
    """The address of a server that waits for nothing longer than a tenth of a second."""
    binding = Binding(service, Callers(StaticIdentities(), clock=lambda: NOW, region="us-east-1"), deadline_seconds=0.1, idle_seconds=0.1)
    server = aio.server()
    server.add_generic_rpc_handlers(binding.handlers(bind(table)))
    port = listen(server, "127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
async def client(target: str) -> AsyncIterator[Client]:
    """Alice's client of that server, which signs and does not pause between attempts."""
    options: dict[str, Any] = {"bearer": False, "retries": Retries(backoff_seconds=0)}
    async with connect(target, access_key="ALICE", secret_key=SECRET, clock=lambda: NOW, idle_seconds=10, **options) as client:
        yield client
