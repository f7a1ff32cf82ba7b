"""Where a field of an operation travels over S3's HTTP.

Law: a trait is inert. It is read from `Annotated` once, when a front compiles its decoders and
encoders; this module knows no HTTP and no XML. A field may bear several traits (a checksum is a
header of GetObject and an element of CopyObjectResult); each interpreter takes the one it needs.
"""

from __future__ import annotations

from enum import Enum, auto

from attrs import field, frozen


class Place(Enum):
    """A place that needs no name."""

    BUCKET = auto()
    """The bucket that the request's path or host names."""
    KEY = auto()
    """The object key that the request's path names, percent-decoded once."""
    STREAM = auto()
    """The body itself: an asynchronous iterator of bytes."""
    USER_METADATA = auto()
    """All `x-amz-meta-*` headers, as a mapping of names without the prefix."""
    ENCODED = auto()
    """An element whose text is percent-encoded where the answer says `encoding-type=url`."""
    ENCODED_AT_NEED = auto()
    """The same, but only where decoding would make another text of it, or XML cannot hold it: some clients decode it, others do not."""


BUCKET, KEY, STREAM, USER_METADATA, ENCODED, ENCODED_AT_NEED = Place


@frozen
class Header:
    """An HTTP header, named in lower case."""

    name: str


@frozen
class Query:
    """A parameter of the query string."""

    name: str


@frozen
class Element:
    """An element of the XML document.

    A tuple is written as repeated elements (S3's flattened lists) unless `within` names the
    element that wraps them.
    """

    name: str
    within: str | None = field(default=None, kw_only=True)


@frozen
class Group:
    """A nested value whose own fields travel as if they stood here.

    `prefix` goes before the header names of the group's fields: CopyObject's conditions on its
    source are `x-amz-copy-source-` and the name of the ordinary condition.
    """

    prefix: str = ""


@frozen
class Raw:
    """The body as one text of a media type, neither XML nor a stream."""

    media_type: str


def header(name: str) -> Header:
    """The field is the HTTP header `name` (lower case)."""
    return Header(name)


def query(name: str) -> Query:
    """The field is the query parameter `name`."""
    return Query(name)


def element(name: str, *, within: str | None = None) -> Element:
    """The field is the XML element `name`, inside the element `within` where that is given."""
    return Element(name, within=within)


def group(prefix: str = "") -> Group:
    """The field's own fields travel in its place, their header names behind `prefix`."""
    return Group(prefix)


def raw(media_type: str) -> Raw:
    """The field is the whole body, a text in UTF-8."""
    return Raw(media_type)


Trait = Place | Header | Query | Element | Group | Raw
