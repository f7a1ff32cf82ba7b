"""Signature Version 4: what is claimed, what is proven, and each way to be refused."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest

from lightningstor_server.auth.canonical import PayloadKind
from lightningstor_server.auth.sigv4 import Claim, Signature, SignedRequest, claim, refuse_unknown_key, verify
from lightningstor_types import errors

KEY, SECRET, REGION = "AKIDEXAMPLE", "a-secret/for+tests", "eu-test-1"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
STAMP = "20260304T050607Z"
EMPTY = hashlib.sha256(b"").hexdigest()
HEADERS = {"host": "s3.test:9001", "x-amz-date": STAMP, "x-amz-content-sha256": EMPTY}

# every header of S3's that changes what a request does, as far as one name stands for its family
AMZ_HEADERS = [
    "x-amz-acl", "x-amz-bypass-governance-retention", "x-amz-checksum-algorithm", "x-amz-checksum-crc32", "x-amz-checksum-sha256",
    "x-amz-checksum-mode", "x-amz-checksum-type", "x-amz-confirm-remove-self-bucket-access", "x-amz-content-sha256",
    "x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-range",
    "x-amz-copy-source-server-side-encryption-customer-key", "x-amz-date", "x-amz-decoded-content-length", "x-amz-delete-marker",
    "x-amz-expected-bucket-owner", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write",
    "x-amz-grant-write-acp", "x-amz-if-match-size", "x-amz-meta-a", "x-amz-metadata-directive", "x-amz-mfa", "x-amz-mp-object-size",
    "x-amz-object-attributes", "x-amz-object-lock-legal-hold", "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership", "x-amz-request-payer", "x-amz-sdk-checksum-algorithm", "x-amz-security-token",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-key", "x-amz-source-expected-bucket-owner", "x-amz-storage-class", "x-amz-tagging",
    "x-amz-tagging-directive", "x-amz-trailer", "x-amz-website-redirect-location", "x-amz-write-offset-bytes",
]  # fmt: skip


def signature_of(text: str, secret: str, scope: str) -> str:
    """A signature by the book, apart from the code under test."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def header_signed(
    *, method: str = "GET", headers: Mapping[str, str] = HEADERS, signed: str | None = None, stamp: str = STAMP,
    scope: str | None = None, secret: str = SECRET, template: str = "AWS4-HMAC-SHA256 Credential={c}, SignedHeaders={h}, Signature={s}",
) -> SignedRequest:  # fmt: skip
    """A request with an Authorization header. Each argument can make it wrong in its own way."""
    names = ";".join(sorted(headers)) if signed is None else signed
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request" if scope is None else scope
    lines = [f"{name}:{headers[name]}" for name in names.split(";") if name in headers]
    canonical = "\n".join([method, "/b/k", "", *lines, "", names, headers.get("x-amz-content-sha256", EMPTY)])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    authorization = template.format(c=f"{KEY}/{scope}", h=names, s=signature_of(text, secret, scope))
    return SignedRequest(method=method, path=b"/b/k", query=b"", headers={**headers, "authorization": authorization})


