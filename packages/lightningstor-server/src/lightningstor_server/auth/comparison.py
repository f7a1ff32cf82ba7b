"""Two canonical requests side by side: the server's, out of its error, and the client's, out of its log.

Law: no input and no output; what is read is text that others wrote, so everything is bounded and
nothing is assumed of it. Parts are named as AWS, "Create a signed AWS API request", names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, Self
from xml.etree.ElementTree import Element, ParseError

from attrs import field, frozen
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lightningstor_server.auth.diagnosis import signed_with
from lightningstor_server.auth.material import without_secrets
from lightningstor_server.findings import Finding, fail, ok, warn

TEXT_CHARACTERS_MAX: Final = 16 << 20
"""How much of a log is searched."""

_ERROR: Final = re.compile(r"<Error\b.*?</Error>", re.DOTALL)
_SHOWN_CHARACTERS_MAX: Final = 200
_HEADER_ADVICE: Final = "A proxy rewrites this header: let it pass it on as it came, or let the client not sign it."
_ADVICE: Final = {
    "method": "One of the two sends another method: a presigned URL is good for one.",
    "path": "A proxy normalises, decodes or rewrites the path, or the client encodes it otherwise: let the path pass as it came.",
    "query": "A proxy changes the query, or the client sorts or encodes it otherwise.",
    "header host": "A proxy changes Host (nginx: proxy_set_header Host $http_host).",
    "signed headers": "One of the two names other headers: something on the way changed the Authorization header or the URL.",
    "payload hash": "x-amz-content-sha256 changed on the way, or the client signed another value than it sent.",
}


@frozen(kw_only=True)
class Canonical:
    """A canonical request, taken apart."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    signed: str
    payload: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read one, from the beginning of a text; what follows it is let be. None where it is none."""
        lines = [line.rstrip("\r") for line in text.lstrip().split("\n")]
        if len(lines) < 6 or not lines[0].isalpha() or not lines[1].startswith("/"):  # noqa: PLR2004 - one header at least
            return None
        try:
            blank = lines.index("", 3)
            signed, payload = lines[blank + 1], lines[blank + 2].strip()
        except (ValueError, IndexError):
            return None
        headers = {name.strip().lower(): value for name, _, value in (line.partition(":") for line in lines[3:blank])}
        return cls(method=lines[0], path=lines[1], query=lines[2], headers=headers, signed=signed.strip(), payload=payload)

    def text(self) -> str:
        """As it is hashed."""
        lines = [self.method, self.path, self.query, *(f"{name}:{value}" for name, value in self.headers.items())]
        return "\n".join([*lines, "", self.signed, self.payload])

    def parts(self) -> Iterator[tuple[str, str]]:
        """The parts by name."""
        yield from (("method", self.method), ("path", self.path), ("query", self.query))
        yield from ((f"header {name}", value) for name, value in self.headers.items())
        yield from (("signed headers", self.signed), ("payload hash", self.payload))


@frozen(kw_only=True)
class ServerError:
    """What an S3 server says of a signature that it refuses. Fields that it does not tell are empty."""

    code: str
    message: str
    access_key: str
    canonical_request: str = field(repr=False)
    string_to_sign: str = field(repr=False)
    signature: str = field(repr=False)
    unsigned: str
    region: str
    bucket: str


def read_error(text: str) -> ServerError | None:
    """The first error document in a text, such as a response or the output of curl; None where there is none."""
    match = _ERROR.search(text[:TEXT_CHARACTERS_MAX])
    if match is None:
        return None
    try:
        root: Element = fromstring(match[0], forbid_dtd=True)
    except (ParseError, DefusedXmlException):
        return None
    told = {child.tag.rpartition("}")[2]: child.text or "" for child in root}
    return ServerError(
        code=told.get("Code", ""),
        message=told.get("Message", ""),
        access_key=told.get("AWSAccessKeyId", ""),
        canonical_request=_from_bytes(told.get("CanonicalRequestBytes", "")) or told.get("CanonicalRequest", ""),
        string_to_sign=told.get("StringToSign", ""),
        signature=told.get("SignatureProvided", ""),
        unsigned=told.get("HeadersNotSigned", ""),
        region=told.get("Region", ""),
        bucket=told.get("BucketName", ""),
    )


def _from_bytes(hexadecimal: str) -> str:
    """AWS tells the canonical request as hex bytes too, where an XML reader has not touched the white space."""
    try:
        return bytes.fromhex(hexadecimal).decode("latin-1")
    except ValueError:
        return ""


def find_canonical(text: str) -> Canonical | None:
    """The last canonical request in a client's log (botocore's and others' have a line before it), or the text itself."""
    text = text[:TEXT_CHARACTERS_MAX]
    marked = [match.end() for match in re.finditer(r"canonical ?request[^\n]*\n", text, re.IGNORECASE)]
    for start in (*reversed(marked), 0):
        found = Canonical.parse(text[start:])
        if found is not None:
            return found
    return None


def compare(server: Canonical, client: Canonical) -> list[Finding]:
    """Each part that differs; empty where none does."""
    ours, theirs = dict(server.parts()), dict(client.parts())
    findings = []
    for name in dict.fromkeys((*theirs, *ours)):
        there, here = theirs.get(name), ours.get(name)
        if there == here or "(left out)" in f"{there}{here}":
            continue
        text = f"The client signed {_shown(name, there)}; the server computed {_shown(name, here)}."
        findings.append(fail(name, text, _ADVICE.get(name, _HEADER_ADVICE)))
    return findings


def judge(error: ServerError, client: Canonical | None, secret: str | None) -> list[Finding]:
    """What follows from the server's error, the client's canonical request and the secret, as far as each is known."""
    findings = [fail("server", f"The server answered {error.code}: {error.message}")]
    if error.unsigned:
        advice = "If the client does not send them, a proxy adds them: let it not."
        findings.append(fail("coverage", f"These headers arrived without being signed: {error.unsigned}.", advice))
    if error.code != "SignatureDoesNotMatch":
        return findings
    server = Canonical.parse(error.canonical_request)
    if secret is not None and error.string_to_sign and error.signature and signed_with(error.string_to_sign, error.signature, secret):
        advice = "The server knows another secret for this access key: it was changed or damaged on one of the two sides."
        return [*findings, fail("secret", "The secret given here signed exactly what the server computed.", advice)]
    if server is None:
        advice = "Give the request itself (--request FILE), or the client's log."
        return [*findings, warn("comparison", "The server does not tell its canonical request.", advice)]
    if client is None:
        advice = "Give the client's (--canonical FILE) to see which line differs."
        return [*findings, warn("comparison", "The server tells its canonical request, and there is none of the client.", advice)]
    differences = compare(server, client)
    if differences:
        return findings + differences
    if sha256(server.text().encode("latin-1", "replace")).hexdigest() not in error.string_to_sign:
        return [*findings, warn("comparison", "Both canonical requests are alike but for characters that the error's XML changed.")]
    same = ok("comparison", "Both sides have the same canonical request: nothing on the way changed it.")
    return [
        *findings,
        same,
        fail("secret", "So the secret differs, or the scope of the key.", "Check the client's secret, region and clock."),
    ]


def _shown(name: str, value: str | None) -> str:
    if value is None:
        return "none"
    text = (
        without_secrets(f"{name.removeprefix('header ')}:{value}").partition(":")[2]
        if name.startswith("header ")
        else without_secrets(value)
    )
    return repr(text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}...")
