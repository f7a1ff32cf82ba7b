"""Which bucket and key a request names.

Law: bucket and key are parsed once, from the raw path and the Host header; what is authorised is
what is stored. The path is percent-decoded once and is UTF-8 (RFC 3986 section 2.1); nothing in it
is normalised: `.`, `..` and `//` are ordinary.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import frozen

from lightningstor_server.service.operation import Target
from lightningstor_types.errors import InvalidURI

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@frozen
class Address:
    """What is named. Names are not yet validated."""

    target: Target
    bucket: str = ""
    key: str = ""


_SERVICE: Final = Address(Target.SERVICE)


def decoded(text: bytes) -> str:
    """Percent-decode a component of the path.

    Raises:
        InvalidURI: an escape is malformed, or the bytes are no UTF-8.
    """
    if b"%" in text:
        if _BAD_ESCAPE.search(text):
            raise InvalidURI
        text = unquote_to_bytes(text)
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidURI from None


def parse_address(raw_path: bytes, host: str, domains: tuple[str, ...]) -> Address:
    """Read the address of a request, path style or virtual-hosted style.

    A host of `<bucket>.<domain>`, for one of the server's `domains`, names the bucket; else the
    first segment of the path does.

    Raises:
        InvalidURI: the path does not begin with `/`, or cannot be decoded.
    """
    if not raw_path.startswith(b"/"):
        raise InvalidURI
    bucket = _bucket_of(host, domains)
    if bucket:
        rest = raw_path[1:]
        return Address(Target.OBJECT, bucket, decoded(rest)) if rest else Address(Target.BUCKET, bucket)
    first, slash, rest = raw_path[1:].partition(b"/")
    if not first:
        if slash:
            raise InvalidURI
        return _SERVICE
    if not rest:
        return Address(Target.BUCKET, decoded(first))
    return Address(Target.OBJECT, decoded(first), decoded(rest))


def _bucket_of(host: str, domains: tuple[str, ...]) -> str:
    """The bucket that a host names; empty for the server's own names."""
    name = host.rsplit(":", 1)[0].lower() if ":" in host and not host.endswith("]") else host.lower()
    for domain in domains:
        if name.endswith(domain) and name[: -len(domain)].endswith("."):
            return name[: -len(domain) - 1]
    return ""