def presigned(
    *, method: str = "GET", headers: Mapping[str, str] | None = None, signed: str | None = None, secret: str = SECRET,
    change: Mapping[str, str | None] | None = None, sign_after: bool = True, extra: str = "",
) -> SignedRequest:  # fmt: skip
    """A presigned request. `change` replaces or drops parameters, before signing or behind it."""
    headers = {"host": "s3.test:9001"} if headers is None else headers
    names = ";".join(sorted(headers)) if signed is None else signed
    fields: dict[str, str | None] = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{KEY}/{STAMP[:8]}/{REGION}/s3/aws4_request",
        "X-Amz-Date": STAMP, "X-Amz-Expires": "600", "X-Amz-SignedHeaders": names,
    }  # fmt: skip
    fields |= (change or {}) if sign_after else {}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(fields.items()) if value is not None)
    lines = [f"{name}:{headers[name]}" for name in names.split(";") if name in headers]
    payload = headers.get("x-amz-content-sha256", fields.get("X-Amz-Content-Sha256") or "UNSIGNED-PAYLOAD")
    canonical = "\n".join([method, "/b/k", query, *lines, "", names, payload])
    scope = (fields["X-Amz-Credential"] or "").partition("/")[2]
    text = "\n".join(["AWS4-HMAC-SHA256", fields["X-Amz-Date"] or "", scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = signature_of(text, secret, scope)
    if not sign_after:
        fields |= change or {}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(fields.items()) if value is not None)
    return SignedRequest(method=method, path=b"/b/k", query=f"{query}&X-Amz-Signature={signature}{extra}".encode(), headers=headers)


def check(request: SignedRequest, *, now: datetime = NOW, secret: str = SECRET) -> Signature:
    """Claim and verify, as a front does it."""
    claimed = claim(request)
    assert claimed is not None
    return verify(claimed, request, secret, now=now, region=REGION)


def test_header_signature() -> None:
    """A signed request yields its key, and what its chunks are signed with."""
    request = header_signed()
    signature = check(request)
    assert signature.access_key == KEY
    assert signature.scope == f"20260304/{REGION}/s3/aws4_request"
    assert signature.amz_date == STAMP
    assert request.headers["authorization"].endswith(signature.seed)
    assert (signature.payload.kind, signature.payload.sha256) == (PayloadKind.HASH, EMPTY)


def test_presigned_signature() -> None:
    """A presigned request has no payload hash unless it says so, and is known by its expiry."""
    request = presigned()
    claimed = claim(request)
    assert claimed is not None
    assert (claimed.presigned, claimed.expires, claimed.payload.kind) == (True, 600, PayloadKind.UNSIGNED)
    assert check(request).payload.kind is PayloadKind.UNSIGNED


@pytest.mark.parametrize("query", [b"", b"prefix=X-Amz-Signature", b"Expires=1", b"x-amz-signature=1", b"X-Amz-Date=1"])
def test_anonymous(query: bytes) -> None:
    """A request without credentials claims nothing, whatever else its query holds."""
    assert claim(SignedRequest(method="GET", path=b"/b", query=query, headers={"host": "h"})) is None


def test_nothing_secret_in_reprs() -> None:
    """Neither key, secret, token nor signature shows in the repr of what travels through the server."""
    headers = {**HEADERS, "x-amz-security-token": "the-token"}
    request = header_signed(headers=headers)
    claimed = claim(request)
    assert claimed is not None
    signature = check(request)
    shown = f"{request!r} {claimed!r} {signature!r}"
    assert claimed.session_token == "the-token"
    for secret in ("the-token", SECRET, repr(signature.signing_key), signature.seed):
        assert secret not in shown


# -- which mechanism -----------------------------------------


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        ("AWS AKID:c2ln", errors.InvalidRequest),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", errors.InvalidRequest),
        ("AWS4-HMAC-SHA512 Credential=a", errors.InvalidRequest),
        ("Basic dXNlcjpwYXNz", errors.InvalidArgument),
        ("Bearer abc", errors.InvalidArgument),
        ("", errors.InvalidArgument),
        ("aws4-hmac-sha256 Credential=a", errors.InvalidArgument),
        ("AWS4-HMAC-SHA256", errors.AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 ", errors.AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host", errors.AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=1,Signature=2", errors.AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=1,Other=2", errors.AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a SignedHeaders=host Signature=1", errors.AuthorizationHeaderMalformed),
    ],
)
def test_other_authorizations(authorization: str, error: type[errors.StorError]) -> None:
    """Every Authorization that is not a whole Signature Version 4 is refused, and not repeated in the answer."""
    with pytest.raises(error) as caught:
        claim(SignedRequest(method="GET", path=b"/b", query=b"", headers={**HEADERS, "authorization": authorization}))
    assert "dXNlcjpwYXNz" not in f"{caught.value} {caught.value.details}"


def test_version_2_in_the_query() -> None:
    """Signature Version 2 is refused in AWS's words."""
    with pytest.raises(errors.InvalidRequest, match="Please use AWS4-HMAC-SHA256"):
        claim(SignedRequest(method="GET", path=b"/b/k", query=b"AWSAccessKeyId=a&Signature=b&Expires=1", headers={}))


@pytest.mark.parametrize("query", [b"X-Amz-Signature=1", b"X-Amz-Algorithm=AWS4-HMAC-SHA256", b"X%2DAmz-Signature=1", b"Signature=1"])
def test_two_mechanisms(query: bytes) -> None:
    """A header and a query signature together are refused; nobody may choose between them."""
    request = header_signed()
    with pytest.raises(errors.InvalidArgument, match="Only one auth mechanism"):
        claim(SignedRequest(method="GET", path=request.path, query=query, headers=request.headers))


