"""A service on stores in memory, with one bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from unit.service.rig import Rig, make_rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service, its owner, and the bucket `BUCKET`."""
    rig = await make_rig()
    await rig.call("CreateBucket")
    yield rig
    await rig.close()
