"""S3's calls over one connection that is kept.

Law: a call is one request with one deadline, and is not repeated: a failure that a retry hides is
not measured. What the far side closed between two calls is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import Final

from lightningstor_server.auth.comparison import read_error
from lightningstor_server.load.connection import Connection, Endpoint, ProtocolError, Response, Sink
from lightningstor_server.load.signing import NOTHING, Credentials, signed, target_of
from lightningstor_server.s3.xml import escape

KEYS_MAX: Final = 1000
"""Of one DeleteObjects and of one page of a list (AWS)."""
_KEY: Final = re.compile(r"<Key>([^<]*)</Key>")
_UPLOAD: Final = re.compile(r"<Upload>.*?</Upload>", re.DOTALL)
_UPLOAD_ID: Final = re.compile(r"<UploadId>([^<]*)</UploadId>")
_NAMELESS_REGION: Final = "us-east-1"


class CallError(Exception):
    """A call failed; the text is S3's code, or what happened to the connection."""


class Session:
    """One client with one connection."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, seconds: float) -> None:
        self._endpoint, self._credentials, self._seconds = endpoint, credentials, seconds
        self._connection: Connection | None = None

    async def call(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] = NOTHING,
        unsigned: Mapping[str, str] = NOTHING,
        body: bytes | memoryview = b"",
        sink: Sink | None = None,
    ) -> Response:
        """One signed request.

        Raises:
            CallError: it failed, or came to no end in time.
        """
        request = signed(self._credentials, method, self._endpoint.authority, target, headers=headers, unsigned=unsigned, body=body).request
        done = False
        try:
            async with asyncio.timeout(self._seconds):
                if self._connection is None:
                    self._connection = await Connection.open(self._endpoint)
                answer = await self._connection.exchange(request, sink)
                done = self._connection.reusable
        except TimeoutError:
            raise CallError("Timeout") from None
        except (ProtocolError, OSError, ssl.SSLError) as error:
            raise CallError(type(error).__name__) from error
        finally:
            if not done:
                await self.close()
        if answer.status >= 300:  # noqa: PLR2004 - RFC 9110 section 15: neither redirects nor errors are what was asked for
            raise CallError(_code(answer))
        return answer

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def make_bucket(self, bucket: str) -> bool:
        """Make a bucket; False where it is there already.

        Raises:
            CallError: it cannot be made, or is somebody else's.
        """
        with contextlib.suppress(CallError):
            await self.call("HEAD", target_of(bucket))
            return False
        region = self._credentials.region
        body = b""
        if region != _NAMELESS_REGION:  # AWS, CreateBucket: the default region is not named
            body = (
                f"<CreateBucketConfiguration><LocationConstraint>{escape(region)}</LocationConstraint></CreateBucketConfiguration>".encode()
            )
        await self.call("PUT", target_of(bucket), body=body)
        return True

    async def keys(self, bucket: str, prefix: str) -> list[str]:
        """The first page of keys below a prefix. Raises CallError."""
        query = [("list-type", "2"), ("prefix", prefix), ("max-keys", str(KEYS_MAX))]
        return _KEY.findall((await self.call("GET", target_of(bucket, query=query))).body.decode())

    async def delete(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete up to KEYS_MAX keys of plain characters in one request. Raises CallError."""
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        answer = await self.call("POST", target_of(bucket, query=[("delete", "")]), headers={"content-md5": digest}, body=body)
        if b"<Error>" in answer.body:
            raise CallError("DeleteObjects told of keys that it did not delete")

    async def abort_uploads(self, bucket: str, prefix: str) -> None:
        """Give up the uploads below a prefix. Raises CallError."""
        answer = await self.call("GET", target_of(bucket, query=[("uploads", ""), ("prefix", prefix)]))
        for upload in _UPLOAD.findall(answer.body.decode()):
            key, found = _KEY.search(upload), _UPLOAD_ID.search(upload)
            if key is not None and found is not None:
                await self.call("DELETE", target_of(bucket, key[1], [("uploadId", found[1])]))

    async def start_upload(self, bucket: str, key: str) -> str:
        """The id of a new multipart upload. Raises CallError."""
        answer = await self.call("POST", target_of(bucket, key, [("uploads", "")]))
        found = _UPLOAD_ID.search(answer.body.decode())
        if found is None:
            raise CallError("no UploadId was told")
        return found[1]

    async def complete_upload(self, bucket: str, key: str, upload: str, etags: Sequence[str]) -> None:
        """Make an object of the parts, in their order. Raises CallError."""
        parts = "".join(f"<Part><PartNumber>{at}</PartNumber><ETag>{escape(etag)}</ETag></Part>" for at, etag in enumerate(etags, 1))
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = await self.call("POST", target_of(bucket, key, [("uploadId", upload)]), body=body)
        error = read_error(answer.body.decode("latin-1"))
        if error is not None:  # AWS, CompleteMultipartUpload: a 200 may hold an error
            raise CallError(error.code)


def _code(answer: Response) -> str:
    error = read_error(answer.body.decode("latin-1"))
    return f"HTTP {answer.status}" if error is None else error.code