@pytest.mark.parametrize(
    "template",
    [
        "AWS4-HMAC-SHA256 Credential={c},SignedHeaders={h},Signature={s}",
        "AWS4-HMAC-SHA256 Signature={s}, Credential={c},  SignedHeaders={h}",
        "  AWS4-HMAC-SHA256   Credential={c} , SignedHeaders={h} , Signature={s}  ",
    ],
)
def test_layout_of_the_header(template: str) -> None:
    """The three fields may come in any order and with any space between them."""
    assert check(header_signed(template=template)).access_key == KEY


# -- credential and signed headers -----------------------------------------


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("20260303/eu-test-1/s3/aws4_request", "Invalid credential date"),
        ("20260305/eu-test-1/s3/aws4_request", "Invalid credential date"),
        ("20260304/us-east-1/s3/aws4_request", "the region 'us-east-1' is wrong; expecting 'eu-test-1'"),
        ("20260304/eu-test-1/ec2/aws4_request", "incorrect service"),
        ("20260304/eu-test-1/s3/aws5_request", "incorrect terminal"),
        ("20260304/eu-test-1/s3/", "incorrect terminal"),
        ("20260304/eu-test-1/s3", "mal-formed"),
        ("", "mal-formed"),
    ],
)
def test_scope(scope: str, text: str) -> None:
    """A credential for another day, region, service or terminator is refused in both places, even rightly signed."""
    with pytest.raises(errors.AuthorizationHeaderMalformed, match=text) as caught:
        check(header_signed(scope=scope))
    if "region" in text:
        assert caught.value.details == {"Region": REGION}
    with pytest.raises(errors.AuthorizationQueryParametersError, match=text):
        check(presigned(change={"X-Amz-Credential": f"{KEY}/{scope}"}))


@pytest.mark.parametrize("key", ["", "a b", "a\x00", "k" * 129, "ü"])
def test_access_key_characters(key: str) -> None:
    """An access key is printable ASCII of bounded length, or the credential is malformed."""
    with pytest.raises(errors.AuthorizationQueryParametersError):
        claim(presigned(change={"X-Amz-Credential": f"{key}/20260304/{REGION}/s3/aws4_request"}))


@pytest.mark.parametrize(
    "signed",
    ["x-amz-date;host;x-amz-content-sha256", "host;host;x-amz-content-sha256;x-amz-date", "Host;x-amz-content-sha256;x-amz-date",
     "", "host;;x-amz-date", ";host", "host;", "host x-amz-date", "h\xf6st"],
)  # fmt: skip
def test_signed_headers_form(signed: str) -> None:
    """SignedHeaders is lower case, sorted, each name once, in both places."""
    with pytest.raises(errors.AuthorizationHeaderMalformed):
        check(header_signed(signed=signed))
    with pytest.raises(errors.AuthorizationQueryParametersError):
        check(presigned(change={"X-Amz-SignedHeaders": signed}))


def test_signed_header_that_is_absent() -> None:
    """A header that is said to be signed and did not arrive makes the signature a wrong one, and is named."""
    with pytest.raises(errors.SignatureDoesNotMatch, match="x-amz-tagging"):
        check(header_signed(signed="host;x-amz-content-sha256;x-amz-date;x-amz-tagging"))


@pytest.mark.parametrize("name", AMZ_HEADERS)
def test_unsigned_amz_header(name: str) -> None:
    """An x-amz header that the signature does not cover is refused and named: header, and presigned PUT alike."""
    request = header_signed(method="PUT", headers={**HEADERS, name: HEADERS.get(name, "v")}, signed=";".join(sorted({*HEADERS} - {name})))
    with pytest.raises(errors.AccessDenied, match="not signed") as caught:
        check(request)
    assert caught.value.details == {"HeadersNotSigned": name}
    value = {"x-amz-date": STAMP, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}.get(name, "v")
    url = presigned(method="PUT", headers={"host": "s3.test:9001", name: value}, signed="host")
    with pytest.raises(errors.AccessDenied, match="not signed"):
        check(url)
    check(presigned(method="PUT", headers={"host": "s3.test:9001", name: value}))


