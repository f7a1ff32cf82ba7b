"""The lifecycle configuration of a bucket and x-amz-expiration, byte for byte."""

from __future__ import annotations

import re

import pytest

from asgi import Response
from faces import Ask, Rig
from lightningstor_server.service.lifecycle import LIFECYCLE_MAX_CHARACTERS

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MINIMUM = "x-amz-transition-default-minimum-object-size"
ON, OFF = "<Status>Enabled</Status>", "<Status>Disabled</Status>"
ALL = "<Filter></Filter>"
DAY = "<Expiration><Days>1</Days></Expiration>"
MARKER = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
ABORT = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
TAG = "<Tag><Key>a</Key><Value>b</Value></Tag>"
COLD = "<StorageClass>STANDARD_IA</StorageClass>"
KEEPING = "<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>{}</NewerNoncurrentVersions>"
LONG = f"<Prefix>{'x' * 1024}</Prefix>"


def document(*rules: str) -> bytes:
    """A configuration of these rules' elements."""
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    return f"{HEAD}<LifecycleConfiguration {NAMESPACE}>{inner}</LifecycleConfiguration>".encode()


def rule(action: str = DAY, *, name: str = "one", where: str = ALL, status: str = ON) -> str:
    """A rule's elements, in the order in which they are told."""
    first, last = (where, "") if where.startswith("<Prefix") else ("", where)
    return f"<ID>{name}</ID>{first}{last}{status}{action}"


def ends(days: str) -> str:
    """An expiration after so many days."""
    return f"<Expiration><Days>{days}</Days></Expiration>"


def at(date: str) -> str:
    """An expiration on a date."""
    return f"<Expiration><Date>{date}</Date></Expiration>"


def noncurrent(inner: str) -> str:
    """An expiration of noncurrent versions."""
    return f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>"


def moves(inner: str) -> str:
    """A transition."""
    return f"<Transition>{inner}</Transition>"


def failed(response: Response, code: str) -> bool:
    """Whether a request was refused under that code."""
    return response.status == 400 and f"<Code>{code}</Code>".encode() in response.body


async def test_the_configuration(ask: Ask) -> None:
    """Told as it was sent, with the header; deleted, also twice, it is told that there is none."""
    for _ in range(2):
        assert (await ask("DELETE", "/bucket?lifecycle")).status == 204
    missing = await ask("GET", "/bucket?lifecycle")
    assert (missing.status, b"<Code>NoSuchLifecycleConfiguration</Code>" in missing.body) == (404, True)
    sizes = "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan>"
    days = "<NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions>"
    sent = document(
        rule(name="old", where="<Prefix>a&#13;/</Prefix>", status=OFF),
        rule(at("2030-01-01T00:00:00Z"), name="and", where=f"<Filter><And><Prefix>b</Prefix>{TAG}{sizes}</And></Filter>"),
        rule(MARKER + noncurrent(days) + ABORT, name="marker", where="<Filter><Prefix></Prefix></Filter>"),
        rule(ends("9") + moves(f"<Days>0</Days>{COLD}"), name="moves", where=f"<Filter>{TAG}</Filter>"),
    )
    put = await ask("PUT", "/bucket?lifecycle", body=sent)
    assert (put.status, put.headers[MINIMUM]) == (200, "all_storage_classes_128K")
    told = await ask("GET", "/bucket?lifecycle")
    assert (told.status, told.headers["content-type"], told.body) == (200, "application/xml", sent)
    put = await ask("PUT", "/bucket?lifecycle", (MINIMUM, "varies_by_storage_class"), body=sent)
    assert put.headers[MINIMUM] == (await ask("GET", "/bucket?lifecycle")).headers[MINIMUM] == "varies_by_storage_class"
    assert failed(await ask("PUT", "/bucket?lifecycle", (MINIMUM, "none"), body=sent), "InvalidArgument")
    assert (await ask("DELETE", "/bucket?lifecycle")).status == 204
    assert (await ask("GET", "/bucket?lifecycle")).status == 404


async def test_ids_are_given(ask: Ask) -> None:
    """A rule without an id, or with an empty one, gets one of its own, which stays."""
    bare = f"{ALL}{ON}{DAY}"
    assert (await ask("PUT", "/bucket?lifecycle", body=document(bare, bare, f"<ID></ID>{bare}"))).status == 200
    told = (await ask("GET", "/bucket?lifecycle")).body
    assert len(set(re.findall(b"<ID>[^<]+</ID>", told))) == 3
    assert (await ask("GET", "/bucket?lifecycle")).body == told


