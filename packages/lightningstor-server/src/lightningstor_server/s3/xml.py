"""S3's XML, read and written from the attrs models.

Law: reading refuses every DOCTYPE, what is unknown and what comes twice, after limits on bytes and
depth; each failure is MalformedXML. Writing is our own few lines, since ElementTree leaves U+000D
raw, which a parser then reads as U+000A (XML 1.0 section 2.11) and the key is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NoReturn
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import attrs
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from lightningstor_server.s3.shapes import Field, fields_of
from lightningstor_server.s3.text import element_format, parser_of
from lightningstor_types import wire
from lightningstor_types.errors import MalformedXML, MaxMessageLengthExceeded, StorError

DOCUMENT_MAX_BYTES: Final = 4 << 20
"""10,000 parts with their checksums take under 2 MiB."""
DEPTH_MAX_ELEMENTS: Final = 32
ELEMENTS_MAX: Final = 100_000
"""The same parts have 80,000. Without it 4 MiB of empty elements keep the loop for seconds and take 90 MiB."""
NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
"""Of `xsi:type`, by which S3 tells the kinds of grantees apart."""
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# what XML 1.0 cannot hold raw, or would read back as something else (sections 2.2 and 2.11)
_ESCAPED: Final = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]')
# what percent-decoding, which takes a plus for a space, makes another text of, and what XML 1.0 cannot hold
_NEEDS_ENCODING: Final = re.compile("[%+\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Text for between two tags."""
    return _ESCAPED.sub(lambda match: _NAMED.get(match[0]) or f"&#{ord(match[0])};", text)


# -- reading


def read_document(shape: type[Any], content: bytes) -> dict[str, Any]:
    """The values of the document's elements by the names of the shape's fields.

    Raises:
        MaxMessageLengthExceeded: it is longer than DOCUMENT_MAX_BYTES.
        MalformedXML: it is no such document.
    """
    if len(content) > DOCUMENT_MAX_BYTES:
        raise MaxMessageLengthExceeded(MaxMessageLengthBytes=str(DOCUMENT_MAX_BYTES))
    parser = DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(content)
        root = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise MalformedXML from None
    if _name(root) != shape.document:
        raise MalformedXML
    return _values(shape, root)


class _Builder(TreeBuilder):
    """A tree within its limits, which hold while it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """An element begins."""
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX_ELEMENTS or self._elements > ELEMENTS_MAX:
            raise MalformedXML
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """An element ends."""
        self._depth -= 1
        return super().end(tag)

    def pi(self, _target: str, _text: str | None = None, /) -> NoReturn:
        """A processing instruction, of which S3's documents have none."""
        raise MalformedXML


def _name(node: Element) -> str:
    """The name without its namespace, which S3 takes with and without."""
    return node.tag.rpartition("}")[2]


def _values(shape: type, node: Element) -> dict[str, Any]:
    readers = _readers(shape)
    values: dict[str, Any] = {}
    for child in node:
        try:
            path, field, read = readers[_name(child)]
        except KeyError:
            raise MalformedXML from None
        target = values
        for group in path:
            target = target.setdefault(group, {})
        if field.repeated and not _wrapped(field):
            target.setdefault(field.name, []).append(read(child))
        elif field.name in target:
            raise MalformedXML
        else:
            target[field.name] = read(child)
    return _assembled(shape, values)


def _assembled(shape: type, values: dict[str, Any]) -> dict[str, Any]:
    """Groups as their values, repeated elements as tuples, and nothing missing."""
    for field in fields_of(shape):
        if field.trait(wire.Group) is not None and field.name in values:
            values[field.name] = field.kind(**values[field.name])
        elif field.repeated and field.name in values:
            values[field.name] = tuple(values[field.name])
        elif field.required and field.trait(wire.Element) is not None and field.name not in values:
            raise MalformedXML
    return values


@cache
def _readers(shape: type, path: tuple[str, ...] = ()) -> dict[str, tuple[tuple[str, ...], Field, Callable[[Element], Any]]]:
    found: dict[str, tuple[tuple[str, ...], Field, Callable[[Element], Any]]] = {}
    for field in fields_of(shape):
        element = field.trait(wire.Element)
        if element is not None:
            found[element.within or element.name] = (path, field, _reader_within(element, field) if _wrapped(field) else _reader(field))
        elif field.trait(wire.Group) is not None:
            found |= _readers(field.kind, (*path, field.name))
    return found


