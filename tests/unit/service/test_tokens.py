"""Bearer tokens of a service: who gets one, and how long it is good for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import pytest

import faces
from lightningstor_server.auth.tokens import TOKEN_KEY_LABEL, TOKEN_SECONDS, Tokens
from lightningstor_server.auth.vault import Vault, secret_context
from lightningstor_server.service.bearers import Bearers
from lightningstor_server.service.identity import Identities
from lightningstor_server.service.operation import operations
from lightningstor_server.stores.metadata.base import AccessKey, Transaction
from lightningstor_types import errors
from lightningstor_types.operations.tokens import IssueToken, IssueTokenResult
from lightningstor_types.tenants import Caller, Role

VAULT = Vault(b"m" * 32)
KEY = "alpha-key"
FIRST = "first"


@attrs.define
class Clock:
    """What tokens end by."""

    now: Any = faces.NOW

    def __call__(self) -> Any:
        """The moment."""
        return self.now


@attrs.define
class Store:
    """A service with a key of its own, and the tokens of two workers on it."""

    rig: faces.Rig
    clock: Clock
    workers: tuple[Bearers, Bearers]

    async def enter(self, *, secret: str = FIRST, active: bool = True, role: Role = Role.OWNER) -> None:
        """Put the key, or change it."""
        sealed = VAULT.seal(secret.encode(), secret_context(KEY))
        key = AccessKey(id=KEY, secret=sealed, project=self.rig.alpha.project, principal=role.value, role=role, active=active)

        async def work(tx: Transaction) -> None:
            await tx.keys.put(key)
            await tx.configuration.bump()

        await self.rig.metadata.commit(work)

    async def issue(self, role: Role = Role.OWNER) -> IssueTokenResult:
        """A token, asked for at the door."""
        caller = Caller(project=self.rig.alpha.project, principal=role.value, role=role, access_key=KEY)
        return await self.rig.service.call(operations()["IssueToken"], IssueToken(), caller=caller, request_id="r")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store with an owner's key."""
    async with faces.rig() as rig:
        clock = Clock()
        # each worker has its own vault, cache and tokens, and only the master key in common
        vaults = (VAULT, Vault(b"m" * 32))
        one, two = (Bearers(Identities(rig.metadata, vault), Tokens(vault.derive(TOKEN_KEY_LABEL)), clock=clock) for vault in vaults)
        rig.service.bearers = one
        made = Store(rig, clock, (one, two))
        await made.enter()
        yield made


async def test_a_token_is_good_in_every_worker(store: Store) -> None:
    """It stands for the key's caller, for 15 minutes."""
    issued = await store.issue()
    assert (issued.expires, issued.lifetime_seconds) == (faces.NOW + timedelta(seconds=TOKEN_SECONDS), 900)
    for worker in store.workers:
        caller = await worker.identify(issued.token)
        assert (caller.access_key, caller.project, caller.role) == (KEY, store.rig.alpha.project, Role.OWNER)
    store.clock.now = issued.expires
    for worker in store.workers:
        with pytest.raises(errors.ExpiredToken):
            await worker.identify(issued.token)


@pytest.mark.parametrize("role", Role)
async def test_every_role_gets_a_token(store: Store, role: Role) -> None:
    """It allows what the role does: the caller that it stands for is the key's as it is now."""
    await store.enter(role=role)
    issued = await store.issue(role)
    assert (await store.workers[1].identify(issued.token)).role is role


async def test_a_role_that_changes_changes_for_its_tokens(store: Store) -> None:
    """Nothing of what a key may do is kept in the token."""
    issued = await store.issue()
    await store.enter(role=Role.VIEWER)
    assert (await store.workers[0].identify(issued.token)).role is Role.VIEWER


@pytest.mark.parametrize("change", [{"active": False}, {"secret": "second"}])
async def test_a_token_ends_with_its_key(store: Store, change: dict[str, Any]) -> None:
    """Revoked, or under another secret: refused by each worker on the next request, also by one that knew the key."""
    issued = await store.issue()
    for worker in store.workers:
        await worker.identify(issued.token)
    await store.enter(**change)
    for worker in store.workers:
        with pytest.raises(errors.InvalidToken):
            await worker.identify(issued.token)


async def test_a_revoked_keys_old_token_is_not_called_expired(store: Store) -> None:
    """A key that is gone proves nothing, neither now nor of the past."""
    issued = await store.issue()
    await store.enter(active=False)
    store.clock.now = issued.expires
    with pytest.raises(errors.InvalidToken):
        await store.workers[0].identify(issued.token)


async def test_a_key_that_nobody_knows_is_refused(store: Store) -> None:
    """Also where the proof was made with what stands in for its secret."""
    tokens = Tokens(VAULT.derive(TOKEN_KEY_LABEL))
    for moment in (faces.NOW + timedelta(seconds=60), faces.NOW):
        forged = tokens.issue("nobody", "no-such-access-key", moment)
        with pytest.raises(errors.InvalidToken):
            await store.workers[0].identify(forged)


async def test_a_key_that_is_revoked_meanwhile_gets_none(store: Store) -> None:
    """Between the signature and the issue."""
    await store.enter(active=False)
    with pytest.raises(errors.InvalidToken):
        await store.issue()


async def test_without_bearers_none_is_issued(store: Store) -> None:
    """Where a token would travel in the clear."""
    store.rig.service.bearers = None
    with pytest.raises(errors.AccessDenied, match="TLS"):
        await store.issue()


async def test_an_anonymous_caller_gets_none(store: Store) -> None:
    """The door denies it."""
    with pytest.raises(errors.AccessDenied):
        await store.rig.service.call(operations()["IssueToken"], IssueToken(), caller=None, request_id="r")


async def test_a_result_does_not_show_its_token(store: Store) -> None:
    """What could be replayed is in no repr."""
    issued = await store.issue()
    assert issued.token not in repr(issued)
    assert issued.token not in repr(await store.workers[0].issue(KEY))
