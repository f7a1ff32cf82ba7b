"""Tags on S3's wire: the header, the documents byte for byte, and what is told in headers."""

from __future__ import annotations

import pytest

from faces import Ask, Rig

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def tagging(*tags: tuple[str, str]) -> bytes:
    """A set as it is told."""
    inner = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    return f"{HEAD}<Tagging {NAMESPACE}><TagSet>{inner}</TagSet></Tagging>".encode()


def code(name: str) -> bytes:
    """An error's code as its document has it."""
    return f"<Code>{name}</Code>".encode()


PAIR = tagging(("a", "1"), ("b", ""))


@pytest.mark.parametrize("path", ["/bucket/key?tagging", "/bucket?tagging"])
async def test_sets_as_they_are_sent_and_told(ask: Ask, path: str) -> None:
    """What is told can be sent back; tags are told by their keys; with and without the namespace; an empty set is one."""
    await ask("PUT", "/bucket/key")
    sent = tagging(("b", ""), ("a", "1"))
    for document in (sent, sent.replace(f" {NAMESPACE}".encode(), b""), PAIR):
        response = await ask("PUT", path, body=document)
        assert (response.status, response.body) == (200, b"")
        told = await ask("GET", path)
        assert (told.status, told.headers["content-type"], told.body) == (200, "application/xml", PAIR)
    for _ in range(2):
        response = await ask("DELETE", path)
        assert (response.status, response.body) == (204, b"")
    assert (await ask("PUT", path, body=tagging())).status == 200


async def test_what_has_no_tags(ask: Ask) -> None:
    """An object's set is empty; a bucket's is an error."""
    await ask("PUT", "/bucket/key")
    assert (await ask("GET", "/bucket/key?tagging")).body == tagging()
    response = await ask("GET", "/bucket?tagging")
    assert (response.status, code("NoSuchTagSet") in response.body) == (404, True)


@pytest.mark.parametrize("path", ["/bucket/key?tagging", "/bucket?tagging"])
@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (b"", "MalformedXML"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<Tagging><TagSet>", "MalformedXML"),
        (b"<X><TagSet/></X>", "MalformedXML"),
        (b"<Tagging><TagSet/><TagSet/></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><X/></TagSet></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>", "MalformedXML"),
        (tagging(("", "a")), "InvalidTag"),
        (tagging(("a" * 129, "a")), "InvalidTag"),
        (tagging(("a", "b" * 257)), "InvalidTag"),
        (tagging(("a", "&lt;")), "InvalidTag"),
        (tagging(("aws:a", "b")), "InvalidTag"),
        (tagging(("a", "b"), ("a", "b")), "InvalidTag"),
        (tagging(*((str(number), "") for number in range(51))), "InvalidTag"),
    ],
)
async def test_documents_that_are_no_set(rig: Rig, ask: Ask, path: str, document: bytes, wanted: str) -> None:
    """They are refused under AWS's codes and change nothing."""
    await ask("PUT", "/bucket/key", ("x-amz-tagging", "a=1"))
    await ask("PUT", "/bucket?tagging", body=PAIR)
    before = rig.dump()
    response = await ask("PUT", path, body=document)
    assert (response.status, code(wanted) in response.body) == (400, True)
    assert rig.dump() == before


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("&", ()),
        ("foo=bar&bar", (("bar", ""), ("foo", "bar"))),
        ("b=&a==1", (("a", "=1"), ("b", ""))),
        ("a+b=c%2Bd&e%20f=%26", None),
        ("a+b=c%2Bd&e%20f=%3D%2F%40", (("a b", "c+d"), ("e f", "=/@"))),
        ("%C3%A9=%E4%B8%AD", (("é", "中"),)),
        ("&".join(f"{number}=x" for number in range(10)), tuple((str(number), "x") for number in range(10))),
    ],
)
async def test_tags_in_a_header(ask: Ask, text: str, tags: tuple[tuple[str, str], ...] | None) -> None:
    """Pairs as in an HTML form; with an object, with an upload, and with a copy that replaces them."""
    await ask("PUT", "/bucket/source", ("x-amz-tagging", "x=y"))
    copying = (("x-amz-copy-source", "/bucket/source"), ("x-amz-tagging-directive", "REPLACE"))
    for headers in ((), copying):
        response = await ask("PUT", "/bucket/key", ("x-amz-tagging", text), *headers)
        if tags is None:
            assert (response.status, code("InvalidTag") in response.body) == (400, True)
            assert (await ask("GET", "/bucket/key?tagging")).status == 404
            continue
        assert response.status == 200
        assert (await ask("GET", "/bucket/key?tagging")).body == tagging(*tags)
        for method in ("GET", "HEAD"):
            assert (await ask(method, "/bucket/key")).headers.get("x-amz-tagging-count") == (str(len(tags)) if tags else None)
        await ask("DELETE", "/bucket/key")


