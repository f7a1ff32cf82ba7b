"""An operation's input as the HTTP request of a client, and the response as its output.

The server's decoders and encoders stand on the other side of the wire; nothing of theirs is used
here but the traits, which both sides read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from attrs import evolve, has

from asgi import Request, Response
from lightningstor_server.s3.shapes import Field, fields_of
from lightningstor_server.service.operation import Operation, Target, operations
from lightningstor_types import wire
from lightningstor_types.digests import ETag
from lightningstor_types.errors import StorError, by_code
from lightningstor_types.objects import ByteRange, CopySource
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import TagSet
from signers import md5

USER_PREFIX: Final = "x-amz-meta-"
_HEAD_ERRORS: Final = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    412: "PreconditionFailed",
    416: "InvalidRange",
}
"""HEAD has no body to tell its error in; a client goes by the status."""


def operation_of(request: Any) -> Operation[Any, Any]:
    """The operation whose input this is."""
    return operations()[type(request).__name__]


# -- requests


def to_request(request: Any) -> Request:
    """The HTTP request of an input, path style and not yet signed."""
    route = operation_of(request).route
    assert route is not None, f"{type(request).__name__} has no route"
    body = _document(request)
    headers: list[tuple[str, str]] = []
    query = list(route.query)
    for part, value in _travelling(request, ""):
        match part:
            case wire.Header(name):
                headers.append((name, _header_text(value)))
            case wire.Query(name):
                query = [item for item in query if item != name] + [f"{name}={quote(_query_text(value), safe='')}"]
            case wire.Place.USER_METADATA:
                headers += [(USER_PREFIX + name, _wire_text(text)) for name, text in value.items()]
            case wire.Place.STREAM:
                assert isinstance(value, BytesStream)
                body = value.content
            case wire.Raw():
                body = value.encode()
    if route.digest_required:
        headers.append(("content-md5", md5(body)))
    built = Request(method=route.method, path=_path(request, route.target), query="&".join(query).encode()).with_headers(*headers)
    return built.with_body(body) if body or route.method in {"PUT", "POST"} else built


def _path(request: Any, target: Target) -> bytes:
    path = "/"
    if target is not Target.SERVICE:
        path += quote(request.bucket, safe="")
    if target is Target.OBJECT:
        path += "/" + quote(request.key, safe="/~")
    return path.encode()


def _document(request: Any) -> bytes:
    """The document that an input has; none where it says nothing."""
    found = [(part, _element_text(part.name, value)) for part, value in _travelling(request, "") if isinstance(part, wire.Element)]
    elements = [text for part, text in found if part.within is None]
    wrapping = dict.fromkeys(part.within for part, _ in found if part.within is not None)
    elements += [f"<{outer}>{''.join(text for part, text in found if part.within == outer)}</{outer}>" for outer in wrapping]
    name = getattr(request, "document", "")
    return f"<{name}>{''.join(elements)}</{name}>".encode() if elements else b""


def _travelling(value: Any, prefix: str) -> Iterator[tuple[Any, Any]]:
    """Where each field goes that does not have its default, and what it holds."""
    for field in fields_of(type(value)):
        held = getattr(value, field.name)
        if held is None or held == field.default or wire.BUCKET in field.traits or wire.KEY in field.traits:
            continue
        for trait in field.traits[:1]:
            if isinstance(trait, wire.Group):
                yield from _travelling(held, prefix + trait.prefix)
            elif isinstance(trait, wire.Header):
                yield wire.Header(prefix + trait.name), held
            elif isinstance(trait, wire.Element) and isinstance(held, tuple):
                for item in held:
                    yield trait, item
            elif held != {}:
                yield trait, held


def _wire_text(text: str) -> str:
    """A header's text as its UTF-8 bytes, read as latin-1."""
    return text.encode().decode("latin-1")


def _header_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_header_text(item) for item in value)
    if isinstance(value, ByteRange):
        if value.offset < 0:
            return f"bytes={value.offset}"
        return f"bytes={value.offset}-{'' if value.limit is None else value.offset + value.limit - 1}"
    if isinstance(value, CopySource):
        version = f"?versionId={value.version_id}" if value.version_id else ""
        return f"{value.bucket}/{quote(value.key)}{version}"
    if isinstance(value, datetime):
        return format_datetime(value, usegmt=True)
    if isinstance(value, ETag):
        return f'"{value}"'
    if isinstance(value, TagSet):
        return urlencode([(tag.key, tag.value) for tag in value.tags])
    return _wire_text(_query_text(value))


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.value if isinstance(value, Enum) else value)


def _element_text(name: str, value: Any) -> str:
    if has(type(value)):
        inner = "".join(_element_text(part.name, held) for part, held in _travelling_elements(value))
    elif isinstance(value, datetime):
        inner = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    else:
        inner = escape(_query_text(value), {"\r": "&#13;"})
    return f"<{name}>{inner}</{name}>"


def _travelling_elements(value: Any) -> Iterator[tuple[wire.Element, Any]]:
    for field in fields_of(type(value)):
        held, element = getattr(value, field.name), field.trait(wire.Element)
        if element is not None and field.repeated:
            yield from ((element, item) for item in held or ())
        elif held is not None and element is not None:
            yield element, held
        elif held is not None and field.trait(wire.Group) is not None:
            yield from _travelling_elements(held)


