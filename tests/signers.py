"""Requests signed as clients sign them: botocore's signatures, and aws-chunked bodies by the book."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from unittest import mock
from urllib.parse import quote, unquote_to_bytes

from attrs import evolve, field, frozen
from awscrt import checksums as crt
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from asgi import HOST, Request

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
SIGNED: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"


class _HeaderAuth(auth.S3SigV4Auth):
    """botocore's, with a payload value of the caller's choice."""

    def __init__(self, credentials: Credentials, region: str, payload: str) -> None:
        super().__init__(credentials, "s3", region)
        self._spoken = payload

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore's name for it
        return self._spoken

    def string_to_sign(self, request: AWSRequest, canonical_request: str) -> str:
        # header values are bytes; those that are no UTF-8 stand as surrogates here
        digest = hashlib.sha256(canonical_request.encode("utf-8", "surrogateescape")).hexdigest()
        return "\n".join(("AWS4-HMAC-SHA256", request.context["timestamp"], self.credential_scope(request), digest))

    def _inject_signature_to_request(self, request: AWSRequest, signature: str) -> AWSRequest:
        request.context["signature"] = signature
        return super()._inject_signature_to_request(request, signature)


@contextmanager
def _at(moment: datetime) -> Iterator[None]:
    with mock.patch.object(auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
        yield


@frozen(kw_only=True)
class Signer:
    """An access key, and what it signs with."""

    access_key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    moment: datetime
    """When it signs."""
    token: str | None = None

    def later(self, delta: timedelta) -> Signer:
        """The same, signing at another time."""
        return evolve(self, moment=self.moment + delta)

    def header(self, request: Request, *, payload: str | None = None) -> Request:
        """Signed in the Authorization header; `payload` stands for the hash of the body."""
        return self._header(request, payload or hashlib.sha256(request.body).hexdigest())[0]

    def _header(self, request: Request, payload: str) -> tuple[Request, str, str]:
        """The signed request, its signature and its scope."""
        aws = self._aws(request)
        signer = _HeaderAuth(self._credentials(), self.region, payload)
        with _at(self.moment):
            signer.add_auth(aws)
        scope: str = signer.credential_scope(aws)
        return _taken_over(request, aws), aws.context["signature"], scope

    def by_hand(self, request: Request, *, payload: str | None = None) -> Request:
        """Signed in the header as AWS's pages have it: for paths, queries and headers that botocore cannot take.

        Of the headers, `host` and the `x-amz-*` ones are signed.
        """
        stamp, day = self.moment.strftime("%Y%m%dT%H%M%SZ"), self.moment.strftime("%Y%m%d")
        spoken = payload or hashlib.sha256(request.body).hexdigest()
        request = request.with_headers(("x-amz-date", stamp), ("x-amz-content-sha256", spoken))
        values = {"host": HOST} | {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        names = sorted(name for name in values if name == "host" or name.startswith("x-amz-"))
        pairs = sorted(tuple(_encoded(part) for part in item.partition(b"=")[::2]) for item in request.query.split(b"&") if item)
        lines = [request.method, quote(unquote_to_bytes(request.path)), "&".join(f"{name}={value}" for name, value in pairs)]
        lines += [f"{name}:{' '.join(values[name].split())}" for name in names]
        canonical = "\n".join((*lines, "", ";".join(names), spoken)).encode("latin-1")
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical).hexdigest()))
        signature = hmac.digest(_key(self.secret, scope), text.encode(), "sha256").hex()
        credential = f"{self.access_key}/{scope}"
        value = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={';'.join(names)},Signature={signature}"
        return request.with_headers(("authorization", value))

    def presigned(self, request: Request, *, expires: int = 900) -> Request:
        """Signed in the query."""
        aws = self._aws(request)
        with _at(self.moment):
            auth.S3SigV4QueryAuth(self._credentials(), "s3", self.region, expires).add_auth(aws)
        return evolve(_taken_over(request, aws), query=aws.url.partition("?")[2].encode("latin-1"))

    def chunked(
        self,
        request: Request,
        mode: str,
        *,
        chunk: int = 64 << 10,
        trailer: tuple[str, str] | None = None,
        framed: bytes | None = None,
        forged: str | None = None,
    ) -> Request:
        """The body in aws-chunked framing, in one of the STREAMING modes.

        `trailer` comes behind the body where the mode has one, else the body's CRC32. `framed`
        replaces the whole framed body. `forged` names what is signed with another secret: `chunk`,
        `last` or `trailer`.
        """
        body = request.body
        name, value = trailer or ("x-amz-checksum-crc32", crc32(body))
        head = request.without_headers("content-length").with_headers(
            ("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", str(len(body)))
        )
        if mode != SIGNED:
            head = head.with_headers(("x-amz-trailer", name))
        signed, seed, scope = self._header(head, mode)
        if framed is None:
            pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
            framing = _Framing(self, seed, scope, forged)
            tail = b"" if mode == SIGNED else f"{name}:{value}".encode("latin-1")
            framed = framing.plain(pieces, tail) if mode == UNSIGNED_TRAILER else framing.signed(pieces, tail)
        return evolve(signed.with_body(framed), vanishes=request.vanishes)

    def _credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret, self.token)

    def _aws(self, request: Request) -> AWSRequest:
        """Our request as botocore has it; the body is not given to it, since the payload value is ours."""
        host = request.header("host") or HOST
        url = f"http://{host}{request.path.decode('latin-1')}" + (f"?{request.query.decode('latin-1')}" if request.query else "")
        aws = AWSRequest(request.method, url)
        for name, value in request.headers:
            text = name.decode("latin-1")
            if text.lower() not in {"host", "content-length", "transfer-encoding"}:
                aws.headers[text] = value.decode("utf-8", "surrogateescape")
        return aws


def _taken_over(request: Request, aws: AWSRequest) -> Request:
    """What the signing put on."""
    known = {name.decode("latin-1").lower() for name, _ in request.headers}
    fresh = [(name, value) for name, value in aws.headers.items() if name.lower() not in known]
    return request.with_headers(*fresh)


def _key(secret: str, scope: str) -> bytes:
    """The key that signs for a scope."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _encoded(part: bytes) -> str:
    """A part of the query in canonical encoding."""
    return quote(unquote_to_bytes(part.replace(b"+", b" ")), safe="")


