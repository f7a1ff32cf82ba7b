"""An endpoint examined from the name to the last header.

Law: steps go on as far as the one before them allows, and each tells what it saw as soon as it saw
it. Each request has its own connection and its own deadline, and what breaks is a finding.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from lightningstor_server.auth.claims import SKEW_SECONDS
from lightningstor_server.findings import Finding, fail, ok, warn
from lightningstor_server.load.connection import Connection, Endpoint, ProtocolError, Request, Response
from lightningstor_server.load.signing import Credentials, Signed, signed
from lightningstor_server.probing.requests import PROBES, Outcome, judge_probe, read_outcome
from lightningstor_server.probing.transport import reach, resolve, shake_hands

SKEW_NOTABLE_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 2.0
"""How long `100 Continue` is waited for; clients wait one second."""
_PROXY_MARKS: Final = ("via", "x-cache", "cf-ray", "x-served-by", "x-envoy-upstream-service-time")
_EXPECTATION_FAILED: Final = 417


@frozen(kw_only=True)
class Order:
    """What is examined, and how."""

    endpoint: Endpoint
    secure: bool
    authority: Path | None = None
    """A file of certificates to trust beside the system's."""
    credentials: Credentials | None = None
    seconds: float = 5.0
    """The deadline of each step."""


async def examine(order: Order) -> AsyncIterator[Finding]:
    """Each finding, as it is made."""
    addresses, found = await resolve(order.endpoint.host, order.endpoint.port, order.seconds)
    yield found
    reached = await reach(order.endpoint, addresses, order.seconds)
    for finding in reached.findings:
        yield finding
    if reached.endpoint is not None and order.secure:
        reached = await shake_hands(reached.endpoint, order.authority, order.seconds)
        for finding in reached.findings:
            yield finding
    if reached.endpoint is None:
        return
    visit = _Visit(reached.endpoint, order)
    async for finding in visit.findings():
        yield finding


