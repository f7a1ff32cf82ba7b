"""The process of a worker: `python -m lightningstor_server.worker`, started by the supervisor.

Law: it gets its order as a line on stdin, which then stays open for as long as the supervisor
lives. When it closes, the process ends at once, whatever it does.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

from lightningstor_server import serving
from lightningstor_server.failures import EXIT_FAILED
from lightningstor_server.options import WorkerOrder
from lightningstor_server.telemetry import configure_logging, logger

ORDER_MAX_BYTES: Final = 4 << 20
STDIN: Final = 0


def main(build: serving.Build | None = None) -> None:
    """Run one worker; ends the process."""
    # a terminal sends SIGINT to all of its processes, and only the supervisor may say when to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = WorkerOrder.from_json(_read_order())
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    configure_logging(worker=order.name)
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


def _read_order() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        # read bare: a buffered reader would hold its lock in the thread that waits for the end
        piece = os.read(STDIN, 65_536)
        if not piece or len(line) > ORDER_MAX_BYTES:
            os._exit(EXIT_FAILED)
        line += piece
    return line


def _end_with_supervisor() -> None:
    while os.read(STDIN, 4096):
        continue
    os._exit(EXIT_FAILED)


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
