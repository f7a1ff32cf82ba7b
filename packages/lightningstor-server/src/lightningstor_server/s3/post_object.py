"""POST object: a browser's form, which stores its file as PutObject does.

Law: the form decides nothing but what PutObject is asked for, in whose name: signature and policy are
verified before the first byte of the file is stored, its size and its end before it is visible, and
the bucket is the address's. Headers of the request mean nothing; only fields count. Source: AWS,
"POST Object" and "Browser-based uploads using POST".
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from attrs import evolve, frozen

from lightningstor_server.auth.post_policy import read_policy
from lightningstor_server.s3.address import Address
from lightningstor_server.s3.authenticate import Authenticator
from lightningstor_server.s3.decode import Decoder, Incoming, check_promises
from lightningstor_server.s3.encode import Encoder, Headers, Outgoing, header_bytes
from lightningstor_server.s3.errors import legible
from lightningstor_server.s3.exchange import Exchange
from lightningstor_server.s3.form import MEDIA_TYPE, Event, FileBegin, FormField, FormReader, boundary_of
from lightningstor_server.s3.payload import RequestBody, check_length_given
from lightningstor_server.s3.xml import read_document
from lightningstor_server.service.operation import I, O, Operation, Target, operations
from lightningstor_server.service.policy_decision import NO_FACTS, RequestFacts
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS
from lightningstor_types.names import PUT_MAX_BYTES
from lightningstor_types.operations.objects import PutObject, PutObjectResult
from lightningstor_types.operations.tagging import PutObjectTagging
from lightningstor_types.tenants import Caller

_FILENAME: Final = "${filename}"
_HEADERS: Final = {
    # field: the header of PutObject that it stands for
    "acl": "x-amz-acl",
    "tagging": "x-amz-tagging",
    **{
        name: name
        for name in (
            *("cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "content-md5"),
            "expires",
        )
    },
}
_AMZ: Final = "x-amz-"
_SIGNING: Final = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token"})
_STATUSES: Final = {"200": 200, "201": 201, "204": 204}
_NO_CONTENT: Final = 204
_CREATED: Final = 201
_SEE_OTHER: Final = 303
_REDIRECTS: Final = ("success_action_redirect", "redirect")
"""The second is the older name (AWS, "POST Object")."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL: Final = re.compile(r"https?://[!-~]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Service(Protocol):
    """The door, as a form needs it."""

    async def call(
        self, operation: Operation[I, O], request: I, *, caller: Caller | None, request_id: str, facts: RequestFacts = NO_FACTS
    ) -> O:
        """Carry out an operation."""


class FormFile:
    """The file of a form as a body: it ends well only if the whole form does, and if it is of a size that was asked for."""

    def __init__(self, events: AsyncIterator[Event], filename: str) -> None:
        # some browsers tell the whole path (AWS, "POST Object", `file`)
        self.filename = re.split(r"[/\\]", filename)[-1]
        self.length = None
        self.trailer = NO_CHECKSUMS
        self.size_min_bytes = 0
        self.size_max_bytes = PUT_MAX_BYTES
        self._events = events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces.

        Raises:
            EntityTooLarge, EntityTooSmall: its size is out of the range.
            MalformedPOSTRequest, IncorrectNumberOfFilesInPostRequest: what follows is of no form.
        """
        size = 0
        async for event in self._events:
            if not isinstance(event, bytes):
                continue
            size += len(event)
            if size > self.size_max_bytes:
                raise errors.EntityTooLarge(ProposedSize=str(size), MaxSizeAllowed=str(self.size_max_bytes))
            yield event
        if size < self.size_min_bytes:
            raise errors.EntityTooSmall(ProposedSize=str(size), MinSizeAllowed=str(self.size_min_bytes))


def is_form(method: str, address: Address, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Whether a request is a browser's form. With a query it is something else, like DeleteObjects."""
    if method != "POST" or address.target is not Target.BUCKET or query:
        return False
    return headers.get("content-type", "").partition(";")[0].strip(" \t").lower() == MEDIA_TYPE


async def read_form(body: RequestBody, content_type: str) -> tuple[dict[str, str], FormFile]:
    """The fields before the file, named in lower case, and the file, of which nothing is read yet.

    Raises:
        MalformedPOSTRequest, MaxPostPreDataLengthExceededError: see `FormReader`.
        InvalidArgument: a field is there twice, or is no UTF-8.
        IncorrectNumberOfFilesInPostRequest: there is no file.
    """
    events = _events(body, FormReader(boundary_of(content_type)))
    fields: dict[str, str] = {}
    async for event in events:
        if isinstance(event, FileBegin):
            return fields, FormFile(events, event.filename)
        if isinstance(event, FormField):
            name = event.name.lower()
            if name in fields:
                raise errors.InvalidArgument(f"The field {name} was sent more than once.", ArgumentName=name[:64])
            try:
                fields[name] = event.value.decode()
            except UnicodeDecodeError:
                raise errors.InvalidArgument(f"The field {name} is no UTF-8.", ArgumentName=name[:64]) from None
    raise errors.IncorrectNumberOfFilesInPostRequest


async def _events(body: RequestBody, reader: FormReader) -> AsyncIterator[Event]:
    async for data in body:
        for event in reader.feed(data):
            yield event
    reader.finish()


