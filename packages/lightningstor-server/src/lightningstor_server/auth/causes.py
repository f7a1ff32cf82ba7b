"""What usually happens to a request between the one who signs it and the one who verifies it.

Law: a cause is a row: a name, the ways in which it may have changed what is signed, a sentence, and
advice. A way is tried by computing the signature, so a match is proof and there is no false alarm.
Each row works on the material that it is given, so that two rows can be tried together. Guesses are
bounded in number; nothing reads a clock or a file. Details never hold a secret.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote, unquote_plus, unquote_to_bytes

from attrs import evolve, frozen

from lightningstor_api.signature import EMPTY_SHA256, Scope
from lightningstor_server.auth.canonical import PAYLOAD_HEADER
from lightningstor_server.auth.material import Case, Material

PLACES_MAX: Final = 24
"""At how many places of one path or query a change is guessed."""

_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")
_LAST_PORT: Final = re.compile(r":[0-9]{1,5}$")
_FORWARDED_HOST: Final = re.compile(r'\bhost="?([^",; ]+)', re.IGNORECASE)  # RFC 7239 section 5.3
_HOST_HEADERS: Final = ("x-forwarded-host", "x-original-host", "x-host", "x-forwarded-server")
_PORTS: Final = ("80", "443", "9000", "9001", "8080", "8443")
_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_REGIONS: Final = ("us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-northeast-1", "auto", "garage", "default", "")
_SERVICES: Final = ("s3", "s3express", "s3-object-lambda", "lightningstor", "iam", "sts", "execute-api")
_PAYLOADS: Final = (
    "UNSIGNED-PAYLOAD",
    EMPTY_SHA256,
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
)
_REWRITTEN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    # a header that proxies rewrite or drop: what clients send
    "accept": ("*/*", "application/xml", ""),
    "accept-encoding": ("identity", "gzip", "gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd", "gzip,gzip(gfe)", "*", ""),
    "cache-control": ("no-cache", "max-age=0", ""),
    "connection": ("keep-alive", "Keep-Alive", "close", "TE", ""),
    "content-encoding": ("aws-chunked", "gzip", ""),
    "content-length": ("0", ""),
    "content-type": (
        "application/octet-stream", "binary/octet-stream", "application/xml", "application/json", "text/plain",
        "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "",
    ),
    "expect": ("100-continue", ""),
    "te": ("trailers", ""),
    "transfer-encoding": ("chunked", ""),
})  # fmt: skip


Guess = tuple[Material, str]
"""What may have been signed, and how that differs, in words."""


@frozen
class Cause:
    """A row of the table."""

    name: str
    guesses: Callable[[Case, Material], Iterator[Guess]]
    sentence: str
    """With `{detail}` for the words of the guess that fits."""
    advice: str


def _host(case: Case, material: Material) -> Iterator[Guess]:
    arrived = material.header("host")
    if arrived is None:
        return
    headers = case.request.headers
    names = [*case.hosts, *(part.strip() for header in _HOST_HEADERS for part in headers.get(header, "").split(","))]
    names += [*_FORWARDED_HOST.findall(headers.get("forwarded", "")), arrived]
    ports = (*_PORTS, *filter(None, (headers.get("x-forwarded-port"),)))
    for name in dict.fromkeys(filter(None, names)):
        bare = _LAST_PORT.sub("", name)
        for host in dict.fromkeys((name, bare, *(f"{bare}:{port}" for port in ports), name.lower())):
            if host != arrived:
                yield material.with_header("host", host), f"{host!r}, and it arrived with {arrived!r}"


def _method(_case: Case, material: Material) -> Iterator[Guess]:
    for method in _METHODS:
        yield evolve(material, method=method), f"{method}, and it arrived as {material.method}"


def _path_slashes(_case: Case, material: Material) -> Iterator[Guess]:
    path = material.path
    yield evolve(material, path=posixpath.normpath(path.replace("//", "/"))), "the normalised path, without '//', '.' and '..'"
    yield evolve(material, path=path.rstrip("/") or "/"), "no slash at the end"
    yield evolve(material, path=f"{path}/"), "a slash at the end"
    for place in _places(path, "/"):
        for inserted in ("/", "/./"[1:]):
            yield evolve(material, path=f"{path[: place + 1]}{inserted}{path[place + 1 :]}"), f"{path[: place + 1]}{inserted}..."


def _path_escapes(case: Case, material: Material) -> Iterator[Guess]:
    path, raw = material.path, case.request.path.decode("latin-1")
    yield evolve(material, path=quote(path)), "the path encoded twice, as for AWS's other services"
    yield evolve(material, path=quote(unquote_to_bytes(unquote_to_bytes(path)))), "the path encoded once, and it arrived encoded twice"
    yield evolve(material, path=raw), "the path as it stands in the request line, not in canonical encoding"
    yield evolve(material, path=unquote_to_bytes(raw).decode("latin-1")), "the path without any encoding"
    yield evolve(material, path=path.replace("%2B", "%20")), "a space in the path, which arrived as '+'"
    yield evolve(material, path=path.replace("%20", "%2B")), "a '+' in the path, which arrived as a space"
    for place in _places(path, "/")[1:]:
        yield evolve(material, path=f"{path[:place]}%2F{path[place + 1 :]}"), f"'%2F' behind {path[:place]!r}, which arrived as '/'"
    second = path.find("/", 1)
    if second > 0:
        yield evolve(material, path=path[: second + 1] + path[second + 1 :].replace("/", "%2F")), "'%2F' for each '/' of the key"


def _spelling(_case: Case, material: Material) -> Iterator[Guess]:
    """Encodings that AWS's pages rule out, in the path and in the query alike."""
    for old, new, words in (
        ("~", "%7E", "'~' as %7E"),
        ("%2A", "*", "'*' bare"),
        ("%21", "!", "'!' bare"),
        ("%28", "(", "'(' bare"),
        ("%3D", "=", "'=' bare"),
        ("%3A", ":", "':' bare"),
        ("%40", "@", "'@' bare"),
        ("%2C", ",", "',' bare"),
    ):
        yield evolve(material, path=material.path.replace(old, new), query=material.query.replace(old, new)), words
    bare = {
        name: quote(unquote_to_bytes(material.path), safe=safe) for name, safe in (("RFC 2396", "/!'()*~"), ("RFC 3986", "/!$&'()*+,;=:@"))
    }
    for name, path in bare.items():
        yield evolve(material, path=path), f"the characters bare that {name} lets stand in a path"
    lower = [_ESCAPE.sub(lambda match: match[0].lower(), part) for part in (material.path, material.query)]
    yield evolve(material, path=lower[0], query=lower[1]), "escapes in lower-case hex"


