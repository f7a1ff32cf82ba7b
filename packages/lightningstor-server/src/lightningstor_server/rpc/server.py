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
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightningstor_api.chunks import MESSAGE_MAX_BYTES
from lightningstor_api.methods import SERVICES
from lightningstor_server.rpc.binding import Binding, Door, bind
from lightningstor_server.rpc.callers import Bearers, Callers
from lightningstor_server.rpc.counting import Counted, Counts
from lightningstor_server.rpc.health import Health
from lightningstor_server.service.bearers import Identities
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


Pair = tuple[bytes, bytes]
"""A private key and its certificate chain, in PEM."""


def credentials(current: Callable[[], Pair]) -> grpc.ServerCredentials:
    """TLS with the certificate that is `current` when a handshake begins; connections that are made keep theirs.

    gRPC's own library speaks TLS 1.2 and 1.3 and selects HTTP/2 (ALPN `h2`).
    """
    known = current()

    def newer() -> Any:
        nonlocal known
        found = current()
        if found == known:
            return None  # as it was
        known = found
        return grpc.ssl_server_certificate_configuration([found])

    first = grpc.ssl_server_certificate_configuration([known])
    made: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(first, newer)
    return made


def build_server(
    service: Door,
    identities: Identities,
    *,
    clock: Callable[[], datetime],
    region: str,
    address: str,
    tls: grpc.ServerCredentials | None = None,
    table: Iterable[Operation[Any, Any]] | None = None,
    bearers: Bearers | None = None,
    status: Health | None = None,
    counts: Counts | None = None,
) -> aio.Server:
    """The server on `address`, to be started. Needs a running loop.

    `bearers` is None where bearer tokens may not be taken: off the loopback without TLS.
    `tls` is made by `credentials`; without it everything is in clear text. `status` is handed in where its
    owner wants to tell it that the server drains, `counts` where calls are to be counted.

    Raises:
        ValueError: operations and descriptors do not agree.
        OSError: the address cannot be bound.
    """
    server = assemble(service, identities, clock=clock, region=region, table=table, bearers=bearers, status=status, counts=counts)
    listen(server, address, tls)
    return server


def assemble(
    service: Door,
    identities: Identities,
    *,
    clock: Callable[[], datetime],
    region: str,
    table: Iterable[Operation[Any, Any]] | None = None,
    bearers: Bearers | None = None,
    status: Health | None = None,
    counts: Counts | None = None,
) -> aio.Server:
    """The server without an address. Raises ValueError where operations and descriptors do not agree."""
    bound = bind(operations().values() if table is None else table)
    binding = Binding(service, Callers(identities, clock=clock, region=region, bearers=bearers))
    server = aio.server(options=OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
    handlers = binding.handlers(bound)
    server.add_generic_rpc_handlers(handlers if counts is None else tuple(Counted(each, counts) for each in handlers))
    health_pb2_grpc.add_HealthServicer_to_server(status or Health(), server)
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
