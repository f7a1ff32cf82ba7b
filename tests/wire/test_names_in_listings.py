"""Keys that XML could damage, in listings with and without encoding-type=url."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus
from xml.etree import ElementTree as ET
from xml.sax.saxutils import unescape

import pytest

from faces import Ask
from signers import md5

READABLE = [
    "a&b", "a<b", "a>b", 'a"b', "a'b", "a\rb", "a\nb", "a\r\nb", "a\tb", " a ", "a  b", "]]>", "&amp;", "&#13;", "<!--", "ü", "😀",
    "\x7f", "\x85",
]  # fmt: skip
"""XML 1.0 holds these, if they are written rightly."""
UNREADABLE = ["a\x00b", "a\x01b", "a\x0bb", "a\x1fb", "a\ufffeb", "a\uffffb"]
"""XML 1.0 holds these in no way (section 2.2); only encoding-type=url tells them."""
NAMES = "{http://s3.amazonaws.com/doc/2006-03-01/}"


async def put(ask: Ask, *keys: str) -> None:
    """Objects of those keys."""
    for key in keys:
        assert (await ask("PUT", f"/bucket/{quote(key, safe='')}")).status == 200


def listed(body: bytes, name: str = "Key") -> list[str]:
    """The names in a listing, as a parser reads them."""
    return [node.text or "" for node in ET.fromstring(body).iter(NAMES + name)]  # noqa: S314 - the server under test wrote it


@pytest.mark.parametrize("query", ["", "list-type=2"])
async def test_keys_as_they_are(ask: Ask, query: str) -> None:
    """A parser reads back every key that XML can hold, CR and the ends of CDATA included, in the order of their bytes."""
    await put(ask, *READABLE)
    response = await ask("GET", f"/bucket?{query}")
    assert listed(response.body) == sorted(READABLE, key=str.encode)
    assert b"\r" not in response.body


@pytest.mark.parametrize("query", ["", "list-type=2&"])
async def test_keys_percent_encoded(ask: Ask, query: str) -> None:
    """With encoding-type=url every key comes back, those that XML cannot hold too, and the document says that it is so."""
    keys = [*READABLE, *UNREADABLE]
    await put(ask, *keys)
    response = await ask("GET", f"/bucket?{query}encoding-type=url")
    assert [unquote(key) for key in listed(response.body)] == sorted(keys, key=str.encode)
    assert b"<EncodingType>url</EncodingType>" in response.body
    assert not re.search(rb"[^\x0a\x20-\x7e]", response.body)


async def test_characters_that_xml_cannot_hold(ask: Ask) -> None:
    """Without encoding-type=url they are numeric references, as AWS writes them: never raw, and not another character."""
    await put(ask, "a\x01b", "a\x00b")
    response = await ask("GET", "/bucket?list-type=2")
    assert b"<Key>a&#1;b</Key>" in response.body
    assert b"<Key>a&#0;b</Key>" in response.body
    assert not set(response.body) & {0, 1}


@pytest.mark.parametrize("query", ["delimiter=%26&prefix=a%0D&marker=%3C", "list-type=2&delimiter=%26&prefix=a%0D&start-after=%3C"])
async def test_what_was_asked_for_comes_back(ask: Ask, query: str) -> None:
    """Prefix, delimiter and start are told as they were meant, and percent-encoded where the keys are."""
    await put(ask, "a\rb&c")
    plain = (await ask("GET", f"/bucket?{query}")).body
    assert b"<Prefix>a&#13;</Prefix>" in plain
    assert b"<Delimiter>&amp;</Delimiter>" in plain
    assert b"<CommonPrefixes><Prefix>a&#13;b&amp;</Prefix></CommonPrefixes>" in plain
    assert b">&lt;</" in plain
    encoded = (await ask("GET", f"/bucket?{query}&encoding-type=url")).body
    assert (b"<Prefix>a%0D</Prefix>" if "list-type" in query else b"<Prefix>a&#13;</Prefix>") in encoded
    assert b"<Delimiter>%26</Delimiter>" in encoded
    assert b"<CommonPrefixes><Prefix>a%0Db%26</Prefix></CommonPrefixes>" in encoded
    assert b">%3C</" in encoded


@pytest.mark.parametrize(
    ("prefix", "first", "second"),
    [("\n", "\n", "%0A"), ("a b/", "a b/", "a%20b/"), ("ü&", "ü&amp;", "%C3%BC%26"), ("a+b", "a%2Bb", "a%2Bb"), ("50%", "50%25", "50%25"),
     ("%41", "%2541", "%2541"), ("a\x01 ", "a%01%20", "a%01%20")],
)  # fmt: skip
async def test_the_prefix_of_the_first_version(ask: Ask, prefix: str, first: str, second: str) -> None:
    """Some clients decode it and some do not (botocore): it is encoded only where decoding would change it, or XML cannot hold it.

    The prefix of the second version is decoded by all of them.
    """
    for query, expected in (("", first), ("list-type=2&", second)):
        response = await ask("GET", f"/bucket?{query}encoding-type=url&prefix={quote(prefix, safe='')}")
        assert f"<Prefix>{expected}</Prefix>".encode() in response.body
        assert unquote_plus(unescape(expected)) == prefix


async def test_slashes_stay(ask: Ask) -> None:
    """Percent-encoding leaves `/` alone, and writes a space as %20 and a plus as %2B."""
    await put(ask, "a/b c+d~e")
    assert b"<Key>a/b%20c%2Bd~e</Key>" in (await ask("GET", "/bucket?encoding-type=url")).body


async def test_uploads_percent_encoded(ask: Ask) -> None:
    """The same for uploads."""
    for key in ("a\x01b", "a&b"):
        assert (await ask("POST", f"/bucket/{quote(key, safe='')}?uploads")).status == 200
    response = await ask("GET", "/bucket?uploads&encoding-type=url")
    assert listed(response.body) == ["a%01b", "a%26b"]
    assert listed((await ask("GET", "/bucket?uploads&prefix=a%26")).body) == ["a&b"]


async def test_a_token_holds_any_key(ask: Ask) -> None:
    """A listing goes on behind any key, one that no header or document could hold too."""
    keys = sorted([*READABLE, *UNREADABLE], key=str.encode)
    await put(ask, *keys)
    found, token = [], ""
    while token is not None:
        suffix = f"&continuation-token={quote(token, safe='')}" if token else ""
        body = (await ask("GET", f"/bucket?list-type=2&max-keys=1&encoding-type=url{suffix}")).body
        found += [unquote(key) for key in listed(body)]
        token = next(iter(listed(body, "NextContinuationToken")), None)
    assert found == keys


async def test_deletes_by_document(ask: Ask) -> None:
    """DeleteObjects names a key with CR as a reference, and it is that key that goes and is told."""
    await put(ask, "a\rb", "a\nb")
    sent = b"<Delete><Object><Key>a&#13;b</Key></Object></Delete>"
    response = await ask("POST", "/bucket?delete", ("content-md5", md5(sent)), body=sent)
    assert b"<Deleted><Key>a&#13;b</Key></Deleted>" in response.body
    assert listed((await ask("GET", "/bucket")).body) == ["a\nb"]
    # a raw CR is a line end, which a parser reads as LF (XML 1.0 section 2.11): it is another key
    sent = b"<Delete><Object><Key>a\rb</Key></Object></Delete>"
    response = await ask("POST", "/bucket?delete", ("content-md5", md5(sent)), body=sent)
    assert b"<Deleted><Key>a\nb</Key></Deleted>" in response.body
