"""Requests as people keep them: raw, from `curl -v`, from tcpdump, or as a presigned URL.

Law: no input and no output. The request line and the headers are taken as they stand, bytes as
Latin-1, and nothing is normalised: what a recording changed is part of what is looked for. A
recording of several requests is read for the last one that is signed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from lightningstor_server.auth.canonical import SignedRequest, join_headers

RECORDING_BYTES_MAX: Final = 16 << 20
URL_CHARACTERS_MAX: Final = 64 << 10

# RFC 9112 section 3; anywhere in a line, since tcpdump writes the packet's head before it and proxies quote it
_REQUEST_LINE: Final = re.compile(r'(?:^|[^A-Z])([A-Z]{3,7}) ([^\s"]+) HTTP/[0-9](?:\.[0-9])?')
_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+\-.^_`|~]+):[ \t]?(.*)")  # RFC 9112 section 5
_MARK: Final = re.compile(r"> ?")
_URL: Final = re.compile(r"(https?)://([^/?#\s]+)([^?#\s]*)(?:\?([^#\s]*))?(?:#\S*)?", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_NOT_FOLLOWED: Final = ("*", "<", "{", "}", "[")
"""Marks of curl's own lines between those of a request."""


class RecordingError(Exception):
    """What was given is no request; the message says what was looked for."""


@frozen(kw_only=True)
class Url:
    """A URL as it stands, its path and query undecoded."""

    scheme: str
    host: str
    """With the port that clients send: the scheme's own is left out (RFC 9110 section 7.2)."""
    path: str
    query: str

    @property
    def presigned(self) -> bool:
        """Whether a signature is in the query."""
        return "X-Amz-Signature=" in self.query or "Signature=" in self.query


def read_url(text: str) -> Url:
    """Read an absolute http or https URL.

    Raises:
        RecordingError: it is none.
    """
    match = _URL.fullmatch(text.strip()[:URL_CHARACTERS_MAX])
    if match is None:
        raise RecordingError("expected a URL: http://... or https://...")
    scheme, authority = match[1].lower(), match[2].rpartition("@")[2]
    return Url(scheme=scheme, host=authority.removesuffix(_DEFAULT_PORTS[scheme]), path=match[3] or "/", query=match[4] or "")


def request_of_url(url: Url, method: str, headers: Sequence[tuple[str, str]] = ()) -> SignedRequest:
    """The request that a client makes of a presigned URL."""
    return _request(method, f"{url.path}?{url.query}", [("host", url.host)], headers)


def read_recording(content: bytes, headers: Sequence[tuple[str, str]] = ()) -> SignedRequest:
    """The request in a recording; `headers` are added, and replace those of their names.

    Raises:
        RecordingError: there is no request line in it.
    """
    lines = [line.rstrip("\r") for line in content[:RECORDING_BYTES_MAX].decode("latin-1").split("\n")]
    marked = [_MARK.sub("", line, count=1) if line.startswith(">") else line for line in lines]
    found = []
    for place, line in enumerate(marked):
        match = None if line.startswith(_NOT_FOLLOWED) else _REQUEST_LINE.search(line)
        if match is not None:
            found.append((match[1], match[2], _headers(marked[place + 1 :])))
    if not found:
        raise RecordingError("no request line was found, such as: GET /bucket/key HTTP/1.1")
    signed = [each for each in found if "X-Amz-Signature=" in each[1] or any(name.lower() == "authorization" for name, _ in each[2])]
    method, target, own = (signed or found)[-1]
    return _request(method, target, own, headers)


def _headers(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Header lines up to the blank one; a line that begins with space goes on with the one before (RFC 9112 section 5.2)."""
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith(_NOT_FOLLOWED):
            continue
        if line[:1] in {" ", "\t"} and headers and line.strip():
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            break
        headers.append((match[1], match[2]))
    return headers


def _request(method: str, target: str, own: Sequence[tuple[str, str]], more: Sequence[tuple[str, str]]) -> SignedRequest:
    if not target.startswith("/"):  # absolute form, RFC 9112 section 3.2.2: sent to proxies
        url = read_url(target)
        target = f"{url.path}?{url.query}" if url.query else url.path
        own = own or [("host", url.host)]
    replaced = {name.lower() for name, _ in more}
    kept = [pair for pair in own if pair[0].lower() not in replaced]
    path, _, query = target.partition("?")
    raw = [(name.encode("latin-1"), value.encode("latin-1", "backslashreplace")) for name, value in (*kept, *more)]
    return SignedRequest(method=method, path=path.encode("latin-1"), query=query.encode("latin-1"), headers=join_headers(raw))
