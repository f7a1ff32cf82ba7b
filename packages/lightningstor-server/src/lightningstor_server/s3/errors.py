"""Errors as S3 tells them.

Law: an error's XML is its code, its message, its details, the resource and the request id, and
nothing else; what comes from the request is escaped like any text.
"""

from __future__ import annotations

from typing import Final

from lightningstor_server.s3.encode import Headers, Outgoing, header_bytes
from lightningstor_server.s3.xml import escape
from lightningstor_types.errors import NotModified, StorError

_XML: Final = (b"content-type", b"application/xml")
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def error_response(error: StorError, *, resource: str, request_id: str, head: bool) -> Outgoing:
    """The response that tells an error; to HEAD and for 304 without a body (RFC 9110 sections 9.3.2, 15.4.5)."""
    headers: Headers = []
    if isinstance(error, NotModified):
        headers.append((b"etag", header_bytes(f'"{error.details.get("ETag", "")}"')))
    if head or isinstance(error, NotModified):
        return Outgoing(status=error.status, headers=headers, body=b"")
    headers.append(_XML)
    parts = [f"{_DECLARATION}<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"]
    parts += [f"<{name}>{escape(value)}</{name}>" for name, value in error.details.items()]
    parts.append(f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>")
    return Outgoing(status=error.status, headers=headers, body="".join(parts).encode("utf-8", "replace"))
