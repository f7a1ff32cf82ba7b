"""The client for programs without an event loop: `with connect(...) as client`.

Law: a face and nothing else, of the same methods and arguments as the asynchronous client's. Callbacks
(progress, sources) are called in other threads than the caller's.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self

from lightningstor_api import client
from lightningstor_api.calls import Calls
from lightningstor_api.faces import Loop, PlainFace
from lightningstor_api.surface import Surface

__all__ = ["SyncClient", "connect"]

P = ParamSpec("P")


class SyncClient(PlainFace, Surface):
    """A connection to a server in the name of one access key. Made by `connect`, closed by `close`; threads may share it."""

    def __init__(self, calls: Calls, loop: Loop) -> None:
        super().__init__(calls, loop)
        # also where nobody does it, and at the end of the program
        self._close = weakref.finalize(self, _end, calls, loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection and end the thread; calls that run are cancelled."""
        self._close()


def _end(calls: Calls, loop: Loop) -> None:
    loop.stop(calls.close)


def _in_thread(make: Callable[P, client.Client]) -> Callable[P, SyncClient]:
    @functools.wraps(make)
    def connect(*args: P.args, **options: P.kwargs) -> SyncClient:
        async def made() -> Calls:
            return make(*args, **options)._calls

        loop = Loop()
        try:
            return SyncClient(loop.run(made()), loop)
        except BaseException:
            loop.stop()
            raise

    return connect


connect = _in_thread(client.connect)
"""A client of a server; the arguments are those of `lightningstor_api.client.connect`. Needs no loop."""
