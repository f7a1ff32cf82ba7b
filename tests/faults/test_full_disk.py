"""A disk that is full, and one that has room again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import servers
from faults.disks import disk
from faults.ledger import Ledger, Outcome, Value, content_of
from faults.recovery import at_rest, sweep, verify
from faults.s3client import BUCKET, Answer, S3Client
from lightningstor_api.client import connect
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.errors import NoRoom
from lightningstor_types.errors import InsufficientStorage
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import PutObject
from lightningstor_types.streams import BytesStream

DISK_BYTES = 64 << 20
RESERVE_BYTES = 12 << 20
GRACE_SECONDS = 3
SWEEP_SECONDS = 1
OBJECT_BYTES = 1 << 20
INLINE_BYTES = 8 << 10
WRITERS = 4
ROOM_SECONDS = 60.0
ROOM_STEP_SECONDS = 0.25
FILL_BYTES = 64 << 10
INODES = "1200"
"""Little above what the store keeps in reserve."""
CONFIG = f"""
[limits]
reserve_bytes = {RESERVE_BYTES}
sweep_interval_seconds = {SWEEP_SECONDS}
sweep_grace_seconds = {GRACE_SECONDS}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A sweeper that comes soon."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger, on another disk than the store."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        yield ledger


def _put(client: S3Client, ledger: Ledger, key: str, size: int) -> Answer:
    content = content_of(f"{key} {size}", size)
    entry = ledger.begin("filler", "put", key, Value.of(content))
    answer = client.call("PUT", key, body=content)
    ledger.end(entry, Outcome.OK if answer.status == 200 else Outcome.FAIL)
    return answer


def _delete(client: S3Client, ledger: Ledger, key: str) -> Answer:
    entry = ledger.begin("filler", "delete", key, None)
    answer = client.call("DELETE", key)
    ledger.end(entry, Outcome.OK if answer.status == 204 else Outcome.FAIL)
    return answer


def _fill(client: S3Client, ledger: Ledger, size: int) -> list[str]:
    """Write objects of a size until there is no room for another one; the keys that were written."""
    written: list[str] = []
    while len(written) < 2 * DISK_BYTES // size:
        key = f"fill/{size}/{len(written):04}"
        answer = _put(client, ledger, key, size)
        if answer.status != 200:
            assert (answer.status, answer.code) == (507, "InsufficientStorage"), answer
            return written
        written.append(key)
    raise AssertionError("the disk does not get full")


def _put_in_time(client: S3Client, ledger: Ledger, key: str) -> None:
    """Write an object once there is room: the sweeper needs a moment."""
    deadline = time.monotonic() + ROOM_SECONDS
    while (answer := _put(client, ledger, key, OBJECT_BYTES)).status != 200:
        assert (answer.status, answer.code) == (507, "InsufficientStorage"), answer
        assert time.monotonic() < deadline, "what was deleted gives no room"
        time.sleep(ROOM_STEP_SECONDS)


