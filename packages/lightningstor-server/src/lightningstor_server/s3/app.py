"""The S3 front as an ASGI application.

Law: authenticate, route, decode, call, encode, in this order and for every request. Only a
`StorError` is told. Two requests are other: a preflight has no credential, and a form has it in its body.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from lightningstor_server.auth.canonical import SignedRequest, join_headers
from lightningstor_server.s3.address import Address, decoded, parse_address
from lightningstor_server.s3.authenticate import Authenticator, Identities
from lightningstor_server.s3.cors import ORIGIN_HEADER, allowed, preflight, readable
from lightningstor_server.s3.decode import Decoder, Incoming, check_digest_given, check_promises
from lightningstor_server.s3.encode import Encoder, Headers, Outgoing
from lightningstor_server.s3.errors import error_response
from lightningstor_server.s3.exchange import DRAIN_MAX_BYTES, Exchange, stream
from lightningstor_server.s3.payload import Receive, RequestBody, announced_algorithm, check_length_given
from lightningstor_server.s3.post_object import PostObject, is_form
from lightningstor_server.s3.router import Router
from lightningstor_server.s3.xml import DOCUMENT_MAX_BYTES
from lightningstor_server.service.integrity import Claims, Digester
from lightningstor_server.service.operation import I, O, Operation, operations
from lightningstor_server.service.policy_decision import NO_FACTS, RequestFacts
from lightningstor_types.cors import CorsRule
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums
from lightningstor_types.errors import InvalidArgument, StorError
from lightningstor_types.names import BucketName
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import Caller

if TYPE_CHECKING:
    from starlette.types import Scope, Send

_REQUEST_ID_BITS: Final = 64
_OPTIONS: Final = "OPTIONS"
_SERVER: Final = (b"server", b"LightningStor")
_BODILESS: Final = frozenset({204, 304})
"""These end with their headers and tell no length of their own (RFC 9110 section 8.6)."""
_ALGORITHM_HEADER: Final = "x-amz-sdk-checksum-algorithm"
_SIGNATURE_PARAMETER: Final = "X-Amz-Signature"
_SIGNING_PARAMETERS: Final = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Content-Sha256", "Credential", "Date", "Expires", "Security-Token", "Signature", "SignedHeaders")
)
"""What presigning itself puts into the query (AWS, "Authenticating requests: using query parameters")."""
_NOT_HEARD_IN_QUERIES: Final = frozenset({_ALGORITHM_HEADER, *(f"x-amz-checksum-{algorithm.field}" for algorithm in ChecksumAlgorithm)})
"""Presigners of the SDKs put the checksum of the body that they do not have there, which is that of none; S3 passes it over."""
_CHECKSUMS: Final = Decoder(Checksums)


class Service(Protocol):
    """The door, as this front sees it."""

    async def call(
        self, operation: Operation[I, O], request: I, *, caller: Caller | None, request_id: str, facts: RequestFacts = NO_FACTS
    ) -> O:
        """Carry out an operation."""

    async def cors_rules(self, bucket: BucketName, caller: Caller | None) -> tuple[CorsRule, ...]:
        """A bucket's rules for pages of other origins."""

    def known_error(self, error: Exception, where: str, request_id: str) -> StorError:
        """What a caller is told of an exception."""


