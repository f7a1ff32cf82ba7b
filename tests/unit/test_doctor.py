"""`doctor` and `bench` without a network: what is read, what is printed, what is drawn."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from click.testing import CliRunner, Result

from lightningstor_server.auth.recordings import RecordingError, read_recording, read_url, request_of_url
from lightningstor_server.cli.main import main
from lightningstor_server.findings import Verdict
from lightningstor_server.load.connection import Response, endpoint_of
from lightningstor_server.load.content import Check, Content
from lightningstor_server.load.mixes import MIXES, OPERATIONS, Mix
from lightningstor_server.load.results import Result as Measured
from lightningstor_server.load.results import Tally, percentile
from lightningstor_server.load.signing import Credentials, signed, target_of
from lightningstor_server.probing.requests import PROBES, judge_probe, read_outcome

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "canary-of-the-secret"
MOMENT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AT = "--at=20260301T120500Z"
CREDENTIALS = Credentials(access_key=KEY, secret_key=SECRET, region="us-east-1", clock=lambda: MOMENT)
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}


def doctor(*arguments: str | Path, stdin: bytes = b"", **more: str | None) -> Result:
    """Run it; whatever it says, the secret is not in it."""
    result = CliRunner().invoke(main, ["doctor", *map(str, arguments)], input=io.BytesIO(stdin), env={**ENVIRONMENT, **more})
    assert "canary" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def recorded(host: str = "s3.example.com", *, arrived: str | None = None, prefix: str = "", end: str = "\n") -> bytes:
    """A recording of a request that was signed for `host` and arrived at `arrived`."""
    request = signed(CREDENTIALS, "GET", host, "/bucket/a%20b?prefix=x").request
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value if name != 'host' else arrived or host}" for name, value in request.headers]
    return "".join(f"{prefix}{line}{end}" for line in (*lines, "")).encode()


def test_a_right_request_is_well() -> None:
    """Exit code 0; what was canonicalised is shown."""
    result = doctor("--request", "-", AT, stdin=recorded())
    assert result.exit_code == 0, result.output
    assert "  | host:s3.example.com\n" in result.output
    assert "  | AWS4-HMAC-SHA256\n" in result.output
    assert result.output.endswith("2 well, 0 to note, 0 wrong.\n")


def test_a_changed_host_is_named() -> None:
    """Exit code 1, both names, and what to do."""
    result = doctor("--request", "-", AT, "--host", "s3.example.com", stdin=recorded(arrived="10.0.0.7:9001"))
    assert result.exit_code == 1
    assert "FAIL host " in result.output
    assert "'s3.example.com', and it arrived with '10.0.0.7:9001'" in result.output
    assert "proxy_set_header Host" in result.output


@pytest.mark.parametrize(("prefix", "end"), [("", "\n"), ("", "\r\n"), ("> ", "\n"), ("> ", "\r\n")])
def test_recordings_are_read_as_they_are_kept(tmp_path: Path, prefix: str, end: str) -> None:
    """Raw and from `curl -v`, with either end of line, from a file."""
    kept = tmp_path / "request.txt"
    noise = b"* Trying 127.0.0.1:9001...\n" if prefix else b""
    kept.write_bytes(noise + recorded(prefix=prefix, end=end) + b"< HTTP/1.1 403 Forbidden\n")
    assert doctor("--request", kept, AT).exit_code == 0


def test_the_request_line_is_found_within_a_line() -> None:
    """Tcpdump writes the packet's head before it, a proxy's log quotes it; headers come from the command line."""
    request = read_recording(b"E..4..@.@.....P.GET /b/k?x=1 HTTP/1.1\nHost: a\nX-A: b\n c\n\nbody: no\n")
    assert (request.method, request.path, request.query) == ("GET", b"/b/k", b"x=1")
    assert request.headers == {"host": "a", "x-a": "b c"}
    logged = read_recording(b'1.2.3.4 - "PUT /b/k HTTP/1.1" 403\n', [("Host", "a"), ("x-amz-date", "d")])
    assert (logged.method, logged.path, logged.headers) == ("PUT", b"/b/k", {"host": "a", "x-amz-date": "d"})


def test_the_last_signed_request_is_taken() -> None:
    """Of several; a header of the command line replaces a recorded one."""
    several = b"GET /1 HTTP/1.1\nAuthorization: x\n\nGET /2 HTTP/1.1\nAuthorization: y\nHost: a\n\nGET /3 HTTP/1.1\nHost: a\n\n"
    request = read_recording(several, [("host", "b")])
    assert request.path == b"/2"
    assert request.headers == {"authorization": "y", "host": "b"}


def test_absolute_targets_are_taken_apart() -> None:
    """As proxies get them."""
    request = read_recording(b"GET http://a:80/b/%2F?c HTTP/1.1\n\n")
    assert (request.path, request.query, request.headers) == (b"/b/%2F", b"c", {"host": "a"})


@pytest.mark.parametrize(
    ("url", "host"), [("https://a:443/b?c", "a"), ("http://a:80/b?c", "a"), ("http://a:443/b?c", "a:443"), ("HTTPS://u@a/b?c#d", "a")]
)
def test_the_default_port_is_no_part_of_the_host(url: str, host: str) -> None:
    """Clients leave it out of the Host header."""
    request = request_of_url(read_url(url), "GET")
    assert request.headers == {"host": host}
    assert (request.path, request.query) == (b"/b", b"c")


@pytest.mark.parametrize("text", ["", "s3.example.com", "ftp://a/", "http://", "http:///b", "s3://bucket/key"])
def test_what_is_no_url_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(RecordingError, match="expected a URL"):
        read_url(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give a URL"),
        (["s3.example.com"], "expected a URL"),
        (["--request", "-"], "no request line"),
        (["--error", "-"], "no error document"),
        (["--canonical", "-"], "no canonical request"),
        (["--request", "-", "--at", "yesterday"], "yesterday"),
        (["--request", "no-such-file"], "no-such-file"),
        (["http://127.0.0.1:99999"], "expected HOST"),
        (["--request", "-", "--header", "nothing"], "NAME:VALUE"),
    ],
)
def test_what_cannot_be_read_is_named(arguments: list[str], words: str) -> None:
    """Exit code 2, and one line that says what was expected."""
    result = doctor(*arguments, stdin=b"nothing\n")
    assert result.exit_code == 2
    assert words in result.output


def test_an_empty_recording_is_no_request() -> None:
    """It is never taken for one in which nothing is wrong."""
    assert doctor("--request", "-").exit_code == 2


def presigned(host: str = "s3.example.com") -> str:
    """A URL, signed by botocore."""
    from unittest import mock  # noqa: PLC0415 - used here alone

    from botocore import auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials as Botocores  # noqa: PLC0415

    request = AWSRequest("GET", f"https://{host}/bucket/a%20b")
    with mock.patch.object(auth, "get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        auth.S3SigV4QueryAuth(Botocores(KEY, SECRET), "s3", "us-east-1", 600).add_auth(request)
    url: str = request.url
    return url


def test_presigned_urls_are_explained() -> None:
    """Right, expired, and for another method; nothing is sent."""
    url = presigned()
    assert doctor(url, AT).exit_code == 0
    expired = doctor(url, "--at", "2026-03-01T13:00:00Z")
    assert expired.exit_code == 1
    assert "it expired at 2026-03-01T12:10:00Z" in expired.output
    assert "signed the method GET, and it arrived as PUT" in doctor(url, AT, "-X", "PUT").output
    assert "signed the Host" in doctor(url.replace("//s3", "//cdn"), AT, "--host", "s3.example.com").output


def test_without_a_secret_the_rest_is_told() -> None:
    """The claim, the time and the canonical request need none."""
    result = doctor(presigned(), AT, AWS_SECRET_ACCESS_KEY=None)
    assert result.exit_code == 0
    assert "WARN signature" in result.output
    assert "  | /bucket/a%20b\n" in result.output


def test_a_refusal_in_a_recording_is_compared() -> None:
    """The output of `curl -v` holds the server's canonical request: the header that a proxy changed is named."""
    request = signed(CREDENTIALS, "GET", "s3.example.com", "/bucket/a%20b?prefix=x")
    theirs = request.canonical.replace("host:s3.example.com", "host:backend")
    error = f"<Error><Code>SignatureDoesNotMatch</Code><Message>No</Message><CanonicalRequest>{theirs}</CanonicalRequest></Error>"
    result = doctor("--request", "-", AT, stdin=recorded(prefix="> ") + error.encode())
    assert result.exit_code == 1
    assert "The client signed 's3.example.com'; the server computed 'backend'." in result.output


