"""A disk that fails to make something durable."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import servers
from faults.disks import disk
from faults.ledger import Ledger, Outcome, Value, content_of
from faults.recovery import at_rest, sweep, verify
from faults.s3client import BUCKET, Answer, S3Client
from lightningstor_api.client import connect
from lightningstor_types.errors import ServiceUnavailable
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import PutObject
from lightningstor_types.streams import BytesStream

INLINE_BYTES = 4 << 10
CHUNK_BYTES = 100 << 10
PART_BYTES = 200 << 10
DISK_BYTES = 512 << 20
EXIT_BROKEN = 70
END_SECONDS = 30.0
DETACH_SECONDS = 30.0
SIZES = [INLINE_BYTES, CHUNK_BYTES]

FAULT_VARIABLE = "LIGHTNINGSTOR_TEST_FAULT"
INJECTION = f"""
    import errno, os, stat

    def failing(really, name, wanted):
        def call(descriptor):
            if wanted(descriptor):
                try:
                    os.unlink(os.environ["{FAULT_VARIABLE}"] + name)
                except FileNotFoundError:
                    pass
                else:
                    raise OSError(errno.EIO, "Input/output error")
            return really(descriptor)

        return call

    os.fdatasync = failing(os.fdatasync, "data", lambda descriptor: True)
    os.fsync = failing(os.fsync, "folder", lambda descriptor: stat.S_ISDIR(os.fstat(descriptor).st_mode))
    """
"""Fails one call once a file of the call's name appears, which goes with that."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        yield ledger


def _put(client: S3Client, ledger: Ledger, key: str, size: int) -> Answer | None:
    """Write an object; None where the connection ended without an answer."""
    content = content_of(key, size)
    entry = ledger.begin("client", "put", key, Value.of(content))
    try:
        answer = client.call("PUT", key, body=content)
    except (OSError, http.client.HTTPException):
        return None
    if answer.status == 200:
        ledger.end(entry, Outcome.OK)
    return answer


def _write_before(client: S3Client, ledger: Ledger) -> None:
    """A bucket with objects that must outlive whatever comes."""
    assert client.call("PUT").status == 200
    for size in SIZES:
        answer = _put(client, ledger, f"before/{size}", size)
        assert answer is not None
        assert answer.status == 200


def _assert_reads_go_on(client: S3Client) -> None:
    for size in SIZES:
        key = f"before/{size}"
        assert client.value(key) == Value.of(content_of(key, size))
        assert client.call("HEAD", key).status == 200
    assert len(client.listed()) == len(SIZES)


def _assert_writes_are_refused(server: servers.Server, client: S3Client, ledger: Ledger) -> None:
    """All that brings bytes is 503, by both APIs, and leaves nothing to see."""
    for size in SIZES:
        answer = _put(client, ledger, f"refused/{size}", size)
        assert answer is not None
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    upload_id = client.call("POST", "refused/upload", {"uploads": ""}).text("UploadId")
    answer = client.call("PUT", "refused/upload", {"partNumber": "1", "uploadId": upload_id}, body=content_of("part", PART_BYTES))
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    asyncio.run(_assert_refused_by_grpc(server))


async def _assert_refused_by_grpc(server: servers.Server) -> None:
    async with connect(server.grpc, access_key=servers.ACCESS_KEY, secret_key=servers.SECRET_KEY) as client:
        body = BytesStream(content_of("grpc", CHUNK_BYTES))
        with pytest.raises(ServiceUnavailable):
            await client.write_object(PutObject(bucket=BucketName(BUCKET), key=ObjectKey("refused/grpc"), body=body))


def _assert_recovers(data: Path, ledger: Ledger) -> None:
    """After a restart what was acknowledged is there, writes work, and nothing is left of what failed."""
    ledger.seal()
    with servers.running(data) as server, S3Client(server.s3) as client:
        verify(server.s3, ledger)
        for size in SIZES:
            answer = _put(client, ledger, f"after/{size}", size)
            assert answer is not None
            assert answer.status == 200
        verify(server.s3, ledger)
    sweep(data)
    assert at_rest(data) == []
    assert ledger.violations == []


