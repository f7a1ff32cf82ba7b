"""A small S3 client that tells exactly what happened: one try, no retry, every answer as it came.

Law: an exception means that the client does not know whether the request was carried out.
"""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import attrs
from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring

import servers
from faults.ledger import Value

TIMEOUT_SECONDS: Final = 30.0
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
BUCKET: Final = "ledger"
_NAMESPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_RUN_BYTES: Final = 1 << 20


class DamagedError(Exception):
    """A read that the server failed, or whose headers belie its body."""


class _Auth(S3SigV4Auth):  # type: ignore[misc]
    """Signs what the caller says of the payload."""

    def payload(self, request: Any) -> str:
        said: str = request.context["payload"]
        return said


_AUTH: Final = _Auth(Credentials(servers.ACCESS_KEY, servers.SECRET_KEY), "s3", servers.REGION)


def signed(method: str, address: str, target: str, headers: Mapping[str, str], payload: str = UNSIGNED) -> dict[str, str]:
    """The headers of a request, with its signature; `payload` is its x-amz-content-sha256."""
    request = AWSRequest(method=method, url=f"http://{address}{target}", headers=dict(headers))
    request.context["payload"] = payload
    _AUTH.add_auth(request)
    return {"Host": address, **dict(request.headers.items())}


def target_of(key: str = "", query: Mapping[str, str] | None = None, bucket: str = BUCKET) -> str:
    """The path and the query of a request."""
    path = f"/{bucket}/{quote(key)}" if key else f"/{bucket}"
    return f"{path}?{urlencode(query)}" if query else path


def head_of(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """A request as it is sent, up to its body."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@attrs.frozen(kw_only=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        """The entity tag, bare."""
        return self.headers.get("etag", "").strip('"')

    @property
    def code(self) -> str:
        """The S3 code of an error."""
        return self.text("Code")

    def text(self, name: str) -> str:
        """The text of the first element of that name in a document; empty where there is none."""
        root = fromstring(self.body) if self.body.startswith(b"<") else None
        found = None if root is None else next((node for node in root.iter() if node.tag.removeprefix(_NAMESPACE) == name), None)
        return "" if found is None else found.text or ""

    def entries(self, element: str) -> Iterator[dict[str, str]]:
        """The elements of a listing, with the texts of their children by name."""
        for node in fromstring(self.body).iter(f"{_NAMESPACE}{element}"):
            yield {child.tag.removeprefix(_NAMESPACE): child.text or "" for child in node}


class S3Client:
    """One connection at a time, used by one thread."""

    def __init__(self, address: str, *, timeout_seconds: float = TIMEOUT_SECONDS, arrived: Callable[[], None] = lambda: None) -> None:
        """`arrived` is called with every answer; it raises where the answer is to be taken for lost."""
        self._address = address
        self._arrived = arrived
        host, _, port = address.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def call(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        sign_body: bool = False,
    ) -> Answer:
        """Send a request and read its answer.

        Raises:
            OSError, http.client.HTTPException: there is none.
        """
        target = target_of(key, query)
        payload = hashlib.sha256(body).hexdigest() if sign_body else UNSIGNED
        sent = signed(method, self._address, target, headers or {}, payload)
        try:
            self._connection.request(method, target, body or None, sent | {"Content-Length": str(len(body))})
            response = self._connection.getresponse()
            content = response.read()
        except BaseException:
            self._connection.close()
            raise
        self._arrived()
        return Answer(status=response.status, headers={name.lower(): value for name, value in response.getheaders()}, body=content)

    def value(self, key: str) -> Value | None:
        """What a key has; None where it is not there.

        Raises:
            DamagedError: the server fails, or its headers belie the body.
        """
        answer = self.call("GET", key)
        if answer.status == http.client.NOT_FOUND and answer.code == "NoSuchKey":
            return None
        if answer.status != http.client.OK:
            raise DamagedError(f"GET {key}: {answer.status} {answer.body[:200]!r}")
        if answer.headers["content-length"] != str(len(answer.body)):
            raise DamagedError(f"GET {key}: {len(answer.body)} bytes of {answer.headers['content-length']}")
        return Value.of(answer.body, answer.etag)

    def listed(self, *, page: int = 200) -> dict[str, tuple[str, int]]:
        """Entity tag and size of every key, by ListObjectsV2.

        Raises:
            DamagedError: the server fails, or lists a key twice.
        """
        found: dict[str, tuple[str, int]] = {}
        query = {"list-type": "2", "max-keys": str(page)}
        while True:
            answer = self.call("GET", query=query)
            if answer.status != http.client.OK:
                raise DamagedError(f"LIST: {answer.status} {answer.body[:200]!r}")
            for entry in answer.entries("Contents"):
                if entry["Key"] in found:
                    raise DamagedError(f"LIST: {entry['Key']} twice")
                found[entry["Key"]] = (entry["ETag"].strip('"'), int(entry["Size"]))
            token = answer.text("NextContinuationToken")
            if not token:
                return found
            query["continuation-token"] = token
