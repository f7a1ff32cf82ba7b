"""Errors as S3 tells them.

Law: an error's XML is its code, its message, its details, the resource and the request id, and
nothing else; what comes from the request is escaped like any text.
"""

from __future__ import annotations

import re
from typing import Final

from lightningstor_server.s3.encode import Headers, Outgoing, header_bytes
from lightningstor_server.s3.xml import escape
from lightningstor_types.errors import NotModified, StorError

_XML: Final = (b"content-type", b"application/xml")
_ILLEGIBLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 holds in no way (section 2.2). A listing may say `encoding-type=url`; an error has to be read as it is."""
_TOLD_IN_HEADERS: Final = {
    "Allow": b"allow",  # RFC 9110 section 15.5.6
    "x-amz-delete-marker": b"x-amz-delete-marker",  # AWS, GetObject: the version that was asked for, or the latest, is a marker
    "x-amz-version-id": b"x-amz-version-id",
}
"""Details that are no elements of the document."""
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def error_response(error: StorError, *, resource: str, request_id: str, head: bool) -> Outgoing:
    """The response that tells an error; to HEAD and for 304 without a body (RFC 9110 sections 9.3.2, 15.4.5)."""
    details = dict(error.details)
    headers: Headers = [(header, header_bytes(details.pop(name))) for name, header in _TOLD_IN_HEADERS.items() if name in details]
    if isinstance(error, NotModified):
        headers.append((b"etag", header_bytes(f'"{details.get("ETag", "")}"')))
    if head or isinstance(error, NotModified):
        return Outgoing(status=error.status, headers=headers, body=b"")
    headers.append(_XML)
    parts = [f"{_DECLARATION}<Error><Code>{error.code}</Code><Message>{legible(error.message)}</Message>"]
    parts += [f"<{name}>{legible(value)}</{name}>" for name, value in details.items()]
    parts.append(f"<Resource>{legible(resource)}</Resource><RequestId>{request_id}</RequestId></Error>")
    return Outgoing(status=error.status, headers=headers, body="".join(parts).encode("utf-8", "replace"))


def legible(text: str) -> str:
    """Text for a document that every parser reads, with U+FFFD for what none can."""
    return escape(_ILLEGIBLE.sub("\ufffd", text))