class _Framing:
    """Chunks, signed one after another."""

    def __init__(self, signer: Signer, seed: str, scope: str, forged: str | None) -> None:
        self._signer, self._previous, self._scope, self._forged = signer, seed, scope, forged

    def _sign(self, what: str, *lines: str) -> str:
        secret = "another-secret" if self._forged == what else self._signer.secret
        key = _key(secret, self._scope)
        stamp = self._signer.moment.strftime("%Y%m%dT%H%M%SZ")
        text = "\n".join((lines[0], stamp, self._scope, self._previous, *lines[1:]))
        self._previous = hmac.digest(key, text.encode(), "sha256").hex()
        return self._previous

    def signed(self, pieces: Sequence[bytes], tail: bytes) -> bytes:
        """The framed body with a signature per chunk, and one over the trailer."""
        framed = b""
        for piece in (*pieces, b""):
            what = "chunk" if piece else "last"
            signature = self._sign(what, "AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256, hashlib.sha256(piece).hexdigest())
            framed += b"%x;chunk-signature=%s\r\n" % (len(piece), signature.encode()) + (piece + b"\r\n" if piece else b"")
        if not tail:
            return framed + b"\r\n"
        signature = self._sign("trailer", "AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(tail + b"\n").hexdigest())
        return framed + tail + b"\r\nx-amz-trailer-signature:" + signature.encode() + b"\r\n\r\n"

    def plain(self, pieces: Sequence[bytes], tail: bytes) -> bytes:
        """The framed body without signatures."""
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + tail + b"\r\n\r\n"


def crc32(content: bytes) -> str:
    """The CRC32 as S3 writes it."""
    return base64.b64encode(crt.crc32(content).to_bytes(4, "big")).decode()


def md5(content: bytes) -> str:
    """The MD5 as Content-MD5 has it."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