MALFORMED = [
    b"", b"<X/>", document(), document(rule(status="")), document(rule(status="<Status>enabled</Status>")), document(rule(where="")),
    document(rule(where="<Prefix></Prefix>") + ALL), document(rule("<Expiration></Expiration>")), document(rule(DAY + DAY)),
    document(rule("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>")), document(rule(ends("x"))),
    document(rule("<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")),
    document(rule(at("tomorrow"))), document(rule(noncurrent("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"))),
    document(rule(moves(COLD))), document(rule(moves("<Days>1</Days>"))),
    document(rule(moves("<Days>1</Days><StorageClass>GLACIER</StorageClass>"))),
    document(rule("<AbortIncompleteMultipartUpload></AbortIncompleteMultipartUpload>")), document(rule() + "<X/>"),
]  # fmt: skip
REFUSED = [
    ("InvalidArgument", document(rule(name="x" * 256))),
    ("InvalidArgument", document(rule(), rule())),
    *[("InvalidArgument", document(rule(ends(days)))) for days in ("0", "-1", "2147483648")],
    *[("InvalidArgument", document(rule(at(date)))) for date in ("2030-01-01T00:00:01Z", "2030-01-01T00:00:00+01:00")],
    ("InvalidArgument", document(rule(noncurrent("<NoncurrentDays>0</NoncurrentDays>")))),
    *[
        ("InvalidArgument", document(rule(noncurrent(KEEPING.format(number)))))
        for number in (0, 101)
    ],
    ("InvalidArgument", document(rule(ABORT.replace("7", "0")))),
    ("InvalidArgument", document(rule(moves(f"<Days>-1</Days>{COLD}")))),
    ("InvalidArgument", document(rule(ends("5") + moves(f"<Days>5</Days>{COLD}")))),
    ("InvalidRequest", document(rule(""))),
    ("InvalidRequest", document(*[rule(name=str(number)) for number in range(1001)])),
    ("InvalidRequest", document(rule(MARKER, where=f"<Filter>{TAG}</Filter>"))),
    ("InvalidRequest", document(rule(ABORT, where=f"<Filter>{TAG}</Filter>"))),
    ("InvalidRequest", document(rule(where="<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"))),
    ("InvalidRequest", document(rule(where=f"<Filter><And>{'<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>'}"
                                           "<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>"))),
    ("InvalidRequest", document(rule(at("2030-01-01T00:00:00Z") + moves(f"<Days>5</Days>{COLD}")))),
    ("InvalidRequest", document(rule(moves(f"<Days>5</Days>{COLD}") + moves(f"<Days>6</Days>{COLD}")))),
    ("InvalidRequest", document(rule(where=f"<Prefix>{'x' * 1025}</Prefix>"))),
    ("InvalidRequest", document(*[rule(name=str(n), where=LONG) for n in range(LIFECYCLE_MAX_CHARACTERS >> 10)])),
    ("InvalidStorageClass", document(rule(moves("<Days>1</Days><StorageClass>STANDARD</StorageClass>")))),
    ("InvalidTag", document(rule(where=f"<Filter><And>{TAG}{TAG}</And></Filter>"))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "body"), [*[("MalformedXML", body) for body in MALFORMED], *REFUSED])
async def test_configurations_that_are_none(rig: Rig, ask: Ask, code: str, body: bytes) -> None:
    """Refused under AWS's codes; what was set stays."""
    assert (await ask("PUT", "/bucket?lifecycle", body=document(rule()))).status == 200
    before = rig.dump()
    response = await ask("PUT", "/bucket?lifecycle", body=body)
    assert failed(response, code), response
    assert rig.dump() == before


async def test_a_thousand_rules(ask: Ask) -> None:
    """As many as AWS takes."""
    sent = document(*[rule(name=str(number)) for number in range(1000)])
    assert (await ask("PUT", "/bucket?lifecycle", body=sent)).status == 200
    assert (await ask("GET", "/bucket?lifecycle")).body == sent


async def test_a_filter_with_several_conditions(ask: Ask) -> None:
    """AWS wants them within And; here each counts wherever it stands, and the configuration is told as it was sent."""
    where = f"<Filter><Prefix>a</Prefix>{TAG}<And><Prefix>ab</Prefix></And></Filter>"
    sent = document(rule(where=where))
    assert (await ask("PUT", "/bucket?lifecycle", body=sent)).status == 200
    assert (await ask("GET", "/bucket?lifecycle")).body == sent
    for key, tags, expires in (("abc", "a=b", True), ("ac", "a=b", False), ("abd", "a=c", False), ("abe", "", False)):
        put = await ask("PUT", f"/bucket/{key}", ("x-amz-tagging", tags), body=b"x")
        assert ("x-amz-expiration" in put.headers) is expires


async def test_the_date_that_is_told(ask: Ask) -> None:
    """The earliest of all rules that hold, at midnight, its id percent-encoded; to a read that names a version nothing is told."""
    sent = document(
        rule(ends("2"), name='a "b"/&#13;'), rule(ends("5"), name="later"), rule(ends("1"), name="off", status=OFF),
        rule(ends("1"), name="else", where="<Prefix>z</Prefix>"), rule(noncurrent("<NoncurrentDays>1</NoncurrentDays>"), name="none"),
    )  # fmt: skip
    assert "x-amz-expiration" not in (await ask("PUT", "/bucket/key", body=b"x")).headers
    assert (await ask("PUT", "/bucket?lifecycle", body=sent)).status == 200
    expected = 'expiry-date="Mon, 05 Jan 2026 00:00:00 GMT", rule-id="a%20%22b%22%2F%0D"'
    for method, body in (("GET", b""), ("HEAD", b""), ("PUT", b"y")):
        assert (await ask(method, "/bucket/key", body=body)).headers["x-amz-expiration"] == expected
    assert "x-amz-expiration" not in (await ask("GET", "/bucket/key?versionId=null")).headers
    await ask("PUT", "/bucket?lifecycle", body=document(rule(at("2040-02-29T00:00:00Z"), name="date")))
    told = (await ask("HEAD", "/bucket/key")).headers["x-amz-expiration"]
    assert told == 'expiry-date="Wed, 29 Feb 2040 00:00:00 GMT", rule-id="date"'
    await ask("PUT", "/bucket?lifecycle", body=document(rule(ends("2147483647"))))
    assert "x-amz-expiration" not in (await ask("HEAD", "/bucket/key")).headers
