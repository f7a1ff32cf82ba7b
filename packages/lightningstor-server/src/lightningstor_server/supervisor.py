"""The supervisor: it starts the workers, watches them and answers for their end.

Law: workers are started by exec, never by fork, and live no longer than the supervisor. One that
dies is started again, ever more slowly; one that says that the store is broken ends them all. What
is wrong with a new certificate is found here, and no worker hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from attrs import define

from lightningstor_server.admin.metrics import Collection
from lightningstor_server.failures import EXIT_BROKEN, EXIT_FAILED, EXIT_OK, StartError
from lightningstor_server.options import Options, WorkerOrder, renewal
from lightningstor_server.telemetry import logger

READY_SECONDS: Final = 60.0
"""Within which a worker must serve."""
RESTART_FIRST_SECONDS: Final = 0.5
RESTART_MAX_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that ran so long is started again without delay."""
START_ATTEMPTS: Final = 3
"""How often a worker may die before any of them ever served."""
DRAIN_MARGIN_SECONDS: Final = 15.0
"""On top of the workers' own deadline: for closing the stores."""

WORKER_COMMAND: Final = (sys.executable, "-m", "lightningstor_server.worker")
_WORKER_VARIABLES: Final = {"GRPC_VERBOSITY": "ERROR"}
"""Unless it is set: gRPC's core writes a line of its own for each handshake that fails, past our log."""
_SECRET_VARIABLES: Final = frozenset({"LIGHTNINGSTOR_ROOT_ACCESS_KEY", "LIGHTNINGSTOR_ROOT_SECRET_KEY"})

log = logger("supervisor")


@define(kw_only=True, eq=False)
class _Worker:
    index: int
    starts: int = 0
    process: asyncio.subprocess.Process | None = None
    ready: bool = False

    @property
    def name(self) -> str:
        return f"w{self.index}-{self.starts}"


class Supervisor:
    """The workers of one server."""

    def __init__(self, options: Options, collection: Collection, lock_fd: int, command: Sequence[str] = WORKER_COMMAND) -> None:
        self._options = options
        self._collection = collection
        self._lock_fd = lock_fd
        self._command = command
        self._workers = [_Worker(index=index) for index in range(options.workers)]
        self._served = False
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._code = EXIT_OK
        collection.ready = self._count_ready

    def ready(self) -> bool:
        """Whether requests can be sent: once every worker has served, and while any does."""
        return self._served and not self._stop.is_set() and self._count_ready() > 0

    def stop(self) -> None:
        """End the workers, who finish what they have; a second time, without finishing."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def reload(self) -> None:
        """Read the certificate again and hand it to the workers; one that cannot be used changes nothing."""
        files, certificates = self._options.certificate_files, self._options.certificates
        if files is None or certificates is None:
            log.info("nothing to reload")
            return
        try:
            certificate = files.read()
        except StartError as error:
            log.error("certificate refused", reason=str(error))
            return
        for warning in files.warnings(certificate):
            log.warning("certificate", reason=warning)
        certificates.replace(certificate)
        for worker in self._workers:
            if worker.process is not None and worker.process.stdin is not None:
                worker.process.stdin.write(renewal(certificate))
        log.info("certificate reloaded", **certificate.described())

    async def run(self) -> int:
        """Keep the workers running until `stop`; returns the exit code."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._keep(worker))
        return self._code

    def _count_ready(self) -> int:
        return sum(worker.ready for worker in self._workers)

    def _end(self, code: int) -> None:
        self._code = self._code or code
        self._stop.set()

    async def _keep(self, worker: _Worker) -> None:
        delay = RESTART_FIRST_SECONDS
        while not self._stop.is_set():
            begun = time.monotonic()
            code = await self._live(worker)
            if self._stop.is_set():
                return
            log.error("worker ended", worker=worker.name, code=code)
            if code == EXIT_BROKEN or (not self._served and worker.starts >= START_ATTEMPTS):
                self._end(EXIT_BROKEN if code == EXIT_BROKEN else EXIT_FAILED)
                return
            delay = RESTART_FIRST_SECONDS if time.monotonic() - begun >= STEADY_SECONDS else min(2 * delay, RESTART_MAX_SECONDS)
            await self._within(delay)
            self._collection.restarts += 1

    async def _within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _live(self, worker: _Worker) -> int:
        """One life of a worker; returns its exit code."""
        worker.starts += 1
        board = self._collection.enter(worker.name)
        read_fd, write_fd = os.pipe()
        try:
            process = await self._start(worker, write_fd, board)
        finally:
            os.close(write_fd)
        ended = asyncio.create_task(process.wait())
        reporting = asyncio.create_task(self._await_ready(worker, process, read_fd))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._finish(worker, process, ended)
            return await ended
        finally:
            reporting.cancel()
            stopping.cancel()
            worker.ready = False
            worker.process = None
            self._collection.retire(board)

    async def _start(self, worker: _Worker, ready_fd: int, board: int) -> asyncio.subprocess.Process:
        order = WorkerOrder(options=self._options, name=worker.name, ready_fd=ready_fd, board_fd=board)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            # the workers keep the lock: a flock lives until its last descriptor is closed
            pass_fds=(ready_fd, board, self._lock_fd),
            env=_WORKER_VARIABLES | {name: value for name, value in os.environ.items() if name not in _SECRET_VARIABLES},
        )
        worker.process = process
        if process.stdin is not None:  # it is: a pipe was asked for
            with contextlib.suppress(ConnectionError):  # the worker died; its exit code says more
                process.stdin.write(order.to_json())
                await process.stdin.drain()
        return process

    async def _await_ready(self, worker: _Worker, process: asyncio.subprocess.Process, read_fd: int) -> None:
        """Wait for the worker's line; one that does not come in time ends it."""
        reader = asyncio.StreamReader()
        with open(read_fd, "rb", buffering=0) as pipe:  # noqa: ASYNC230 - a pipe that is there
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            try:
                async with asyncio.timeout(READY_SECONDS):
                    line = await reader.readline()
            except TimeoutError:
                log.error("worker not ready in time", worker=worker.name, seconds=READY_SECONDS)
                _signal(process, signal.SIGKILL)
                return
            finally:
                transport.close()
        if line:
            worker.ready = True
            self._announce()

    def _announce(self) -> None:
        if self._served or self._count_ready() < len(self._workers):
            return
        self._served = True
        options = self._options
        log.info(
            "ready",
            s3_address=str(options.s3_address),
            grpc_address=str(options.grpc_address),
            admin_address=str(options.admin_address),
            http_server=options.http_server,
            workers=options.workers,
        )

    async def _finish(self, worker: _Worker, process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        """Let the worker drain; kill it when its time is over."""
        _signal(process, signal.SIGKILL if self._code == EXIT_BROKEN else signal.SIGTERM)
        hurry = asyncio.create_task(self._hurry.wait())
        margin = self._options.config.limits.drain_seconds + DRAIN_MARGIN_SECONDS
        await asyncio.wait({ended, hurry}, timeout=margin, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ended.done():
            log.warning("worker killed", worker=worker.name)
            _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
