"""User metadata beyond ASCII: the bytes that came are the bytes that go."""

from __future__ import annotations

import pytest

from asgi import Request
from faces import Rig


@pytest.mark.parametrize("text", ["Hello World\u00e9", "\u00c4M\u00c4Z\u00d5\u00d1", "\u2603", "\U0001f600", "=?UTF-8?B?w6k=?="], ids=ascii)
async def test_the_bytes_come_back(rig: Rig, text: str) -> None:
    """UTF-8, as SDKs send it, comes back byte for byte, and so does what a client has encoded itself (RFC 2047).

    AWS reads the bytes as latin-1 and answers in RFC 2047, so that no client gets back what it sent.
    """
    request = Request(method="PUT", path=b"/bucket/key").with_body(b"x").with_headers(("x-amz-meta-a", text.encode().decode("latin-1")))
    assert (await rig.send(rig.alpha.owner.header(request))).status == 200
    for method in ("GET", "HEAD"):
        told = await rig.send(rig.alpha.owner.header(Request(method=method, path=b"/bucket/key")))
        assert dict(told.raw_headers)[b"x-amz-meta-a"] == text.encode()
