"""Clients that write: what each of them does next is drawn from a seed, what came of it goes into the ledger.

Law: a client stops at the first answer that it does not understand. While the server is meant to
run, that is a violation by itself.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Final

import attrs

from faults.ledger import Entry, Ledger, Outcome, Part, Upload, Value, content_of
from faults.s3client import BUCKET, Answer, DamagedError, S3Client

INLINE_BYTES: Final = 4 << 10
CHUNK_BYTES: Final = 100 << 10
BIG_BYTES: Final = 9 << 20
PART_BYTES: Final = 5 << 20
OWN_KEYS: Final = 8
SHARED_KEYS: Final = 6
SHARED_PERCENT: Final = 15
KEEP_PERCENT: Final = 25
"""Of the uploads, those that are left open; one in four of the rest is aborted."""
JOIN_SECONDS: Final = 60.0
RECONNECT_SECONDS: Final = 0.05

LOST: Final = (OSError, http.client.HTTPException)
"""What a client meets whose server is gone."""

REFUSED: Final = frozenset({404, 412, 507})
"""Statuses after which nothing has happened: no source, no match, no room."""
WEIGHTS: Final[dict[str, int]] = {
    "put_inline": 30, "put_chunk": 25, "put_big": 1, "delete": 10, "copy": 10, "read": 10, "upload": 2, "delete_batch": 2,
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Crowd:
    """What the clients of one round share."""

    s3: str
    grpc: str
    ledger: Ledger
    seed: str
    weights: dict[str, int] = WEIGHTS
    reconnecting: bool = False
    """Whether a client goes on after it lost its connection."""
    dying: threading.Event = attrs.field(factory=threading.Event)
    """Set before the server is killed, cut or stopped: from then on anything may fail."""
    dark: threading.Event = attrs.field(factory=threading.Event)
    """Set before the power is cut: answers that come later were never sent."""

    def run(self, clients: Sequence[Callable[[Crowd, int], None]]) -> list[threading.Thread]:
        """Start the clients."""
        threads = [threading.Thread(target=client, args=(self, index), daemon=True) for index, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        return threads

    def arrived(self) -> None:
        """Whether an answer that is here can have been sent.

        Raises:
            ConnectionAbortedError: there is no power.
        """
        if self.dark.is_set():
            raise ConnectionAbortedError("the power was cut before the answer was sent")

    def trouble(self, client: str, what: object) -> None:
        """A client that cannot go on."""
        if not self.dying.is_set():
            self.ledger.violate(f"{client}: {what!r} while the server was to run")


def join(threads: list[threading.Thread]) -> None:
    """Wait for the clients of a round; all of them end with the server."""
    for thread in threads:
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive(), "a client hangs though its server is gone"


def write(crowd: Crowd, index: int) -> None:
    """One client over S3, until the server goes."""
    name = f"c{index:02}"
    draw = Random(f"{crowd.seed}-{name}")  # noqa: S311 - to be had again by its seed
    for life in count():
        with S3Client(crowd.s3, arrived=crowd.arrived) as client:
            writer = Writer(crowd, name, f"{crowd.seed}-{name}-{life}", client, draw)
            try:
                while not crowd.dying.is_set():
                    writer.step()
            except LOST as error:
                if not crowd.reconnecting:
                    crowd.trouble(name, error)
                    return
            except (AssertionError, DamagedError) as error:
                crowd.trouble(name, error)
                return
        if crowd.dying.wait(RECONNECT_SECONDS):
            return


class Writer:
    """The operations of one client."""

    def __init__(self, crowd: Crowd, name: str, life: str, client: S3Client, draw: Random) -> None:
        self.name = name
        self._crowd = crowd
        self._ledger = crowd.ledger
        self._life = life
        self._client = client
        self._draw = draw
        self._count = 0

    def step(self) -> None:
        """Do one thing."""
        self._count += 1
        (kind,) = self._draw.choices(list(self._crowd.weights), list(self._crowd.weights.values()))
        _STEPS[kind](self)

    def put(self, size: int, key: str | None = None) -> None:
        """Write an object of the next content."""
        key = key or self._key()
        content = content_of(self._content_name(), size)
        signed = self._draw.random() < 0.5
        self._write("put", key, Value.of(content), lambda: self._client.call("PUT", key, body=content, sign_body=signed))

    def put_big(self) -> None:
        """Write one of more than a chunk."""
        self.put(BIG_BYTES, f"{self.name}/big")

    def delete(self) -> None:
        """Delete an object."""
        key = self._key()
        self._write("delete", key, None, lambda: self._client.call("DELETE", key))

    def delete_batch(self) -> None:
        """Delete a few objects at once."""
        keys = sorted({self._key() for _ in range(3)})
        document = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{document}</Delete>".encode()
        entries = [self._ledger.begin(self.name, "delete_batch", key, None) for key in keys]
        answer = self._client.call("POST", query={"delete": ""}, headers={"Content-MD5": _md5(body)}, body=body)
        for entry in entries:
            self._end(entry, answer)
        if b"<Error>" in answer.body:
            self._crowd.trouble(self.name, answer.body)

    def copy(self) -> None:
        """Copy an object, if its value is known; the precondition makes it certain."""
        source, key = self._key(), self._key()
        value = self._ledger.certain(source)
        if value is None or source == key:
            return
        headers = {"x-amz-copy-source": f"/{BUCKET}/{source}", "x-amz-copy-source-if-match": f'"{value.etag}"'}
        self._write("copy", key, value, lambda: self._client.call("PUT", key, headers=headers))

    def read(self) -> None:
        """Read an object, while others may write it."""
        key = self._key()
        since = self._ledger.now()
        self._ledger.check_read(key, self._client.value(key), since)

    def upload(self) -> None:
        """An upload of two parts, to its end or not."""
        key = f"{self.name}/upload-{self._content_name()}"
        fate = self._draw.randrange(100)
        answer = self._client.call("POST", key, {"uploads": ""})
        if answer.status != http.client.OK:
            raise AssertionError(answer)
        upload = Upload(key, answer.text("UploadId"))
        self._ledger.uploads.append(upload)
        for number, size in ((1, PART_BYTES), (2, CHUNK_BYTES)):
            self._part(upload, number, size)
        if fate < KEEP_PERCENT:
            return
        if fate % 4 == 0:
            upload.state = "aborting"
            answer = self._client.call("DELETE", key, {"uploadId": upload.id})
            assert answer.status == http.client.NO_CONTENT, answer
            upload.state = "ended"
            return
        self._complete(upload)

    def _part(self, upload: Upload, number: int, size: int) -> None:
        part = upload.parts[number] = Part(f"{self._content_name()}-{number}", size)
        content = content_of(part.name, size)
        answer = self._client.call("PUT", upload.key, {"partNumber": str(number), "uploadId": upload.id}, body=content)
        assert answer.status == http.client.OK, answer
        assert answer.etag == part.value.etag, answer
        part.acknowledged = True

    def _complete(self, upload: Upload) -> None:
        upload.state = "completing"
        self._write("complete", upload.key, upload.value(), lambda: complete(self._client, upload))
        upload.state = "ended"

    def _key(self) -> str:
        if self._draw.randrange(100) < SHARED_PERCENT:
            return f"shared/{self._draw.randrange(SHARED_KEYS)}"
        return f"{self.name}/{self._draw.randrange(OWN_KEYS)}"

    def _content_name(self) -> str:
        return f"{self._life}-{self._count}"

    def _write(self, name: str, key: str, value: Value | None, call: Callable[[], Answer]) -> None:
        entry = self._ledger.begin(self.name, name, key, value)
        answer = call()
        self._end(entry, answer)
        if value is not None and answer.status == http.client.OK:
            told = answer.etag or answer.text("ETag").strip('"')
            assert told == value.etag, f"{name} {key}: the answer says {told}, and it is {value}"

    def _end(self, entry: Entry, answer: Answer) -> None:
        if answer.status in (http.client.OK, http.client.NO_CONTENT) and answer.text("Code") == "":
            self._ledger.end(entry, Outcome.OK)
        elif answer.status in REFUSED:
            self._ledger.end(entry, Outcome.FAIL)
        else:
            self._ledger.end(entry, Outcome.UNKNOWN)
            raise AssertionError(answer)


def complete(client: S3Client, upload: Upload) -> Answer:
    """Complete an upload of all its parts."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{part.value.etag}</ETag></Part>" for number, part in sorted(upload.parts.items())
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return client.call("POST", upload.key, {"uploadId": upload.id}, body=body)


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


_STEPS: Final[dict[str, Callable[[Writer], None]]] = {
    "put_inline": lambda writer: writer.put(INLINE_BYTES),
    "put_chunk": lambda writer: writer.put(CHUNK_BYTES),
    "put_big": Writer.put_big,
    "delete": Writer.delete,
    "delete_batch": Writer.delete_batch,
    "copy": Writer.copy,
    "read": Writer.read,
    "upload": Writer.upload,
}
