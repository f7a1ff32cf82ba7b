"""What a signature is computed from, as a value of which any part can be exchanged.

Law: to exchange a part is to make another value; the signature is computed as the server computes it.
The secret and the key are in no representation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from attrs import evolve, field, frozen

from lightningstor_api.signature import Scope, derive_signing_key, sign, string_to_sign
from lightningstor_server.auth.canonical import SignedRequest

KEYS_MAX: Final = 256
"""How many derived keys are kept: guesses at scopes and secrets come back to the same ones."""

_SECRET_VALUES: Final = re.compile(
    r"(^x-amz-(?:security-token|(?:copy-source-)?server-side-encryption-customer-key):|\bX-Amz-Security-Token=)[^&\n]*", re.MULTILINE
)


def without_secrets(canonical: str) -> str:
    """A canonical request without the session token and the customer's keys in it."""
    return _SECRET_VALUES.sub(r"\1(left out)", canonical)


@lru_cache(maxsize=KEYS_MAX)
def _key(secret: str, scope: Scope) -> bytes:
    return derive_signing_key(secret, *scope)


@frozen(kw_only=True)
class Material:
    """All that a signature is computed from, in canonical form; any of it may have been otherwise at the client."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    signed: tuple[str, ...]
    payload: str
    timestamp: str
    scope: Scope
    key_scope: Scope
    secret: str = field(repr=False)

    def canonical(self) -> bytes:
        """The canonical request."""
        lines = [self.method, self.path, self.query, *(f"{name}:{value}" for name, value in self.headers)]
        return "\n".join([*lines, "", ";".join(self.signed), self.payload]).encode("latin-1")

    def string_to_sign(self) -> str:
        """What is signed."""
        return string_to_sign(self.timestamp, str(self.scope), self.canonical())

    def signature(self) -> str:
        """What is compared. It never leaves the examination."""
        return sign(_key(self.secret, self.key_scope), self.string_to_sign())

    def header(self, name: str) -> str | None:
        """A signed header's value."""
        return dict(self.headers).get(name)

    def with_header(self, name: str, value: str) -> Material:
        """The same, signed with another value of that header."""
        return evolve(self, headers=tuple([(each, value if each == name else old) for each, old in self.headers]))


@frozen(kw_only=True)
class Case:
    """What is known of a failing request beside its material."""

    request: SignedRequest
    hosts: tuple[str, ...] = ()
    """Names under which clients know the endpoint."""
    regions: tuple[str, ...] = ()
    body: bytes | None = field(default=None, repr=False)
