"""The credential of calls: a token that is asked for once and renewed in time, or a signature."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from attrs import define, field

from lightningstor_api.credentials import RENEW_SHARE, Bearer, Metadata, Signed
from lightningstor_api.signing import Signer
from lightningstor_types import errors
from lightningstor_types.operations.tokens import IssueTokenResult

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNER = Signer(access_key="ALICE", secret_key="alice's", region="us-east-1", clock=lambda: NOW)
LIFETIME = 900


@define
class Server:
    """Issues `token-1`, `token-2` ... when `gate` is open, or fails; its clock is the client's too."""

    now: float = 5_000.0
    asked: int = 0
    error: errors.StorError | None = None
    gate: asyncio.Event = field(factory=asyncio.Event)
    asking: asyncio.Event = field(factory=asyncio.Event)
    """Set when a token is being asked for."""

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    async def issue(self) -> IssueTokenResult:
        """A token."""
        self.asked += 1
        self.asking.set()
        token = f"token-{self.asked}"
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        # the server's own clock is years off, which must not matter
        return IssueTokenResult(token=token, expires=datetime(1999, 1, 1, tzinfo=UTC), lifetime_seconds=LIFETIME)


@pytest.fixture
def server() -> Server:
    """A server that issues tokens."""
    return Server()


@pytest.fixture
def bearer(server: Server) -> Bearer:
    """The credentials of a client of it."""
    return Bearer(SIGNER, server.issue, lambda: server.now)


async def of(bearer: Bearer) -> Metadata:
    """The metadata of a call."""
    return await bearer.metadata("/s/M", "id-1", 10)


def bears(number: int) -> Metadata:
    """The metadata of a call with one of the tokens."""
    return (("authorization", f"Bearer token-{number}"), ("x-request-id", "id-1"))


async def renewed(bearer: Bearer) -> None:
    """Until the renewal that was begun is over."""
    assert bearer._renewal is not None
    await asyncio.wait({bearer._renewal})


SIGNATURE = SIGNER.metadata("/s/M", "id-1")


async def test_many_calls_ask_for_one_token(bearer: Bearer, server: Server) -> None:
    """However many wait for it, and however many come after."""
    server.gate.clear()
    waiting = [asyncio.create_task(of(bearer)) for _ in range(8)]
    await server.asking.wait()
    server.gate.set()
    assert await asyncio.gather(*waiting) == [bears(1)] * 8
    assert await of(bearer) == bears(1)
    assert server.asked == 1


async def test_a_token_is_renewed_before_it_ends(bearer: Bearer, server: Server) -> None:
    """Once, while calls go on with the old one, which nobody waits behind."""
    await of(bearer)
    server.now += RENEW_SHARE * LIFETIME
    server.gate.clear()
    assert [await of(bearer) for _ in range(3)] == [bears(1)] * 3
    server.gate.set()
    await renewed(bearer)
    assert (await of(bearer), server.asked) == (bears(2), 2)


async def test_a_renewal_that_fails_is_tried_again(bearer: Bearer, server: Server) -> None:
    """The old token goes on while it lasts; then a call waits for a new one, or is signed."""
    await of(bearer)
    server.now += RENEW_SHARE * LIFETIME
    server.error = errors.ServiceUnavailable()
    assert await of(bearer) == bears(1)
    await renewed(bearer)
    server.now += LIFETIME
    assert await of(bearer) == SIGNATURE
    server.error = None
    assert await of(bearer) == bears(server.asked)


@pytest.mark.parametrize("error", [errors.AccessDenied(), errors.NotImplemented()])
async def test_where_tokens_are_refused_calls_are_signed(bearer: Bearer, server: Server, error: errors.StorError) -> None:
    """A server without TLS, or one from before tokens, is asked once."""
    server.error = error
    assert [await of(bearer) for _ in range(3)] == [SIGNATURE] * 3
    assert server.asked == 1


@pytest.mark.parametrize("error", [errors.InvalidAccessKeyId(), errors.SignatureDoesNotMatch(), errors.RequestTimeTooSkewed()])
async def test_a_key_that_is_refused_is_the_calls_error(bearer: Bearer, server: Server, error: errors.StorError) -> None:
    """A signed call would end the same way."""
    server.error = error
    with pytest.raises(type(error)):
        await of(bearer)


async def test_a_refused_token_is_dropped(bearer: Bearer, server: Server) -> None:
    """Once, though several calls were refused with it; a refused signature has nothing to renew."""
    old = await of(bearer)
    assert bearer.renewable(old)
    assert await of(bearer) == bears(2)
    assert bearer.renewable(old)
    assert await of(bearer) == bears(2)
    assert not bearer.renewable(SIGNATURE)
    assert server.asked == 2


async def test_a_caller_that_stops_waiting_leaves_the_others_their_token(bearer: Bearer, server: Server) -> None:
    """Its own deadline is its own."""
    server.gate.clear()
    waiting = asyncio.create_task(of(bearer))
    with pytest.raises(errors.RequestTimeout):
        await bearer.metadata("/s/M", "id-2", 0)
    server.gate.set()
    assert await waiting == bears(1)


async def test_closing_ends_a_renewal(bearer: Bearer, server: Server) -> None:
    """Nothing is left behind."""
    server.gate.clear()
    waiting = asyncio.create_task(of(bearer))
    await server.asking.wait()
    bearer.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_signed_credentials_sign() -> None:
    """Each call by itself."""
    signed = Signed(signer=SIGNER)
    assert await signed.metadata("/s/M", "id-1", 10) == SIGNATURE
    assert not signed.renewable(SIGNATURE)
