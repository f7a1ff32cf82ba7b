"""Forms as browsers send them, signed as clients sign them: by botocore, in both versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from unittest import mock

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from asgi import Request
from signers import Signer

BOUNDARY: Final = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
EXPIRATION: Final = "2026-01-02T04:00:00Z"
"""Some time after `faces.NOW`."""
Fields = Iterable[tuple[str, str | bytes]]


def part(name: str, value: str | bytes, *, filename: str | None = None) -> bytes:
    """A part, from its delimiter on; all of its text in UTF-8, as browsers have it."""
    content = value if isinstance(value, bytes) else value.encode()
    behind = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: text/plain'
    head = f'Content-Disposition: form-data; name="{name}"{behind}'.encode()
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def body_of(fields: Fields, content: bytes | None = b"content", *, filename: str = "name.txt", behind: Fields = ()) -> bytes:
    """The body of a form: fields, the file where there is one, and what comes behind it."""
    parts = [part(name, value) for name, value in fields]
    parts += [] if content is None else [part("file", content, filename=filename)]
    parts += [part(name, value) for name, value in behind]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def post(fields: Fields | Mapping[str, str], content: bytes | None = b"content", *, path: str = "/bucket", **more: Any) -> Request:
    """The request of a form."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return raw(body_of(pairs, content, **more), path=path)


def raw(body: bytes, *, path: str = "/bucket", pieces: int = 1) -> Request:
    """The request of a body of our own making."""
    content_type = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    return Request(method="POST", path=path.encode()).with_headers(("content-type", content_type)).with_body(body, pieces=pieces)


def conditions_of(fields: Mapping[str, str], bucket: str = "bucket") -> list[Any]:
    """Conditions that name the bucket and each field as it is."""
    return [{"bucket": bucket}, *({name: value} for name, value in fields.items())]


def signed(
    signer: Signer, fields: Mapping[str, str], conditions: list[Any] | None = None, *, version_2: bool = False, expiration: str = EXPIRATION
) -> dict[str, str]:
    """The fields with a policy, and with what signs it. Without conditions each field has to be as it is here."""
    policy = {"expiration": expiration, "conditions": conditions_of(fields) if conditions is None else list(conditions)}
    return sign(signer, fields, policy, version_2=version_2)


def sign(signer: Signer, fields: Mapping[str, str], policy: dict[str, Any], *, version_2: bool = False) -> dict[str, str]:
    """The same with a policy as it is; botocore puts the conditions of its own fields into it."""
    request = AWSRequest("POST", "http://s3.test/")
    taken = dict(fields)
    request.context |= {"s3-presign-post-fields": taken, "s3-presign-post-policy": policy}
    credentials = Credentials(signer.access_key, signer.secret)
    kind = auth.HmacV1PostAuth(credentials) if version_2 else auth.S3SigV4PostAuth(credentials, "s3", signer.region)
    with mock.patch.object(auth, "get_current_datetime", return_value=signer.moment.replace(tzinfo=None)):
        kind.add_auth(request)
    return taken