def _path_forms(_case: Case, material: Material) -> Iterator[Guess]:
    text = unquote(material.path)
    for form in ("NFC", "NFD"):
        if not unicodedata.is_normalized(form, text):
            yield evolve(material, path=quote(unicodedata.normalize(form, text))), f"the path in Unicode's form {form}"


def _path_prefix(case: Case, material: Material) -> Iterator[Guess]:
    path = material.path
    for header in ("x-forwarded-prefix", "x-script-name"):
        prefix = case.request.headers.get(header, "").strip("/")
        if prefix:
            yield evolve(material, path=f"/{prefix}{path}"), f"the path below /{prefix}, which was taken off"
    first, _, rest = path[1:].partition("/")
    if first:
        yield evolve(material, path=f"/{rest}"), f"/{rest}, and it arrived below /{first}"
    for host in (*case.hosts, material.header("host") or ""):
        bucket = host.partition(".")[0]
        if bucket:
            yield evolve(material, path=f"/{bucket}{path}"), f"the path below /{bucket}, which arrived in the host name"


def _query_order(case: Case, material: Material) -> Iterator[Guess]:
    pairs = material.query.split("&")
    order = [name.partition("=")[0] for name in case.request.query.decode("latin-1").split("&")]
    names = {quote(unquote_plus(name), safe=""): place for place, name in reversed(list(enumerate(order)))}
    arrived = sorted(pairs, key=lambda pair: names.get(pair.partition("=")[0], len(names)))
    yield evolve(material, query="&".join(arrived)), "the query in the order in which it arrived, not sorted"
    yield evolve(material, query="&".join(sorted(pairs, key=str.lower))), "the query sorted without regard to case"
    yield evolve(material, query="&".join(sorted(pairs, key=unquote))), "the query sorted before it was encoded"


def _query_escapes(case: Case, material: Material) -> Iterator[Guess]:
    query = material.query
    yield evolve(material, query=query.replace("%20", "%2B")), "a '+' in the query (%2B), which arrived as a bare '+', that is a space"
    yield evolve(material, query=query.replace("%20", "+")), "a space in the query as '+', not as %20"
    yield evolve(material, query=query.replace("%2B", "%20")), "a space in the query, which arrived as '+' (%2B)"
    yield evolve(material, query=query.replace("%25", "%")), "the query encoded once, and it arrived encoded twice"
    yield evolve(material, query=query.replace("%", "%25")), "the query encoded twice"
    yield evolve(material, query=query.replace("%2F", "/")), "a bare '/' in the query"
    yield evolve(material, query=case.request.query.decode("latin-1")), "the query as it stands in the request line"
    yield (
        evolve(material, query="&".join([pair.removesuffix("=") for pair in query.split("&")])),
        "parameters without a value without their '='",
    )


