"""A store of chunk files for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chunk_files import opened
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store of a test is, two levels that are not there yet."""
    return tmp_path / "data" / "chunks"


@pytest.fixture
async def store(root: Path, tmp_path: Path) -> AsyncIterator[FilesystemBlobs]:
    """A store, and at the end no descriptor of it that is still open."""
    it = FilesystemBlobs(root, worker="w", reserve_bytes=0)
    yield it
    await it.close()
    assert opened(tmp_path) == []