@pytest.mark.parametrize("step", ["data", "folder"])
def test_a_failed_sync_of_a_chunk_ends_writing_and_not_reading(tmp_path: Path, ledger: Ledger, step: str) -> None:
    """One fdatasync of a chunk, or fsync of its folder, fails: that write is a 5xx, later ones 503, and reads go on."""
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(INJECTION))
    trigger = tmp_path / "fault-"
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    data = tmp_path / "data"
    server = servers.start(data, "--workers", "1", **{"PYTHONPATH": path, FAULT_VARIABLE: str(trigger)})
    try:
        with S3Client(server.s3) as client:
            _write_before(client, ledger)
            fault = Path(f"{trigger}{step}")
            fault.touch()
            answer = _put(client, ledger, "failed", CHUNK_BYTES)
            assert answer is not None
            assert answer.status in (500, 503)
            assert not fault.exists(), "the fault was not met"
            assert client.value("failed") is None
            _assert_reads_go_on(client)
            _assert_writes_are_refused(server, client, ledger)
            _assert_reads_go_on(client)
    finally:
        code = server.stop()
    assert code == 0
    _assert_recovers(data, ledger)


@contextmanager
def _failing_fdatasync(server: servers.Server) -> Iterator[None]:
    """Every fdatasync of the worker, SQLite's own too, fails with EIO. Skips the test where strace cannot do that."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    line = [strace, "-f", "-o", os.devnull, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-p", str(server.pids()[1])]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.wait(DETACH_SECONDS)
            pytest.skip(f"strace cannot attach here: {said.strip()}")
        try:
            yield
        finally:
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGINT)
            tracer.stderr.read()
            tracer.wait(DETACH_SECONDS)


def test_a_disk_that_fails_to_sync_a_chunk(tmp_path: Path, ledger: Ledger) -> None:
    """The same by the kernel's own answer: the write is a 5xx, nothing of it is seen, later ones are 503, reads go on."""
    data = tmp_path / "data"
    with servers.running(data, "--workers", "1") as server, S3Client(server.s3) as client:
        _write_before(client, ledger)
        with _failing_fdatasync(server):
            answer = _put(client, ledger, "failed", CHUNK_BYTES)
        assert answer is not None
        assert answer.status in (500, 503)
        assert client.value("failed") is None
        _assert_reads_go_on(client)
        _assert_writes_are_refused(server, client, ledger)
    _assert_recovers(data, ledger)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_fails_to_sync_the_metadata(tmp_path: Path, ledger: Ledger, workers: str) -> None:
    """A commit that fails to become durable is no success, and no process of the server goes on; a restart finds all the rest."""
    data = tmp_path / "data"
    server = servers.start(data, "--workers", workers)
    try:
        with S3Client(server.s3) as client:
            _write_before(client, ledger)
        with _failing_fdatasync(server):
            for number in range(50):  # the first that reaches the worker that fails
                with S3Client(server.s3) as client:
                    answer = _put(client, ledger, f"failed/{number}", INLINE_BYTES)
                if answer is None or answer.status != 200:
                    break
            assert answer is None or answer.status in (500, 503)
            assert server.process.wait(END_SECONDS) == EXIT_BROKEN
    finally:
        server.stop()
    _assert_recovers(data, ledger)


def test_a_file_system_that_stops_writing(tmp_path: Path, ledger: Ledger) -> None:
    """ext4 meets an error and takes no more writes: no write is acknowledged, and after a check of the disk all is there."""
    with disk(tmp_path, "ext4", DISK_BYTES) as medium:
        data = medium.folder / "data"
        server = servers.start(data, "--workers", "1")
        try:
            with S3Client(server.s3) as client:
                _write_before(client, ledger)
                medium.abort()
                _assert_reads_go_on(client)
                for size in reversed(SIZES):
                    answer = _put(client, ledger, f"failed/{size}", size)
                    assert answer is None or answer.status in (500, 503), answer
        finally:
            server.stop()
        medium.remount()
        _assert_recovers(data, ledger)
