"""What an engine has to offer: connect, run, translate errors.

Law: an adapter knows its driver and no table; the layer above knows the tables and no driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Sequence[str | bytes | int | None]


class Connection(Protocol):
    """One transaction's way to the engine."""

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Run a statement and return all its rows."""

    async def row(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """Run a statement and return its first row."""

    async def run(self, statement: str, parameters: Parameters = ()) -> None:
        """Run a statement that returns nothing."""


class Database(Protocol):
    """An engine with its connections. Errors are those of `stores.errors`, never the driver's."""

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` on a consistent snapshot."""

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` of a single statement."""

    async def commit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction, together with what else waits; return once it is durable."""

    async def close(self) -> None:
        """Finish what was handed in and release the connections."""
