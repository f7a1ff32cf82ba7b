"""Every operation with a route and an rpc, through both fronts: equal results and equal errors."""

from __future__ import annotations

import pytest

import scenarios.attributes
import scenarios.buckets
import scenarios.copies
import scenarios.listings
import scenarios.objects
import scenarios.retention
import scenarios.tagging
import scenarios.uploads
import scenarios.versions  # noqa: F401 - importing enters them
from faces import grpc_face, rig
from lightningstor_server.service.operation import operations
from scenarios.play import SCENARIOS, Play

TWINS = sorted(name for name, operation in operations().items() if operation.route and operation.rpc)
_PLAYED: dict[str, Play] = {}
"""A scenario tells the same each time, so that it is played over S3 once for both tests."""


async def over_s3(name: str) -> Play:
    """A scenario as S3 told it."""
    if name not in _PLAYED:
        async with rig() as fresh:
            play = Play(face=fresh.s3())
            await SCENARIOS[name](play)
        _PLAYED[name] = play
    return _PLAYED[name]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_both_faces_tell_the_same(name: str) -> None:
    """A scenario played on each face, over fresh stores, is told the same outputs and the same errors."""
    s3 = await over_s3(name)
    async with rig() as fresh, grpc_face(fresh) as face:
        grpc = Play(face=face)
        await SCENARIOS[name](grpc)
    for (called, told), (_, twin) in zip(s3.log, grpc.log, strict=True):
        assert twin == told, called
        assert told.get("code") != "InternalError", called
    assert s3.log


async def test_every_twin_has_a_scenario() -> None:
    """Each operation that has both a route and an rpc succeeds, and fails, in some scenario."""
    succeeded: set[str] = set()
    failed: set[str] = set()
    for name in SCENARIOS:
        play = await over_s3(name)
        succeeded |= play.succeeded
        failed |= {called for called, told in play.log if told.keys() & {"code", "status"}}
    assert sorted(succeeded) == TWINS
    assert sorted(failed) == TWINS
