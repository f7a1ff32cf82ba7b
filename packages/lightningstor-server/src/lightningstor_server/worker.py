"""The process of a worker: `python -m lightningstor_server.worker`, started by the supervisor.

Law: it gets its order as a line on stdin, which then stays open for as long as the supervisor
lives. A line that comes later is another certificate. When it closes, the process ends at once,
whatever it does.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

from lightningstor_server import serving
from lightningstor_server.certificates import Certificates
from lightningstor_server.failures import EXIT_FAILED
from lightningstor_server.options import WorkerOrder, renewed
from lightningstor_server.telemetry import configure_logging, logger

LINE_MAX_BYTES: Final = 8 << 20
STDIN: Final = 0


def main(build: serving.Build | None = None) -> None:
    """Run one worker; ends the process."""
    # a terminal sends these to all of its processes, and only the supervisor may say when to stop
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = _lines()
    order = WorkerOrder.from_json(next(lines))
    configure_logging(worker=order.name)
    threading.Thread(target=_obey, args=(lines, order.options.certificates), name="supervisor", daemon=True).start()
    _raise_open_files()
    code = EXIT_FAILED
    try:
        code = asyncio.Runner(loop_factory=_loop_factory()).run(serving.run(order, build or _composition()))
    except BaseException:  # noqa: BLE001 - this is the process's end, whatever it was
        logger("worker").critical("failed", exc_info=True)
    finally:
        sys.stderr.flush()
        # nothing is left to do, and threads of libraries may keep an orderly end waiting
        os._exit(code)


def _composition() -> serving.Build:
    from lightningstor_server.server import build_worker  # noqa: PLC0415 - it takes long, and the supervisor is watched by then

    return build_worker


def _lines() -> Iterator[bytes]:
    """What the supervisor says; the process ends with it."""
    rest = b""
    while True:
        # read bare: a buffered reader would hold its lock in the thread that waits for the end
        piece = os.read(STDIN, 65_536)
        if not piece or len(rest) > LINE_MAX_BYTES:
            os._exit(EXIT_FAILED)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _obey(lines: Iterator[bytes], certificates: Certificates | None) -> None:
    for line in lines:
        if certificates is not None:  # else none is sent
            certificates.replace(renewed(line))


def _raise_open_files() -> None:
    """Every connection and every chunk that is read holds a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - an extra

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    main()
