"""Why a signature does not match: each usual cause is named, and nothing else is."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightningstor_server.auth.canonical import SignedRequest
from lightningstor_server.auth.causes import CAUSES
from lightningstor_server.auth.comparison import Canonical, compare, find_canonical, judge, read_error
from lightningstor_server.auth.diagnosis import Asker, Explanation, explain, signed_with
from lightningstor_server.auth.sigv4 import claim, verify
from lightningstor_server.findings import Finding, Verdict
from lightningstor_types.errors import SignatureDoesNotMatch

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STAMP = "20260301T120000Z"
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "only/for+tests"
ASKER = Asker(access_key=KEY, secret=SECRET, region="us-east-1", now=NOW)
HEADERS = {"host": "s3.example.com", "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": STAMP}


def key_of(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def arrived(
    method: str = "GET",
    path: str = "/bucket/key",
    query: str = "",
    headers: dict[str, str] | None = None,
    *,
    signed: dict[str, Any] | None = None,
    names: tuple[str, ...] = (),
) -> SignedRequest:
    """A request as it arrives; `signed` says what of the canonical request was otherwise when the client signed it.

    `path` and `query` are in canonical form, unless `signed` has them.
    """
    sent = HEADERS | (headers or {})
    told = {"method": method, "path": path, "query": query, "payload": sent["x-amz-content-sha256"], "secret": SECRET} | (signed or {})
    values = {name: " ".join(value.split()) for name, value in sent.items()} | told.get("headers", {})
    covered = sorted({*HEADERS, *names})
    lines = [told["method"], told["path"], told["query"], *(f"{name}:{values[name]}" for name in covered if name in values)]
    canonical = "\n".join([*lines, "", ";".join(covered), told["payload"]])
    day, region, service = told.get("scope", ("20260301", "us-east-1", "s3"))
    said = told.get("credential", ("20260301", "us-east-1", "s3"))
    text = "\n".join(("AWS4-HMAC-SHA256", STAMP, f"{'/'.join(said)}/aws4_request", hashlib.sha256(canonical.encode("latin-1")).hexdigest()))
    signature = hmac.digest(key_of(told["secret"], day, region, service), text.encode(), "sha256").hex()
    credential = f"{KEY}/{'/'.join(said)}/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(covered)}, Signature={signature}"
    return SignedRequest(method=method, path=path.encode(), query=query.encode(), headers={**sent, "authorization": authorization})


def names_of(explanation: Explanation) -> list[str]:
    """What fails, without the line that says that the signature is wrong."""
    return [finding.name for finding in explanation.findings if finding.verdict is Verdict.FAIL and finding.name != "signature"]


def text_of(explanation: Explanation) -> str:
    return "\n".join(f"{finding.name}: {finding.text} {finding.advice}" for finding in explanation.findings)


ROWS: list[tuple[str, dict[str, Any]]] = [
    ("host", {"headers": {"host": "s3.example.com:443"}, "signed": {"headers": {"host": "s3.example.com"}}}),
    ("host", {"signed": {"headers": {"host": "s3.example.com:9001"}}}),
    ("host", {"headers": {"host": "backend", "x-forwarded-host": "a.example"}, "signed": {"headers": {"host": "a.example"}}}),
    ("host", {"headers": {"host": "b", "x-forwarded-host": "a.example, b"}, "signed": {"headers": {"host": "a.example:8443"}}}),
    ("host", {"headers": {"host": "b", "forwarded": 'for=1.2.3.4;host="a.example:90"'}, "signed": {"headers": {"host": "a.example:90"}}}),
    ("host", {"headers": {"host": "b", "x-forwarded-host": "a.example", "x-forwarded-port": "8000"},
              "signed": {"headers": {"host": "a.example:8000"}}}),
    ("host", {"headers": {"host": "S3.Example.com"}, "signed": {"headers": {"host": "s3.example.com"}}}),
    ("method", {"method": "GET", "signed": {"method": "HEAD"}}),
    ("path-slashes", {"path": "/bucket/a/b", "signed": {"path": "/bucket/a//b"}}),
    ("path-slashes", {"path": "/bucket/a/b", "signed": {"path": "/bucket/a/b/"}}),
    ("path-slashes", {"path": "/bucket/a/./b", "signed": {"path": "/bucket/a/b"}}),
    ("path-slashes", {"path": "/bucket/a//b", "signed": {"path": "/bucket/a/b"}}),
    ("path-escapes", {"path": "/bucket/a%20b", "signed": {"path": "/bucket/a%2520b"}}),
    ("path-escapes", {"path": "/bucket/a%2520b", "signed": {"path": "/bucket/a%20b"}}),
    ("path-escapes", {"path": "/bucket/a/b/c", "signed": {"path": "/bucket/a%2Fb%2Fc"}}),
    ("path-escapes", {"path": "/bucket/a%2Bb", "signed": {"path": "/bucket/a%20b"}}),
    ("path-escapes", {"path": "/bucket/a%20b", "signed": {"path": "/bucket/a%2Bb"}}),
    ("path-escapes", {"path": "/bucket/a%20b", "signed": {"path": "/bucket/a b"}}),
    ("spelling", {"path": "/bucket/a~b", "signed": {"path": "/bucket/a%7Eb"}}),
    ("spelling", {"path": "/bucket/%C3%BC", "signed": {"path": "/bucket/%c3%bc"}}),
    ("spelling", {"path": "/bucket/a%28b%29%20", "signed": {"path": "/bucket/a(b)%20"}}),
    ("path-form", {"path": "/bucket/%C3%BC", "signed": {"path": "/bucket/u%CC%88"}}),
    ("path-prefix", {"path": "/s3/bucket/key", "signed": {"path": "/bucket/key"}}),
    ("path-prefix", {"headers": {"x-forwarded-prefix": "/s3"}, "signed": {"path": "/s3/bucket/key"}}),
    ("query-order", {"query": "b=2&a=1&B=3", "signed": {"query": "b=2&a=1&B=3"}}),
    ("query-order", {"query": "b=2&a=1&B=3", "signed": {"query": "a=1&b=2&B=3"}}),
    ("query-escapes", {"query": "prefix=a%20b", "signed": {"query": "prefix=a%2Bb"}}),
    ("query-escapes", {"query": "prefix=a%20b", "signed": {"query": "prefix=a+b"}}),
    ("query-escapes", {"query": "prefix=a%252Fb", "signed": {"query": "prefix=a%2Fb"}}),
    ("query-escapes", {"query": "prefix=a%2Fb", "signed": {"query": "prefix=a/b"}}),
    ("query-escapes", {"query": "uploads=", "signed": {"query": "uploads"}}),
    ("query-parameters", {"query": "a=1&utm=2", "signed": {"query": "a=1"}}),
    ("query-parameters", {"query": "a=1&b=2", "signed": {"query": ""}}),
    ("header-rewritten", {"headers": {"accept-encoding": "br"}, "names": ("accept-encoding",),
                          "signed": {"headers": {"accept-encoding": "identity"}}}),
    ("header-rewritten", {"headers": {"connection": "close"}, "names": ("connection",),
                          "signed": {"headers": {"connection": "keep-alive"}}}),
    ("header-rewritten", {"headers": {"content-length": "5"}, "names": ("content-length",),
                          "signed": {"headers": {"content-length": "0"}}}),
    ("header-rewritten", {"headers": {"content-type": "text/html"}, "names": ("content-type",),
                          "signed": {"headers": {"content-type": "application/octet-stream"}}}),
    ("header-space", {"headers": {"x-amz-meta-a": "b  c"}, "names": ("x-amz-meta-a",), "signed": {"headers": {"x-amz-meta-a": "b  c"}}}),
    ("header-space", {"headers": {"x-amz-meta-a": "b c"}, "names": ("x-amz-meta-a",), "signed": {"headers": {"x-amz-meta-a": "b  c"}}}),
    ("header-space", {"headers": {"x-amz-meta-a": "b,c"}, "names": ("x-amz-meta-a",), "signed": {"headers": {"x-amz-meta-a": "b, c"}}}),
    ("header-charset", {"headers": {"x-amz-meta-a": "\xfc"}, "names": ("x-amz-meta-a",),
                        "signed": {"headers": {"x-amz-meta-a": "\xc3\xbc"}}}),
    ("payload", {"signed": {"payload": hashlib.sha256(b"").hexdigest()}}),
    ("payload", {"headers": {"x-amz-content-sha256": "a" * 64}, "signed": {"payload": "UNSIGNED-PAYLOAD",
                 "headers": {"x-amz-content-sha256": "a" * 64}}}),
    ("region", {"signed": {"scope": ("20260301", "eu-central-1", "s3")}}),
    ("service", {"signed": {"scope": ("20260301", "us-east-1", "execute-api")}}),
    ("day", {"signed": {"scope": ("20260228", "us-east-1", "s3")}}),
    ("day", {"signed": {"scope": ("20260302", "us-east-1", "s3")}}),
    ("secret", {"signed": {"secret": f"{SECRET}\n"}}),
    ("secret", {"signed": {"secret": SECRET.replace("/", "%2F").replace("+", "%2B")}}),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "case"), ROWS, ids=[f"{cause}-{at}" for at, (cause, _) in enumerate(ROWS)])
def test_each_cause_is_named(cause: str, case: dict[str, Any]) -> None:
    """A request that arrives otherwise than it was signed fails for exactly that."""
    assert names_of(explain(arrived(**case), ASKER)) == [cause]


def test_every_cause_has_a_test() -> None:
    """No row of the table is there untried; the one for lists has a test of its own."""
    assert {cause.name for cause in CAUSES} - {"header-list"} == {cause for cause, _ in ROWS}


def test_a_header_that_was_named_and_not_signed_is_found() -> None:
    """The canonical request has a line less than SignedHeaders has names."""
    request = arrived(headers={"content-type": "text/x-odd"}, names=("content-type",))
    unlined = arrived(names=("content-type",))
    forged = SignedRequest(
        method="GET", path=request.path, query=b"", headers={**request.headers, "authorization": unlined.headers["authorization"]}
    )
    assert names_of(explain(forged, ASKER)) == ["header-list"]


def test_two_causes_at_once_are_both_named() -> None:
    """A proxy that changes the host and the path is told of both."""
    request = arrived(
        path="/bucket/a/b",
        headers={"host": "backend:9001", "x-forwarded-host": "s3.example.com"},
        signed={"path": "/bucket/a//b", "headers": {"host": "s3.example.com"}},
    )
    assert names_of(explain(request, ASKER)) == ["host", "path-slashes"]


def test_a_host_that_only_the_operator_knows_is_tried() -> None:
    """--host names what no header tells."""
    request = arrived(headers={"host": "10.0.0.1:9001"}, signed={"headers": {"host": "store.example"}})
    assert names_of(explain(request, ASKER)) == ["unknown"]
    told = Asker(access_key=KEY, secret=SECRET, region="us-east-1", hosts=("store.example:443",), now=NOW)
    assert names_of(explain(request, told)) == ["host"]


def test_a_right_signature_is_right() -> None:
    """It is right where the server says so, and nothing fails."""
    request = arrived(path="/bucket/%C3%BC", query="list-type=2&prefix=a%20b")
    claimed = claim(request)
    assert claimed is not None
    verify(claimed, request, SECRET, now=NOW, region="us-east-1")
    explanation = explain(request, ASKER)
    assert [finding.verdict for finding in explanation.findings] == [Verdict.OK, Verdict.OK]


def test_the_canonical_request_is_the_server_s() -> None:
    """What is shown is what the server computes."""
    request = arrived(query="b=2&a=%2B", signed={"secret": "another"})
    claimed = claim(request)
    assert claimed is not None
    with pytest.raises(SignatureDoesNotMatch) as refused:
        verify(claimed, request, SECRET, now=NOW, region="us-east-1")
    explanation = explain(request, ASKER)
    assert explanation.canonical_request == refused.value.details["CanonicalRequest"]
    assert explanation.string_to_sign == refused.value.details["StringToSign"]


def test_another_secret_remains() -> None:
    """What nothing explains is said to be the secret, or something that was not tried."""
    explanation = explain(arrived(signed={"secret": "another"}), ASKER)
    assert names_of(explanation) == ["unknown"]
    assert "the secret is not the one" in text_of(explanation)


@pytest.mark.parametrize(("minutes", "fails"), [(0, False), (15, False), (16, True), (-15, False), (-16, True), (60 * 24 * 3, True)])
def test_clock_skew_is_told_in_numbers(minutes: int, fails: bool) -> None:  # noqa: FBT001 - a table's column
    """More than 15 minutes either way fail, and how many they are is said."""
    asker = Asker(secret=SECRET, now=NOW + timedelta(minutes=minutes))
    explanation = explain(arrived(), asker)
    assert names_of(explanation) == (["time"] if fails else [])
    expected = {16: "16 min before", -16: "16 min after", 60 * 24 * 3: "3 d before"}.get(minutes)
    assert expected is None or expected in text_of(explanation)


def presigned(*, expires: int, method: str = "GET", extra: str = "") -> SignedRequest:
    """A presigned URL's request; `extra` is added to the query after signing."""
    credential = f"{KEY}%2F20260301%2Fus-east-1%2Fs3%2Faws4_request"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={STAMP}&X-Amz-Expires={expires}"
        "&X-Amz-SignedHeaders=host"
    )
    canonical = f"{method}\n/bucket/key\n{query}\nhost:s3.example.com\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{STAMP}\n20260301/us-east-1/s3/aws4_request\n{digest}"
    signature = hmac.digest(key_of(SECRET, "20260301", "us-east-1", "s3"), text.encode(), "sha256").hex()
    return SignedRequest(
        method="GET",
        path=b"/bucket/key",
        query=f"{query}&X-Amz-Signature={signature}{extra}".encode(),
        headers={"host": "s3.example.com"},
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (presigned(expires=60), []),
        (presigned(expires=60, method="PUT"), ["method"]),
        (presigned(expires=60, extra="&utm_source=mail"), ["query-parameters"]),
        (presigned(expires=1), ["time"]),
    ],
)
def test_presigned_requests_are_explained(request_: SignedRequest, expected: list[str]) -> None:
    """A URL for another method, with something added, or too old, is told as such."""
    explanation = explain(request_, Asker(access_key=KEY, secret=SECRET, now=NOW + timedelta(seconds=30)))
    assert names_of(explanation) == expected


