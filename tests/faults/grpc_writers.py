"""Clients that write over gRPC, beside those over S3 and into the same ledger.

Law: as that of the S3 writers.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

import servers
from faults.ledger import Outcome, Value, content_of
from faults.s3client import BUCKET
from faults.writers import CHUNK_BYTES, INLINE_BYTES, OWN_KEYS, Crowd
from lightningstor_api.client import Client, connect
from lightningstor_types.errors import NoSuchKey, StorError
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import DeleteObject, GetObject, PutObject
from lightningstor_types.streams import BytesStream

DEADLINE_SECONDS: Final = 20.0
TWO_MESSAGES_BYTES: Final = 3 << 20
SIZES: Final = (INLINE_BYTES, CHUNK_BYTES, TWO_MESSAGES_BYTES)


def write_by_grpc(crowd: Crowd, index: int) -> None:
    """One client, until the server goes."""
    asyncio.run(_write(crowd, f"g{index:02}"))


async def _write(crowd: Crowd, name: str) -> None:
    draw = Random(f"{crowd.seed}-{name}")  # noqa: S311 - to be had again by its seed
    keys = connect(crowd.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY, deadline_seconds=DEADLINE_SECONDS)
    async with keys as client:
        count = 0
        try:
            while not crowd.dying.is_set():
                count += 1
                await _step(client, crowd, name, f"{crowd.seed}-{name}-{count}", draw)
        except (StorError, ConnectionError) as error:
            crowd.trouble(name, error)


async def _step(client: Client, crowd: Crowd, name: str, content_name: str, draw: Random) -> None:
    ledger = crowd.ledger
    key = f"{name}/{draw.randrange(OWN_KEYS)}"
    (kind,) = draw.choices(("write", "delete", "read"), (7, 2, 2))
    (size,) = draw.choices(SIZES, (10, 8, 1))
    if kind == "read":
        since = ledger.now()
        ledger.check_read(key, await read_by_grpc(client, key), since)
        return
    content = content_of(content_name, size)
    value = Value.of(content) if kind == "write" else None
    entry = ledger.begin(name, f"grpc {kind}", key, value)
    if value is None:
        await client.delete_object(DeleteObject(bucket=BucketName(BUCKET), key=ObjectKey(key)))
    else:
        written = await client.write_object(PutObject(bucket=BucketName(BUCKET), key=ObjectKey(key), body=BytesStream(content)))
        if written.etag != value.etag:
            ledger.violate(f"{key}: gRPC says {written.etag} of {value}")
    crowd.arrived()
    ledger.end(entry, Outcome.OK)


async def read_by_grpc(client: Client, key: str) -> Value | None:
    """What a key has; None where it is not there."""
    try:
        found = await client.read_object(GetObject(bucket=BucketName(BUCKET), key=ObjectKey(key)))
    except NoSuchKey:
        return None
    return Value.of(b"".join([piece async for piece in found.body]), found.object.etag)