def _wrapped(field: Field) -> bool:
    """Whether the field's elements stand within another one, which may be empty."""
    element = field.trait(wire.Element)
    return element is not None and element.within is not None


def _reader_within(element: wire.Element, field: Field) -> Callable[[Element], Any]:
    one = _reader(field)

    def read(node: Element) -> Any:
        if any(_name(child) != element.name for child in node):
            raise MalformedXML
        return [one(child) for child in node]

    return read


def _reader(field: Field) -> Callable[[Element], Any]:
    if attrs.has(field.kind):
        return lambda node: field.kind(**_values(field.kind, node))
    parse = parser_of(field.kind)

    def read(node: Element) -> Any:
        if len(node):
            raise MalformedXML
        try:
            return parse(node.text or "", field.name)
        except StorError:
            raise MalformedXML from None

    return read


# -- writing

Write = Callable[[Any, list[str], bool], None]
"""Append a value's elements to the output; the flag says whether names are percent-encoded."""


def write_document(value: Any, *, encoded: bool) -> bytes:
    """The document of a shape, as bytes."""
    root: str = value.document
    shape: type = type(value)
    out = [_DECLARATION, f'<{root} xmlns="{NAMESPACE}">']
    writer_of(shape)(value, out, encoded)
    out.append(f"</{root}>")
    return "".join(out).encode("utf-8", "surrogatepass")


@cache
def writer_of(shape: type) -> Write:
    """How the elements of a shape are written."""
    steps = tuple(step for field in fields_of(shape) if (step := _step(field)) is not None)

    def write(value: Any, out: list[str], encoded: bool) -> None:  # noqa: FBT001 - see Write
        for name, step in steps:
            part = getattr(value, name)
            if part is not None:
                step(part, out, encoded)

    return write


def _step(field: Field) -> tuple[str, Write] | None:
    if field.trait(wire.Group) is not None:
        kind: type = field.kind
        nested = writer_of(kind)
        return (field.name, nested) if _has_elements(field.kind) else None
    element = field.trait(wire.Element)
    if element is None:
        return None
    one = _nested_step(element, field) if attrs.has(field.kind) else _text_step(element, field)
    return field.name, _repeated_step(element, one) if field.repeated else one


def _has_elements(shape: type) -> bool:
    return any(field.trait(wire.Element) is not None for field in fields_of(shape))


def _text_step(element: wire.Element, field: Field) -> Write:
    start, end = (f"<{element.name}>", f"</{element.name}>") if element.name else ("", "")
    if wire.ENCODED in field.traits or wire.ENCODED_AT_NEED in field.traits:
        at_need = wire.ENCODED_AT_NEED in field.traits

        def write(value: Any, out: list[str], encoded: bool) -> None:  # noqa: FBT001 - see Write
            as_it_is = not encoded or (at_need and not _NEEDS_ENCODING.search(value))
            text = escape(value) if as_it_is else quote(value, safe="/", errors="surrogatepass")
            out.append(f"{start}{text}{end}")

        return write
    form = element_format(field.kind) or escape
    return lambda value, out, _: out.append(f"{start}{form(value)}{end}")


def _nested_step(element: wire.Element, field: Field) -> Write:
    kind: type = field.kind
    start, end, nested = f"<{element.name}>", f"</{element.name}>", writer_of(kind)
    typed = f'<{element.name} xmlns:xsi="{_XSI}" xsi:type="' if hasattr(kind, "xsi_type") else None

    def write(value: Any, out: list[str], encoded: bool) -> None:  # noqa: FBT001 - see Write
        out.append(start if typed is None else f'{typed}{value.xsi_type}">')
        nested(value, out, encoded)
        out.append(end)

    return write


def _repeated_step(element: wire.Element, one: Write) -> Write:
    def write(values: Any, out: list[str], encoded: bool) -> None:  # noqa: FBT001 - see Write
        if element.within:
            out.append(f"<{element.within}>")
        for value in values:
            one(value, out, encoded)
        if element.within:
            out.append(f"</{element.within}>")

    return write
