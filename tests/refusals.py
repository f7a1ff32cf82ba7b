"""What a refusal is: an error that has a name and its status, and a store that is what it was."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, settings

from asgi import Request, Response, exchange
from faces import Rig
from lightningstor_types.errors import codes

REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
"""For examples that share a store: each of them shows that it left it as it was."""


def code_of(response: Response) -> str:
    """The S3 code that the response tells, which must be one of ours with its status."""
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    assert found is not None, response
    code = found[1].decode()
    assert codes()[code].status == response.status
    return code


async def refused(rig: Rig, request: Request, *expected: str, signed: bool = False) -> Response:
    """Send a request; it must be refused with one of these codes, and change nothing."""
    before = rig.dump()
    response = await exchange(rig.app, request if signed else rig.alpha.owner.by_hand(request))
    assert code_of(response) in expected, response
    assert rig.dump() == before
    return response
