"""What a real client sends that no page of AWS shows, found by the matrix of tests/clients."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import pytest

import servers
from asgi import Request
from faces import Ask, Rig
from faults.s3client import S3Client, head_of, signed, target_of
from signers import crc32

BODY = b"by a URL"
OF_NOTHING = crc32(b"")
ANSWER_SECONDS = 30.0


@pytest.mark.parametrize("mode", ["ENABLED", "enabled", "Enabled"])
async def test_the_checksum_mode_has_no_case(ask: Ask, mode: str) -> None:
    """pyarrow, that is the AWS SDK for C++, asks for `enabled` with every read; the checksum comes as for `ENABLED`."""
    assert (await ask("PUT", "/bucket/key", ("x-amz-checksum-crc32", crc32(BODY)), body=BODY)).status == 200
    for method in ("GET", "HEAD"):
        response = await ask(method, "/bucket/key", ("x-amz-checksum-mode", mode))
        assert (response.status, response.headers["x-amz-checksum-crc32"]) == (200, crc32(BODY))
    ranged = await ask("GET", "/bucket/key", ("x-amz-checksum-mode", mode), ("range", "bytes=0-1"))
    assert (ranged.status, ranged.body) == (206, BODY[:2])


async def test_another_checksum_mode_is_refused(ask: Ask) -> None:
    """What is no mode in any case is InvalidArgument still."""
    response = await ask("GET", "/bucket/key", ("x-amz-checksum-mode", "able"))
    assert (response.status, b"<Code>InvalidArgument</Code>" in response.body) == (400, True)


@pytest.mark.parametrize(
    "query", [{"x-amz-checksum-crc32": OF_NOTHING, "x-amz-sdk-checksum-algorithm": "CRC32"}, {"X-Amz-Checksum-Crc32": OF_NOTHING}]
)
async def test_checksums_in_presigned_urls_are_not_heard(rig: Rig, ask: Ask, query: dict[str, str]) -> None:
    """The AWS SDK for JavaScript signs the CRC32 of no body into each presigned PutObject; S3 takes any body under it."""
    told = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    request = Request(method="PUT", path=b"/bucket/key", query=f"{told}&x-id=PutObject".encode()).with_body(BODY)
    assert (await rig.send(rig.alpha.owner.presigned(request))).status == 200
    assert (await ask("GET", "/bucket/key")).body == BODY


async def test_they_are_signed_all_the_same(rig: Rig) -> None:
    """A parameter that is not heard cannot be changed either."""
    before = rig.dump()
    query = f"x-amz-checksum-crc32={quote(OF_NOTHING, safe='')}".encode()
    signed = rig.alpha.owner.presigned(Request(method="PUT", path=b"/bucket/key", query=query).with_body(BODY))
    changed = signed.query.replace(quote(OF_NOTHING, safe="").encode(), quote(crc32(BODY), safe="").encode())
    assert changed != signed.query
    moved = Request(method="PUT", path=signed.path, query=changed, headers=signed.headers).with_body(BODY)
    assert (await rig.send(moved)).status == 403
    assert rig.dump() == before


async def test_a_checksum_in_a_header_of_a_presigned_request_is_heard(rig: Rig, ask: Ask) -> None:
    """A header that the signature covers is a promise: a body that breaks it is BadDigest."""
    for value, status in ((crc32(b"other"), 400), (crc32(BODY), 200)):
        request = Request(method="PUT", path=b"/bucket/key").with_headers(("x-amz-checksum-crc32", value)).with_body(BODY)
        response = await rig.send(rig.alpha.owner.presigned(request))
        assert (response.status, b"<Code>BadDigest</Code>" in response.body) == (status, status == 400)
    assert (await ask("GET", "/bucket/key")).body == BODY


@pytest.mark.parametrize("http_server", ["granian", "hypercorn"])
def test_continue_has_its_reason(tmp_path: Path, http_server: str) -> None:
    """boto3 before 2025 takes `HTTP/1.1 100` without a word behind it for the final answer, and never sends its body."""
    expecting = {"Content-Length": str(len(BODY)), "Expect": "100-continue"}
    with servers.running(tmp_path / "data", "--workers=1", f"--http-server={http_server}") as server:
        with S3Client(server.s3) as client:
            assert client.call("PUT").status == 200
        host, _, port = server.s3.rpartition(":")
        target = target_of("key")
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection, connection.makefile("rb") as answer:
            connection.sendall(head_of("PUT", target, signed("PUT", server.s3, target, expecting)))
            assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
            while answer.readline() != b"\r\n":
                pass
            connection.sendall(BODY)
            assert answer.readline().startswith(b"HTTP/1.1 200")