async def test_headers_that_are_no_set(rig: Rig, ask: Ask) -> None:
    """One that cannot be read is InvalidArgument; one that reads but may not be is InvalidTag; nothing is stored."""
    await ask("PUT", "/bucket/source")
    before = rig.dump()
    many = "&".join(f"{number}=x" for number in range(11))
    for text, wanted in (("a=%zz", "InvalidArgument"), ("a=b&a=b", "InvalidArgument"), ("a=%ff", "InvalidArgument"), (many, "InvalidTag")):
        for method, path, *headers in (
            ("PUT", "/bucket/key"),
            ("POST", "/bucket/key?uploads"),
            ("PUT", "/bucket/key", ("x-amz-copy-source", "/bucket/source")),
        ):
            response = await ask(method, path, ("x-amz-tagging", text), *headers)
            assert (response.status, code(wanted) in response.body) == (400, True)
    assert rig.dump() == before


async def test_versions_are_told(ask: Ask) -> None:
    """Each answer about an object's tags has the id of the version; that of a bucket without versions has none."""
    first = await ask("PUT", "/bucket/key", ("x-amz-tagging", "a=1&b"))
    assert "x-amz-version-id" not in (await ask("GET", "/bucket/key?tagging")).headers
    enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert first.status == (await ask("PUT", "/bucket?versioning", body=enabled)).status == 200
    version = (await ask("PUT", "/bucket/key")).headers["x-amz-version-id"]
    for suffix, shown in (("", version), (f"&versionId={version}", version), ("&versionId=null", "null")):
        for method, status in (("PUT", 200), ("GET", 200), ("DELETE", 204)):
            response = await ask(method, f"/bucket/key?tagging{suffix}", body=PAIR if method == "PUT" else b"")
            assert (response.status, response.headers["x-amz-version-id"]) == (status, shown)
    marker = (await ask("DELETE", "/bucket/key")).headers["x-amz-version-id"]
    response = await ask("GET", f"/bucket/key?tagging&versionId={marker}")
    assert (response.status, response.headers["x-amz-delete-marker"]) == (405, "true")
    assert (await ask("GET", "/bucket/key?tagging")).status == 404


async def test_codes_have_their_sentences(ask: Ask) -> None:
    """What clients show their users."""
    await ask("PUT", "/bucket/key")
    for document, sentence, detail in (
        (tagging(("a*", "b")), b"The TagKey you have provided is invalid", b"<TagKey>a*</TagKey>"),
        (tagging(("a", "b*")), b"The TagValue you have provided is invalid", b"<TagValue>b*</TagValue>"),
        (tagging(("a", "b"), ("a", "c")), b"Cannot provide multiple Tags with the same key", b"<TagKey>a</TagKey>"),
        (tagging(("AWS:a", "b")), b"System tags cannot be added/updated by requester", b"<TagKey>AWS:a</TagKey>"),
        (tagging(*((str(number), "") for number in range(11))), b"Object tags cannot be greater than 10", b"InvalidTag"),
    ):
        response = await ask("PUT", "/bucket/key?tagging", body=document)
        assert sentence in response.body
        assert detail in response.body
