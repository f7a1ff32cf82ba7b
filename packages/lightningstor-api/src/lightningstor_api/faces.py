"""How one implementation is two faces: `await` on the asynchronous client, plain calls on the other.

Law: no method is written twice. A method is a coroutine function over `Calls`, or an operation's
classes; a descriptor gives it to either face, typed for both by its overloads. The plain face runs
it in the thread of an event loop of its own and waits.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from attrs import frozen

from lightningstor_api.calls import BY_INPUT, Calls
from lightningstor_types.operations.objects import GetObject, GetObjectResult, HeadObjectResult
from lightningstor_types.streams import ByteStream

I = TypeVar("I")  # noqa: E741 - an input
O = TypeVar("O")  # noqa: E741 - an output
T = TypeVar("T")
P = ParamSpec("P")
I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)

_END: Final = object()


class Typed(Protocol[I_contra, O_co]):
    """An rpc on the asynchronous face: an operation's input in, its output out."""

    def __call__(self, request: I_contra, /, *, request_id: str | None = None, deadline_seconds: float | None = None) -> Awaitable[O_co]:
        """Make the call. Raises StorError."""


class Plain(Protocol[I_contra, O_co]):
    """An rpc on the plain face."""

    def __call__(self, request: I_contra, /, *, request_id: str | None = None, deadline_seconds: float | None = None) -> O_co:
        """Make the call. Raises StorError."""


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._ready = threading.Event()
        self._last: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._thread = threading.Thread(target=self._run, name="lightningstor-client", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        with self._runner as runner:
            self._loop = runner.get_loop()
            self._stopped = asyncio.Event()
            self._loop.call_soon(self._ready.set)
            runner.run(self._wait())

    async def _wait(self) -> None:
        await self._stopped.wait()
        if self._last is not None:
            await self._last()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when this thread is interrupted.

        Raises:
            RuntimeError: it is called from the loop's own thread, or after `stop`.
        """
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            work.close()
            raise RuntimeError("the client is closed, or one of its own callbacks calls it")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Run `last` and end the thread; what still runs there is cancelled. May be called from anywhere, as finalizers are."""
        if not self._stopped.is_set():
            self._last = last
            self._loop.call_soon_threadsafe(self._stopped.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()


class AsyncFace:
    """A face whose methods are awaited."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


class PlainFace:
    """A face whose methods return when they are done. Threads may share it."""

    def __init__(self, calls: Calls, loop: Loop) -> None:
        self._calls = calls
        self._loop = loop


class PlainBody(Iterator[bytes]):
    """The bytes of a read, run by run. One that is not read to its end is to be closed."""

    def __init__(self, face: PlainFace, body: ByteStream) -> None:
        self.length = body.length
        self._runs = _iterated(face, aiter(body))

    def __next__(self) -> bytes:
        return next(self._runs)

    def close(self) -> None:
        """Tell the server that no more is wanted."""
        self._runs.close()


@frozen(kw_only=True)
class Read:
    """What the plain face's `read_object` answers."""

    head: HeadObjectResult
    body: PlainBody


def _iterated(face: PlainFace, items: AsyncIterator[T]) -> Generator[T, None, None]:
    async def following() -> Any:
        return await anext(items, _END)

    async def close() -> None:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()

    try:
        while (item := face._loop.run(following())) is not _END:
            yield item
    finally:
        face._loop.run(close())


class Rpc(Generic[I, O]):
    """`Calls.call` for one class of input."""

    def __init__(self, input_: type[I], output: type[O]) -> None:
        if BY_INPUT[input_].output is not output:
            raise TypeError(f"{input_.__name__} is answered with {BY_INPUT[input_].output.__name__}")
        self.input = input_

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Typed[I, O]: ...
    @overload
    def __get__(self, face: PlainFace, owner: type) -> Plain[I, O]: ...
    def __get__(self, face: AsyncFace | PlainFace | None, owner: type) -> Any:
        """The method, bound to a face."""
        if face is None:
            return self
        return face._calls.call if isinstance(face, AsyncFace) else _plain(face, face._calls.call)


class ReadRpc(Rpc[GetObject, GetObjectResult]):
    """The rpc whose answer streams; on the plain face its body is an iterator."""

    @overload  # type: ignore[override] # the plain face answers with another class
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Typed[GetObject, GetObjectResult]: ...
    @overload
    def __get__(self, face: PlainFace, owner: type) -> Plain[GetObject, Read]: ...
    def __get__(self, face: AsyncFace | PlainFace | None, owner: type) -> Any:
        """The method, bound to a face."""
        if not isinstance(face, PlainFace):
            return super().__get__(cast("Any", face), owner)

        def read(request: GetObject, /, **options: Any) -> Read:
            found: GetObjectResult = face._loop.run(face._calls.call(request, **options))
            head = HeadObjectResult(
                object=found.object,
                accept_ranges=found.accept_ranges,
                content_length=found.content_length,
                content_range=found.content_range,
            )
            return Read(head=head, body=PlainBody(face, found.body))

        return read


class Both(Generic[P, T]):
    """A coroutine function over `Calls`."""

    def __init__(self, function: Callable[Concatenate[Calls, P], Coroutine[Any, Any, T]]) -> None:
        self.function = function
        functools.update_wrapper(cast("Any", self), function)

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, face: PlainFace, owner: type) -> Callable[P, T]: ...
    def __get__(self, face: AsyncFace | PlainFace | None, owner: type) -> Any:
        """The method, bound to a face."""
        if face is None:
            return self
        bound = functools.partial(self.function, face._calls)
        return functools.wraps(self.function)(bound if isinstance(face, AsyncFace) else _plain(face, bound))


class Streamed(Generic[P, T]):
    """An asynchronous generator function over `Calls`; on the plain face an iterator."""

    def __init__(self, function: Callable[Concatenate[Calls, P], AsyncIterator[T]]) -> None:
        self.function = function
        functools.update_wrapper(cast("Any", self), function)

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, face: PlainFace, owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, face: AsyncFace | PlainFace | None, owner: type) -> Any:
        """The method, bound to a face."""
        if face is None:
            return self
        function = self.function
        if isinstance(face, AsyncFace):
            return functools.wraps(function)(functools.partial(function, face._calls))

        def iterate(*args: P.args, **options: P.kwargs) -> Iterator[T]:
            return _iterated(face, function(face._calls, *args, **options))

        return functools.wraps(function)(iterate)


def _plain(face: PlainFace, function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    def wait(*args: Any, **options: Any) -> T:
        # the face is held here, so that it is not closed under a call that is all that is left of it
        return face._loop.run(function(*args, **options))

    return wait