def _query_parameters(_case: Case, material: Material) -> Iterator[Guess]:
    pairs = [pair for pair in material.query.split("&") if pair]
    if pairs:
        yield evolve(material, query=""), "no query at all"
    for place, pair in enumerate(pairs[:PLACES_MAX]):
        rest = "&".join(pairs[:place] + pairs[place + 1 :])
        yield evolve(material, query=rest), f"no parameter {unquote(pair.partition('=')[0])!r}"


def _header_rewritten(case: Case, material: Material) -> Iterator[Guess]:
    known = dict(_REWRITTEN)
    if case.body is not None:
        known["content-length"] = (str(len(case.body)), *known["content-length"])
    for name, value in material.headers:
        for other in known.get(name, ()):
            if other != value:
                yield material.with_header(name, other), f"{name}: {other or '(empty)'}, and it arrived as {value or '(nothing)'}"


def _header_space(case: Case, material: Material) -> Iterator[Guess]:
    raw = case.request.headers
    for name, value in material.headers:
        for other in dict.fromkeys((raw.get(name, value), raw.get(name, value).strip(), f" {value}", f"{value} ", value.replace(" ", ""))):
            if other != value:
                yield material.with_header(name, other), f"other white space in the value of {name}"
        if "," in value:
            yield material.with_header(name, value.replace(",", ", ")), f"the values of {name} joined by ', '"
            yield material.with_header(name, value.replace(", ", ",")), f"the values of {name} joined by ','"
        for place in _places(value, " "):
            yield material.with_header(name, f"{value[:place]} {value[place:]}"), f"two spaces in the value of {name}, which arrived as one"


def _header_charset(_case: Case, material: Material) -> Iterator[Guess]:
    for name, value in material.headers:
        if value.isascii():
            continue
        yield material.with_header(name, value.encode().decode("latin-1")), f"the value of {name} in UTF-8, and it arrived in Latin-1"
        with_utf8 = value.encode("latin-1").decode("utf-8", "replace").encode("latin-1", "replace").decode("latin-1")
        yield material.with_header(name, with_utf8), f"the value of {name} in Latin-1, and it arrived in UTF-8"


def _header_lists(_case: Case, material: Material) -> Iterator[Guess]:
    for name, _ in material.headers:
        fewer = tuple([pair for pair in material.headers if pair[0] != name])
        yield evolve(material, headers=fewer), f"no line for {name}, though SignedHeaders names it"
        yield evolve(material, headers=fewer, signed=tuple([each for each in material.signed if each != name])), f"no header {name} at all"


def _payload(case: Case, material: Material) -> Iterator[Guess]:
    found = case.request.headers.get(PAYLOAD_HEADER)
    spoken = [*_PAYLOADS, material.payload.lower(), material.payload.upper(), *filter(None, (found,))]
    if case.body is not None:
        spoken.insert(0, sha256(case.body).hexdigest())
    for payload in dict.fromkeys(spoken):
        if payload != material.payload:
            yield evolve(material, payload=payload), f"{payload}, and the request says {material.payload}"


def _region(case: Case, material: Material) -> Iterator[Guess]:
    for region in dict.fromkeys((*case.regions, *_REGIONS)):
        yield from _rescoped(material, material.scope._replace(region=region), f"the region {region!r}")


def _service(_case: Case, material: Material) -> Iterator[Guess]:
    for service in _SERVICES:
        yield from _rescoped(material, material.scope._replace(service=service), f"the service {service!r}")


def _day(_case: Case, material: Material) -> Iterator[Guess]:
    try:
        day = datetime.strptime(material.scope.date, "%Y%m%d")  # noqa: DTZ007 - a day, of no zone
    except ValueError:
        return
    for days in (-1, 1):
        date = (day + timedelta(days=days)).strftime("%Y%m%d")
        yield from _rescoped(material, material.scope._replace(date=date), f"the day {date}")


def _rescoped(material: Material, scope: Scope, words: str) -> Iterator[Guess]:
    if scope != material.scope:
        yield evolve(material, key_scope=scope), f"{words} in the key, and {material.scope} in the credential"
        yield evolve(material, key_scope=scope, scope=scope), f"{words}, and {material.scope} in the credential"


