"""The credential that each call bears: a signature, or a token that was issued for one.

Law: a token is asked for once however many calls wait for it, and renewed before it ends while calls
go on with the old one. Its time is counted on this machine's monotonic clock from before it was asked
for, so that a clock that is wrong costs nothing. Where there is no token to be had, calls are signed:
that always works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from attrs import field, frozen

from lightningstor_api.bodies import answer_within
from lightningstor_api.errors import REQUEST_ID
from lightningstor_api.signing import Signer
from lightningstor_types.errors import AccessDenied, NotImplemented, StorError
from lightningstor_types.operations.tokens import IssueTokenResult

RENEW_SHARE: Final = 0.75
"""The share of its lifetime after which a token is renewed: with 225 of 900 seconds left."""
_SCHEME: Final = "Bearer "

Metadata = tuple[tuple[str, str], ...]


class Credentials(Protocol):
    """What makes the metadata of calls."""

    async def metadata(self, path: str, request_id: str, seconds: float) -> Metadata:
        """The metadata of one call, within `seconds`. Raises StorError."""

    def renewable(self, refused: Metadata) -> bool:
        """Whether other metadata can be had than these, whose token the server refused."""

    def close(self) -> None:
        """Stop whatever is being asked for."""


@frozen(kw_only=True)
class Signed:
    """Every call is signed."""

    signer: Signer

    async def metadata(self, path: str, request_id: str, _seconds: float) -> Metadata:
        """See `Credentials`."""
        return self.signer.metadata(path, request_id)

    def renewable(self, _refused: Metadata) -> bool:
        """See `Credentials`."""
        return False

    def close(self) -> None:
        """See `Credentials`."""


@frozen(kw_only=True)
class _Held:
    """A token, and its times on the monotonic clock."""

    token: str = field(repr=False)
    renewed_at: float
    ends_at: float


class Bearer:
    """A token for all calls, or signatures where the server gives none."""

    def __init__(self, signer: Signer, issue: Callable[[], Awaitable[IssueTokenResult]], monotonic: Callable[[], float]) -> None:
        self._signer = signer
        self._issue = issue
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._renewal: asyncio.Task[bool] | None = None
        self._refused = False

    async def metadata(self, path: str, request_id: str, seconds: float) -> Metadata:
        """See `Credentials`.

        Raises:
            StorError: the access key or its signature is refused; RequestTimeout where no token came in time.
        """
        now, held = self._monotonic(), self._held
        if held is None or now >= held.ends_at:
            held = await self._awaited(seconds)
        elif now >= held.renewed_at:
            self._begin()
        if held is None:
            return self._signer.metadata(path, request_id)
        return (("authorization", _SCHEME + held.token), (REQUEST_ID, request_id))

    def renewable(self, refused: Metadata) -> bool:
        """See `Credentials`."""
        if self._held is not None and ("authorization", _SCHEME + self._held.token) in refused:
            self._held = None
        return any(value.startswith(_SCHEME) for name, value in refused if name == "authorization")

    def close(self) -> None:
        """See `Credentials`."""
        if self._renewal is not None:
            self._renewal.cancel()

    async def _awaited(self, seconds: float) -> _Held | None:
        """A new token; None where this server gives none, or none now."""
        if self._refused:
            return None
        renewal = self._begin()
        async with answer_within(seconds):
            # shielded: a caller that stops waiting leaves the others their token
            return self._held if await asyncio.shield(renewal) else None

    def _begin(self) -> asyncio.Task[bool]:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._over)
        return self._renewal

    def _over(self, renewal: asyncio.Task[bool]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # whoever waits has it; a renewal in advance that failed is tried again at the token's end

    async def _renew(self) -> bool:
        begun = self._monotonic()
        try:
            issued = await self._issue()
        except (AccessDenied, NotImplemented):  # no TLS there, or a server from before tokens
            self._refused = True
            return False
        except StorError as error:
            if not error.retryable:
                raise
            return False
        lifetime = issued.lifetime_seconds
        self._held = _Held(token=issued.token, renewed_at=begun + RENEW_SHARE * lifetime, ends_at=begun + lifetime)
        return True
