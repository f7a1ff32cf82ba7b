"""2 GiB through each front, within 300 MiB of the server's memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config

import servers
from lightningstor_api.client import connect
from lightningstor_types.digests import NO_CHECKSUMS
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import GetObject, PutObject

MIB = 1 << 20
SIZE_MIB = 2048
MEMORY_MAX_BYTES = 300 * MIB
SAMPLE_SECONDS = 0.05
COPY_SECONDS = 300.0
GRPC_SECONDS = 300.0
_BLOCK = os.urandom(MIB - 8)


def blocks() -> Iterator[bytes]:
    """2 GiB of which no two MiB are equal, made faster than they are hashed."""
    for number in range(SIZE_MIB):
        yield number.to_bytes(8, "big") + _BLOCK


@pytest.fixture(scope="module")
def digest() -> str:
    """The digest of all blocks."""
    hasher = hashlib.sha256()
    for block in blocks():
        hasher.update(block)
    return hasher.hexdigest()


@attrs.define
class Peak:
    """The most memory that the server had at any sample."""

    most_bytes: int = 0
    samples: int = 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """One worker under Granian: the whole load is on it."""
    with servers.running(tmp_path_factory.mktemp("large") / "data", "--workers=1", "--http-server=granian") as running:
        yield running


@pytest.fixture(scope="module")
def s3(server: servers.Server) -> Iterator[Any]:
    """A client to look with, and the bucket."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name=servers.REGION,
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.create_bucket(Bucket="large")
    yield client
    client.close()


@pytest.fixture
def peak(server: servers.Server) -> Iterator[Peak]:
    """Sampled all the time in a thread of its own."""
    found, over = Peak(), threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            found.most_bytes = max(found.most_bytes, server.pss_bytes())
            found.samples += 1

    thread = threading.Thread(target=sample)
    thread.start()
    yield found
    over.set()
    thread.join()


def report(record: Callable[[str, object], None], peak: Peak, what: str, wrote: float, read: float) -> None:
    """Tell the figures, and hold the memory to its limit."""
    mebibytes = peak.most_bytes / MIB
    text = f"{what}: wrote 2 GiB in {wrote:.1f} s, read in {read:.1f} s, PSS at most {mebibytes:.0f} MiB in {peak.samples} samples"
    record("large", text)
    print(text)  # noqa: T201 - for `pytest -rA`
    assert peak.samples > 10
    assert 0 < peak.most_bytes < MEMORY_MAX_BYTES, text


def test_two_gibibytes_through_the_aws_command_line(
    server: servers.Server, s3: Any, peak: Peak, digest: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """`aws s3 cp` uploads a 2 GiB file in parts; what is read back has its digest."""
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.writelines(blocks())
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": servers.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY,
        "AWS_DEFAULT_REGION": servers.REGION,
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    begun = time.monotonic()
    command = [sys.executable, "-m", "awscli", "s3", "cp", str(source), "s3://large/aws", "--only-show-errors"]
    try:
        done = subprocess.run(command, env=environment, timeout=COPY_SECONDS, check=False, capture_output=True)
    finally:
        source.unlink()
    wrote = time.monotonic()
    assert done.returncode == 0, done.stderr.decode()
    answer = s3.get_object(Bucket="large", Key="aws")
    assert (answer["ContentLength"], answer["ETag"][-5:]) == (SIZE_MIB * MIB, '-256"')
    hasher = hashlib.sha256()
    for piece in answer["Body"].iter_chunks(MIB):
        hasher.update(piece)
    assert hasher.hexdigest() == digest
    report(record_property, peak, "aws s3 cp", wrote - begun, time.monotonic() - wrote)
    s3.delete_object(Bucket="large", Key="aws")


class Blocks:
    """The blocks as a body."""

    length = SIZE_MIB * MIB
    trailer = NO_CHECKSUMS

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """One by one."""
        for block in blocks():
            yield block


async def test_two_gibibytes_through_grpc(
    server: servers.Server, s3: Any, peak: Peak, digest: str, record_property: Callable[[str, object], None]
) -> None:
    """A streamed write of 2 GiB is read back, streamed too, with its digest."""
    named: dict[str, Any] = {"bucket": BucketName("large"), "key": ObjectKey("grpc")}
    async with asyncio.timeout(GRPC_SECONDS), connect(server.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY) as client:
        begun = time.monotonic()
        written = await client.write_object(PutObject(**named, body=Blocks()))
        assert written.size == Blocks.length
        wrote = time.monotonic()
        answer = await client.read_object(GetObject(**named))
        assert (answer.content_length, answer.object.etag) == (Blocks.length, written.etag)
        hasher = hashlib.sha256()
        async for piece in answer.body:
            hasher.update(piece)
    assert hasher.hexdigest() == digest
    report(record_property, peak, "gRPC", wrote - begun, time.monotonic() - wrote)
    s3.delete_object(Bucket="large", Key="grpc")
