"""Documents that are none of those that an operation takes: MalformedXML, and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given

import strategies
from asgi import Request
from faces import Rig
from lightningstor_server.s3.xml import DOCUMENT_MAX_BYTES
from lightningstor_server.service.operation import operations
from lightningstor_types.errors import MalformedXML
from refusals import REUSED, refused
from samples import WITH_DOCUMENT, Furnished, sample
from signers import md5


def with_document(request: Request, document: bytes) -> Request:
    """The request with another document, and the digest that fits it."""
    changed = request.with_body(document)
    if changed.header("content-md5") is not None:
        changed = changed.without_headers("content-md5").with_headers(("content-md5", md5(document)))
    return changed


def malformed(name: str) -> str:
    """What an operation says of a document that is none of its own."""
    return getattr(operations()[name].input, "malformed", MalformedXML).__name__


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "doctype": lambda good: b"<!DOCTYPE a>" + good,
    "doctype of a system": lambda good: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + good,
    "doctype of a public": lambda good: b'<!DOCTYPE a PUBLIC "-//x" "x.dtd">' + good,
    "doctype, empty": lambda good: b"<!DOCTYPE a []>" + good,
    "entity": lambda good: b'<!DOCTYPE a [<!ENTITY b "c">]>' + good.replace(b"</", b"&b;</", 1),
    "entity of a file": lambda good: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + good.replace(b"</", b"&b;</", 1),
    "entities, a thousand laughs": lambda good: (
        b'<!DOCTYPE a [<!ENTITY l0 "ha">'
        + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]>"
        + good.replace(b"</", b"&l9;</", 1)
    ),
    "parameter entity": lambda good: b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:1/x">%b;]>' + good,
    "doctype in UTF-16": lambda good: ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a>' + good.decode()).encode("utf-16"),
    "undeclared entity": lambda good: good.replace(b"</", b"&b;</", 1),
    "processing instruction": lambda good: b'<?xml-stylesheet href="x"?>' + good,
    "processing instruction within": lambda good: good.replace(b"</", b"<?php x ?></", 1),
    "unknown element": lambda good: good.replace(b"</", b"<Unknown/></", 1),
    "unknown element at the top": lambda good: re.sub(rb"^<(\w+)>", rb"<\1><Unknown>x</Unknown>", good),
    "another root": lambda good: b"<Root>" + good + b"</Root>",
    "root in lower case": lambda good: good.lower(),
    "two roots": lambda good: good + good,
    "cut off": lambda good: good[:-1],
    "text before": lambda good: b"x" + good,
    "not closed": lambda good: good.replace(b"</", b"<", 1),
    "no XML": lambda _: b"hello",
    "JSON": lambda _: b"{}",
    "a space": lambda _: b" ",
    "NUL": lambda good: good.replace(b"</", b"\0</", 1),
    "reference to NUL": lambda good: good.replace(b"</", b"&#0;</", 1),
    "reference to a surrogate": lambda good: good.replace(b"</", b"&#xD800;</", 1),
    "no UTF-8": lambda good: good.replace(b"</", b"\xff</", 1),
    "unknown encoding": lambda good: b'<?xml version="1.0" encoding="x-none"?>' + good,
    "depth": lambda good: re.sub(rb"^<(\w+)>", rb"<\1>" + b"<a>" * 100 + b"</a>" * 100, good),
    "great depth": lambda good: re.sub(rb"^<(\w+)>", rb"<\1>" + b"<a>" * 100_000 + b"</a>" * 100_000, good),
    "unbound prefix": lambda good: re.sub(rb"^<(\w+)>(.*)</\1>$", rb"<x:\1>\2</x:\1>", good),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_malformed_documents(rig: Rig, at: Furnished, name: str, damage: str) -> None:
    """Whatever is not the document that the operation takes is MalformedXML; nothing is fetched, nothing grows."""
    request = sample(name, at)
    await refused(rig, with_document(request, DAMAGE[damage](request.body)), malformed(name))


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_doubled_elements(rig: Rig, at: Furnished, name: str) -> None:
    """An element that stands once stands once: no parser guesses which one is meant."""
    good = sample(name, at).body
    once = rb"(<(LocationConstraint|Key|ETag|Permission|ObjectOwnership|BlockPublicAcls|MaxAgeSeconds|Status|Mode)>[^<]*</\2>)"
    doubled = re.sub(once, rb"\1\1", good, count=1)
    assert doubled != good
    await refused(rig, with_document(sample(name, at), doubled), malformed(name))


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_documents_beyond_the_limit(rig: Rig, at: Furnished, name: str) -> None:
    """A document has at most 4 MiB; a longer one is not parsed."""
    request = sample(name, at)
    long = request.body + b" " * DOCUMENT_MAX_BYTES
    await refused(rig, with_document(request, long), "MaxMessageLengthExceeded")


@pytest.mark.parametrize("name", ["DeleteObjects", "CompleteMultipartUpload"])
async def test_documents_that_are_empty(rig: Rig, at: Furnished, name: str) -> None:
    """An empty document asks for nothing, which no client means."""
    request = sample(name, at)
    root = request.body.partition(b">")[0] + b"/>"
    for document in (b"", root, root.replace(b"/>", b"><Quiet>perhaps</Quiet></Delete>")):
        await refused(rig, with_document(request, document), "MalformedXML")


async def test_elements_without_their_own(rig: Rig, at: Furnished) -> None:
    """What an element needs within it has to be there, in its form."""
    delete, complete = sample("DeleteObjects", at), sample("CompleteMultipartUpload", at)
    for inner in (
        b"<Object/>",
        b"<Object><Size>1</Size></Object>",
        b"<Object><Key>a</Key><Size>x</Size></Object>",
        b"<Object><Key><b/></Key></Object>",
        b"<Object><Key>a</Key><LastModifiedTime>never</LastModifiedTime></Object>",
    ):
        await refused(rig, with_document(delete, b"<Delete>" + inner + b"</Delete>"), "MalformedXML")
    for inner in (
        b"<Part/>",
        b"<Part><PartNumber>1</PartNumber></Part>",
        b"<Part><ETag>a</ETag></Part>",
        b"<Part><PartNumber>0</PartNumber><ETag>a</ETag></Part>",
        b"<Part><PartNumber>x</PartNumber><ETag>a</ETag></Part>",
    ):
        document = b"<CompleteMultipartUpload>" + inner + b"</CompleteMultipartUpload>"
        await refused(rig, with_document(complete, document), "MalformedXML")


async def test_very_many_elements(rig: Rig, at: Furnished) -> None:
    """A document of nothing but elements is given up before they have grown into a tree."""
    many = b"<Delete>" + b"<a/>" * 500_000 + b"</Delete>"
    await refused(rig, with_document(sample("DeleteObjects", at), many), "MalformedXML")


async def test_batches_beyond_the_limit(rig: Rig, at: Furnished) -> None:
    """A thousand keys go, and ten thousand parts; one more does not."""
    keys = b"".join(b"<Object><Key>%d</Key></Object>" % n for n in range(1001))
    await refused(rig, with_document(sample("DeleteObjects", at), b"<Delete>" + keys + b"</Delete>"), "MalformedXML")
    part = b"<Part><PartNumber>%d</PartNumber><ETag>a</ETag></Part>"
    parts = b"".join(part % n for n in range(1, 10_002))
    document = b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"
    await refused(rig, with_document(sample("CompleteMultipartUpload", at), document), "MalformedXML")


@REUSED
@given(document=strategies.damaged_documents)
async def test_any_document(rig: Rig, at: Furnished, document: bytes) -> None:
    """Any bytes at all in the place of a document get an error that has a name."""
    for name in ("CreateBucket", "CompleteMultipartUpload"):
        request = with_document(sample(name, at), document)
        await refused(rig, request, "MalformedXML", "InvalidPart", "IllegalLocationConstraintException", "InvalidPartOrder")
