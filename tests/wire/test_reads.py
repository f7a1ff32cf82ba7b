"""What reads are answered with: ranges, conditions, overrides, and HEAD."""

from __future__ import annotations

import pytest

from faces import Ask
from lightningstor_types.errors import codes

TEN = b"0123456789"
ETAG = '"781e5e245d69b566979b86e28d23f2c7"'


@pytest.fixture(autouse=True)
async def _objects(ask: Ask) -> None:
    """Ten bytes, and none."""
    assert (await ask("PUT", "/bucket/ten", ("content-type", "text/plain"), body=TEN)).headers["etag"] == ETAG
    assert (await ask("PUT", "/bucket/empty")).status == 200


@pytest.mark.parametrize(
    ("range_", "content", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=9-", b"9", "bytes 9-9/10"),
        ("bytes=0-", TEN, "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-10", TEN, "bytes 0-9/10"),
        ("bytes=-99", TEN, "bytes 0-9/10"),
        (f"bytes=3-{'9' * 30}", b"3456789", "bytes 3-9/10"),
        (" bytes=1-1 ", b"1", "bytes 1-1/10"),
    ],
)
async def test_partial(ask: Ask, range_: str, content: bytes, content_range: str) -> None:
    """206 with the bytes, their length and Content-Range; HEAD tells the same without the bytes (RFC 9110 section 15.3.7)."""
    for method in ("GET", "HEAD"):
        response = await ask(method, "/bucket/ten", ("range", range_))
        assert response.status == 206
        assert response.body == (content if method == "GET" else b"")
        assert response.headers["content-length"] == str(len(content))
        assert response.headers["content-range"] == content_range
        assert response.headers["etag"] == ETAG
        assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("range_", ["bytes=10-", "bytes=10-20", "bytes=99-", "bytes=-0", f"bytes={'9' * 30}-"])
async def test_unsatisfiable(ask: Ask, range_: str) -> None:
    """416 InvalidRange with the object's size; to HEAD without a body."""
    response = await ask("GET", "/bucket/ten", ("range", range_))
    assert (response.status, b"<Code>InvalidRange</Code>" in response.body) == (416, True)
    assert b"<ActualObjectSize>10</ActualObjectSize>" in response.body
    assert (await ask("HEAD", "/bucket/ten", ("range", range_))).status == 416


@pytest.mark.parametrize(
    "range_",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes 0-1", "bytes=0 - 1", "bytes=+1-2",
     "bytes=0x1-2", "bytes=٣-٤", "Bytes=0-1,", "bytes=--1", f"bytes=0-{'9' * 5000}"],
)  # fmt: skip
async def test_malformed_is_ignored(ask: Ask, range_: str) -> None:
    """A Range that is none, or several, is passed over: 200 and everything (RFC 9110 section 14.2)."""
    response = await ask("GET", "/bucket/ten", ("range", range_.encode().decode("latin-1")))
    assert (response.status, response.body) == (200, TEN)
    assert "content-range" not in response.headers


@pytest.mark.parametrize("range_", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"])
async def test_an_empty_object_has_no_ranges(ask: Ask, range_: str) -> None:
    """Of no bytes no range is satisfiable; as a whole it is 200 and no bytes."""
    assert (await ask("GET", "/bucket/empty", ("range", range_))).status == 416
    response = await ask("GET", "/bucket/empty")
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "0")
    assert response.headers["etag"] == '"d41d8cd98f00b204e9800998ecf8427e"'
    assert (await ask("GET", "/bucket/empty", ("range", "nonsense"))).status == 200


@pytest.mark.parametrize("class_", [None, "STANDARD", "STANDARD_IA", "ONEZONE_IA"])
async def test_the_storage_class_is_told(ask: Ask, class_: str | None) -> None:
    """Unless it is STANDARD (AWS, GetObject: x-amz-storage-class)."""
    headers = () if class_ is None else (("x-amz-storage-class", class_),)
    assert (await ask("PUT", "/bucket/classed", *headers, body=TEN)).status == 200
    for method in ("GET", "HEAD"):
        told = (await ask(method, "/bucket/classed")).headers.get("x-amz-storage-class")
        assert told == (None if class_ in {None, "STANDARD"} else class_)


async def test_the_type_of_bytes_that_nobody_named(ask: Ask) -> None:
    """AWS: binary/octet-stream."""
    assert (await ask("PUT", "/bucket/untyped", body=TEN)).status == 200
    for method in ("GET", "HEAD"):
        assert (await ask(method, "/bucket/untyped")).headers["content-type"] == "binary/octet-stream"


async def test_part_numbers(ask: Ask) -> None:
    """Part 1 of an object that has no parts is all of it, told as a range; another part is not there."""
    response = await ask("GET", "/bucket/ten?partNumber=1")
    assert (response.status, response.body, response.headers["content-range"]) == (206, TEN, "bytes 0-9/10")
    response = await ask("GET", "/bucket/ten?partNumber=2")
    assert (response.status, b"<Code>InvalidPartNumber</Code>" in response.body) == (416, True)
    assert (await ask("GET", "/bucket/ten?partNumber=1", ("range", "bytes=0-1"))).status == 400
    assert (await ask("GET", "/bucket/empty?partNumber=1")).status == 200


