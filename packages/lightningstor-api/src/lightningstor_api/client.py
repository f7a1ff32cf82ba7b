"""The asynchronous client: `async with connect(...) as client`.

Law: a face and nothing else; what it can do stands in `surface`, how in `calls`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import grpc

from lightningstor_api.calls import DEADLINE_SECONDS, IDLE_SECONDS, Calls
from lightningstor_api.connection import credentials_of, is_local, open_channel
from lightningstor_api.faces import AsyncFace
from lightningstor_api.retries import Retries
from lightningstor_api.signing import Signer, utc_now
from lightningstor_api.surface import Surface

__all__ = ["Client", "connect"]


class Client(AsyncFace, Surface):
    """A connection to a server in the name of one access key. Made by `connect`, closed by `close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connection; calls that run are cancelled."""
        await self._calls.close()


def connect(
    target: str,
    *,
    access_key: str,
    secret_key: str,
    region: str = "us-east-1",
    tls: grpc.ChannelCredentials | bool | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    root_certificates: bytes | None = None,
    bearer: bool = True,
    insecure: bool = False,
    deadline_seconds: float = DEADLINE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    retries: Retries | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Client:
    """A client of the server at `target`; the connection is made with the first call. Needs a running loop.

    `tls` is True for TLS under public roots, or gRPC's own credentials; `ca_file`, or `root_certificates`
    in PEM, is TLS under those. Otherwise the channel is in the clear, which is for the loopback and
    trusted networks.

    The client gets a bearer token with its key and renews it. It signs each call instead where the
    server gives none, where `bearer` is False, and on a channel in the clear that leaves this machine,
    unless `insecure` says that tokens may be seen there.

    `deadline_seconds` is how long a call without a body may take, the first answer to a read and the
    answer to a whole body; `idle_seconds` how long one step of a body may. `retries` says how failed
    calls are repeated, `clock` when signatures are made.

    Raises:
        ValueError: `tls`, `ca_file` and `root_certificates` contradict each other.
        OSError: the file cannot be read.
    """
    credentials = credentials_of(tls=tls, ca_file=ca_file, root_certificates=root_certificates)
    calls = Calls(
        open_channel(target, credentials),
        Signer(access_key=access_key, secret_key=secret_key, region=region, clock=clock),
        bearer=bearer and (credentials is not None or insecure or is_local(target)),
        deadline_seconds=deadline_seconds,
        idle_seconds=idle_seconds,
        retries=retries,
    )
    return Client(calls)
