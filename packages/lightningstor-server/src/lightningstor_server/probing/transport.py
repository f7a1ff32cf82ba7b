"""The way to an endpoint: name, port, certificate.

Law: each step is a finding, and says where the next one can go on. A certificate that is refused is
read all the same, to say what is wrong with it; nothing secret is sent over such a connection, for a
signature tells no secret.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import evolve, frozen
from cryptography import x509

from lightningstor_server.findings import Finding, fail, ok, warn
from lightningstor_server.load.connection import Connection, Endpoint

EXPIRES_SOON: Final = timedelta(days=21)
"""Before which a certificate is usually renewed."""
NAMES_SHOWN_MAX: Final = 6


@frozen
class Reached:
    """How far it went: an endpoint to go on with, None where there is none."""

    endpoint: Endpoint | None
    findings: tuple[Finding, ...]


async def resolve(host: str, port: int, seconds: float) -> tuple[list[str], Finding]:
    """The addresses of a host; none where it has none."""
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return [], fail("dns", f"{host} was not resolved within {seconds:g} s.", "See whether the name server answers.")
    except OSError as error:
        return [], fail("dns", f"{host} has no address: {error.strerror}.", "Check the name, or add it to the DNS.")
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return addresses, ok("dns", f"{host} is {', '.join(addresses)}.")


async def reach(endpoint: Endpoint, addresses: list[str], seconds: float) -> Reached:
    """Connect to each address without TLS; go on with the first that answers."""
    findings: list[Finding] = []
    first: str | None = None
    for address in addresses:
        try:
            async with asyncio.timeout(seconds):
                connection = await Connection.open(evolve(endpoint, tls=None, address=address))
        except TimeoutError:
            findings.append(_unreachable(address, endpoint.port, f"nothing answered within {seconds:g} s", "A firewall may drop it."))
        except OSError as error:
            text = (error.strerror or str(error)).lower()
            findings.append(_unreachable(address, endpoint.port, text, "See whether the server runs and listens on this address."))
        else:
            await connection.close()
            first = first or address
            findings.append(ok("tcp", f"{address} port {endpoint.port} answers."))
    return Reached(None if first is None else evolve(endpoint, address=first), tuple(findings))


async def shake_hands(endpoint: Endpoint, authority: Path | None, seconds: float) -> Reached:
    """Verify the certificate, as a client does.

    Raises:
        OSError: the file of `authority` cannot be read, or holds no certificate (ssl.SSLError).
    """
    strict = ssl.create_default_context(cafile=None if authority is None else str(authority))
    lenient = ssl.create_default_context()
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    findings: list[Finding] = []
    for context in (strict, lenient):
        try:
            async with asyncio.timeout(seconds):
                connection = await Connection.open(evolve(endpoint, tls=context))
        except ssl.SSLCertVerificationError as error:
            advice = "Install a certificate that clients trust, with its chain and this name; or give its authority: --ca-file."
            findings.append(fail("tls", f"The certificate is refused: {error.verify_message}.", advice))
            continue
        except ssl.SSLError as error:
            advice = "Perhaps this port speaks plain HTTP: try http://."
            return Reached(None, (*findings, fail("tls", f"No TLS was agreed on: {error.reason or error}.", advice)))
        except TimeoutError:
            return Reached(None, (*findings, fail("tls", f"The handshake did not end within {seconds:g} s.", "Perhaps it is no TLS port.")))
        except OSError as error:
            return Reached(None, (*findings, fail("tls", f"The handshake broke off: {error}.", "Perhaps it is no TLS port.")))
        try:
            findings += _certificate(connection, trusted=context is strict)
        finally:
            await connection.close()
        return Reached(evolve(endpoint, tls=context), tuple(findings))
    return Reached(None, tuple(findings))


def _unreachable(address: str, port: int, text: str, advice: str) -> Finding:
    return fail("tcp", f"{address} port {port}: {text}.", advice)


def _certificate(connection: Connection, *, trusted: bool) -> list[Finding]:
    tls = connection.tls
    encoded = None if tls is None else tls.getpeercert(binary_form=True)
    if tls is None or encoded is None:
        return []
    certificate = x509.load_der_x509_certificate(encoded)
    ends, now = certificate.not_valid_after_utc, datetime.now(UTC)
    text = f"{tls.version()}; for {_names(certificate)}; by {certificate.issuer.rfc4514_string()}; until {ends:%Y-%m-%d %H:%M} UTC."
    days = (ends - now).days
    if ends < now:
        return [fail("certificate", text, f"It expired {-days} days ago: renew it.")]
    if ends - now < EXPIRES_SOON and certificate.not_valid_before_utc < now - EXPIRES_SOON:
        return [warn("certificate", text, f"It expires in {days} days: see whether it is renewed by itself.")]
    return [ok("certificate", text) if trusted else warn("certificate", text)]


def _names(certificate: x509.Certificate) -> str:
    try:
        value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "no name (subjectAltName is missing)"
    names = [*value.get_values_for_type(x509.DNSName), *map(str, value.get_values_for_type(x509.IPAddress))]
    return ", ".join(names[:NAMES_SHOWN_MAX]) + (" and others" if len(names) > NAMES_SHOWN_MAX else "")