def test_unsigned_headers_are_named() -> None:
    """Each x-amz header must be signed; the signature itself is right all the same."""
    request = arrived()
    added = SignedRequest(method="GET", path=request.path, query=b"", headers={**request.headers, "x-amz-acl": "private"})
    explanation = explain(added, ASKER)
    assert names_of(explanation) == ["coverage"]
    assert "x-amz-acl" in text_of(explanation)


def test_headers_that_did_not_arrive_are_named() -> None:
    """A dropped header is told, and the value that it had where it is a usual one."""
    request = arrived(headers={"expect": "100-continue"}, names=("expect",))
    headers = {name: value for name, value in request.headers.items() if name != "expect"}
    explanation = explain(SignedRequest(method="GET", path=request.path, query=b"", headers=headers), ASKER)
    assert names_of(explanation) == ["absent", "header-rewritten"]
    assert "expect: 100-continue" in text_of(explanation)


def test_scope_and_key_are_compared_with_what_is_known() -> None:
    """Another region, service or access key fails even where the signature is right."""
    scope = ("20260301", "eu-west-1", "sts")
    explanation = explain(arrived(signed={"scope": scope, "credential": scope}), ASKER)
    assert names_of(explanation) == ["scope", "scope"]
    assert names_of(explain(arrived(), Asker(access_key="AKIAOTHER", secret=SECRET, now=NOW))) == ["access-key"]


