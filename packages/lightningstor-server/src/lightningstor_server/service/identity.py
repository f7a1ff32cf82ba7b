"""Who an access key speaks for.

Law: what is cached is checked against the store's generation on every request, so that a revoked
key is dead in every process on its next request.
"""

from __future__ import annotations

import secrets
import string
from typing import Final, Protocol

from attrs import field, frozen

from lightningstor_server.auth.vault import secret_context
from lightningstor_server.service.caches import GenerationCache
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_types.tenants import Caller, Role

IDENTITIES_MAX: Final = 10_000
ROOT_PROJECT_SETTING: Final = "root_project"
"""The store's setting that holds the id of the root project."""
ACCESS_KEY_PREFIX: Final = "AKIA"
ACCESS_KEY_CHARACTERS: Final = 20
SECRET_KEY_CHARACTERS: Final = 40
CANONICAL_ID_BYTES: Final = 32


class Opener(Protocol):
    """What opens sealed secrets."""

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain text."""


class Sealer(Protocol):
    """What seals secrets before they are stored."""

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """The sealed text, which opens under the same context alone."""


def new_access_key() -> str:
    """A random id, in the form of AWS's."""
    tail = "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(ACCESS_KEY_CHARACTERS - len(ACCESS_KEY_PREFIX)))
    return ACCESS_KEY_PREFIX + tail


def new_secret_key() -> str:
    """A random secret. Letters and digits only: 238 bits, and nothing that a shell or a URL would change."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(SECRET_KEY_CHARACTERS))


def new_canonical_id() -> str:
    """A random name of a project, in the form of AWS's."""
    return secrets.token_hex(CANONICAL_ID_BYTES)


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
        key = await tx.keys.get(access_key)
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
