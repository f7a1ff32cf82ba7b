"""A service with alpha's bucket for every test of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from faces import Ask, Rig
from faces import rig as open_rig
from lightningstor_types.names import BucketName
from lightningstor_types.operations.buckets import CreateBucket


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with two projects; alpha has the bucket `bucket`."""
    async with open_rig() as made:
        await made(CreateBucket(bucket=BucketName("bucket")))
        yield made


@pytest.fixture
def ask(rig: Rig) -> Ask:
    """Sends a request of alpha's owner: method, path with its query, headers and body."""
    return rig.ask
