"""What is fixed when a store is initialised, and checked at every start after.

Law: a store is never served under another master key or another bucket namespace than the ones it
was initialised with; it is refused before a listener is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from lightningstor_server.auth.vault import Vault, open_vault
from lightningstor_server.failures import StartError
from lightningstor_server.options import Options
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_types.tenants import BucketNamespace

KEY_ID_SETTING: Final = "master_key_id"
NAMESPACE_SETTING: Final = "bucket_namespace"


@frozen(kw_only=True)
class Fixed:
    """What a store remembers of its initialisation; None where it is new."""

    master_key_id: str | None
    bucket_namespace: str | None


async def fixed(metadata: Metadata) -> Fixed:
    """What the store remembers."""

    async def work(transaction: Transaction) -> Fixed:
        configuration = transaction.configuration
        return Fixed(master_key_id=await configuration.get(KEY_ID_SETTING), bucket_namespace=await configuration.get(NAMESPACE_SETTING))

    return await metadata.read(work)


async def unlock(metadata: Metadata, options: Options, environment: Mapping[str, str]) -> Vault:
    """The store's vault. Makes no key for a store that remembers one.

    Raises:
        VaultError: the key is wrong, malformed or missing; it names the key id.
    """
    remembered = await fixed(metadata)
    return open_vault(options.key_file, options.data, environment, expected=remembered.master_key_id)


async def initialise(metadata: Metadata, vault: Vault, namespace: BucketNamespace) -> None:
    """Let a new store remember its key id and its namespace; compare those of an old one.

    Raises:
        StartError: the configuration asks for another namespace than the store was initialised with.
    """
    remembered = await fixed(metadata)
    if remembered.bucket_namespace not in (None, namespace.value):
        raise StartError(f"bucket_namespace is {namespace.value!r}, and the store was initialised with {remembered.bucket_namespace!r}")
    if remembered == Fixed(master_key_id=vault.key_id, bucket_namespace=namespace.value):
        return

    async def work(transaction: Transaction) -> None:
        await transaction.configuration.set(KEY_ID_SETTING, vault.key_id)
        await transaction.configuration.set(NAMESPACE_SETTING, namespace.value)

    await metadata.commit(work)
