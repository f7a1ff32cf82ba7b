"""What is asked of an endpoint to see what arrives of it.

Law: a probe is a row of the table. Each is signed and asks for something that does not exist, in a
bucket with a random name: an S3 server that verified the signature says so with NoSuchBucket, one to
which something else arrived says SignatureDoesNotMatch, and a proxy answers for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from lightningstor_server.auth.comparison import Canonical, judge, read_error
from lightningstor_server.findings import Finding, Verdict, fail, ok
from lightningstor_server.load.connection import Response
from lightningstor_server.load.signing import NOTHING, Signed

LONG_VALUE_BYTES: Final = 2000
"""Of one header. User metadata may have 2 KB (AWS, "Working with object metadata")."""
_SHOWN_CHARACTERS_MAX: Final = 80
_PATH: Final = "Let the proxy pass the path on undecoded and unmerged (nginx: merge_slashes off, proxy_pass without a path)."
_QUERY: Final = "Let the proxy pass the query on as it came."
_HEADER: Final = "Let the proxy pass this header on as it came."


@frozen(kw_only=True)
class Probe:
    """A row: a request, and what to do where it does not arrive as it was sent."""

    name: str
    what: str
    target: str
    """With `{bucket}`, encoded as it is sent."""
    advice: str
    headers: Mapping[str, str] = NOTHING
    verdict: Verdict = Verdict.FAIL
    """How grave it is."""


def _path(name: str, what: str, rest: str) -> Probe:
    return Probe(name=name, what=what, target="/{bucket}/" + rest, advice=_PATH)


PROBES: Final = (
    _path("path-plain", "a plain path", "folder/key"),
    _path("path-percent", "an escaped percent sign (%252F)", "a%252Fb"),
    _path("path-escaped-slash", "an escaped slash (%2F)", "a%2Fb"),
    _path("path-slashes", "two slashes together, and one at the end", "a//b/"),
    _path("path-dots", "'.' and '..' in the path", "a/./b/../c"),
    _path("path-plus", "'+', %2B and %20 in the path", "a+b%2Bc%20d"),
    _path("path-marks", "'~' and other bare characters in the path", "~(a)'!*;=@:&$,"),
    _path("path-utf8", "UTF-8 in the path", "%C3%BC/%E2%82%AC"),
    Probe(
        name="query",
        what="an unsorted query with %2B, %20 and %2F",
        target="/{bucket}?list-type=2&prefix=a%2Bb%20c%2F&delimiter=%2F",
        advice=_QUERY,
    ),
    Probe(name="query-empty", what="a parameter without a value", target="/{bucket}?uploads", advice=_QUERY),
    Probe(
        name="header-signed",
        what="a signed header with punctuation",
        target="/{bucket}/key",
        headers={"x-amz-meta-doctor": "a b; c=d, e"},
        advice=_HEADER,
    ),
    Probe(
        name="header-underscore",
        what="a header with '_' in its name",
        target="/{bucket}/key",
        headers={"x-amz-meta-under_score": "1"},
        advice="nginx drops such headers unless underscores_in_headers is on; clients send them for metadata with '_' in the name.",
        verdict=Verdict.WARN,
    ),
    Probe(
        name="header-encoding",
        what="a signed Accept-Encoding",
        target="/{bucket}/key",
        headers={"accept-encoding": "identity"},
        advice="Some clients sign it (the AWS SDK for Go): let the proxy pass it on as it came.",
        verdict=Verdict.WARN,
    ),
    Probe(
        name="header-long",
        what=f"a header of {LONG_VALUE_BYTES} bytes",
        target="/{bucket}/key",
        headers={"x-amz-meta-long": "x" * LONG_VALUE_BYTES},
        advice="Let the proxy take headers of 16 KiB (nginx: large_client_header_buffers).",
    ),
)


@frozen(kw_only=True)
class Outcome:
    """What came of a signed request."""

    code: str
    """S3's; empty where the answer is none of S3's."""
    bucket: str
    verified: bool
    """Whether the server has verified the signature."""
    findings: tuple[Finding, ...] = field(default=())
    """What is wrong, where it has not."""


_BEFORE_THE_SIGNATURE: Final = frozenset({
    "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidURI", "InvalidToken",
})  # fmt: skip
_CODES: Final[Mapping[str, str]] = {
    "InvalidAccessKeyId": "The server does not know this access key: check it, and whether it was revoked.",
    "RequestTimeTooSkewed": "Set the clocks of both sides (NTP).",
    "AuthorizationHeaderMalformed": "Set the client's region to the server's.",
    "InvalidToken": "The server takes no session token of this kind.",
}


def read_outcome(answer: Response, signed: Signed, secret: str) -> Outcome:
    """What an answer to a signed request means. Lists and the errors of S3 that come after the signature mean that it verified."""
    text = answer.body.decode("latin-1")
    error = read_error(text)
    if error is None:
        listed = answer.status == 200 and "ListAllMyBucketsResult" in text  # noqa: PLR2004 - RFC 9110 section 15.3.1
        seen = () if listed else (_foreign(answer),)
        return Outcome(code="", bucket="", verified=listed, findings=seen)
    verified = error.code not in _BEFORE_THE_SIGNATURE and not error.unsigned
    if verified:
        return Outcome(code=error.code, bucket=error.bucket, verified=True)
    if error.code in _CODES:
        region = f" (the server's region is {error.region})" if error.region else ""
        found: tuple[Finding, ...] = (fail("signature", f"{error.code}: {error.message}{region}", _CODES[error.code]),)
    else:
        found = tuple(judge(error, Canonical.parse(signed.canonical), secret))
    return Outcome(code=error.code, bucket=error.bucket, verified=False, findings=found)


def judge_probe(probe: Probe, answer: Response, signed: Signed, secret: str) -> list[Finding]:
    """The findings of one row."""
    outcome = read_outcome(answer, signed, secret)
    if outcome.verified:
        return [ok(probe.name, f"{probe.what} arrives as it was sent ({outcome.code or answer.status}).")]
    # the first line of a comparison says that the server refused, which this one says already
    causes = [each for each in outcome.findings if each.name not in {"server", "secret"}]
    text = f"{probe.what} does not arrive as it was sent ({outcome.code or answer.status})."
    words = " ".join(f"{each.name}: {each.text}" for each in causes if each.verdict is Verdict.FAIL)
    return [Finding(verdict=probe.verdict, name=probe.name, text=f"{text} {words}".rstrip(), advice=probe.advice)]


def _foreign(answer: Response) -> Finding:
    server = answer.headers.get("server", "which does not say its name")
    start = " ".join(answer.body[: _SHOWN_CHARACTERS_MAX * 4].decode("utf-8", "replace").split())[:_SHOWN_CHARACTERS_MAX]
    text = f"status {answer.status} from a server {server!r}, which is no answer of S3: {start!r}"
    return fail("answer", text, "Something else than an S3 server answers here: check host, port and path.")
