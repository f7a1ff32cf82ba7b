"""Signature Version 4 as the server reads it: what a request claims, and whether that is true.

Law: `claims` reads and proves nothing; only `verify` proves. Every `x-amz-*` header that is present
must be signed, presigned requests included, or an attacker adds one (a copy source, an ACL) to
somebody else's signature. No clock, no store, no key look-up: the caller brings all three. Neither
the secret, the key nor the expected signature gets into an error. Source: AWS, "Authenticating
Requests (AWS Signature Version 4)" of the S3 API reference; messages and codes as S3 answers them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NoReturn

from attrs import field, frozen

from lightningstor_api.signature import derive_signing_key, sign, string_to_sign
from lightningstor_server.auth.canonical import Payload, SignedRequest, canonical_request
from lightningstor_server.auth.claims import HEADER_MALFORMED, QUERY_MALFORMED, SIGNING_KEYS_MAX, SKEW, SKEW_SECONDS, Claim, claim
from lightningstor_server.auth.material import without_secrets
from lightningstor_types import errors

__all__ = ["SIGNING_KEYS_MAX", "SKEW_SECONDS", "Claim", "Payload", "Signature", "SignedRequest", "claim", "refuse_unknown_key", "verify"]


@frozen(kw_only=True)
class Signature:
    """A signature that was verified, with what the chunks behind it are signed with."""

    access_key: str
    signing_key: bytes = field(repr=False)
    scope: str
    amz_date: str
    seed: str = field(repr=False)
    payload: Payload


_signing_key = lru_cache(maxsize=SIGNING_KEYS_MAX)(derive_signing_key)


def verify(claim: Claim, request: SignedRequest, secret: str, *, now: datetime, region: str, service: str = "s3") -> Signature:
    """Prove a claim with the secret of its access key. `now` is aware.

    Raises:
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError: another region or service.
        RequestTimeTooSkewed: a signed header is more than SKEW_SECONDS from `now`.
        AccessDenied: a presigned request is early or has expired; `host` or an `x-amz-*` header is
            not signed.
        SignatureDoesNotMatch: all else is well, and the secret did not sign this request.
    """
    _check_scope(claim, region, service)
    _check_time(claim, now)
    _check_coverage(claim, request.headers)
    canonical = canonical_request(request, signed=claim.signed_headers, payload=claim.payload.text, presigned=claim.presigned)
    scope = str(claim.scope)
    text = string_to_sign(claim.timestamp, scope, canonical)
    key = _signing_key(secret, *claim.scope)
    expected = sign(key, text)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise errors.SignatureDoesNotMatch(
            AWSAccessKeyId=claim.access_key,
            StringToSign=text,
            SignatureProvided=claim.signature,
            CanonicalRequest=without_secrets(canonical.decode("latin-1")),
        )
    return Signature(
        access_key=claim.access_key, signing_key=key, scope=scope, amz_date=claim.timestamp, seed=expected, payload=claim.payload
    )


def refuse_unknown_key(claim: Claim, request: SignedRequest, *, now: datetime, region: str, service: str = "s3") -> NoReturn:
    """Answer a claim whose access key does not exist, by the path and in the time of one that does.

    Raises:
        InvalidAccessKeyId: always, unless `verify` finds the request wrong before it comes to the
            secret. That the stand-in secret is public is harmless: a match is refused as well.
    """
    with suppress(errors.SignatureDoesNotMatch):
        verify(claim, request, "no-such-access-key", now=now, region=region, service=service)
    raise errors.InvalidAccessKeyId(AWSAccessKeyId=claim.access_key)


def _check_scope(claim: Claim, region: str, service: str) -> None:
    if claim.scope.region == region and claim.scope.service == service:
        return
    wrong: type[errors.StorError] = errors.AuthorizationQueryParametersError if claim.presigned else errors.AuthorizationHeaderMalformed
    prefix = QUERY_MALFORMED if claim.presigned else HEADER_MALFORMED
    if claim.scope.region != region:
        raise wrong(f"{prefix}the region '{claim.scope.region}' is wrong; expecting '{region}'", Region=region)
    raise wrong(f'{prefix}incorrect service "{claim.scope.service}". This endpoint belongs to "{service}".')


def _check_time(claim: Claim, now: datetime) -> None:
    age = now - claim.amz_date
    if claim.expires is None:
        if abs(age) > SKEW:
            raise errors.RequestTimeTooSkewed(
                RequestTime=claim.timestamp, ServerTime=_iso(now), MaxAllowedSkewMilliseconds=str(SKEW_SECONDS * 1000)
            )
        return
    if age < -SKEW:
        raise errors.AccessDenied("Request is not valid yet", ServerTime=_iso(now))
    if age > timedelta(seconds=claim.expires) or not claim.expires:
        raise errors.AccessDenied("Request has expired", **{"X-Amz-Expires": str(claim.expires), "ServerTime": _iso(now)})


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_coverage(claim: Claim, headers: Mapping[str, str]) -> None:
    """Every header that changes what is done is signed; every header that is said to be signed is there."""
    signed = claim.signed_headers
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if "host" not in signed:
        unsigned.append("host")
    if unsigned:
        raise errors.AccessDenied(
            "There were headers present in the request which were not signed", HeadersNotSigned=", ".join(sorted(unsigned))
        )
    absent = [name for name in signed if name not in headers]
    if absent:
        raise errors.SignatureDoesNotMatch(
            f"{errors.SignatureDoesNotMatch.text} Signed headers that did not arrive: {', '.join(absent)}.",
            AWSAccessKeyId=claim.access_key, SignatureProvided=claim.signature,
        )  # fmt: skip
