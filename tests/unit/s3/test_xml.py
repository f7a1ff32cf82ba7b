"""Documents: what is written is read back, and only what is a document is read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar
from xml.etree import ElementTree as ET

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

import strategies
from lightningstor_server.s3.xml import DEPTH_MAX_ELEMENTS, DOCUMENT_MAX_BYTES, ELEMENTS_MAX, escape, read_document, write_document
from lightningstor_types import wire
from lightningstor_types.digests import Checksums, ETag
from lightningstor_types.errors import MalformedXML, MaxMessageLengthExceeded
from lightningstor_types.names import PartNumber
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.objects import DeleteObjects, ObjectIdentifier
from lightningstor_types.operations.uploads import CompleteMultipartUpload
from lightningstor_types.uploads import CompletedPart

optional_texts = st.none() | strategies.xml_texts
identifiers = st.builds(
    ObjectIdentifier,
    key=strategies.xml_texts,
    version_id=optional_texts,
    etag=st.none() | st.from_regex(r"[0-9a-f]{4}(-[0-9])?", fullmatch=True).map(ETag),
    size=st.none() | st.integers(0, 10**15),
)
parts = st.builds(
    CompletedPart,
    number=st.integers(1, 10_000).map(PartNumber),
    etag=st.from_regex(r"[0-9a-f]{8}", fullmatch=True).map(ETag),
    checksums=st.builds(Checksums, crc32=optional_texts, sha256=optional_texts),
)


@given(objects=st.lists(identifiers, max_size=5).map(tuple), quiet=st.none() | st.booleans())
def test_deletes_are_read_back(objects: tuple[ObjectIdentifier, ...], *, quiet: bool | None) -> None:
    """Every text that XML can hold comes back, line ends included."""
    written = write_document(DeleteObjects(bucket="b", objects=objects, quiet=quiet), encoded=False)
    values = read_document(DeleteObjects, written)
    assert values == {name: value for name, value in (("objects", objects), ("quiet", quiet)) if value not in ((), None)}


@given(st.lists(parts, max_size=5).map(tuple))
def test_completions_are_read_back(given_parts: tuple[CompletedPart, ...]) -> None:
    """Groups within elements are put together again."""
    written = write_document(CompleteMultipartUpload(bucket="b", key="k", upload_id="u", parts=given_parts), encoded=False)
    assert read_document(CompleteMultipartUpload, written).get("parts", ()) == given_parts


@frozen(kw_only=True)
class Names:
    """Names that are percent-encoded on demand."""

    document: ClassVar[str] = "Names"
    name: Annotated[str, wire.element("Name"), wire.ENCODED]
    when: Annotated[datetime | None, wire.element("When")] = None


@given(strategies.xml_texts)
def test_escaped_text_is_read_by_any_parser(text: str) -> None:
    """A parser reads the text between two tags as it was."""
    assert (ET.fromstring(f"<a>{escape(text)}</a>".encode()).text or "") == text  # noqa: S314 - our own text
    assert not {"<", ">", "\r"} & set(escape(text))


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_is_written_raw_that_xml_cannot_hold(text: str) -> None:
    """Of any text at all, nothing but printable characters, tab and line feed is written raw."""
    written = write_document(Names(name=text), encoded=False).decode()
    assert not {character for character in written if ord(character) < 0x20} - {"\t", "\n"}
    assert not {"\ufffe", "\uffff", "\x7f", "\x85"} & set(written)
    encoded = write_document(Names(name=text), encoded=True)
    assert encoded.isascii()
    ET.fromstring(encoded)  # noqa: S314 - our own text


EMPTY = [
    b"<Delete/>",
    b"<Delete></Delete>",
    b"<x:Delete xmlns:x='u'/>",
    b"\xef\xbb\xbf<Delete/>",
    b"<Delete a='b'/>",
    b"<?xml version='1.0'?><!-- c --><Delete><!-- c -->\n</Delete>",
    "<Delete/>".encode("utf-16"),
]


@pytest.mark.parametrize("document", EMPTY)
def test_documents_that_are_empty(document: bytes) -> None:
    """Namespaces, attributes, comments, space and encodings make no difference."""
    assert read_document(DeleteObjects, document) == {}


def test_limits_hold_exactly() -> None:
    """Bytes, depth and elements are taken up to their limits and not beyond."""
    inner = DEPTH_MAX_ELEMENTS - 1
    assert read_document(DeleteObjects, b"<Delete/>".ljust(DOCUMENT_MAX_BYTES)) == {}
    with pytest.raises(MaxMessageLengthExceeded):
        read_document(DeleteObjects, b"<Delete/>".ljust(DOCUMENT_MAX_BYTES + 1))
    many = b"<CompleteMultipartUpload>%s</CompleteMultipartUpload>"
    part = b"<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>"
    assert len(read_document(CompleteMultipartUpload, many % (part * (ELEMENTS_MAX // 3)))["parts"]) == ELEMENTS_MAX // 3
    for document in (many % (part * (ELEMENTS_MAX // 3 + 1)), b"<Delete>" + b"<a>" * inner + b"</a>" * inner + b"</Delete>"):
        with pytest.raises(MalformedXML):
            read_document(DeleteObjects, document)


@pytest.mark.parametrize(
    "document",
    [
        b"", b" ", b"x", b"<", b"<Delete>", b"</Delete>", b"<Other/>", b"<delete/>", b"<Delete/><Delete/>", b"<!DOCTYPE Delete><Delete/>",
        b"<?x y?><Delete/>", b"<Delete><Quiet>true</Quiet><Quiet>true</Quiet></Delete>", b"<Delete><Other/></Delete>",
        b"<Delete><Object/></Delete>", b"<Delete><Quiet>yes</Quiet></Delete>", b"<Delete><Quiet><b/></Quiet></Delete>",
        b"<Delete><Object><Key>a</Key><Key>a</Key></Object></Delete>", b"<Delete><Object><Key>a</Key><Size>-</Size></Object></Delete>",
        b"<?xml version='1.0' encoding='none'?><Delete/>", b"<Delete>\x00</Delete>",
    ],
)  # fmt: skip
def test_what_is_no_document(document: bytes) -> None:
    """Each is MalformedXML."""
    with pytest.raises(MalformedXML):
        read_document(DeleteObjects, document)


@given(strategies.damaged_documents)
def test_any_bytes(document: bytes) -> None:
    """Any bytes are a document or MalformedXML."""
    for shape in (DeleteObjects, CompleteMultipartUpload, CreateBucket):
        try:
            values = read_document(shape, document)
        except MalformedXML:
            continue
        assert isinstance(values, dict)
