"""A store on disk with a bit of everything, and ways to damage it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw

from lightningstor_server import bootstrap
from lightningstor_server.auth.vault import Vault
from lightningstor_server.initialisation import initialise
from lightningstor_server.options import Options
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.metadata.sqlite import open_sqlite, prepare_sqlite
from lightningstor_types.objects import CopySource
from lightningstor_types.tenants import BucketNamespace
from unit.service.rig import BUCKET, make_rig

KEY: Final = bytes(range(32))
CHUNKED: Final = bytes(range(256)) * 1000
TWO_BLOCKS: Final = b"0123456789abcdef" * 6000
PART: Final = b"p" * (5 << 20)


class Store:
    """The files of a store that nobody runs on."""

    def __init__(self, data: Path) -> None:
        self.options = Options(data=data, key_file=data.with_name("the.key"))
        self.chunks = self.options.chunks_path

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement without any of the store's guards."""
        with closing(apsw.Connection(str(self.options.metadata_path))) as connection:
            return list(connection.execute(statement, parameters))

    def files(self) -> list[Path]:
        """The files of chunks."""
        return sorted(path for path in self.chunks.glob("*/*") if path.is_file())


def make(data: Path) -> Store:
    """A store with small and big objects, a copy, versions, delete markers, settings, uploads and keys."""
    store = Store(data)
    data.mkdir()
    assert store.options.key_file is not None
    store.options.key_file.write_bytes(base64.b64encode(KEY))
    asyncio.run(_fill(store))
    return store


async def _fill(store: Store) -> None:
    path = store.options.metadata_path
    prepare_sqlite(path)
    metadata, blobs, vault = await open_sqlite(path), FilesystemBlobs(store.chunks, worker="w", reserve_bytes=0), Vault(KEY)
    await initialise(metadata, vault, BucketNamespace.PROJECT)
    rig = await make_rig(metadata, blobs)
    await bootstrap.ensure_root(metadata, vault, {})
    await rig.call("CreateBucket")
    await rig.put("small", b"inline")
    await rig.put("chunked", CHUNKED)
    await rig.put("blocks", TWO_BLOCKS)
    await rig.call("CopyObject", key="copy", source=CopySource(bucket=BUCKET, key="chunked"))
    upload = await rig.start("multipart")
    parts = [await rig.part("multipart", upload, number, PART if number == 1 else b"end") for number in (1, 2)]
    await rig.complete("multipart", upload, *parts)
    running = await rig.start("running")
    await rig.part("running", running, 1, b"part of one that runs")
    await rig.close()