class S3App:
    """S3 over HTTP."""

    def __init__(
        self,
        service: Service,
        identities: Identities,
        *,
        region: str,
        domains: tuple[str, ...],
        clock: Callable[[], datetime],
        post_signature_v2: bool = False,
    ) -> None:
        table = list(operations().values())
        self._service = service
        self._authenticator = Authenticator(identities, region=region, clock=clock, post_signature_v2=post_signature_v2)
        self._forms = PostObject(service, self._authenticator, clock=clock)
        self._domains = domains
        self._router = Router(table)
        self._decoders = {operation.name: Decoder(operation.input) for operation in table if operation.route}
        self._encoders = {operation.name: Encoder(operation.output) for operation in table if operation.route}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request_id = f"{random.getrandbits(_REQUEST_ID_BITS):016X}"
        exchange = Exchange(scope, receive)
        try:
            response = await self._respond(exchange, request_id)
        except Exception as error:  # noqa: BLE001 - the front's own boundary, behind which is the door's
            known = self._service.known_error(error, "S3", request_id)
            response = error_response(known, resource=exchange.path, request_id=request_id, head=scope["method"] == "HEAD")
        if exchange.from_page and scope["method"] != _OPTIONS:
            response.headers.extend(await self._readable(exchange, request_id))
        await self._send(response, exchange, request_id, send)

    async def _respond(self, exchange: Exchange, request_id: str) -> Outgoing:
        headers = join_headers(exchange.scope["headers"])
        exchange.from_page = ORIGIN_HEADER in headers
        method, raw_path, query = exchange.scope["method"], exchange.scope["raw_path"], exchange.scope["query_string"]
        address = parse_address(raw_path, headers.get("host", ""), self._domains)
        exchange.bucket = address.bucket
        if method == _OPTIONS and address.bucket:
            return await self._preflight(address, headers)
        signed = SignedRequest(method=method, path=raw_path, query=query, headers=headers)
        proven = await self._authenticator.authenticate(signed, exchange.receive)
        exchange.body, exchange.caller = proven.body, proven.caller
        parameters = parse_query(query) if query else {}
        if is_form(method, address, headers, parameters):
            if proven.caller is not None:
                raise InvalidArgument("Only one auth mechanism allowed; a form is signed in its fields.", ArgumentName="Authorization")
            return await self._forms.respond(exchange, address, headers, request_id)
        if _SIGNATURE_PARAMETER in parameters:
            _hoist(parameters, headers)
        operation = self._router.find(method, address.target, parameters, headers)
        request, document = await self._incoming(operation, address, headers, parameters, proven.body)
        decoded = self._decoders[operation.name].decode(request, document)
        facts = exchange.facts(_authentication(parameters), headers, parameters)
        output = await self._service.call(operation, decoded, caller=proven.caller, request_id=request_id, facts=facts)
        status = operation.route.status if operation.route else 200
        return self._encoders[operation.name].encode(output, status)

    async def _preflight(self, address: Address, headers: Mapping[str, str]) -> Outgoing:
        """Answer a browser that asks before it asks; it has no credential, and what may be in the query is not looked at."""
        asked = preflight(headers)
        rules = await self._service.cors_rules(BucketName.parse(address.bucket), None)
        return Outgoing(status=200, headers=allowed(rules, asked, address.target.name), body=b"")

    async def _readable(self, exchange: Exchange, request_id: str) -> Headers:
        """What lets a page of another origin read an answer, also that of an error; nothing where the bucket says nothing."""
        if not exchange.bucket:
            return []
        try:
            rules = await self._service.cors_rules(BucketName.parse(exchange.bucket), exchange.caller)
            return readable(rules, join_headers(exchange.scope["headers"]), exchange.scope["method"])
        except Exception as error:  # noqa: BLE001 - what was done is done and has to be told; without these headers no page reads it
            self._service.known_error(error, "CORS", request_id)
            return []

    async def _incoming(
        self, operation: Operation[Any, Any], address: Address, headers: dict[str, str], query: Mapping[str, str], body: RequestBody
    ) -> tuple[Incoming, bytes]:
        """The request taken apart, and its document where the operation has one."""
        check_promises(headers)
        decoder = self._decoders[operation.name]
        for name, value in headers.items():
            if not value.isascii():
                headers[name] = value.encode("latin-1").decode("utf-8", "surrogateescape")
        if "aws-chunked" in headers.get("content-encoding", "").lower():
            _drop_framing(headers)
        if decoder.streams:
            check_length_given(headers)
            announced = announced_algorithm(headers)
            if announced is not None:
                headers.setdefault(_ALGORITHM_HEADER, announced)
        document = b""
        if decoder.reads_document:
            document = await body.read(DOCUMENT_MAX_BYTES)
            digests = operation.route is not None and operation.route.digest_required
            _check_document(document, headers, body, required=digests)
        elif not decoder.streams and not body.ended:
            # the operation has no use for it, and still nothing is done for a request that is not what was signed
            await body.read(DRAIN_MAX_BYTES)
        return Incoming(bucket=address.bucket, key=address.key, headers=headers, query=query, body=body), document

    async def _send(self, response: Outgoing, exchange: Exchange, request_id: str, send: Send) -> None:
        headers = [*response.headers, _SERVER, (b"x-amz-request-id", request_id.encode())]
        if not await exchange.finish():
            headers.append((b"connection", b"close"))
        if isinstance(response.body, bytes | BytesStream):
            content = response.body if isinstance(response.body, bytes) else response.body.content
            if exchange.scope["method"] != "HEAD" and isinstance(response.body, bytes) and response.status not in _BODILESS:
                headers.append((b"content-length", str(len(content)).encode()))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})
            return
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await stream(response.body, exchange, send)


