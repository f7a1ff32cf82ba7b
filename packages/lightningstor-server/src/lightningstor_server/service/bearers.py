"""Whose a bearer token is.

Law: nothing is kept of a token. Its access key is looked up anew at every use, under the store's
generation, so a token is good in every process and ends with its key on the next request. A token of
a key that is gone takes the same steps as one of a key that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from attrs import field, frozen

from lightningstor_server.auth.tokens import TOKEN_SECONDS, Tokens, read_token
from lightningstor_types.errors import ExpiredToken, InvalidToken
from lightningstor_types.tenants import Caller

STAND_IN: Final = "no-such-access-key"
"""Verified in place of an unknown key's secret. That it is public is harmless: a match is refused too."""


class Credential(Protocol):
    """A key's secret and the caller that it proves."""

    @property
    def secret(self) -> str:
        """What the token was proven with."""

    @property
    def caller(self) -> Caller:
        """Whose it is."""


class Identities(Protocol):
    """Where keys are looked up."""

    async def find(self, access_key: str) -> Credential | None:
        """The credential of a key; None for one that does not exist or is revoked."""


@frozen(kw_only=True)
class Issued:
    """A token, and when it ends."""

    token: str = field(repr=False)
    expires: datetime


class Bearers:
    """Issues tokens to callers, and finds the callers of tokens."""

    def __init__(self, identities: Identities, tokens: Tokens, *, clock: Callable[[], datetime]) -> None:
        self._identities = identities
        self._tokens = tokens
        self._clock = clock

    async def issue(self, access_key: str) -> Issued:
        """A token for a key, good for TOKEN_SECONDS.

        Raises:
            InvalidToken: the key was revoked meanwhile.
        """
        credential = await self._identities.find(access_key)
        if credential is None:
            raise InvalidToken
        expires = self._clock().replace(microsecond=0) + timedelta(seconds=TOKEN_SECONDS)
        return Issued(token=self._tokens.issue(access_key, credential.secret, expires), expires=expires)

    async def identify(self, token: str) -> Caller:
        """The caller of a token.

        Raises:
            InvalidToken: it is none of this store's, or its key is revoked or has another secret by now.
            ExpiredToken: its time is over.
        """
        claim = read_token(token)
        credential = await self._identities.find(claim.access_key)
        try:
            self._tokens.verify(claim, STAND_IN if credential is None else credential.secret, self._clock())
        except ExpiredToken:
            if credential is None:
                raise InvalidToken from None
            raise
        if credential is None:
            raise InvalidToken
        return credential.caller
