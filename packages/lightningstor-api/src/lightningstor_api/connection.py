"""The channel of a client: where it goes and under which TLS.

Law: what a channel protects is decided here, once. A secret (a bearer token) may travel on a channel
with TLS, or one that does not leave this machine, and on no other unless its owner says `insecure`.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final

import grpc
from grpc import aio

from lightningstor_api.chunks import MESSAGE_MAX_BYTES

KEEPALIVE_SECONDS: Final = 60.0
OPTIONS: Final = (
    ("grpc.enable_retries", 0),  # repeating is `retries`' business
    ("grpc.keepalive_time_ms", int(KEEPALIVE_SECONDS * 1000)),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
)
_IP_SCHEMES: Final = ("dns:", "ipv4:", "ipv6:")
_LOCAL_SCHEMES: Final = ("unix:", "unix-abstract:")


def credentials_of(
    *, tls: grpc.ChannelCredentials | bool | None, ca_file: str | os.PathLike[str] | None, root_certificates: bytes | None
) -> grpc.ChannelCredentials | None:
    """The credentials of a channel; None for one in the clear.

    `tls` is True for TLS under gRPC's own roots; `ca_file` or `root_certificates` (PEM) replace those.

    Raises:
        ValueError: more than one of them says what to trust.
        OSError: the file cannot be read.
    """
    if (ca_file is not None) + (root_certificates is not None) + isinstance(tls, grpc.ChannelCredentials) > 1 or (
        tls is False and (ca_file or root_certificates)
    ):
        raise ValueError("tls, ca_file and root_certificates contradict each other: give one")
    if isinstance(tls, grpc.ChannelCredentials):
        return tls
    roots = Path(ca_file).read_bytes() if ca_file is not None else root_certificates
    if roots is None and not tls:
        return None
    return grpc.ssl_channel_credentials(root_certificates=roots)


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> aio.Channel:
    """A channel; it connects with the first call. Needs a running loop."""
    return aio.insecure_channel(target, OPTIONS) if credentials is None else aio.secure_channel(target, credentials, OPTIONS)


def is_local(target: str) -> bool:
    """Whether a target is on this machine, as far as its name alone says: a number of the loopback, `localhost`, a UNIX socket."""
    if target.startswith(_LOCAL_SCHEMES):
        return True
    for scheme in _IP_SCHEMES:
        target = target.removeprefix(scheme)
    host = target.rpartition("/")[2]
    if host.count(":") == 1 or host.startswith("["):
        host = host.rpartition(":")[0] if not host.endswith("]") else host
    host = host.strip("[]")
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
