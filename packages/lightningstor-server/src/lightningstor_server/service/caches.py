"""Caches that cannot be stale.

Law: every entry belongs to a generation of the store, read anew on every look-up; a change of
keys, tenants or buckets counts it on in its own transaction, object writes never do. Negative
answers are cached alike, so that a probing client costs no more than a true one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from lightningstor_server.stores.metadata.base import Metadata, Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class GenerationCache(Generic[K, V]):
    """A bounded cache in front of the metadata, emptied whenever the generation moves or it is full."""

    def __init__(self, metadata: Metadata, limit: int) -> None:
        self._metadata = metadata
        self._limit = limit
        self._generation = -1
        self._entries: dict[K, V] = {}

    async def get(self, key: K, load: Callable[[Transaction], Awaitable[V]], *, generation: int | None = None) -> V:
        """The entry of `key`, loaded in the same snapshot as the generation where it is not there.

        `generation` is one that this very request has read already; without it, it is read here.
        """
        if generation is None:
            generation = await self._metadata.look(_generation)
        if generation == self._generation and key in self._entries:
            return self._entries[key]

        async def look(tx: Transaction) -> V:
            generation = await _generation(tx)
            if generation != self._generation or len(self._entries) >= self._limit:
                self._entries = {}
                self._generation = generation
            entries = self._entries  # of this generation, whatever happens while the load waits
            value = entries[key] = await load(tx)
            return value

        return await self._metadata.read(look)


async def _generation(tx: Transaction) -> int:
    return await tx.configuration.generation()
