"""TLS for the tests: an authority of their own, and a proxy that speaks it in front of any server.

Law: bytes pass as they are; nothing is known of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

READ_BYTES: Final = 1 << 16
STOP_SECONDS: Final = 30.0
BACKDATED: Final = timedelta(hours=1)
LIFETIME: Final = timedelta(days=1)

Relay = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Certificate:
    """A server's certificate for 127.0.0.1, ::1 and localhost, as the files that are told of it."""

    authority: Path
    """What clients trust: the certificate that signed it."""
    certificate: Path
    """The chain, the server's own first."""
    key: Path
    """Its private key, in PKCS #8, without a password."""


def issue(folder: Path) -> Certificate:
    """Make an authority and a certificate that it signed, both good for a day, in a folder.

    Two and not one that signs itself: some clients take no leaf for an authority.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _signed("Authority of the tests", authority_key, None, authority_key)
    leaf = _signed("127.0.0.1", key, authority, authority_key)
    files = Certificate(authority=folder / "authority.pem", certificate=folder / "server.pem", key=folder / "server.key")
    encoded = [each.public_bytes(serialization.Encoding.PEM) for each in (leaf, authority)]
    files.authority.write_bytes(encoded[1])
    files.certificate.write_bytes(b"".join(encoded))
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


@contextlib.contextmanager
def terminated(address: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """A proxy for the length of a block: its URL, and the certificate to trust."""
    files = issue(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    loop = asyncio.new_event_loop()
    proxy = loop.run_until_complete(asyncio.start_server(_relay(address), "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", files.authority
    finally:
        asyncio.run_coroutine_threadsafe(_stop(proxy), loop).result(STOP_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
        loop.close()


async def _stop(proxy: asyncio.Server) -> None:
    proxy.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _relay(address: str) -> Relay:
    host, _, port = address.rpartition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        try:
            ways = [asyncio.create_task(_pass(reader, far_writer)), asyncio.create_task(_pass(far_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for each in (writer, far_writer):
                each.transport.abort()

    return relay


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """A certificate of `key`: an authority's where nobody issues it, else a server's (RFC 5280, 4.2)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, authority = datetime.now(UTC), issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(signs=authority), critical=True)
    )
    if not authority:
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
        builder = builder.add_extension(x509.SubjectAlternativeName([*addresses, x509.DNSName("localhost")]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Python 3.13 and OpenSSL's strict mode ask for it: an authority signs certificates, a server its handshake."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