class _Visit:
    """The requests of one examination."""

    def __init__(self, endpoint: Endpoint, order: Order) -> None:
        self._endpoint, self._seconds, self._credentials = endpoint, order.seconds, order.credentials
        self._bucket = f"doctor-{secrets.token_hex(8)}"

    async def findings(self) -> AsyncIterator[Finding]:
        """Unsigned, then signed ones."""
        answer = await self._ask(Request(method="GET", target="/", headers=[("host", self._endpoint.authority)]))
        if isinstance(answer, Finding):
            yield answer
            return
        for finding in (_server(answer), *_clock(answer)):
            yield finding
        if self._credentials is None:
            advice = "Give --access-key and --secret-key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            yield warn("credentials", "No key was given: no signed request was sent.", advice)
            return
        outcome = await self._signed_root(self._credentials)
        if isinstance(outcome, Finding):
            yield outcome
            return
        for finding in outcome.findings:
            yield finding
        if not outcome.verified:
            return
        yield ok("signature", f"A signed request is verified ({outcome.code or 'ListBuckets'}).")
        async for finding in self._probes(self._credentials):
            yield finding
        yield await self._expectation(self._credentials)
        yield await self._virtual_host(self._credentials)

    async def _ask(self, request: Request, *, patience_seconds: float | None = None) -> Response | Finding:
        try:
            async with asyncio.timeout(self._seconds):
                connection = await Connection.open(self._endpoint)
                try:
                    return await connection.exchange(request, patience_seconds=patience_seconds)
                finally:
                    await connection.close()
        except TimeoutError:
            return fail(
                "http", f"{request.method} was not answered within {self._seconds:g} s.", "See the server's log, or give --timeout."
            )
        except ProtocolError as error:
            return fail("http", f"{request.method} got no HTTP answer: {error}.", "Perhaps this port speaks TLS: try https://.")
        except (OSError, ssl.SSLError) as error:
            return fail("http", f"The connection broke: {error}.", "See the server's or the proxy's log.")

    async def _signed_root(self, credentials: Credentials) -> Outcome | Finding:
        request = signed(credentials, "GET", self._endpoint.authority, "/")
        answer = await self._ask(request.request)
        return answer if isinstance(answer, Finding) else read_outcome(answer, request, credentials.secret_key)

    async def _probes(self, credentials: Credentials) -> AsyncIterator[Finding]:
        for probe in PROBES:
            target = probe.target.format(bucket=self._bucket)
            request = signed(credentials, "GET", self._endpoint.authority, target, headers=probe.headers)
            answer = await self._ask(request.request)
            if isinstance(answer, Finding):
                yield evolve(answer, name=probe.name, text=f"{probe.what}: {answer.text}", verdict=probe.verdict)
                continue
            for finding in judge_probe(probe, answer, request, credentials.secret_key):
                yield finding

    async def _expectation(self, credentials: Credentials) -> Finding:
        """Expect: 100-continue, which large uploads use (RFC 9110 section 10.1.1)."""
        target = f"/{self._bucket}/key"
        request = signed(credentials, "PUT", self._endpoint.authority, target, unsigned={"expect": "100-continue"}, body=b"x")
        answer = await self._ask(request.request, patience_seconds=min(PATIENCE_SECONDS, self._seconds / 2))
        if isinstance(answer, Finding):
            return evolve(answer, name="expect")
        if answer.status == _EXPECTATION_FAILED:
            return warn(
                "expect", "Expect: 100-continue is refused (417).", "Clients send the body at once, or fail: let the proxy pass it on."
            )
        if answer.unsent:
            return ok("expect", f"Expect: 100-continue is understood: {answer.status} came before the body.")
        if answer.continued:
            return ok("expect", f"Expect: 100-continue is answered, then {answer.status}.")
        return warn(
            "expect", "Expect: 100-continue is not answered.", "Each upload of such a client waits a second: let the proxy pass it on."
        )

    async def _virtual_host(self, credentials: Credentials) -> Finding:
        """Whether `bucket.host` names a bucket, for the server and for the DNS."""
        name = "addressing"
        if _is_address(self._endpoint.host):
            return ok(name, "Path style; a bucket has no host name below an IP address.")
        request: Signed = signed(credentials, "GET", f"{self._bucket}.{self._endpoint.authority}", "/")
        answer = await self._ask(request.request)
        if isinstance(answer, Finding):
            return evolve(answer, name=name)
        outcome = read_outcome(answer, request, credentials.secret_key)
        advice = "Clients need path style (addressing_style = path); or give the server its domain and the DNS a wildcard."
        if not outcome.verified:
            return warn(name, f"Path style only: {self._bucket}.{self._endpoint.host} is answered {outcome.code or answer.status}.", advice)
        if outcome.code != "NoSuchBucket":
            return warn(name, "Path style only: the server takes no bucket from the host name.", advice)
        addresses, _ = await resolve(f"{self._bucket}.{self._endpoint.host}", self._endpoint.port, self._seconds)
        if not addresses:
            text = f"The server takes buckets from the host name, but *.{self._endpoint.host} has no address."
            return warn(name, text, "Add a wildcard to the DNS, or let clients use path style.")
        return ok(name, "Path style and virtual-hosted style.")


def _server(answer: Response) -> Finding:
    name = answer.headers.get("server", "(it does not say its name)")
    marks = [f"{mark}: {answer.headers[mark]}" for mark in _PROXY_MARKS if mark in answer.headers]
    return ok("server", f"{name} answers {answer.status}" + (f"; a proxy is between: {', '.join(marks)}." if marks else "."))


def _clock(answer: Response) -> list[Finding]:
    now = datetime.now(UTC)
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return [warn("clock", "The server tells no Date: its clock cannot be compared.")]
    seconds = round((told - now).total_seconds()) if told.tzinfo is not None else 0
    text = f"The server's clock is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} this machine's."
    if abs(seconds) >= SKEW_SECONDS:
        return [fail("clock", text, f"Set both clocks (NTP): signatures are good for {SKEW_SECONDS} s.")]
    if abs(seconds) >= SKEW_NOTABLE_SECONDS:
        return [warn("clock", text, f"Set both clocks (NTP): signatures are good for {SKEW_SECONDS} s.")]
    return [ok("clock", "The clocks of server and client agree.")]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
