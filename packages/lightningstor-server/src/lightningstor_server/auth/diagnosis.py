"""Why a signature does not match: the examination of one request.

Law: no input and no output; the caller brings the request, the secret and the clock. What the server
would compute is computed by the server's own code. A cause is told only when the signature that it
gives is the request's, so it is proven; whatever else is wrong (time, coverage, the body's hash) is
told beside it, since a server names one thing at a time. The secret, the keys and the expected
signature are in no finding; values that are secrets of their own are left out of the canonical text.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain, combinations
from typing import Final

from attrs import field, frozen

from lightningstor_api.signature import derive_signing_key, sign
from lightningstor_server.auth.canonical import SignedRequest, canonical_path, canonical_query, fold
from lightningstor_server.auth.causes import CAUSES, Cause
from lightningstor_server.auth.claims import SKEW_SECONDS, Claim, claim
from lightningstor_server.auth.material import Case, Material, without_secrets
from lightningstor_server.findings import Finding, fail, ok, warn
from lightningstor_types.errors import StorError

PAIRS_MAX: Final = 100_000
"""How many guesses of two causes at once are tried: some seconds."""

_MALFORMED_ADVICE: Final = "The server refuses this before it looks at the signature: mend it first."


@frozen(kw_only=True)
class Asker:
    """What the one who asks knows: his key, and how the endpoint is called."""

    access_key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None
    """The server's; None takes the request's."""
    service: str = "s3"
    hosts: tuple[str, ...] = ()
    """Names, with or without a port, under which clients know the endpoint."""
    body: bytes | None = field(default=None, repr=False)
    now: datetime
    """Aware; the moment that the request is judged by."""


@frozen(kw_only=True)
class Explanation:
    """What a request claims, what its signature is over, and what is wrong with it."""

    claim: Claim | None
    """None where it is anonymous or malformed."""
    canonical_request: str = ""
    """As the server computes it, without the values that are secrets."""
    string_to_sign: str = ""
    findings: tuple[Finding, ...]


def explain(request: SignedRequest, asker: Asker) -> Explanation:
    """Examine a request. Raises nothing: what is malformed is a finding."""
    try:
        claimed = claim(request)
    except StorError as error:
        text = f"{error.code}: {error.message}"
        return Explanation(claim=None, findings=(fail("claim", text, _MALFORMED_ADVICE),))
    if claimed is None:
        return Explanation(claim=None, findings=(fail("claim", "The request is anonymous: it has no signature.", "Configure a key."),))
    material = _material(request, claimed, asker.secret or "")
    case = Case(
        request=request, hosts=asker.hosts, regions=() if asker.region is None else (asker.region,), body=asker.body
    )  # fmt: skip
    aside = _key_findings(claimed, asker), _time_findings(claimed, asker.now), _coverage_findings(claimed, request, asker.body)
    return Explanation(
        claim=claimed,
        canonical_request=without_secrets(material.canonical().decode("latin-1")),
        string_to_sign=material.string_to_sign(),
        findings=(*chain(*aside), *_signature_findings(case, material, claimed, asker)),
    )


def signed_with(string_to_sign: str, signature: str, secret: str) -> bool:
    """Whether a signature over a string to sign is of that secret.

    It tells a secret that differs from a request that differs: the server's own string is used.
    """
    lines = string_to_sign.split("\n")
    scope = lines[2].split("/") if len(lines) == 4 else []  # noqa: PLR2004 - algorithm, time, scope, hash
    if len(scope) != 4:  # noqa: PLR2004 - day, region, service, terminator
        return False
    date, region, service, _ = scope
    return hmac.compare_digest(sign(derive_signing_key(secret, date, region, service), string_to_sign), signature)


def _material(request: SignedRequest, claimed: Claim, secret: str) -> Material:
    """What the server signs; a header that is not there is empty, so that guesses can fill it."""
    return Material(
        method=request.method,
        path=canonical_path(request.path),
        query=canonical_query(request.query, presigned=claimed.presigned),
        headers=tuple([(name, fold(request.headers.get(name, ""))) for name in claimed.signed_headers]),
        signed=claimed.signed_headers,
        payload=claimed.payload.text,
        timestamp=claimed.timestamp,
        scope=claimed.scope,
        key_scope=claimed.scope,
        secret=secret,
    )


def _signature_findings(case: Case, material: Material, claimed: Claim, asker: Asker) -> list[Finding]:
    if asker.secret is None:
        return [
            warn("signature", "No secret was given: the signature was not computed.", "Give --secret-key, or set AWS_SECRET_ACCESS_KEY.")
        ]
    absent = [name for name in claimed.signed_headers if name not in case.request.headers]
    if _matches(material, claimed) and not absent:
        return [ok("signature", "The signature is right: this key signed this request as it stands here.")]
    found = _alone(case, material, claimed) or _together(case, material, claimed)
    wrong = fail("signature", "The signature is not the one that the server computes from this request.")
    if found:
        return [wrong, *(fail(cause.name, cause.sentence.format(detail=detail), cause.advice) for cause, detail in found)]
    return [
        wrong,
        fail(
            "unknown",
            f"None of {len(CAUSES)} usual causes explains it, alone or with another.",
            "What remains: the secret is not the one that the client signed with (nothing tells that from another difference); the "
            "client knows the endpoint by a name that was not tried (--host); a header's value was replaced. Compare the client's own "
            "canonical request with the one above: --canonical FILE takes boto3's debug log.",
        ),
    ]


def _matches(material: Material, claimed: Claim) -> bool:
    return hmac.compare_digest(material.signature().encode(), claimed.signature.encode())


def _alone(case: Case, material: Material, claimed: Claim) -> list[tuple[Cause, str]]:
    for cause in CAUSES:
        for guess, detail in cause.guesses(case, material):
            if _matches(guess, claimed):
                return [(cause, detail)]
    return []


def _together(case: Case, material: Material, claimed: Claim) -> list[tuple[Cause, str]]:
    """Two causes at once, as a proxy that changes both host and path."""
    left = PAIRS_MAX
    for first, second in combinations(CAUSES, 2):
        for guess, detail in _changing(first, case, material):
            for both, more in _changing(second, case, guess):
                if _matches(both, claimed):
                    return [(first, detail), (second, more)]
                left -= 1
                if left == 0:
                    return []
    return []


def _changing(cause: Cause, case: Case, material: Material) -> Iterator[tuple[Material, str]]:
    """The guesses that change something."""
    return (guess for guess in cause.guesses(case, material) if guess[0] != material)


def _key_findings(claimed: Claim, asker: Asker) -> Iterator[Finding]:
    if asker.access_key is not None and claimed.access_key != asker.access_key:
        text = f"The request was signed with the access key {claimed.access_key}, and the secret given here is that of {asker.access_key}."
        yield fail("access-key", text, "Give the secret of the key that signed, or configure the client with the key that was meant.")
    if asker.region is not None and claimed.scope.region != asker.region:
        text = f"The credential is for the region {claimed.scope.region!r}; the server's is {asker.region!r}."
        yield fail("scope", text, "Set the client's region (AWS_DEFAULT_REGION).")
    if claimed.scope.service != asker.service:
        text = f"The credential is for the service {claimed.scope.service!r}; S3's is {asker.service!r}."
        yield fail("scope", text, "Sign with an S3 signer: other services also encode the path in another way.")
    if claimed.session_token is not None:
        yield warn("session", "The request carries a session token: its key is a temporary one.", "See whether the session has ended.")


def _time_findings(claimed: Claim, now: datetime) -> Iterator[Finding]:
    seconds = round((now - claimed.amz_date).total_seconds())
    signed = f"It was signed at {claimed.timestamp}, {_span(abs(seconds))} {'before' if seconds >= 0 else 'after'} {_iso(now)}"
    if claimed.expires is None:
        if abs(seconds) > SKEW_SECONDS:
            yield fail(
                "time", f"{signed}; {_span(SKEW_SECONDS)} are allowed.", "Set the clocks of client and server (NTP); sign anew to retry."
            )
        else:
            yield ok("time", f"{signed}.")
        return
    ends = claimed.amz_date + timedelta(seconds=claimed.expires)
    if seconds < -SKEW_SECONDS:
        yield fail("time", f"{signed}: it is not valid yet.", "Set the clocks of client and server (NTP).")
    elif now > ends or not claimed.expires:
        text = f"{signed}, for {_span(claimed.expires)}: it expired at {_iso(ends)}."
        yield fail("time", text, "Make a new URL, with a longer life (7 days at most).")
    else:
        yield ok("time", f"{signed}; it is good until {_iso(ends)}.")


def _coverage_findings(claimed: Claim, request: SignedRequest, body: bytes | None) -> Iterator[Finding]:
    signed = claimed.signed_headers
    unsigned = sorted(name for name in request.headers if name.startswith("x-amz-") and name not in signed)
    if "host" not in signed:
        unsigned.append("host")
    if unsigned:
        text = f"These headers must be signed and are not: {', '.join(unsigned)}."
        yield fail("coverage", text, "Sign them at the client; if the client does not send them, a proxy adds them: let it not.")
    absent = [name for name in signed if name not in request.headers]
    if absent:
        text = f"These headers were signed and did not arrive: {', '.join(absent)}."
        yield fail(
            "absent",
            text,
            "A proxy drops them (nginx: names with '_' unless underscores_in_headers is on), or the client did not send them.",
        )
    announced = claimed.payload.sha256
    if body is not None and announced is not None and announced != sha256(body).hexdigest():
        yield fail(
            "body", f"The body of {len(body)} bytes has another SHA-256 than the one that was signed.", "Something changed the body."
        )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(seconds: int) -> str:
    """Seconds in words, to two units."""
    parts = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
