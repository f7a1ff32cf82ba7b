"""What `lightningstor doctor` does with what it was given.

Law: the secret is used and never shown; text that others wrote is shown without what a terminal
would obey. Findings are printed as they are made.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click
from attrs import field, frozen

from lightningstor_server.auth.comparison import Canonical, compare, find_canonical, judge, read_error
from lightningstor_server.auth.diagnosis import Asker, Explanation, explain
from lightningstor_server.auth.recordings import RecordingError, Url, read_recording, read_url, request_of_url
from lightningstor_server.failures import StartError
from lightningstor_server.findings import Finding, Verdict, fail, ok, warn
from lightningstor_server.load.connection import endpoint_of
from lightningstor_server.load.signing import Credentials
from lightningstor_server.probing import examination
from lightningstor_types.errors import StorError

INPUT_BYTES_MAX: Final = 64 << 20
REGION: Final = "us-east-1"
"""Where none is named, as in every S3 client."""
_COLOURS: Final = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


@frozen(kw_only=True)
class Given:
    """What was given, as the options name it."""

    target: str | None
    request: BinaryIO | None
    error: BinaryIO | None
    canonical: BinaryIO | None
    method: str
    header: tuple[str, ...]
    body: BinaryIO | None
    access_key: str | None
    secret_key: str | None = field(repr=False)
    region: str | None
    host: tuple[str, ...]
    at: datetime | None
    ca_file: Path | None
    timeout: float


def examine(given: Given) -> bool:
    """Tell what is found; returns whether anything fails.

    Raises:
        StartError: what was given cannot be read.
        click.UsageError: nothing was given.
    """
    try:
        url = None if given.target is None else read_url(given.target)
        if given.request is None and given.error is None and given.canonical is None and not (url is not None and url.presigned):
            if url is None:
                raise click.UsageError("Give a URL, or a failing request (--request). --help has examples.")
            findings = asyncio.run(_probe(given, url))
        else:
            findings = _explain(given, url)
    except RecordingError as error:
        raise StartError(str(error)) from None
    counts = Counter(finding.verdict for finding in findings)
    click.echo(f"{counts[Verdict.OK]} well, {counts[Verdict.WARN]} to note, {counts[Verdict.FAIL]} wrong.")
    return counts[Verdict.FAIL] > 0


def _explain(given: Given, url: Url | None) -> list[Finding]:
    recording = _content(given.request)
    client = None if given.canonical is None else find_canonical(_content(given.canonical).decode("utf-8", "replace"))
    if given.canonical is not None and client is None:
        raise StartError("no canonical request was found in what --canonical names")
    refusal = (
        read_error(_content(given.error).decode("utf-8", "replace")) if given.error else read_error(recording.decode("utf-8", "replace"))
    )
    if given.error is not None and refusal is None:
        raise StartError("no error document was found in what --error names")
    findings: list[Finding] = []
    ours: Canonical | None = None
    if given.request is not None or url is not None:
        explanation, findings = _explained(given, url, recording)
        ours = Canonical.parse(explanation.canonical_request)
    if refusal is not None:
        findings += _told(judge(refusal, client or ours, given.secret_key))
    elif client is not None:
        findings += _told(_compared(ours, client))
    return findings


def _explained(given: Given, url: Url | None, recording: bytes) -> tuple[Explanation, list[Finding]]:
    headers = [_header(text) for text in given.header]
    hosts = given.host if url is None or url.presigned else (*given.host, url.host)
    try:
        request = (
            read_recording(recording, headers) if url is None or given.request is not None else request_of_url(url, given.method, headers)
        )
    except StorError as error:
        refused = Explanation(claim=None, findings=(fail("request", f"{error.code}: {error.message}"),))
        return refused, _told(refused.findings)
    asker = Asker(
        access_key=given.access_key,
        secret=given.secret_key,
        region=given.region,
        hosts=hosts,
        body=None if given.body is None else _content(given.body),
        now=datetime.now(UTC) if given.at is None else given.at.replace(tzinfo=UTC),
    )
    explanation = explain(request, asker)
    _show(explanation)
    return explanation, _told(explanation.findings)


def _compared(ours: Canonical | None, client: Canonical) -> Iterable[Finding]:
    if ours is None:
        return [warn("comparison", "There is nothing to compare with.", "Give the request (--request) or the server's error (--error).")]
    return compare(ours, client) or [ok("comparison", "The client's canonical request is the one above.")]


async def _probe(given: Given, url: Url) -> list[Finding]:
    try:
        endpoint = endpoint_of(url.scheme, url.host)
    except ValueError as error:
        raise StartError(f"{url.host}: {error}") from None
    order = examination.Order(
        endpoint=endpoint,
        secure=url.scheme == "https",
        authority=given.ca_file,
        credentials=_credentials(given),
        seconds=given.timeout,
    )
    findings: list[Finding] = []
    if url.path != "/" or url.query:
        findings += _told([warn("url", "An S3 endpoint has no path of its own: the path was left out.", "Leave it out at clients too.")])
    try:
        async for finding in examination.examine(order):
            findings += _told([finding])
    except BrokenPipeError:
        raise  # whoever read the findings has gone, and click ends for that
    except OSError as error:
        raise StartError(f"{given.ca_file}: {error}") from None
    return findings


def _credentials(given: Given) -> Credentials | None:
    if given.access_key is None or given.secret_key is None:
        return None
    return Credentials(access_key=given.access_key, secret_key=given.secret_key, region=given.region or REGION)


def _content(stream: BinaryIO | None) -> bytes:
    return b"" if stream is None else stream.read(INPUT_BYTES_MAX)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise StartError(f"--header {text!r}: expected NAME:VALUE")
    return name.strip(), value.strip()


def _show(explanation: Explanation) -> None:
    claim = explanation.claim
    if claim is None:
        return
    lines = {
        "access key": claim.access_key,
        "scope": str(claim.scope),
        "time": claim.timestamp + ("" if claim.expires is None else f", good for {claim.expires} s (presigned)"),
        "signed headers": ", ".join(claim.signed_headers),
        "payload": claim.payload.text,
    }
    _block("what the request claims", (f"{name:<15}{value}" for name, value in lines.items()))
    _block("canonical request, as the server computes it", explanation.canonical_request.split("\n"))
    _block("string to sign", explanation.string_to_sign.split("\n"))


def _block(title: str, lines: Iterable[str]) -> None:
    click.secho(title, bold=True)
    for line in lines:
        click.echo(f"  | {_legible(line)}")
    click.echo()


def _told(findings: Iterable[Finding]) -> list[Finding]:
    """Print findings as they come, and hand them on."""
    told = list(findings)
    for finding in told:
        mark = click.style(f"{finding.verdict.value:<5}", fg=_COLOURS[finding.verdict])
        click.echo(f"{mark}{finding.name:<18} {_legible(finding.text)}")
        if finding.advice:
            click.echo(f"{'':<24}-> {finding.advice}")
    return told


def _legible(text: str) -> str:
    """Text that others wrote, without what a terminal would obey."""
    return "".join([character if character.isprintable() else f"\\x{ord(character):02x}" for character in text])
