"""A furnished store for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from faces import Rig
from faces import rig as open_rig
from samples import Furnished, furnish


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with two projects; alpha's store is furnished."""
    async with open_rig() as made:
        yield made


@pytest.fixture
async def at(rig: Rig) -> Furnished:
    """What is in alpha's store."""
    return await furnish(rig)
