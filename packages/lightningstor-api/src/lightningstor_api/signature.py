"""What client and server share of Signature Version 4: scope, keys, strings to sign, URI encoding.

Law: pure functions over their arguments, standard library only; nothing here keeps a secret, reads
a clock or decides whether a request is good. Source: AWS, "Create a signed AWS API request", and
for chunks "Transferring payload in multiple chunks" with its page on trailing headers.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote

ALGORITHM: Final = "AWS4-HMAC-SHA256"
CHUNK_ALGORITHM: Final = "AWS4-HMAC-SHA256-PAYLOAD"
TRAILER_ALGORITHM: Final = "AWS4-HMAC-SHA256-TRAILER"
TERMINATOR: Final = "aws4_request"
EMPTY_SHA256: Final = sha256(b"").hexdigest()


class Scope(NamedTuple):
    """What a signing key is good for: one day (`YYYYMMDD`, UTC), one region, one service."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        """The scope as it stands in a credential and in a string to sign."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def uri_encode(raw: bytes | str, *, keep_slash: bool) -> str:
    """Percent-encode everything but RFC 3986's unreserved characters, in upper-case hex.

    A `str` is encoded as UTF-8. `keep_slash` leaves `/` alone, as S3 wants it for keys.
    """
    return quote(raw, safe="/" if keep_slash else "")


def derive_signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that signs for one scope. As secret as the secret, for that day."""
    key = hmac.digest(f"AWS4{secret}".encode(), date.encode(), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(signing_key: bytes, text: str) -> str:
    """The signature of a string to sign: 64 lower-case hex digits."""
    return hmac.digest(signing_key, text.encode("latin-1"), "sha256").hex()


def string_to_sign(amz_date: str, scope: str, canonical_request: bytes) -> str:
    """What a request's signature is over. `amz_date` is in the form `YYYYMMDDTHHMMSSZ`."""
    return f"{ALGORITHM}\n{amz_date}\n{scope}\n{sha256(canonical_request).hexdigest()}"


def chunk_string_to_sign(amz_date: str, scope: str, previous: str, data_sha256: str) -> str:
    """What a chunk's signature is over; `previous` is the signature before it, or the request's."""
    return f"{CHUNK_ALGORITHM}\n{amz_date}\n{scope}\n{previous}\n{EMPTY_SHA256}\n{data_sha256}"


def trailer_string_to_sign(amz_date: str, scope: str, previous: str, trailer: bytes) -> str:
    """What the trailer's signature is over; `trailer` is its canonical form, one `name:value` and LF a field."""
    return f"{TRAILER_ALGORITHM}\n{amz_date}\n{scope}\n{previous}\n{sha256(trailer).hexdigest()}"
