"""The certificate of all three addresses: read, judged, replaced while the server runs.

Law: no TLS library sees a file of the operator. What is read is judged as a whole, against what
every one of them demands, and then handed on from memory: Granian's would end the process for a
certificate that it cannot read. A key is in no log and no repr.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
import stat
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from lightningstor_server.failures import StartError

FILE_MAX_BYTES: Final = 1 << 20
RSA_MIN_BITS: Final = 2048
RSA_MAX_BITS: Final = 8192
"""Longer ones are refused by Granian's library, shorter ones by OpenSSL's defaults too."""
ALPN: Final = ("http/1.1",)
"""RFC 7301: no HTTP/2 on the addresses of HTTP."""

_PASSING: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLZeroReturnError)
"""No errors: bytes are wanted first, or the other side has closed in order."""
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_OTHERS_MAY_READ: Final = stat.S_IRGRP | stat.S_IROTH
_KNOWN_EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)
"""Those that may be critical; whoever does not know a critical one has to refuse it (RFC 5280 section 4.2)."""


@frozen(kw_only=True)
class Certificate:
    """A chain and its key that every TLS library here takes."""

    chain: bytes
    """PEM, the server's own certificate first."""
    key: bytes = field(repr=False)
    """PEM, in PKCS #8, without a password."""

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own."""
        return x509.load_pem_x509_certificate(self.chain)

    def described(self) -> dict[str, str]:
        """What a log may tell of it."""
        leaf = self.leaf
        return {"serial": f"{leaf.serial_number:x}", "not_after": leaf.not_valid_after_utc.isoformat()}

    def to_document(self) -> dict[str, str]:
        """As JSON has it, for a worker's pipe."""
        return {"chain": self.chain.decode(), "key": self.key.decode()}

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> Self:
        """What `to_document` made."""
        return cls(chain=document["chain"].encode(), key=document["key"].encode())


@frozen
class CertificateFiles:
    """Where the operator keeps them."""

    chain: Path
    key: Path

    def read(self) -> Certificate:
        """Both files as they are now.

        Raises:
            StartError: one cannot be read, they do not belong together, or a TLS library would refuse them.
        """
        chain, key = _chain(self.chain), _key(self.key)
        leaf = chain[0]
        _judge(leaf, self.chain)
        spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if leaf.public_key().public_bytes(*spki) != key.public_key().public_bytes(*spki):
            raise StartError(f"{self.key}: is not the key of the first certificate in {self.chain}")
        certificate = Certificate(
            chain=b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain),
            key=key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        try:
            _context(certificate)
        except ssl.SSLError as error:
            raise StartError(f"{self.chain}: OpenSSL refuses it: {error.reason or error}") from error
        return certificate

    def warnings(self, certificate: Certificate, now: datetime | None = None) -> list[str]:
        """What is no reason to refuse it, and worth a line in the log."""
        leaf, now = certificate.leaf, now or datetime.now(UTC)
        found = []
        if now >= leaf.not_valid_after_utc:
            found.append(f"{self.chain}: expired at {leaf.not_valid_after_utc.isoformat()}")
        if now < leaf.not_valid_before_utc:
            found.append(f"{self.chain}: is not valid before {leaf.not_valid_before_utc.isoformat()}")
        with contextlib.suppress(OSError):  # it was there a moment ago, and is read already
            if self.key.stat().st_mode & _OTHERS_MAY_READ:
                found.append(f"{self.key}: can be read by others; its mode should be 0600")
        return found


class Certificates:
    """The certificate that handshakes get from now on. `replace` may be called in any thread."""

    def __init__(self, current: Certificate) -> None:
        self.current = current
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def replace(self, certificate: Certificate) -> None:
        """Hand out another one; connections that are made stay as they are."""
        with self._lock:
            self.current = certificate
            waiting, self._waiting = self._waiting, []
        for loop, changed in waiting:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and who waited in it
                loop.call_soon_threadsafe(changed.set)

    async def after(self, seen: Certificate) -> Certificate:
        """The current one, once it is another than `seen`."""
        changed = asyncio.Event()
        with self._lock:
            if self.current is not seen:
                return self.current
            self._waiting.append((asyncio.get_running_loop(), changed))
        await changed.wait()
        return self.current


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """A context whose handshakes get the certificate that is current when they begin."""
    made = (certificates.current, _context(certificates.current))

    def newest(handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context_of_listener: ssl.SSLContext) -> None:
        # another context each: one that is loaded twice keeps the first certificate beside it where the second has another
        # kind of key, and the client's preference would decide between the old and the new
        nonlocal made
        current = certificates.current
        if made[0] is not current:
            made = (current, _context(current))
        handshake.context = made[1]

    listener = _context(certificates.current)
    listener.sni_callback = newest  # called in every handshake, with a name or without
    return listener


@contextlib.contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    """A path that reads as `content`, in this process alone, for libraries that take only files."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _ServerSide(ssl.SSLObject):
    """The server's side of a connection, as asyncio and Hypercorn need it: a client's fault is a reset and no failure."""

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - as in the base
        """Decrypted bytes. Raises ConnectionResetError for a record that does not open."""
        try:
            return super().read(len, buffer)
        except _PASSING:
            raise
        except ssl.SSLError as error:
            raise ConnectionResetError(errno.ECONNRESET, error.reason) from error

    def write(self, data: Any) -> int:
        """Encrypt bytes. Raises ConnectionResetError where the connection is over."""
        try:
            return super().write(data)
        except _PASSING:
            raise
        except ssl.SSLError as error:
            raise ConnectionResetError(errno.ECONNRESET, error.reason) from error

    def unwrap(self) -> None:
        """Say that this side closes, and do not wait to hear the same: RFC 8446 section 6.1 asks for no more.

        asyncio would wait for half a minute, and a drain with it, for each client that keeps a
        connection between two requests.
        """
        with contextlib.suppress(ssl.SSLError):
            super().unwrap()


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _ServerSide
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325 section 3.1.1
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(ALPN))
    with in_memory(certificate.chain) as chain, in_memory(certificate.key) as key:
        context.load_cert_chain(chain, key)
    return context


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
    if len(content) > FILE_MAX_BYTES:
        raise StartError(f"{path}: is longer than {FILE_MAX_BYTES} bytes")
    return content


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(path))
    except ValueError as error:
        raise StartError(f"{path}: holds no certificate in PEM, or a broken one") from error


def _key(path: Path) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key: Any = serialization.load_pem_private_key(_content(path), None)
    except TypeError as error:
        raise StartError(f"{path}: the key has a password; give it without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise StartError(f"{path}: holds no private key in PEM, or a broken one") from error
    usable = (isinstance(key, rsa.RSAPrivateKey) and RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES)
    )
    if not usable:
        raise StartError(f"{path}: the key must be RSA of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits, or ECDSA on P-256 or P-384")
    checked: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = key
    return checked


def _judge(leaf: x509.Certificate, path: Path) -> None:
    """What Granian's library demands beyond OpenSSL's."""
    try:
        if leaf.version is not x509.Version.v3:
            raise StartError(f"{path}: the certificate is not of X.509 version 3")
        unknown = [each.oid.dotted_string for each in leaf.extensions if each.critical and each.oid not in _KNOWN_EXTENSIONS]
        leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise StartError(f"{path}: the certificate cannot be understood: {error}") from error
    if unknown:
        raise StartError(f"{path}: critical extensions that are not known: {', '.join(unknown)}")
