"""The application behind the admin address.

Law: `/health/live` says that the supervisor runs, `/health/ready` that requests can be sent; a
probe is answered from memory and never waits for a worker.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lightningstor_server.admin.metrics import CONTENT_TYPE

UNCACHED = {"cache-control": "no-store"}


def build(ready: Callable[[], bool], metrics: Callable[[], bytes]) -> Starlette:
    """The application. `ready` is asked for each probe, `metrics` for each scrape."""

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n", headers=UNCACHED)

    async def readiness(_: Request) -> Response:
        serving = ready()
        return PlainTextResponse("ready\n" if serving else "not ready\n", status_code=200 if serving else 503, headers=UNCACHED)

    async def scrape(_: Request) -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE, headers=UNCACHED)

    return Starlette(
        routes=[
            Route("/health/live", live, methods=["GET"]),
            Route("/health/ready", readiness, methods=["GET"]),
            Route("/metrics", scrape, methods=["GET"]),
        ]
    )
