"""From the options to a running server, and the work on a store that no server runs on.

Law: everything that can be wrong is found before the first listener: the certificate, the lock, the
addresses, the HTTP server, the master key, the store. One server has a data folder at a time; its workers hold
the lock with it, so that a next one never starts beside what is left of a killed one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from lightningstor_server import server
from lightningstor_server.admin.app import build
from lightningstor_server.admin.metrics import Collection
from lightningstor_server.bootstrap import RootKey
from lightningstor_server.certificates import Certificates
from lightningstor_server.config import Limits
from lightningstor_server.failures import StartError
from lightningstor_server.http_servers import choose, serve_hypercorn
from lightningstor_server.options import LOCK_FILE, Options, reserve
from lightningstor_server.supervisor import WORKER_COMMAND, Supervisor
from lightningstor_server.telemetry import configure_logging, logger

LOCK_WAIT_SECONDS: Final = 3.0
"""For the workers of a server that was killed: they end as soon as the kernel tells them."""
LOCK_RETRY_SECONDS: Final = 0.05
STDIN: Final = 0
_ADMIN_LIMITS: Final = Limits(drain_seconds=1.0)
DATA_FOLDER_MODE: Final = 0o700

Prepare = Callable[[Options], Awaitable[RootKey | None]]


def serve(options: Options, prepare: Prepare = server.prepare, command: Sequence[str] = WORKER_COMMAND) -> int:
    """Run a server until it is told to stop; returns the exit code.

    Raises:
        StartError, VaultError: the operator has to mend something.
        StoreError: the store cannot be used.
    """
    configure_logging()
    options = _secured(options)
    with locked(options.data, create=True) as lock_fd:
        return asyncio.run(_serve(options, prepare, command, lock_fd))


def sweep(options: Options, grace_seconds: float, progress: Callable[[int], None] = lambda _files: None) -> Mapping[str, int]:
    """Remove what nothing refers to; returns the counts of what was removed. `progress` is told of files that were looked at.

    Raises:
        StartError: there is no store, or a server is using it.
        StoreError: the store cannot be used.
    """
    configure_logging()
    if not options.metadata_path.exists():
        raise StartError(f"there is no store in {options.data}")
    with locked(options.data, create=False):
        report = asyncio.run(server.sweep(options, grace_seconds, progress))
    counts: dict[str, int] = attrs.asdict(report)
    return counts


def _secured(options: Options) -> Options:
    """With the certificate that the files hold."""
    files = options.certificate_files
    if files is None:
        return options
    certificate = files.read()
    for warning in files.warnings(certificate):
        logger("startup").warning("certificate", reason=warning)
    return attrs.evolve(options, certificates=Certificates(certificate))


async def _serve(options: Options, prepare: Prepare, command: Sequence[str], lock_fd: int) -> int:
    http_server = choose(options.http_server)
    s3, grpc, admin = reserve((options.s3_address, options.grpc_address, options.admin_address))
    options = attrs.evolve(options, http_server=http_server, s3_address=s3, grpc_address=grpc, admin_address=admin)
    root = await prepare(options)
    if root is not None:
        sys.stdout.write(f"access_key = {root.access_key}\nsecret_key = {root.secret_key}\n")
        sys.stdout.flush()

    collection = Collection()
    supervisor = Supervisor(options, collection, lock_fd, command)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, _hangup(supervisor))
    stop_admin = asyncio.Event()
    application = build(supervisor.ready, collection.text)
    serving = serve_hypercorn(application, admin, stop=stop_admin, limits=_ADMIN_LIMITS, certificates=options.certificates)
    answering = asyncio.create_task(serving)
    try:
        return await supervisor.run()
    finally:
        # health is answered until the last worker is gone
        stop_admin.set()
        await answering


def _hangup(supervisor: Supervisor) -> Callable[[], None]:
    """What SIGHUP means: read the certificate again, or, where the server was started from a terminal that is gone, end."""
    from_terminal = os.isatty(STDIN)

    def act() -> None:
        if from_terminal and not os.isatty(STDIN):
            supervisor.stop()
        else:
            supervisor.reload()

    return act


@contextlib.contextmanager
def locked(data: Path, *, create: bool) -> Iterator[int]:
    """Hold the data folder; gives the descriptor that holds it.

    Raises:
        StartError: another server has it, or it is not there or cannot be made.
    """
    try:
        if create:
            data.mkdir(mode=DATA_FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"cannot use the data folder {data}: {error.strerror}") from error
    try:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise StartError(f"another server is using the data folder {data}")
            time.sleep(LOCK_RETRY_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