def _secret(_case: Case, material: Material) -> Iterator[Guess]:
    secret = material.secret
    yield evolve(material, secret=secret.strip()), "without the white space around the secret that was given here"
    yield evolve(material, secret=f"{secret}\n"), "with a line break at the secret's end"
    yield evolve(material, secret=f"{secret}\r\n"), "with a Windows line break at the secret's end"
    yield evolve(material, secret=f"{secret} "), "with a space at the secret's end"
    yield evolve(material, secret=f'"{secret}"'), "with quotation marks around the secret"
    yield evolve(material, secret=quote(secret, safe="")), "with the secret percent-encoded"
    yield evolve(material, secret=unquote(secret)), "with the secret percent-decoded"
    yield evolve(material, secret=secret.replace("+", " ")), "with a space for each '+' of the secret"


def _places(text: str, wanted: str) -> list[int]:
    return [place for place, character in enumerate(text) if character == wanted][:PLACES_MAX]


CAUSES: Final = (
    Cause("host", _host, "The client signed the Host {detail}.",
          "Let the proxy pass the Host header on as it came, port included (nginx: proxy_set_header Host $http_host; "
          "Apache: ProxyPreserveHost On), or give clients the name that the server sees."),
    Cause("method", _method, "The client signed the method {detail}.",
          "Send what was signed; a presigned URL is good for one method. nginx turns HEAD into GET when it caches "
          "(proxy_cache_convert_head off)."),
    Cause("path-slashes", _path_slashes, "The client signed {detail}; slashes or dots of the path changed on the way.",
          "Switch path normalisation off (nginx: merge_slashes off, and proxy_pass without a path; Envoy: normalize_path, merge_slashes; "
          "Apache: MergeSlashes Off)."),
    Cause("path-escapes", _path_escapes, "The client signed {detail}.",
          "Let the proxy pass the path on undecoded (nginx: proxy_pass without a path behind the address; Apache: nocanon and "
          "AllowEncodedSlashes NoDecode), and sign with an S3 signer, which encodes the path once."),
    Cause("spelling", _spelling, "The client signed {detail}, where the canonical form is another.",
          "The client has to encode everything but A-Z a-z 0-9 - . _ ~ in upper-case hex: use the signer of an AWS SDK."),
    Cause("path-form", _path_forms, "The client signed {detail}.",
          "S3's keys are bytes: encode the name once and sign and send the same."),
    Cause("path-prefix", _path_prefix, "The client signed {detail}.",
          "An S3 endpoint has no path of its own: give it a host name, and let the proxy change neither path nor host."),
    Cause("query-order", _query_order, "The client signed {detail}.",
          "The client's signer has to sort by encoded name, then by value."),
    Cause("query-escapes", _query_escapes, "The client signed {detail}.",
          "Percent-encode the query (%20, never '+'), and let the proxy pass it on as it came."),
    Cause("query-parameters", _query_parameters, "The client signed {detail}: it was added after signing.",
          "Sign the query that is sent; let neither a proxy nor a link shortener add to it."),
    Cause("header-rewritten", _header_rewritten, "The client signed {detail}.",
          "A proxy rewrote the header or dropped it. Let it pass the header on, or let the client not sign it: host and x-amz-* do."),
    Cause("header-space", _header_space, "The client signed {detail}.",
          "The canonical form has no space around a value and single spaces within; a proxy may fold it, a signer has to."),
    Cause("header-charset", _header_charset, "The client signed {detail}.",
          "Keep header values ASCII: percent-encode the values of user metadata."),
    Cause("header-list", _header_lists, "The client signed {detail}.",
          "The signer must write a line for each header that it names, or a proxy added the name to the list."),
    Cause("payload", _payload, "The client signed the payload value {detail}.",
          f"The value of {PAYLOAD_HEADER} must be the last line of the canonical request; in presigned URLs it is UNSIGNED-PAYLOAD."),
    Cause("region", _region, "The client signed with {detail}.", "Set the client's region to the server's (AWS_DEFAULT_REGION)."),
    Cause("service", _service, "The client signed with {detail}.", "The service of S3 requests is s3."),
    Cause("day", _day, "The client signed with {detail}.",
          "The day in the key and in the credential is that of x-amz-date, in UTC; a signing key is good for one day."),
    Cause("secret", _secret, "The signature fits {detail}.", "The secret was damaged when it was copied: mend it where the client has it."),
)  # fmt: skip
"""The usual causes, the likeliest first."""