def test_a_client_s_log_is_compared(tmp_path: Path) -> None:
    """With the server's error, or with what the doctor computes."""
    request = signed(CREDENTIALS, "GET", "s3.example.com", "/bucket/a%20b?prefix=x")
    log, error = tmp_path / "log", tmp_path / "error.xml"
    log.write_text(f"DEBUG CanonicalRequest:\n{request.canonical.replace('a%20b', 'a+b')}\nDEBUG StringToSign:\n")
    error.write_text(f"<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>{request.canonical}</CanonicalRequest></Error>")
    for result in (doctor("--error", error, "--canonical", log), doctor("--request", "-", "--canonical", log, AT, stdin=recorded())):
        assert result.exit_code == 1
        assert "FAIL path " in result.output
        assert "'/bucket/a+b'; the server computed '/bucket/a%20b'" in result.output


def test_what_others_wrote_does_not_reach_the_terminal() -> None:
    """Control characters are shown, not obeyed."""
    error = b"<Error><Code>AccessDenied</Code><Message>\xc2\x9b31m red</Message></Error>"
    assert "\\x9b31m red" in doctor("--error", "-", stdin=error).output


def answer(status: int, body: str) -> Response:
    return Response(status=status, headers={"server": "x"}, body=body.encode(), received=len(body))