async def test_not_modified(ask: Ask) -> None:
    """304 has the entity tag and no body, also where a range was asked for."""
    for headers in ([("if-none-match", ETAG)], [("if-none-match", f'W/"x", {ETAG}')], [("if-none-match", "*"), ("range", "bytes=0-1")],
                    [("if-modified-since", "Fri, 02 Jan 2026 03:04:05 GMT")]):  # fmt: skip
        for method in ("GET", "HEAD"):
            response = await ask(method, "/bucket/ten", *headers)
            assert (response.status, response.body, response.headers["etag"]) == (304, b"", ETAG)


async def test_preconditions(ask: Ask) -> None:
    """412 names the condition; a date that is none is passed over (RFC 9110 sections 13.1.3 and 13.1.4)."""
    for header in (("if-match", '"x"'), ("if-unmodified-since", "Fri, 02 Jan 2026 03:04:04 GMT")):
        response = await ask("GET", "/bucket/ten", header)
        assert (response.status, b"<Code>PreconditionFailed</Code>" in response.body) == (412, True)
        assert f"<Condition>{header[0]}</Condition>".encode() in response.body.lower().replace(b"condition>", b"Condition>")
    for header in ("if-modified-since", "if-unmodified-since"):
        for text in ("", "yesterday", "0", "Fri, 99 Jan 2026 03:04:05 GMT", "2026-99-99", "Fri, 02 Jan 99999 03:04:05 GMT", ","):
            assert (await ask("GET", "/bucket/ten", (header, text))).status == 200, (header, text)


async def test_overrides(ask: Ask) -> None:
    """response-* parameters stand in for the stored headers, in UTF-8, of GET and of HEAD."""
    query = (
        "response-content-type=text/html%3B%20charset%3Dutf-8&response-content-disposition=attachment%3B%20filename%3D%C3%A4"
        "&response-cache-control=no-store&response-content-encoding=x&response-content-language=de&response-expires=0"
    )
    for method in ("GET", "HEAD"):
        headers = (await ask(method, f"/bucket/ten?{query}")).headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["content-disposition"].encode("latin-1") == "attachment; filename=ä".encode()
        assert (headers["cache-control"], headers["content-encoding"]) == ("no-store", "x")
        assert (headers["content-language"], headers["expires"]) == ("de", "0")
    assert (await ask("GET", "/bucket/ten")).headers["content-type"] == "text/plain"
    assert (await ask("GET", "/bucket/ten?response-content-type=%20a/b%20")).headers["content-type"] == "a/b"


async def test_code_points_that_end_in_a_line_feed(ask: Ask) -> None:
    """U+010A and U+560A stay themselves: no narrowing to a byte makes a line end of them (CVE-2020-10753 of another store)."""
    response = await ask("GET", "/bucket/ten?response-content-disposition=a%C4%8A%E5%98%8Ab")
    assert response.headers["content-disposition"].encode("latin-1") == "a\u010a\u560ab".encode()


@pytest.mark.parametrize(
    ("target", "status"),
    [("/bucket/missing", 404), ("/nowhere", 404), ("/nowhere/key", 404), ("/Bad_Name/key", 400), ("/bucket/" + "x" * 1025, 400),
     ("/bucket/%ff", 400), ("/bucket?acl", 501)],
)  # fmt: skip
async def test_errors_of_head(ask: Ask, target: str, status: int) -> None:
    """HEAD has the status of its error and no body (RFC 9110 section 9.3.2); the request id is in its header."""
    response = await ask("HEAD", target)
    assert (response.status, response.body) == (status, b"")
    assert "content-type" not in response.headers
    assert response.headers["x-amz-request-id"]


async def test_metadata(ask: Ask) -> None:
    """What the writer said comes back as it came, in UTF-8, without the space around it; names are in lower case."""
    said = {
        "content-type": "text/x", "cache-control": "a, b", "content-disposition": "inline", "content-language": "en", "expires": "0",
        "x-amz-website-redirect-location": "/x", "x-amz-meta-name": "Zoë", "x-amz-meta-empty": "", "x-amz-meta-two": "a  b",
    }  # fmt: skip
    await ask("PUT", "/bucket/said", *((name.title(), value.encode().decode("latin-1")) for name, value in said.items()))
    for method in ("GET", "HEAD"):
        headers = (await ask(method, "/bucket/said")).headers
        assert {name: headers[name].encode("latin-1").decode() for name in said} == said


async def test_checksums_are_told_on_request(ask: Ask) -> None:
    """Checksums come with x-amz-checksum-mode, and not with a range, of which they are not."""
    headers = (await ask("HEAD", "/bucket/ten", ("x-amz-checksum-mode", "ENABLED"))).headers
    assert (headers["x-amz-checksum-crc64nvme"], headers["x-amz-checksum-type"]) == ("Ffmx7kz9nB0=", "FULL_OBJECT")
    for more in ([], [("x-amz-checksum-mode", "ENABLED"), ("range", "bytes=0-1")]):
        headers = (await ask("GET", "/bucket/ten", *more)).headers
        assert not [name for name in headers if name.startswith("x-amz-checksum")]


def test_every_error_of_head_has_a_status_of_its_own() -> None:
    """No code's status is one that a client takes for success."""
    assert all(error.status == 304 or error.status >= 400 for error in codes().values())
