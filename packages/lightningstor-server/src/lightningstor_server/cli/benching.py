"""What `lightningstor bench` does with what it was asked for.

Law: results go to stdout and everything else to stderr, so that `--json` can be piped. The progress
bar is for terminals alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
from attrs import field, frozen

from lightningstor_server.auth.recordings import RecordingError, read_url
from lightningstor_server.failures import StartError
from lightningstor_server.load.connection import Endpoint, endpoint_of
from lightningstor_server.load.generator import Plan, Progress, Watch, run_plan
from lightningstor_server.load.mixes import Mix
from lightningstor_server.load.results import MIB_BYTES, Result
from lightningstor_server.load.session import CallError
from lightningstor_server.load.signing import Credentials

STEPS: Final = 1000
"""Of the progress bar."""


@frozen(kw_only=True)
class Wanted:
    """What was asked for, as the options name it."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    bucket: str | None
    mix: Mix
    size: int
    connections: int
    objects: int
    seconds: float | None
    requests: int | None
    timeout: float
    verify: bool
    ca_file: Path | None


def run(wanted: Wanted, *, as_json: bool) -> bool:
    """Run it and print the result; returns whether nothing failed.

    Raises:
        StartError: the endpoint cannot be used.
    """
    plan = Plan(
        endpoint=_endpoint(wanted),
        credentials=Credentials(access_key=wanted.access_key, secret_key=wanted.secret_key, region=wanted.region),
        bucket=wanted.bucket or f"bench-{secrets.token_hex(8)}",
        mix=wanted.mix,
        size=wanted.size,
        connections=wanted.connections,
        objects=wanted.objects,
        seconds=wanted.seconds,
        requests=wanted.requests,
        verify=wanted.verify,
        timeout=wanted.timeout,
    )
    result = _run(plan, wanted.endpoint)
    if as_json:
        click.echo(json.dumps({"endpoint": wanted.endpoint, "size": plan.size, "connections": plan.connections, **result.document()}))
    else:
        click.echo("\n".join(result.table()))
    return result.clean


def _run(plan: Plan, endpoint: str) -> Result:
    progress = Progress()
    try:
        with _bar(plan) as watch, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(run_plan(plan, progress, watch))
    except* CallError as group:
        # `lightningstor doctor` says more about it than one request can
        raise StartError(f"{endpoint}: {_first(group)} (lightningstor doctor {endpoint} examines it)") from None
    finally:
        if progress.left:
            click.echo(f"lightningstor: left behind: {progress.left}", err=True)


def _first(group: BaseExceptionGroup[CallError]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's where it is installed (the extra [standard]): the generator then has more to give."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def _endpoint(wanted: Wanted) -> Endpoint:
    try:
        url = read_url(wanted.endpoint)
        if url.path != "/" or url.query:
            raise StartError(f"{wanted.endpoint}: an S3 endpoint has no path")
        context = None
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=None if wanted.ca_file is None else str(wanted.ca_file))
        return endpoint_of(url.scheme, url.host, context)
    except (RecordingError, ValueError) as error:
        raise StartError(f"{wanted.endpoint}: {error}") from None
    except OSError as error:
        raise StartError(f"{wanted.ca_file}: {error}") from None


@contextlib.contextmanager
def _bar(plan: Plan) -> Iterator[Watch]:
    """A progress bar on a terminal, with the current rate; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield _unseen
        return
    with click.progressbar(length=STEPS, file=sys.stderr, show_eta=False, item_show_func=lambda text: text) as bar:

        def watch(progress: Progress) -> None:
            shares = [progress.seconds / plan.seconds if plan.seconds else 0.0, progress.done / plan.requests if plan.requests else 0.0]
            reached = min(STEPS, int(max(shares) * STEPS))
            rate = progress.done / progress.seconds if progress.seconds else 0.0
            speed = progress.transferred / MIB_BYTES / progress.seconds if progress.seconds else 0.0
            text = f"{rate:,.0f} requests/s  {speed:,.1f} MiB/s  {progress.failed} failed"
            bar.update(reached - bar.pos, text if progress.stage == "running" else progress.stage)

        yield watch


def _unseen(_progress: Progress) -> None:
    """Where nobody looks."""