def test_a_full_disk_refuses_writes_and_recovers_without_a_restart(tmp_path: Path, config: Path, ledger: Ledger) -> None:
    """Up to the reserve everything is stored; then writes are 507, reads and deletes go on; deletes bring the room back."""
    with disk(tmp_path, "ext4", DISK_BYTES) as medium:
        data = medium.folder / "data"
        with servers.running(data, "--workers", "2", "--config", str(config)) as server, S3Client(server.s3) as client:
            assert client.call("PUT").status == 200
            written = _fill(client, ledger, OBJECT_BYTES)
            assert len(written) * OBJECT_BYTES > (DISK_BYTES - RESERVE_BYTES) // 2
            small = _fill(client, ledger, INLINE_BYTES)
            assert len(small) * INLINE_BYTES < RESERVE_BYTES
            asyncio.run(_assert_no_room_by_grpc(server))
            verify(server.s3, ledger)
            for key in written[::2]:
                assert _delete(client, ledger, key).status == 204
            verify(server.s3, ledger)
            for number in range(len(written) // 4):
                _put_in_time(client, ledger, f"new/{number}")
            verify(server.s3, ledger)
        sweep(data)
        assert at_rest(data) == []
    assert ledger.violations == []


async def _assert_no_room_by_grpc(server: servers.Server) -> None:
    async with connect(server.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY) as client:
        body = BytesStream(content_of("refused", OBJECT_BYTES))
        with pytest.raises(InsufficientStorage):
            await client.write_object(PutObject(bucket=BucketName(BUCKET), key=ObjectKey("refused"), body=body))


async def test_the_reserve_is_kept_however_fast_writes_come(tmp_path: Path) -> None:
    """Writes that come at once take of the reserve what was on its way when it was reached, and no more: deletes need the rest."""
    with disk(tmp_path, "ext4", DISK_BYTES) as medium:
        blobs = FilesystemBlobs(medium.folder / "chunks", worker="w", reserve_bytes=RESERVE_BYTES)
        content = content_of("chunk", OBJECT_BYTES)

        async def write_until_full() -> int:
            for number in range(DISK_BYTES // OBJECT_BYTES):
                try:
                    await blobs.check_room(len(content))
                except NoRoom:
                    return number
                writer = blobs.create()
                await writer.append(content)
                await writer.commit()
            raise AssertionError("the disk does not get full")

        try:
            written = sum(await asyncio.gather(*(write_until_full() for _ in range(WRITERS))))
            figures = os.statvfs(medium.folder)
        finally:
            await blobs.close()
    assert written > 0
    assert figures.f_bavail * figures.f_frsize >= RESERVE_BYTES - WRITERS * OBJECT_BYTES


def test_a_disk_without_files_to_have_is_full_too(tmp_path: Path, config: Path, ledger: Ledger) -> None:
    """A file system that runs out of inodes refuses writes with 507 while it has bytes, and serves on."""
    with disk(tmp_path, "ext4", DISK_BYTES, "-N", INODES) as medium:
        data = medium.folder / "data"
        with servers.running(data, "--workers", "1", "--config", str(config)) as server, S3Client(server.s3) as client:
            assert client.call("PUT").status == 200
            answers = []
            for number in range(int(INODES)):
                answers.append(_put(client, ledger, f"small/{number:04}", 4 * INLINE_BYTES))
                if answers[-1].status != 200:
                    break
            assert (answers[-1].status, answers[-1].code) == (507, "InsufficientStorage")
            assert len(answers) > 1
            verify(server.s3, ledger)
        sweep(data)
        assert at_rest(data) == []
    assert ledger.violations == []


@pytest.mark.parametrize("size", [INLINE_BYTES, OBJECT_BYTES])
def test_a_disk_that_others_fill_to_the_last_byte(tmp_path: Path, config: Path, ledger: Ledger, size: int) -> None:
    """When somebody else takes even the reserve, writes are 507, reads go on, and the store needs no restart afterwards."""
    with disk(tmp_path, "ext4", DISK_BYTES) as medium:
        data = medium.folder / "data"
        with servers.running(data, "--workers", "1", "--config", str(config)) as server, S3Client(server.s3) as client:
            assert client.call("PUT").status == 200
            for number in range(8):
                assert _put(client, ledger, f"before/{number}", size).status == 200
            strange = medium.folder / "strange"
            _take_everything(strange)
            answer = _put(client, ledger, "refused", size)
            assert (answer.status, answer.code) == (507, "InsufficientStorage"), answer
            deleted = _delete(client, ledger, "before/0")
            assert deleted.status in (204, 507), deleted
            verify(server.s3, ledger)
            strange.unlink()
            _put_in_time(client, ledger, "again")
            verify(server.s3, ledger)
        sweep(data)
        assert at_rest(data) == []
    assert ledger.violations == []


def _take_everything(path: Path) -> None:
    """Write a file until not a byte more fits."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    size = FILL_BYTES
    try:
        while size:
            try:
                if os.write(descriptor, bytes(size)) < size:
                    size //= 2
            except OSError:
                size //= 2
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