def test_a_body_is_compared_with_its_hash() -> None:
    """A changed body is told; the same body is not."""
    digest = hashlib.sha256(b"body").hexdigest()
    request = arrived(method="PUT", headers={"x-amz-content-sha256": digest})
    for body, expected in ((b"body", []), (b"bodY", ["body"])):
        assert names_of(explain(request, Asker(secret=SECRET, body=body, now=NOW))) == expected


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (None, "anonymous"),
        ("AWS AKIA:abc", "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y", "Credential is mal-formed"),
        (f"AWS4-HMAC-SHA256 Credential={KEY}/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=y", "credential date"),
    ],
)
def test_a_malformed_claim_is_a_finding(authorization: str | None, words: str) -> None:
    """Nothing is raised; what the server would say first is said."""
    headers = HEADERS if authorization is None else {**HEADERS, "authorization": authorization}
    explanation = explain(SignedRequest(method="GET", path=b"/b/k", query=b"", headers=headers), ASKER)
    assert explanation.claim is None
    assert words in text_of(explanation)


def test_no_secret_gets_into_an_explanation() -> None:
    """Neither the secret, the right signature, a session token nor a customer's key."""
    canaries = {"x-amz-security-token": "canary-token", "x-amz-server-side-encryption-customer-key": "canary-key"}
    request = arrived(headers=canaries, names=tuple(canaries), signed={"path": "/other"})
    right = arrived(headers=canaries, names=tuple(canaries)).headers["authorization"].rpartition("=")[2]
    explanation = explain(request, ASKER)
    for told in (text_of(explanation), explanation.canonical_request, explanation.string_to_sign, repr(explanation), repr(ASKER)):
        for secret in (SECRET, right, "canary"):
            assert secret not in told