def put_headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers of PutObject that the fields stand for.

    Raises:
        InvalidArgument: a value has control characters, or two fields contradict each other.
        MalformedXML: the tags are no document.
    """
    headers: dict[str, str] = {}
    for name, text in fields.items():
        header = _HEADERS.get(name, name if name.startswith(_AMZ) and name not in _SIGNING else None)
        if header is None:
            continue
        value = _tags(text) if name == "tagging" else text
        if _CONTROL.search(value):
            raise errors.InvalidArgument(f"The field {name} has control characters.", ArgumentName=name[:64])
        if headers.setdefault(header, value) != value:
            raise errors.InvalidArgument(f"Two fields stand for {header} and contradict each other.", ArgumentName=header)
    return headers


def _tags(document: str) -> str:
    """A form's tags, which are XML, as x-amz-tagging has them."""
    found = read_document(PutObjectTagging, document.encode()).get("tagging")
    if found is None:
        raise errors.MalformedXML
    return "&".join([f"{quote(tag.key, safe='')}={quote(tag.value, safe='')}" for tag in found.tags])


@frozen(kw_only=True)
class _Upload:
    """A form that may be stored."""

    fields: Mapping[str, str]
    file: FormFile
    key: str
    caller: Caller | None


class PostObject:
    """Takes forms."""

    def __init__(self, service: Service, authenticator: Authenticator, *, clock: Callable[[], datetime]) -> None:
        self._service = service
        self._authenticator = authenticator
        self._clock = clock
        self._operation: Operation[PutObject, PutObjectResult] = operations()[PutObject.__name__]
        self._decoder = Decoder(PutObject)
        self._encoder = Encoder(PutObjectResult)

    async def respond(self, exchange: Exchange, address: Address, headers: Mapping[str, str], request_id: str) -> Outgoing:
        """Store the file of a form.

        Raises:
            StorError: nothing is stored.
        """
        check_length_given(headers)
        if exchange.body is None:
            raise errors.MissingContentLength
        upload = await self._read(exchange, exchange.body, address.bucket, headers["content-type"])
        asked = put_headers(upload.fields)
        check_promises(asked)
        incoming = Incoming(bucket=address.bucket, key=upload.key, headers=asked, query={}, body=upload.file)
        request: PutObject = self._decoder.decode(incoming)
        # what the browser says of itself is of the request, and all else of the form's fields
        facts = exchange.facts("POST", asked | {name: headers[name] for name in ("user-agent", "referer") if name in headers})
        stored = await self._service.call(self._operation, request, caller=upload.caller, request_id=request_id, facts=facts)
        told = self._encoder.encode(stored, _NO_CONTENT)
        return _answer(told, upload, stored, address.bucket, _url(exchange.scope, headers.get("host", ""), upload.key))

    async def _read(self, exchange: Exchange, body: RequestBody, bucket: str, content_type: str) -> _Upload:
        fields, file = await read_form(body, content_type)
        if "key" not in fields:
            message = "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields."
            raise errors.InvalidArgument(message, ArgumentName="key", ArgumentValue="")
        exchange.caller = caller = await self._authenticator.authenticate_form(fields)
        # variables stand for their values before the policy is asked (AWS, "Creating a POST policy")
        key = fields["key"].replace(_FILENAME, file.filename)
        if fields.get("bucket", bucket) != bucket:
            raise errors.AccessDenied("The form's bucket is not the one that it was sent to.")
        if caller is not None:
            policy = read_policy(fields["policy"])
            policy.check({**fields, "key": key}, bucket=bucket, now=self._clock())
            file.size_min_bytes = policy.size_min_bytes
            file.size_max_bytes = PUT_MAX_BYTES if policy.size_max_bytes is None else min(policy.size_max_bytes, PUT_MAX_BYTES)
        return _Upload(fields=fields, file=file, key=key, caller=caller)


def _answer(told: Outgoing, upload: _Upload, stored: PutObjectResult, bucket: str, url: str) -> Outgoing:
    """What the form asked to be told (AWS, "POST Object", `success_action_redirect` and `success_action_status`)."""
    redirect = next((upload.fields[name] for name in _REDIRECTS if name in upload.fields), "")
    target = _redirect(redirect, bucket, upload.key, str(stored.etag))
    if target is not None:
        return evolve(told, status=_SEE_OTHER, headers=[*told.headers, (b"location", target.encode())])
    status = _STATUSES.get(upload.fields.get("success_action_status", ""), _NO_CONTENT)
    headers: Headers = [*told.headers, (b"location", header_bytes(url))]
    if status != _CREATED:
        return evolve(told, status=status, headers=headers)
    parts = (("Location", url), ("Bucket", bucket), ("Key", upload.key), ("ETag", f'"{stored.etag}"'))
    inner = "".join([f"<{name}>{legible(text)}</{name}>" for name, text in parts])
    body = f"{_DECLARATION}<PostResponse>{inner}</PostResponse>".encode()
    return evolve(told, status=status, headers=[*headers, (b"content-type", b"application/xml")], body=body)


def _redirect(url: str, bucket: str, key: str, etag: str) -> str | None:
    """Where the browser goes; None where the form says nothing that is an address, which S3 passes over."""
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not parts.netloc:
        return None
    told = "&".join([f"{name}={quote(text, safe='')}" for name, text in (("bucket", bucket), ("key", key), ("etag", f'"{etag}"'))])
    return parts._replace(query=f"{parts.query}&{told}" if parts.query else told).geturl()


def _url(scope: Any, host: str, key: str) -> str:
    """The address of the object, below the address of the form."""
    bucket_path = "/" + scope["raw_path"].decode("latin-1").strip("/")
    path = f"{bucket_path.rstrip('/')}/{quote(key)}"
    return f"{scope['scheme']}://{host}{path}" if _HOST.fullmatch(host) else path