# -- responses


def to_output(request: Any, response: Response) -> Any:
    """The output that a response tells of.

    Raises:
        StorError: the error that it tells of, with its details.
    """
    operation = operation_of(request)
    if response.status >= 300:
        raise to_error(response, head=operation.route is not None and operation.route.method == "HEAD")
    assert response.complete
    assert operation.route is not None
    assert response.status in {operation.route.status, 206}
    shape = operation.output
    values: dict[str, Any] = {}
    root = None
    if hasattr(shape, "document"):
        root = ET.fromstring(response.body)  # noqa: S314 - the server under test wrote it
        assert _bare(root.tag) == shape.document
    for field in fields_of(shape):
        found = _read(field, response, root, decoded=root is not None and _child(root, "EncodingType") is not None)
        if found is not None:
            values[field.name] = found
    return shape(**values)


_TOLD_IN_HEADERS = ("Allow", "x-amz-delete-marker", "x-amz-version-id")
"""Details that are no elements of the error's document."""


def to_error(response: Response, *, head: bool) -> StorError:
    """The error that a response tells of."""
    if response.status == 304:
        return by_code("NotModified")(ETag=response.headers["etag"].strip('"'))
    if head:
        assert response.body == b""
        return by_code(_HEAD_ERRORS.get(response.status, "InternalError"))()
    root = ET.fromstring(response.body)  # noqa: S314 - the server under test wrote it
    parts = {child.tag: child.text or "" for child in root}
    assert root.tag == "Error"
    assert parts.pop("RequestId") == response.headers["x-amz-request-id"]
    parts.pop("Resource")
    parts |= {name: response.headers[name.lower()] for name in _TOLD_IN_HEADERS if name.lower() in response.headers}
    error = by_code(parts.pop("Code"))(parts.pop("Message"), **parts)
    assert error.status == response.status
    return error


def _read(field: Field, response: Response, root: Any, *, decoded: bool) -> Any:
    for trait in field.traits:
        match trait:
            case wire.Header(name) if name in response.headers:
                return _parsed(field.kind, response.headers[name])
            case wire.Element() if root is not None:
                return _elements(field, trait, root, decoded=decoded)
            case wire.Group():
                parts = {inner.name: _read(inner, response, root, decoded=decoded) for inner in fields_of(field.kind)}
                present = {name: value for name, value in parts.items() if value is not None}
                return _filled(field.kind, present) if present else None
            case wire.Place.USER_METADATA:
                headers = response.headers.items()
                found = {name.removeprefix(USER_PREFIX): _text(value) for name, value in headers if name.startswith(USER_PREFIX)}
                return found or None
            case wire.Place.STREAM:
                return BytesStream(response.body)
            case wire.Raw(media_type):
                assert response.headers["content-type"] == media_type
                return response.body.decode()
    return None


def _filled(kind: type[Any], present: dict[str, Any]) -> Any:
    """The value, with stand-ins for what it needs and S3 does not tell."""
    absent = {"key": "", "size": 0}
    needed = {field.name: absent[field.name] for field in fields_of(kind) if field.required and field.name not in present}
    return kind(**needed, **present)


def _elements(field: Field, trait: wire.Element, root: Any, *, decoded: bool) -> Any:
    if not trait.name:
        return root.text or ""
    parent = _child(root, trait.within) if trait.within else root
    if parent is None:
        return None
    nodes = [node for node in parent if _bare(node.tag) == trait.name]
    values = [_value(field, node, decoded=decoded) for node in nodes]
    if field.repeated:
        return tuple(values)
    assert len(values) <= 1
    return values[0] if values else None


def _value(field: Field, node: Any, *, decoded: bool) -> Any:
    if has(field.kind):
        parts = {}
        for inner in fields_of(field.kind):
            found = _read(inner, _NOTHING, node, decoded=decoded)
            if found is not None:
                parts[inner.name] = found
        return field.kind(**parts)
    text = node.text or ""
    return _parsed(field.kind, unquote(text) if decoded and wire.ENCODED in field.traits else text, document=True)


_NOTHING: Final = Response(status=200, raw_headers=(), body=b"")


def _parsed(kind: Any, text: str, *, document: bool = False) -> Any:
    if kind is datetime:
        # a few headers have a date as documents have it
        return datetime.fromisoformat(text) if document or text[:1].isdigit() else parsedate_to_datetime(text)
    if kind is ETag:
        assert text.startswith('"')
        assert text.endswith('"')
        return ETag(text[1:-1])
    if kind is bool:
        return {"true": True, "false": False}[text]
    return kind(text if document else _text(text))


def _text(value: str) -> str:
    return value.encode("latin-1").decode()


def _child(node: Any, name: str) -> Any:
    return next((child for child in node if _bare(child.tag) == name), None)


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def without_body(output: Any) -> Any:
    """The output with its body at hand replaced, for comparing."""
    return evolve(output, body=None) if hasattr(output, "body") else output