CLIENT = Canonical(
    method="PUT",
    path="/bucket/a%2Bb",
    query="",
    headers={"host": "s3.example.com", "x-amz-date": STAMP},
    signed="host;x-amz-date",
    payload="UNSIGNED-PAYLOAD",
)


def error_document(canonical: str, secret: str) -> str:
    """A server's refusal of a signature made with `secret` over `canonical`."""
    scope = "20260301/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{STAMP}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key_of(secret, "20260301", "us-east-1", "s3"), text.encode(), "sha256").hex()
    return (
        f"< HTTP/1.1 403\n<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message><AWSAccessKeyId>{KEY}"
        f"</AWSAccessKeyId><StringToSign>{text}</StringToSign><SignatureProvided>{signature}</SignatureProvided>"
        f"<CanonicalRequest>{canonical}</CanonicalRequest></Error>\n"
    )


def judged(canonical: str, secret: str, client: Canonical | None = CLIENT) -> list[Finding]:
    error = read_error(error_document(canonical, secret))
    assert error is not None
    return judge(error, client, SECRET)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("PUT\n", "POST\n", "method"),
        ("a%2Bb", "a%20b", "path"),
        ("\n\nhost:", "\nacl=\nhost:", "query"),
        ("host:s3.example.com", "host:backend:9001", "header host"),
        (STAMP, "20260301T120001Z", "header x-amz-date"),
        ("\nx-amz-date:", "\nx-amz-acl:private\nx-amz-date:", "header x-amz-acl"),
        ("host;x-amz-date", "host;x-amz-acl;x-amz-date", "signed headers"),
        ("UNSIGNED-PAYLOAD", "0" * 64, "payload hash"),
    ],
)
def test_the_line_that_differs_is_named(old: str, new: str, part: str) -> None:
    """The server's canonical request and the client's are compared part by part."""
    assert [finding.name for finding in judged(CLIENT.text().replace(old, new, 1), "another")] == ["server", part]


