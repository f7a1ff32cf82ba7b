"""Who makes a call: the credential in its metadata.

Law: a call without a credential has no caller, and the door denies it; one with a credential that
does not prove itself is refused here. A bearer token stands for its access key everywhere but where
tokens are issued, and nowhere that it would travel in the clear off the loopback. An unknown key
takes the same steps and the same time as a wrong secret. Nothing is read from metadata that the
signature does not cover. The canonical request stands in bucket_service.proto.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import unquote

from grpc import aio

from lightningstor_api.errors import REQUEST_ID
from lightningstor_api.methods import METHODS
from lightningstor_api.signature import derive_signing_key, sign, string_to_sign
from lightningstor_api.signing import PAYLOAD, SERVICE, SIGNED_HEADERS, canonical_call
from lightningstor_server.auth.sigv4 import SIGNING_KEYS_MAX, SKEW_SECONDS, Claim, SignedRequest, claim
from lightningstor_server.service.bearers import STAND_IN, Identities
from lightningstor_server.service.policy_decision import RequestFacts
from lightningstor_types import errors
from lightningstor_types.tenants import Caller

BEARER: Final = "bearer"
"""The scheme of RFC 6750 section 2.1, without regard to case (RFC 9110 section 11.1)."""

_ISSUE_PATH: Final = METHODS["TokenService.Issue"].path
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_PEER: Final = re.compile(r"ipv4:(?P<four>[0-9.]+):[0-9]+|ipv6:\[(?P<six>[0-9A-Fa-f:.]+)(?:%[^\]]*)?\]:[0-9]+")
"""gRPC's word for the other end of a connection, decoded (gRPC, "Naming")."""
SCHEME: Final = "AWS4-HMAC-SHA256"


class Bearers(Protocol):
    """What knows tokens."""

    async def identify(self, token: str) -> Caller:
        """The caller of a token. Raises InvalidToken or ExpiredToken."""


class Callers:
    """Tells who makes a call."""

    def __init__(self, identities: Identities, *, clock: Callable[[], datetime], region: str, bearers: Bearers | None = None) -> None:
        """`bearers` is None where bearer tokens are not allowed: on an address off the loopback without TLS."""
        self._identities = identities
        self._bearers = bearers
        self._clock = clock
        self._region = region
        self._signing_key = lru_cache(maxsize=SIGNING_KEYS_MAX)(derive_signing_key)

    async def identify(self, path: str, headers: Mapping[str, str]) -> Caller | None:
        """The caller of the method whose full name is `path`; None where there is no credential.

        Raises:
            AuthorizationHeaderMalformed: the header, or a scope of another region or service.
            RequestTimeTooSkewed: it was signed more than 15 minutes from now.
            AccessDenied: no date, or metadata that matter and are not signed.
            InvalidAccessKeyId: no such key.
            SignatureDoesNotMatch: the secret did not sign this call.
            InvalidToken, ExpiredToken: a bearer token that proves nothing, or no longer.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == BEARER:
            return await self._borne(path, token.strip(" "))
        request = SignedRequest(method="POST", path=path.encode(), query=b"", headers=headers)
        claimed = claim(request, body_sha256=PAYLOAD)
        if claimed is None:
            return None
        self._check(claimed, headers)
        credential = await self._identities.find(claimed.access_key)
        text = string_to_sign(claimed.timestamp, str(claimed.scope), canonical_call(path, dict(headers)))
        key = self._signing_key(STAND_IN if credential is None else credential.secret, *claimed.scope)
        proven = hmac.compare_digest(sign(key, text).encode(), claimed.signature.encode())
        if credential is None:
            raise errors.InvalidAccessKeyId(AWSAccessKeyId=claimed.access_key)
        if not proven:
            raise errors.SignatureDoesNotMatch(AWSAccessKeyId=claimed.access_key, StringToSign=text)
        return credential.caller

    async def _borne(self, path: str, token: str) -> Caller:
        """The caller of a bearer token.

        Raises:
            AccessDenied: tokens are not allowed on this address, or a token asks for another one:
                then a stolen one would never end.
            InvalidToken, ExpiredToken: as it says.
        """
        if self._bearers is None:
            raise errors.AccessDenied("Bearer tokens are not taken here: they need TLS, or the server's --insecure.")
        if path == _ISSUE_PATH:
            raise errors.AccessDenied("A token is issued for a signature and not for a token.")
        return await self._bearers.identify(token)

    def _check(self, claimed: Claim, headers: Mapping[str, str]) -> None:
        """All that needs no secret."""
        if (claimed.scope.region, claimed.scope.service) != (self._region, SERVICE):
            raise errors.AuthorizationHeaderMalformed(
                f"The authorization header is malformed; expecting the scope {self._region}/{SERVICE}.", Region=self._region
            )
        if abs(self._clock() - claimed.amz_date) > timedelta(seconds=SKEW_SECONDS):
            raise errors.RequestTimeTooSkewed(RequestTime=claimed.timestamp, MaxAllowedSkewMilliseconds=str(SKEW_SECONDS * 1000))
        unsigned = {name for name in headers if name.startswith("x-amz-")}.union(SIGNED_HEADERS).difference(claimed.signed_headers)
        if unsigned:
            raise errors.AccessDenied("There is metadata that is not signed.", HeadersNotSigned=", ".join(sorted(unsigned)))
        if claimed.signed_headers != SIGNED_HEADERS or REQUEST_ID not in headers:
            raise errors.SignatureDoesNotMatch(f"SignedHeaders are {';'.join(SIGNED_HEADERS)}, and all of them are sent.")


def headers_of(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """A call's metadata that are text, by name.

    Raises:
        InvalidArgument: one that authentication reads came twice. Which of the two would be signed
            and which obeyed is nothing to guess about.
    """
    headers: dict[str, str] = {}
    for name, value in metadata:
        if isinstance(value, bytes):
            continue
        if name in headers and (name.startswith("x-amz-") or name in {"authorization", "date", REQUEST_ID}):
            raise errors.InvalidArgument(f"The metadata {name} was sent more than once.", ArgumentName=name)
        headers[name] = value
    return headers


def facts_of(context: aio.ServicerContext[bytes, bytes], headers: Mapping[str, str]) -> RequestFacts:
    """What policies may ask of how a call came. Of its metadata nothing is told that S3 would heed in a header."""
    found = _PEER.fullmatch(unquote(context.peer() or ""))
    signed = headers.get("authorization", "").startswith(SCHEME)
    return RequestFacts(
        source_ip=found["four"] or found["six"] if found else None,
        secure=b"ssl" in context.auth_context().get("transport_security_type", ()),
        auth_type="REST-HEADER" if signed else None,
        headers={name: headers[name] for name in ("user-agent",) if name in headers},
    )


def new_request_id() -> str:
    """The id of a call that came without one: 32 hex digits."""
    return secrets.token_hex(16)


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's id of a call, or a new one.

    Raises:
        InvalidArgument: it is none.
    """
    request_id = headers.get(REQUEST_ID)
    if request_id is None:
        return new_request_id()
    if not _REQUEST_ID.fullmatch(request_id):
        raise errors.InvalidArgument(f"{REQUEST_ID} is 1 to 64 of A-Z a-z 0-9 and -.", ArgumentName=REQUEST_ID)
    return request_id
