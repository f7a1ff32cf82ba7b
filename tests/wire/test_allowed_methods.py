"""405 tells the methods that the resource has (RFC 9110 section 15.5.6)."""

from __future__ import annotations

import pytest

from faces import Ask, Rig
from lightningstor_server.s3.errors import error_response
from lightningstor_types.errors import MethodNotAllowed


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PUT", "/", "GET"),
        ("DELETE", "/?x=1", "GET"),
        ("HEAD", "/", "GET"),
        ("POST", "/bucket", "DELETE, GET, HEAD, PUT"),
        ("POST", "/bucket/key", "DELETE, GET, HEAD, PUT"),
    ],
)
async def test_allow(rig: Rig, ask: Ask, method: str, target: str, allowed: str) -> None:
    """Those of this very resource: POST, which a bucket has for ?delete only, is not among them."""
    before = rig.dump()
    response = await ask(method, target)
    assert (response.status, response.headers["allow"]) == (405, allowed)
    assert b"<Allow>" not in response.body
    assert rig.dump() == before


def test_details_that_are_headers() -> None:
    """They are told to HEAD too, which has no document."""
    error = MethodNotAllowed(Allow="DELETE", **{"x-amz-delete-marker": "true", "x-amz-version-id": "abc"})
    told = error_response(error, resource="/b/k", request_id="1", head=True)
    assert told.headers == [(b"allow", b"DELETE"), (b"x-amz-delete-marker", b"true"), (b"x-amz-version-id", b"abc")]
    assert (told.status, told.body) == (405, b"")