def test_a_secret_that_differs_is_told_from_a_request_that_differs() -> None:
    """The server's own string to sign, signed with the secret that is given here, decides."""
    assert [finding.name for finding in judged(CLIENT.text(), SECRET, None)] == ["server", "secret"]
    assert [finding.name for finding in judged(CLIENT.text(), "another")] == ["server", "comparison", "secret"]
    assert [finding.verdict for finding in judged(CLIENT.text(), "another", None)] == [Verdict.FAIL, Verdict.WARN]


def test_a_canonical_request_is_found_in_a_log() -> None:
    """The last one of botocore's debug log, or the text alone."""
    log = f"""2026-03-01 DEBUG Calculating signature using v4 auth.
2026-03-01 12:00:00 botocore.auth [DEBUG] CanonicalRequest:
{CLIENT.text().replace("/bucket", "/older")}
2026-03-01 12:00:00 botocore.auth [DEBUG] StringToSign:
AWS4-HMAC-SHA256
2026-03-01 12:00:01 botocore.auth [DEBUG] CanonicalRequest:
{CLIENT.text()}
2026-03-01 12:00:01 botocore.auth [DEBUG] StringToSign:
"""
    assert find_canonical(log) == CLIENT
    assert find_canonical(CLIENT.text()) == CLIENT
    assert find_canonical("nothing of the kind\n") is None
    assert compare(CLIENT, CLIENT) == []


@pytest.mark.parametrize("text", ["", "<Error", "<!DOCTYPE x [<!ENTITY a 'b'>]><Error><Code>&a;</Code></Error>", "<Error><Code></Error>"])
def test_a_text_without_an_error_is_none(text: str) -> None:
    """Broken XML and entities are no error document."""
    assert read_error(text) is None


def test_a_string_to_sign_of_another_form_is_of_nobody() -> None:
    """What a server says is not trusted to be well formed."""
    for text in ("", "a\nb\nc", "a\nb\nc\nd"):
        assert not signed_with(text, "0" * 64, SECRET)
