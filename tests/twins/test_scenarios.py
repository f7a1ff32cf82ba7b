"""Every operation with a route and an rpc, through both fronts: equal results and equal errors."""

from __future__ import annotations

import pytest

import scenarios.buckets
import scenarios.copies
import scenarios.listings
import scenarios.objects
import scenarios.uploads  # noqa: F401 - importing enters them
from faces import grpc_face, rig
from lightningstor_server.service.operation import operations
from scenarios.play import SCENARIOS, Play

TWINS = sorted(name for name, operation in operations().items() if operation.route and operation.rpc)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_both_faces_tell_the_same(name: str) -> None:
    """A scenario played on each face, over fresh stores, is told the same outputs and the same errors."""
    async with rig() as one, rig() as other, grpc_face(other) as grpc:
        over_s3, over_grpc = Play(face=one.s3()), Play(face=grpc)
        await SCENARIOS[name](over_s3)
        await SCENARIOS[name](over_grpc)
    for (called, told), (_, twin) in zip(over_s3.log, over_grpc.log, strict=True):
        assert twin == told, called
        assert told.get("code") != "InternalError", called
    assert over_s3.log


async def test_every_twin_has_a_scenario() -> None:
    """Each operation that has both a route and an rpc succeeds, and fails, in some scenario."""
    succeeded: set[str] = set()
    failed: set[str] = set()
    for play_on in SCENARIOS.values():
        async with rig() as fresh:
            play = Play(face=fresh.s3())
            await play_on(play)
        succeeded |= play.succeeded
        failed |= {name for name, told in play.log if told.keys() & {"code", "status"}}
    assert sorted(succeeded) == TWINS
    assert sorted(failed) == TWINS
