"""What one worker runs: both fronts, the background work, and their end.

Law: every part runs until `stop`. One that ends before has failed, and the worker with it. After
`stop` nothing is accepted, what runs may finish within `drain_seconds`, and the exit code is 0.
When the store is broken nothing is finished at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from attrs import field, frozen

from lightningstor_server.failures import EXIT_BROKEN, EXIT_FAILED, EXIT_OK
from lightningstor_server.http_servers import SERVERS, Application, accepting, choose
from lightningstor_server.options import BACKGROUND_LOCK_FILE, Options, WorkerOrder
from lightningstor_server.stores.errors import Broken
from lightningstor_server.telemetry import Metrics, logger

LEASE_RETRY_SECONDS: Final = 3.0
CLOSE_SECONDS: Final = 10.0
"""For the stores to finish; whatever was acknowledged is durable long before."""
STOP_MARGIN_SECONDS: Final = 1.0
"""For a front to cut off what still runs when its time is over."""

Job = Callable[[asyncio.Event], Awaitable[None]]

log = logger("worker")


class RpcServer(Protocol):
    """The gRPC front, as far as a worker handles it (grpc.aio.Server has it)."""

    async def start(self) -> None:
        """Begin to accept."""

    async def stop(self, grace: float | None) -> None:
        """Accept nothing more; return when what runs is done or `grace` seconds are over."""


async def _nothing() -> None:
    """Where there is nobody to tell."""


@frozen(kw_only=True)
class Parts:
    """What the composition root makes of the options."""

    app: Application
    rpc: RpcServer
    metrics: Metrics
    background: Sequence[Job] = ()
    """Run in exactly one worker of all, each until the event is set."""
    broken: asyncio.Event = field(factory=asyncio.Event)
    """Set by whoever meets `Broken`: the process must end."""
    withdraw: Callable[[], Awaitable[None]] = field(default=_nothing)
    """Tell those who ask for the server's health that it takes no more requests."""
    close: Callable[[], Awaitable[None]]


Build = Callable[[Options, str], Awaitable[Parts]]
"""Makes the parts from the options and the worker's name."""


async def run(order: WorkerOrder, build: Build) -> int:
    """Serve until SIGTERM; returns the exit code."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        parts = await build(order.options, order.name)
        await parts.rpc.start()
    except Broken as error:
        log.critical("store broken", reason=str(error))
        return EXIT_BROKEN
    return await _serve(order, parts, stop)


async def _serve(order: WorkerOrder, parts: Parts, stop: asyncio.Event) -> int:
    options, limits = order.options, order.options.config.limits
    serve = SERVERS[choose(options.http_server)]
    tasks = [
        asyncio.create_task(serve(parts.app, options.s3_address, stop=stop, limits=limits, certificates=options.certificates), name="s3"),
        asyncio.create_task(_background(options.data / BACKGROUND_LOCK_FILE, parts.background, stop), name="background"),
        asyncio.create_task(parts.metrics.run(order.board_fd, stop), name="metrics"),
    ]
    announcing = asyncio.create_task(_announce(order), name="announce")
    ends = [asyncio.create_task(event.wait()) for event in (stop, parts.broken)]
    try:
        await asyncio.wait({*tasks, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if parts.broken.is_set() or not stop.is_set():
            return _failure(parts, [task for task in tasks if task.done()])
        log.info("draining", seconds=limits.drain_seconds)
        await _drain(parts, tasks, limits.drain_seconds)
        return EXIT_BROKEN if parts.broken.is_set() else EXIT_OK
    finally:
        for task in (announcing, *ends):
            task.cancel()


def _failure(parts: Parts, failed: list[asyncio.Task[None]]) -> int:
    errors = [(task.get_name(), task.exception()) for task in failed]
    for name, error in errors:
        log.critical("failed", task=name, exc_info=error)
    if parts.broken.is_set() or any(_is_broken(error) for _, error in errors):
        log.critical("store broken")
        return EXIT_BROKEN
    return EXIT_FAILED


def _is_broken(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Broken) is not None
    return isinstance(error, Broken)


async def _drain(parts: Parts, tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Let what runs finish, then close the stores. Both have their deadlines."""
    await parts.withdraw()
    ending = {*tasks, asyncio.create_task(parts.rpc.stop(seconds), name="rpc")}
    done, late = await asyncio.wait(ending, timeout=seconds + STOP_MARGIN_SECONDS)
    for task in late:
        log.warning("cut off", task=task.get_name())
        task.cancel()
    for task in done:
        if (error := task.exception()) is not None:
            log.error("failed while draining", task=task.get_name(), exc_info=error)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await parts.close()
    except TimeoutError:
        log.error("the stores did not close", seconds=CLOSE_SECONDS)
    log.info("stopped")


async def _announce(order: WorkerOrder) -> None:
    """Tell the supervisor that both fronts accept; the gRPC one has since it was started."""
    await accepting(order.options.s3_address)
    os.write(order.ready_fd, b"ready\n")


async def _background(lock: Path, jobs: Sequence[Job], stop: asyncio.Event) -> None:
    async with _lease(lock, stop):
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(_run(job, stop))
        await stop.wait()


async def _run(job: Job, stop: asyncio.Event) -> None:
    if not stop.is_set():
        await job(stop)


@contextlib.asynccontextmanager
async def _lease(lock: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Hold the lock file, or wait for it until `stop`. It is let go with the process, however that ends."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not stop.is_set():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LEASE_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)
