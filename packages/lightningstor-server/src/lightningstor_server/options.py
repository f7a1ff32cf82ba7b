"""What the command line asked for, as a value that also travels to the workers.

Law: the supervisor reads files and names once; a worker that is restarted later serves by the
same words, and the newest certificate. Nothing secret but the KMS keys and the key of the
certificate goes along, and that over a pipe.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from attrs import field, frozen

from lightningstor_server import documents
from lightningstor_server.bootstrap import Bootstrap
from lightningstor_server.certificates import Certificate, CertificateFiles, Certificates
from lightningstor_server.config import Config
from lightningstor_server.failures import StartError

PORT_MAX: Final = 65_535
WORKERS_DEFAULT_MAX: Final = 8
METADATA_FILE: Final = "metadata.db"
CHUNKS_FOLDER: Final = "chunks"
LOCK_FILE: Final = "LOCK"
BACKGROUND_LOCK_FILE: Final = "background.lock"


@frozen
class Address:
    """A host and a TCP port. Port 0 asks the system for a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port` or `[v6]:port`.

        Raises:
            ValueError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MAX or (":" in host and not bracketed):
            raise ValueError("expected HOST:PORT, or [HOST]:PORT for IPv6")
        return cls(host[1:-1] if bracketed else host, int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it. A name that is not resolved is none."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def family(self) -> socket.AddressFamily:
        """Of an address whose host is a number."""
        return socket.AF_INET6 if isinstance(ipaddress.ip_address(self.host), ipaddress.IPv6Address) else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen(kw_only=True)
class Options:
    """Everything that `lightningstor serve` was told."""

    data: Path
    s3_address: Address = Address("127.0.0.1", 9001)
    grpc_address: Address = Address("127.0.0.1", 9000)
    admin_address: Address = Address("127.0.0.1", 9002)
    workers: int = 1
    http_server: str = "auto"
    key_file: Path | None = None
    metadata_copy: Path | None = None
    """A folder, elsewhere, that gets every commit of the metadata."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    """Whether bearer tokens may travel in clear text off the loopback."""
    config: Config = field(factory=Config)
    bootstrap: Bootstrap | None = None
    """For the supervisor alone: it declares secrets."""
    certificates: Certificates | None = field(default=None, eq=False)
    """What was read of the files, and is in use; None where TLS is not spoken."""

    @property
    def certificate_files(self) -> CertificateFiles | None:
        """Where the certificate is read.

        Raises:
            StartError: one of the two files is not named.
        """
        if self.tls_cert is None and self.tls_key is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            raise StartError("--tls-cert and --tls-key need one another")
        return CertificateFiles(self.tls_cert, self.tls_key)

    @property
    def bearer_allowed(self) -> bool:
        """Whether the gRPC address takes bearer tokens: in clear text, whoever sees one has it."""
        return self.certificates is not None or self.grpc_address.loopback or self.insecure

    @property
    def metadata_path(self) -> Path:
        """The metadata database."""
        return self.data / METADATA_FILE

    @property
    def chunks_path(self) -> Path:
        """The root of the blob store."""
        return self.data / CHUNKS_FOLDER


@frozen(kw_only=True)
class WorkerOrder:
    """What one worker is started with."""

    options: Options
    name: str
    """Tells this start of this worker from every other."""
    ready_fd: int
    """Where it writes a line when it serves."""
    board_fd: int
    """Where it leaves its counts: memory that the supervisor reads."""

    def to_json(self) -> bytes:
        """One line."""
        options = self.options
        document = {
            "name": self.name,
            "ready_fd": self.ready_fd,
            "board_fd": self.board_fd,
            "data": os.fspath(options.data),
            "s3_address": str(options.s3_address),
            "grpc_address": str(options.grpc_address),
            "admin_address": str(options.admin_address),
            "workers": options.workers,
            "http_server": options.http_server,
            "metadata_copy": None if options.metadata_copy is None else os.fspath(options.metadata_copy),
            "key_file": None if options.key_file is None else os.fspath(options.key_file),
            "insecure": options.insecure,
            # and not its files: they may have changed since, and a broken one must not reach a worker
            "certificate": None if options.certificates is None else options.certificates.current.to_document(),
            "config": documents.plain(options.config),
        }
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """What `to_json` wrote."""
        document = json.loads(line)
        certificate = document["certificate"]
        options = Options(
            data=Path(document["data"]),
            s3_address=Address.parse(document["s3_address"]),
            grpc_address=Address.parse(document["grpc_address"]),
            admin_address=Address.parse(document["admin_address"]),
            workers=document["workers"],
            http_server=document["http_server"],
            metadata_copy=None if document["metadata_copy"] is None else Path(document["metadata_copy"]),
            key_file=None if document["key_file"] is None else Path(document["key_file"]),
            insecure=document["insecure"],
            certificates=None if certificate is None else Certificates(Certificate.from_document(certificate)),
            config=documents.structure(Config, document["config"], "the supervisor's order"),
        )
        return cls(options=options, name=document["name"], ready_fd=document["ready_fd"], board_fd=document["board_fd"])


def renewal(certificate: Certificate) -> bytes:
    """The line that a worker is sent after its order: another certificate."""
    return json.dumps({"certificate": certificate.to_document()}).encode() + b"\n"


def renewed(line: bytes) -> Certificate:
    """What `renewal` wrote."""
    return Certificate.from_document(json.loads(line)["certificate"])


def default_workers() -> int:
    """One for each processor that this process may use, within reason."""
    return min(len(os.sched_getaffinity(0)), WORKERS_DEFAULT_MAX)


def reserve(addresses: Iterable[Address]) -> list[Address]:
    """Find out that addresses are free, with their hosts resolved and their ports decided.

    They are bound without SO_REUSEPORT, since the workers share theirs: with that option a second
    server would silently take half of the first one's connections. Then they are let go.

    Raises:
        StartError: one is taken, not ours or not allowed.
    """
    with contextlib.ExitStack() as stack:
        # all of them are held until the last is bound, so that no two can be the same
        return [_bound(address, stack) for address in addresses]


def _bound(address: Address, stack: contextlib.ExitStack) -> Address:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, name = found[0]
        probe = stack.enter_context(socket.socket(family, kind, protocol))
        # connections of an earlier server in TIME_WAIT are no reason to refuse; a listener still is
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(name)
        probe.listen(1)
        host, port = probe.getsockname()[:2]
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {error.strerror or error}") from error
    return Address(host, port)
