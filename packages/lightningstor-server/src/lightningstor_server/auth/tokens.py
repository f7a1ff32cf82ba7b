"""Bearer tokens: what one says, and the proof that this store issued it.

Law: pure but for the key; no clock, no look-up. A token is authenticated and not encrypted, since it
says nothing that its bearer does not know: HMAC-SHA256 has no nonces that many tokens could use up,
as AES-GCM's random ones are after 2^32 (NIST SP 800-38D section 8.3). The proof covers the secret of
the access key, so a secret that is replaced under the same id ends its tokens. Every failure is
`InvalidToken` or `ExpiredToken`, and tells nobody which byte was wrong.

Form: unpadded base64url (RFC 4648 section 5) of version, expiry, access key id, proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from attrs import field, frozen

from lightningstor_types.errors import ExpiredToken, InvalidToken

TOKEN_SECONDS: Final = 900
"""How long a token is good for."""
TOKEN_MAX_CHARACTERS: Final = 512
TOKEN_KEY_LABEL: Final = "lightningstor bearer token v1"  # noqa: S105 - a label, which is public
"""What the proofs' key is derived from the master key under."""

_VERSION: Final = b"\x01"
_EXPIRY_BYTES: Final = 8
_PROOF_BYTES: Final = hashlib.sha256().digest_size
_HEAD_BYTES: Final = len(_VERSION) + _EXPIRY_BYTES


@frozen(kw_only=True)
class TokenClaim:
    """What a token says; nothing of it is true before `Tokens.verify` has passed."""

    access_key: str
    expires: datetime
    content: bytes = field(repr=False)
    proof: bytes = field(repr=False)


class Tokens:
    """Issues and verifies tokens under one key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, access_key: str, secret: str, expires: datetime) -> str:
        """A token for `access_key` until `expires` (aware; a fraction of a second is dropped)."""
        content = _VERSION + int(expires.timestamp()).to_bytes(_EXPIRY_BYTES, "big") + access_key.encode()
        return _text(content + self._proof(content, secret))

    def verify(self, claim: TokenClaim, secret: str, now: datetime) -> None:
        """Prove a claim; `secret` is its access key's, as it is at this moment.

        Raises:
            InvalidToken: this store did not issue it, or the secret was another one then.
            ExpiredToken: it did, and the token's time is over.
        """
        if not hmac.compare_digest(self._proof(claim.content, secret), claim.proof):
            raise InvalidToken
        if now >= claim.expires:
            raise ExpiredToken

    def _proof(self, content: bytes, secret: str) -> bytes:
        # digests of one length each: no byte of the content can pass for one of the secret
        return hmac.digest(self._key, hashlib.sha256(secret.encode()).digest() + hashlib.sha256(content).digest(), "sha256")


def read_token(text: str) -> TokenClaim:
    """What a token says.

    Raises:
        InvalidToken: it is too long, or does not have the form of a token.
    """
    if len(text) > TOKEN_MAX_CHARACTERS:
        raise InvalidToken
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content, proof = raw[:-_PROOF_BYTES], raw[-_PROOF_BYTES:]
        if _text(raw) != text or content[:1] != _VERSION or len(content) <= _HEAD_BYTES:
            raise InvalidToken
        expires = datetime.fromtimestamp(int.from_bytes(content[1:_HEAD_BYTES], "big"), UTC)
        return TokenClaim(access_key=content[_HEAD_BYTES:].decode(), expires=expires, content=content, proof=proof)
    except (binascii.Error, ValueError, OverflowError, OSError) as error:  # OSError: a time that the C library cannot hold
        raise InvalidToken from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