@pytest.mark.parametrize(
    ("status", "body", "verified"),
    [
        (200, "<ListAllMyBucketsResult/>", True),
        (404, "<Error><Code>NoSuchBucket</Code></Error>", True),
        (403, "<Error><Code>AccessDenied</Code></Error>", True),
        (403, "<Error><Code>AccessDenied</Code><HeadersNotSigned>x-amz-a</HeadersNotSigned></Error>", False),
        (403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", False),
        (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", False),
        (400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-1</Region></Error>", False),
        (200, "<html>Welcome to nginx</html>", False),
        (502, "Bad gateway", False),
    ],
)
def test_an_answer_tells_whether_the_signature_was_verified(status: int, body: str, verified: bool) -> None:  # noqa: FBT001 - a table
    """What comes behind the signature means that it was right; what is not S3's means nothing, and there is a finding."""
    outcome = read_outcome(answer(status, body), signed(CREDENTIALS, "GET", "a", "/"), SECRET)
    assert outcome.verified == verified
    assert verified or any(finding.verdict is Verdict.FAIL for finding in outcome.findings)


def test_each_probe_fails_as_gravely_as_it_says() -> None:
    """A row's own verdict and advice, and the line that differs."""
    for probe in PROBES:
        request = signed(CREDENTIALS, "GET", "a", probe.target.format(bucket="b"), headers=probe.headers)
        changed = escape(request.canonical.replace("host:a", "host:b"))
        body = f"<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>{changed}</CanonicalRequest></Error>"
        [finding] = judge_probe(probe, answer(403, body), request, SECRET)
        assert (finding.name, finding.verdict, finding.advice) == (probe.name, probe.verdict, probe.advice)
        assert "header host: The client signed 'a'; the server computed 'b'." in finding.text
        [well] = judge_probe(probe, answer(404, "<Error><Code>NoSuchBucket</Code></Error>"), request, SECRET)
        assert well.verdict is Verdict.OK


def test_targets_are_encoded_as_s3_wants_them() -> None:
    """Slashes of a key stay; the query is sorted."""
    assert target_of("b", "ä/+ ~", [("uploadId", "x/y"), ("partNumber", "1")]) == "/b/%C3%A4/%2B%20~?partNumber=1&uploadId=x%2Fy"
    assert (target_of(), target_of("b"), target_of("b", query=[("delete", "")])) == ("/", "/b", "/b?delete=")


@pytest.mark.parametrize(
    ("scheme", "authority", "host", "port"),
    [
        ("http", "a", "a", 80),
        ("https", "a", "a", 443),
        ("http", "a:9001", "a", 9001),
        ("http", "[::1]:9001", "::1", 9001),
        ("http", "[::1]", "::1", 80),
    ],
)
def test_endpoints_are_read(scheme: str, authority: str, host: str, port: int) -> None:
    """With the scheme's port where none is named; the Host header is what was read."""
    endpoint = endpoint_of(scheme, authority)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert scheme == "https" or endpoint.authority == authority


def test_mixes_are_read() -> None:
    """By name or by weights; the same draws come in the same order."""
    assert Mix.parse("get").weights == {"get": 1}
    assert Mix.parse("get=80, put=20").weights == {"get": 80, "put": 20}
    first, second = (Mix.parse("mixed").draw() for _ in range(2))
    drawn = [first.operation() for _ in range(500)]
    assert drawn == [second.operation() for _ in range(500)]
    assert set(drawn) == set(MIXES["mixed"])
    assert Counter(drawn).most_common(1)[0][0] == "get"
    assert {name for name in OPERATIONS if Mix.parse(name).reads} == {"get", "range", "list"}


@pytest.mark.parametrize(
    "arguments",
    [["--mix=gte"], ["--mix=get=0"], ["--mix=get=x"], ["--mix="], ["--size=0"], ["--size=4XiB"], ["--size=1GiB"], ["--size=-1"],
     ["--connections=0"], ["--requests=0"], ["--seconds=0"], ["--endpoint=nowhere"], ["--endpoint=http://a/path"]],
)  # fmt: skip
def test_a_bad_option_of_bench_exits_2(arguments: list[str]) -> None:
    """Before anything is sent, and without a trace."""
    result = CliRunner().invoke(main, ["bench", *arguments], env=ENVIRONMENT)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert "canary" not in result.output


def test_bodies_differ_by_key_and_are_found_again() -> None:
    """The same key has the same bytes; another key has others; a check sees each difference."""
    content = Content(4096)
    body = bytes(content.of("a", 4096))
    assert body == bytes(Content(4096).of("a", 4096))
    assert body != bytes(content.of("b", 4096))
    for pieces, passed in (
        ([body], True),
        ([body[:1], body[1:]], True),
        ([body[:-1]], False),
        ([body, b"x"], False),
        ([body[:100], b"\0", body[101:]], False),
        ([], False),
    ):
        check = Check(content.of("a", 4096))
        for piece in pieces:
            check.take(piece)
        assert check.passed == passed


def test_percentiles_are_by_nearest_rank() -> None:
    """Of all values."""
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]
    assert (percentile([], 0.5), percentile([7.0], 0.5), percentile([7.0], 0.99)) == (0.0, 7.0, 7.0)


def test_a_result_tells_rates_latencies_and_errors() -> None:
    """In a table and as a document; failures are no part of latencies."""
    put, get = Tally(), Tally()
    for milliseconds in range(1, 101):
        put.add(milliseconds / 1000, 1 << 20)
    get.add(0.5, 0)
    get.errors["SlowDown"] += 3
    result = Measured(tallies={"put": put, "get": get}, seconds=10.0, busy=0.99)
    document: dict[str, Any] = result.document()
    assert document["operations"]["put"]["requests_per_second"] == 10.0
    assert document["operations"]["put"]["bytes_per_second"] == 10 << 20
    assert document["operations"]["put"]["latency_seconds"] == {"p50": 0.05, "p90": 0.09, "p99": 0.099, "max": 0.1}
    assert document["operations"]["get"]["requests"] == 4
    assert document["errors"] == {"SlowDown": 3}
    assert not result.clean
    table = "\n".join(result.table())
    assert "error: SlowDown: 3" in table
    assert "99% of a core" in table
    assert table.splitlines()[3].split()[:3] == ["total", "104", "3"]
