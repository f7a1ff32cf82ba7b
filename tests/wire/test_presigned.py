"""How long a presigned request is good, and what is said of one that is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asgi import Request
from faces import Ask, Rig

GOOD_SECONDS = (1, 604_800)


@pytest.fixture(autouse=True)
async def _object(ask: Ask) -> None:
    """The object that is asked for."""
    assert (await ask("PUT", "/bucket/key", body=b"content")).status == 200


@pytest.mark.parametrize("expires", GOOD_SECONDS)
async def test_good_to_its_last_second(rig: Rig, expires: int) -> None:
    """A second and a week are good to their ends, and no further."""
    request = Request(path=b"/bucket/key")
    at_its_end = rig.alpha.owner.later(timedelta(seconds=-expires)).presigned(request, expires=expires)
    assert (await rig.send(at_its_end)).body == b"content"
    late = rig.alpha.owner.later(timedelta(seconds=-expires - 1)).presigned(request, expires=expires)
    response = await rig.send(late)
    assert (response.status, b"<Message>Request has expired</Message>" in response.body) == (403, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
async def test_no_seconds_have_passed_already(rig: Rig, method: str) -> None:
    """X-Amz-Expires=0 is a number like another: the request has expired, whenever it comes; it is not malformed."""
    before = rig.dump()
    request = Request(method=method, path=b"/bucket/key")
    response = await rig.send(rig.alpha.owner.presigned(request.with_body(b"x") if method == "PUT" else request, expires=0))
    assert response.status == 403
    assert method == "HEAD" or b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in response.body
    assert rig.dump() == before


@pytest.mark.parametrize(
    ("expires", "text"), [(-1, b"non-negative"), (-1000, b"non-negative"), (604_801, b"less than a week"), (10**9, b"less than a week")]
)
async def test_what_no_clock_makes_good(rig: Rig, expires: int, text: bytes) -> None:
    """Less than nothing and more than a week are malformed, as AWS says: 400 AuthorizationQueryParametersError."""
    before = rig.dump()
    request = Request(method="PUT", path=b"/bucket/key").with_body(b"x")
    response = await rig.send(rig.alpha.owner.presigned(request, expires=expires))
    assert (response.status, b"<Code>AuthorizationQueryParametersError</Code>" in response.body, text in response.body) == (400, True, True)
    assert rig.dump() == before


@pytest.mark.parametrize("host", ["bucket.s3.test", "s3.test"])
async def test_both_styles(rig: Rig, host: str) -> None:
    """A presigned request names its bucket by its host or by its path."""
    path = b"/key" if host.startswith("bucket.") else b"/bucket/key"
    request = Request(path=path).with_headers(("host", host))
    assert (await rig.send(rig.alpha.owner.presigned(request))).body == b"content"


async def test_a_signature_is_of_one_method(rig: Rig) -> None:
    """A URL to read is none to delete, nor to look at its head."""
    signed = rig.alpha.owner.presigned(Request(path=b"/bucket/key"))
    for method in ("DELETE", "PUT", "HEAD"):
        moved = Request(method=method, path=signed.path, query=signed.query, headers=signed.headers)
        assert (await rig.send(moved)).status == 403