def test_host_must_be_signed() -> None:
    """Without its host a signature would be good on every endpoint."""
    with pytest.raises(errors.AccessDenied) as caught:
        check(header_signed(signed="x-amz-content-sha256;x-amz-date"))
    assert caught.value.details == {"HeadersNotSigned": "host"}


@pytest.mark.parametrize("name", ["content-type", "content-md5", "range", "if-match", "user-agent", "x-amzn-trace-id"])
def test_other_headers_need_no_signature(name: str) -> None:
    """S3 asks for host and x-amz only: browsers and proxies set others behind the signer's back."""
    assert check(header_signed(headers={**HEADERS, name: "v"}, signed=";".join(sorted(HEADERS)))).access_key == KEY


# -- time -----------------------------------------


@pytest.mark.parametrize("minutes", [-15, -14, 0, 14, 15])
def test_clock_within_the_skew(minutes: int) -> None:
    """Fifteen minutes off is fine, either way."""
    assert check(header_signed(), now=NOW + timedelta(minutes=minutes)).access_key == KEY


@pytest.mark.parametrize("seconds", [-901, 901, 86_400, -86_400])
def test_clock_beyond_the_skew(seconds: int) -> None:
    """A second more is refused, with both times."""
    with pytest.raises(errors.RequestTimeTooSkewed) as caught:
        check(header_signed(), now=NOW + timedelta(seconds=seconds))
    assert caught.value.details["RequestTime"] == STAMP
    assert caught.value.details["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize(
    "date",
    [None, "", "2026-03-04T05:06:07Z", "20260304T050607", "20261304T050607Z", "20260304T050660Z", "20260230T050607Z", "00000101T000000Z",
     "²0260304T050607Z", "Wed, 04 Mrz 2026 05:06:07 GMT", "Wednesday, 04-Mar-26 05:06:07 GMT", "20260304T050607Z\n"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x-amz-date", "date"])
def test_no_valid_date(name: str, date: str | None) -> None:
    """Without a date there would be no skew to check, and a request could be sent again for ever."""
    headers = {"host": "h", "x-amz-content-sha256": EMPTY} | ({} if date is None else {name: date})
    with pytest.raises(errors.AccessDenied, match="valid Date"):
        check(header_signed(headers=headers))


@pytest.mark.parametrize("date", [format_datetime(NOW, usegmt=True), format_datetime(NOW), STAMP])
def test_date_header(date: str) -> None:
    """Without x-amz-date the Date header says when, in RFC 9110's form or in the basic ISO form."""
    assert check(header_signed(headers={"host": "h", "x-amz-content-sha256": EMPTY, "date": date})).amz_date == STAMP


def test_two_dates() -> None:
    """Date and x-amz-date may differ by a clock's error, and not by more."""
    near, far = NOW + timedelta(minutes=15), NOW - timedelta(minutes=16)
    assert check(header_signed(headers={**HEADERS, "date": format_datetime(near, usegmt=True)})).amz_date == STAMP
    with pytest.raises(errors.AccessDenied, match="contradict"):
        check(header_signed(headers={**HEADERS, "date": format_datetime(far, usegmt=True)}))


@pytest.mark.parametrize("seconds", [-900, -1, 0, 599, 600])
def test_presigned_in_its_time(seconds: int) -> None:
    """A URL is good from fifteen minutes before its date to the second of its expiry."""
    assert check(presigned(), now=NOW + timedelta(seconds=seconds)).access_key == KEY


@pytest.mark.parametrize(("seconds", "text"), [(-901, "not valid yet"), (601, "expired"), (10**8, "expired")])
def test_presigned_out_of_its_time(seconds: int, text: str) -> None:
    """Before and after it is denied in AWS's words."""
    with pytest.raises(errors.AccessDenied, match=text):
        check(presigned(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("expires", ["1", "604800"])
def test_expiry_within_bounds(expires: str) -> None:
    """A second and a week are the bounds, and belong to them."""
    assert check(presigned(change={"X-Amz-Expires": expires})).access_key == KEY


@pytest.mark.parametrize("expires", ["-1", "-0", "604801", "9" * 13, "1.5", "1e3", "", " 1", "+1", "0x10", "²", "1\n"])
def test_expiry_out_of_bounds(expires: str) -> None:
    """Anything but a whole number of seconds up to a week is malformed."""
    with pytest.raises(errors.AuthorizationQueryParametersError, match="X-Amz-Expires"):
        claim(presigned(change={"X-Amz-Expires": expires}))


@pytest.mark.parametrize("seconds", [-900, 0, 1])
def test_no_seconds_are_never_good(seconds: int) -> None:
    """An expiry of 0 is well formed and has passed, whatever the clock says."""
    with pytest.raises(errors.AccessDenied, match="expired"):
        check(presigned(change={"X-Amz-Expires": "0"}), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("stamp", ["99991231T235959Z", "00010101T000000Z"])
def test_dates_at_the_ends_of_time(stamp: str) -> None:
    """The arithmetic on dates does not overflow."""
    with pytest.raises(errors.AccessDenied):
        check(presigned(change={"X-Amz-Date": stamp, "X-Amz-Credential": f"{KEY}/{stamp[:8]}/{REGION}/s3/aws4_request"}))


# -- presigned form -----------------------------------------


@pytest.mark.parametrize("name", ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"])
def test_presigned_parameter_missing(name: str) -> None:
    """Each of the six parameters is needed."""
    with pytest.raises(errors.AuthorizationQueryParametersError, match=name):
        claim(presigned(change={name: None}, sign_after=False))


@pytest.mark.parametrize("extra", ["&X-Amz-Expires=600", "&X-Amz-Signature=00", "&X-Amz-Foo=1&X-Amz-Foo=2", "&X%2DAmz-Date=1"])
def test_presigned_parameter_twice(extra: str) -> None:
    """A parameter of the signature that comes twice is refused: the checked one need not be the signed one."""
    with pytest.raises(errors.AuthorizationQueryParametersError, match="more than once"):
        claim(presigned(extra=extra))


@pytest.mark.parametrize("change", [{"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}, {"X-Amz-Date": "yesterday"}])
def test_presigned_parameter_wrong(change: dict[str, str | None]) -> None:
    """Another algorithm and a date of another form are malformed."""
    with pytest.raises(errors.AuthorizationQueryParametersError):
        claim(presigned(change=change))


@pytest.mark.parametrize("change", [{"X-Amz-Expires": "601"}, {"prefix": "secret/"}, {"response-content-type": "text/html"}])
def test_presigned_query_changed(change: dict[str, str | None]) -> None:
    """A parameter changed or added behind the signature makes it a wrong one."""
    with pytest.raises(errors.SignatureDoesNotMatch):
        check(presigned(change=change, sign_after=False))


def test_presigned_for_another_method() -> None:
    """A URL for GET is none for PUT, DELETE or HEAD."""
    url = presigned(method="GET")
    for method in ("PUT", "DELETE", "HEAD", "POST"):
        with pytest.raises(errors.SignatureDoesNotMatch):
            check(SignedRequest(method=method, path=url.path, query=url.query, headers=url.headers))


def test_presigned_for_another_key() -> None:
    """A URL for one key reads no other: not a longer one, not one that a path parser would take for it."""
    url = presigned()
    for path in (b"/b/k2", b"/b//k", b"/b/./k", b"/b/x/../k", b"/b/k/", b"/b/%256b"):
        with pytest.raises(errors.SignatureDoesNotMatch):
            check(SignedRequest(method="GET", path=path, query=url.query, headers=url.headers))


@pytest.mark.parametrize(
    ("headers", "change", "error"),
    [
        ({"x-amz-date": "20260304T050608Z"}, {}, errors.AccessDenied),
        ({"x-amz-content-sha256": EMPTY}, {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}, errors.AuthorizationQueryParametersError),
        ({"x-amz-security-token": "a"}, {"X-Amz-Security-Token": "b"}, errors.AuthorizationQueryParametersError),
    ],
)
def test_presigned_header_contradicts(headers: dict[str, str], change: dict[str, str | None], error: type[errors.StorError]) -> None:
    """What header and query both say must agree."""
    with pytest.raises(error, match="contradict"):
        claim(presigned(headers={"host": "h", **headers}, change=change))


def test_presigned_payload_and_token() -> None:
    """A URL may fix the hash of the body, and carries its session token in the query."""
    request = presigned(change={"X-Amz-Content-Sha256": EMPTY, "X-Amz-Security-Token": "to/ken=="})
    claimed = claim(request)
    assert claimed is not None
    assert (claimed.payload.sha256, claimed.session_token) == (EMPTY, "to/ken==")
    assert check(request).payload.sha256 == EMPTY


# -- payload and signature -----------------------------------------


def test_payload_header_is_needed() -> None:
    """S3 wants the payload header; for IAM and STS the hash of the body stands in."""
    request = header_signed(headers={"host": "h", "x-amz-date": STAMP})
    with pytest.raises(errors.InvalidRequest, match="x-amz-content-sha256"):
        claim(request)
    claimed = claim(request, body_sha256=EMPTY)
    assert claimed is not None
    assert verify(claimed, request, SECRET, now=NOW, region=REGION).payload.sha256 == EMPTY


def test_unknown_payload_is_refused_before_anything_is_read() -> None:
    """An unknown framing is refused at the claim, signed or not."""
    with pytest.raises(errors.InvalidArgument):
        claim(header_signed(headers={**HEADERS, "x-amz-content-sha256": "STREAMING-SOMETHING-NEW"}))


@pytest.mark.parametrize("request_", [header_signed(secret="other"), presigned(secret="other")])
def test_wrong_secret(request_: SignedRequest) -> None:
    """A wrong signature is answered with what was compared, and never with what would have been right."""
    with pytest.raises(errors.SignatureDoesNotMatch) as caught:
        check(request_)
    details = caught.value.details
    assert set(details) == {"AWSAccessKeyId", "StringToSign", "SignatureProvided", "CanonicalRequest"}
    assert details["StringToSign"].endswith(hashlib.sha256(details["CanonicalRequest"].encode()).hexdigest())
    shown = f"{caught.value} {details}"
    right = signature_of(details["StringToSign"], SECRET, f"20260304/{REGION}/s3/aws4_request")
    assert right not in shown
    assert SECRET not in shown


@pytest.mark.parametrize("signature", ["", "0", "0" * 64, "g" * 64, "\xfc" * 64, "{s}0", "{s}\x00"])
def test_signature_of_any_form(signature: str) -> None:
    """Whatever stands for the signature, it is compared and does not match."""
    with pytest.raises(errors.SignatureDoesNotMatch):
        check(header_signed(template=f"AWS4-HMAC-SHA256 Credential={{c}}, SignedHeaders={{h}}, Signature={signature}"))


def test_upper_case_signature() -> None:
    """AWS writes signatures in lower case; there is one right form."""
    request = header_signed()
    upper = request.headers["authorization"].rpartition("=")
    headers = {**request.headers, "authorization": f"{upper[0]}={upper[2].upper()}"}
    with pytest.raises(errors.SignatureDoesNotMatch):
        check(SignedRequest(method="GET", path=request.path, query=b"", headers=headers))


def test_secrets_are_left_out_of_the_canonical_request() -> None:
    """A session token or a customer's key is not repeated in an error that may be logged."""
    headers = {**HEADERS, "x-amz-security-token": "TOKEN", "x-amz-server-side-encryption-customer-key": "SSEC"}
    for request in (
        header_signed(headers=headers, secret="other"),
        presigned(secret="other", change={"X-Amz-Security-Token": "TOKEN"}, headers={"host": "h"}),
    ):
        with pytest.raises(errors.SignatureDoesNotMatch) as caught:
            check(request)
        assert "TOKEN" not in caught.value.details["CanonicalRequest"]
        assert "SSEC" not in caught.value.details["CanonicalRequest"]
        assert "(left out)" in caught.value.details["CanonicalRequest"]


def claimed_of(request: SignedRequest) -> Claim:
    """The claim of a request that has one."""
    found = claim(request)
    assert found is not None
    return found


@pytest.mark.parametrize("secret", [SECRET, "no-such-access-key"])
def test_unknown_key(secret: str) -> None:
    """An unknown key is answered as such, even where the request is signed with the stand-in secret."""
    request = header_signed(secret=secret)
    with pytest.raises(errors.InvalidAccessKeyId):
        refuse_unknown_key(claimed_of(request), request, now=NOW, region=REGION)


def test_unknown_key_takes_the_same_checks() -> None:
    """What is wrong with a request shows before its key is known, for every key alike."""
    request = header_signed()
    with pytest.raises(errors.RequestTimeTooSkewed):
        refuse_unknown_key(claimed_of(request), request, now=NOW + timedelta(hours=1), region=REGION)
    with pytest.raises(errors.AuthorizationHeaderMalformed):
        refuse_unknown_key(claimed_of(request), request, now=NOW, region="elsewhere")