def _authentication(parameters: Mapping[str, str]) -> str:
    """How the request says who asks, if it does (AWS, "Amazon S3 Signature Version 4 specific policy keys", s3:authType)."""
    return "REST-QUERY-STRING" if _SIGNATURE_PARAMETER in parameters else "REST-HEADER"


def parse_query(raw: bytes) -> dict[str, str]:
    """The parameters by name; one without `=` is empty.

    Raises:
        InvalidArgument: a parameter comes twice. Which one would be obeyed is nothing to guess about.
        InvalidURI: an escape is malformed, or it is no UTF-8.
    """
    found: dict[str, str] = {}
    for part in filter(None, raw.replace(b"+", b" ").split(b"&")):
        raw_name, _, value = part.partition(b"=")
        name = decoded(raw_name)
        if name in found:
            raise InvalidArgument(f"The parameter {name} was sent more than once.", ArgumentName=name)
        found[name] = decoded(value)
    return found


def _hoist(parameters: Mapping[str, str], headers: dict[str, str]) -> None:
    """Take the `x-amz-*` headers that a presigner put into the query for what they are: they are signed there.

    Raises:
        InvalidArgument: a header says otherwise.
    """
    for parameter, text in parameters.items():
        name, value = parameter.lower(), text.encode().decode("latin-1")  # as a header comes
        if name in _NOT_HEARD_IN_QUERIES:
            continue
        if name.startswith("x-amz-") and parameter not in _SIGNING_PARAMETERS and headers.setdefault(name, value) != value:
            raise InvalidArgument(f"The header {name} and the parameter of that name contradict each other.", ArgumentName=name)


def _drop_framing(headers: dict[str, str]) -> None:
    """Take `aws-chunked` out of Content-Encoding: it is the transfer's, not the object's (AWS, SigV4 streaming)."""
    kept = [part.strip() for part in headers.pop("content-encoding").split(",")]
    kept = [part for part in kept if part and part.lower() != "aws-chunked"]
    if kept:
        headers["content-encoding"] = ",".join(kept)


def _check_document(document: bytes, headers: Mapping[str, str], body: RequestBody, *, required: bool) -> None:
    """Verify what the sender says of its XML."""
    if required:
        check_digest_given(headers)
    stated = _CHECKSUMS.decode(Incoming(bucket="", key="", headers=headers, query={}, body=body)) if required else NO_CHECKSUMS
    trailing = [algorithm for algorithm, _ in body.trailer.items()]
    claims = Claims.of(headers.get("content-md5"), stated, trailing[0] if trailing else None, fallback=None)
    digester = Digester(claims.algorithms)
    digester.update(document)
    claims.verify(digester, body.trailer)
