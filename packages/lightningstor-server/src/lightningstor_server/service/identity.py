"""Who an access key speaks for.

Law: what is cached is checked against the store's generation on every request, so that a revoked
key is dead in every process on its next request.
"""

from __future__ import annotations

from typing import Final, Protocol

from attrs import field, frozen

from lightningstor_server.auth.vault import secret_context
from lightningstor_server.service.caches import GenerationCache
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_types.tenants import Caller, Role

IDENTITIES_MAX: Final = 10_000
ROOT_PROJECT_SETTING: Final = "root_project"
"""The store's setting that holds the id of the root project."""


class Opener(Protocol):
    """What opens sealed secrets."""

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain text."""


@frozen(kw_only=True)
class Credential:
    """A key's secret, for verifying a signature, and the caller it proves."""

    secret: str = field(repr=False)
    caller: Caller


class Identities:
    """The embedded identity service: keys of the metadata store."""

    def __init__(self, metadata: Metadata, vault: Opener) -> None:
        self._metadata = metadata
        self._vault = vault
        self._cache: GenerationCache[str, Credential | None] = GenerationCache(metadata, IDENTITIES_MAX)

    async def find(self, access_key: str) -> Credential | None:
        """The credential of a key; None for one that does not exist or is revoked."""
        return await self._cache.get(access_key, lambda tx: self._load(tx, access_key))

    async def _load(self, tx: Transaction, access_key: str) -> Credential | None:
        key = await tx.tenants.key(access_key)
        if key is None or not key.active:
            return None
        secret = self._vault.open(key.secret, secret_context(key.id)).decode()
        generation = await tx.configuration.generation()
        root = await tx.configuration.get(ROOT_PROJECT_SETTING)
        caller = Caller(
            project=key.project,
            principal=key.principal,
            role=key.role,
            access_key=key.id,
            operator=key.role is Role.OWNER and root == str(key.project.id),
            generation=generation,
        )
        return Credential(secret=secret, caller=caller)
