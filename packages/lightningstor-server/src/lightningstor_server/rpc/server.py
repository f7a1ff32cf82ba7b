"""The gRPC server of a worker, put together and not started.

Law: every limit on connections, streams and messages is set here. Several workers share the address
by SO_REUSEPORT; that it was free is the supervisor's to find out. Health and reflection need no
credential, since they tell nothing of what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightningstor_api.chunks import MESSAGE_MAX_BYTES
from lightningstor_api.methods import SERVICES
from lightningstor_server.rpc.binding import Binding, Door, bind
from lightningstor_server.rpc.callers import Callers, Identities
from lightningstor_server.service.operation import Operation, operations

STREAMS_MAX: Final = 256
"""Calls at a time on one connection."""
CALLS_MAX: Final = 4096
"""Calls at a time in this process; one more is answered RESOURCE_EXHAUSTED."""
METADATA_MAX_BYTES: Final = 16 << 10
KEEPALIVE_SECONDS: Final = 60
KEEPALIVE_TIMEOUT_SECONDS: Final = 20
PING_INTERVAL_MIN_SECONDS: Final = 20
"""A client that pings more often than this is cut off."""
CONNECTION_IDLE_SECONDS: Final = 3600

OPTIONS: Final = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    ("grpc.max_metadata_size", METADATA_MAX_BYTES),
    ("grpc.absolute_max_metadata_size", METADATA_MAX_BYTES),
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_connection_idle_ms", CONNECTION_IDLE_SECONDS * 1000),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
    ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MIN_SECONDS * 1000),
)


def new_status() -> health_pb2_grpc.HealthServicer:
    """What answers health checks; its `enter_graceful_shutdown` says that the server drains."""
    return health.aio.HealthServicer()  # type: ignore[attr-defined, unused-ignore] # the type stubs know the other one


def build_server(
    service: Door,
    identities: Identities,
    *,
    clock: Callable[[], datetime],
    region: str,
    address: str,
    tls: grpc.ServerCredentials | None = None,
    table: Iterable[Operation[Any, Any]] | None = None,
    status: health_pb2_grpc.HealthServicer | None = None,
) -> aio.Server:
    """The server on `address`, to be started. Needs a running loop.

    `status` is made by `new_status` where its owner wants to tell it that the server drains.

    Raises:
        ValueError: operations and descriptors do not agree.
        OSError: the address cannot be bound.
    """
    server = assemble(service, identities, clock=clock, region=region, table=table, status=status)
    listen(server, address, tls)
    return server


def assemble(
    service: Door,
    identities: Identities,
    *,
    clock: Callable[[], datetime],
    region: str,
    table: Iterable[Operation[Any, Any]] | None = None,
    status: health_pb2_grpc.HealthServicer | None = None,
) -> aio.Server:
    """The server without an address. Raises ValueError where operations and descriptors do not agree."""
    bound = bind(operations().values() if table is None else table)
    binding = Binding(service, Callers(identities, clock=clock, region=region))
    server = aio.server(options=OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
    server.add_generic_rpc_handlers(binding.handlers(bound))
    health_pb2_grpc.add_HealthServicer_to_server(status or new_status(), server)
    named = [service.full_name for service in (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"])]
    reflection.enable_server_reflection([*named, reflection.SERVICE_NAME], server)
    return server


def listen(server: aio.Server, address: str, tls: grpc.ServerCredentials | None = None) -> int:
    """Bind an address; the port, which gRPC chooses for `:0`.

    Raises:
        OSError: it cannot be bound.
    """
    try:
        port = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, tls)
    except RuntimeError as error:
        raise OSError(f"{address} cannot be bound: {error}") from error
    if port == 0:
        raise OSError(f"{address} cannot be bound")
    return port
