"""multipart/form-data as a browser sends it, read piece by piece.

Law: no I/O, and no more kept than one field. What stands beside the file is bounded as a whole, the
file is not kept at all. Whatever is not of the grammar is refused, never guessed at. Source: RFC
2046 section 5.1 (boundaries), RFC 7578 (fields and their names), AWS, "POST Object" (limits).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from attrs import field, frozen

from lightningstor_types.errors import IncorrectNumberOfFilesInPostRequest, MalformedPOSTRequest, MaxPostPreDataLengthExceededError

FORM_MAX_BYTES: Final = 20 << 10
"""Of all that is not the file: fields, heads and boundaries (AWS, "POST Object")."""
FIELDS_MAX: Final = 256
BOUNDARY_MAX_CHARACTERS: Final = 70
"""RFC 2046 section 5.1.1."""
MEDIA_TYPE: Final = "multipart/form-data"
FILE: Final = "file"
"""The field that is stored. All others may have file names too, which some clients give them; those mean nothing."""

_PARAMETER: Final = re.compile(r';[ \t]*([A-Za-z0-9!#$%&\'*+\-.^_`|~]+)=(?:"((?:[^"\\]|\\.)*)"|([^";\s]*))[ \t]*', re.DOTALL)
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]")
_QUOTED: Final = re.compile(r'\\(["\\])')
"""A backslash before anything else is itself: file names of Windows come with bare ones."""
_PADDING: Final = b" \t"
_PLAIN_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary"})


@frozen
class FormField:
    """A field, complete."""

    name: str
    value: bytes = field(repr=False)


@frozen
class FileBegin:
    """The file begins; its bytes come next, in pieces, and `FILE_END` behind them."""

    filename: str


@frozen
class FileEnd:
    """The file has ended. What comes behind it is of no effect (AWS, "POST Object", `file`)."""


FILE_END: Final = FileEnd()
Event = FormField | FileBegin | FileEnd | bytes


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type header names.

    Raises:
        MalformedPOSTRequest: it names none, or none that may be one.
    """
    boundary = _parameters(content_type.partition(";")[1] + content_type.partition(";")[2]).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedPOSTRequest
    return boundary.encode()


class FormReader:
    """Takes bytes as they come and gives events."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # the first boundary needs no line before it (RFC 2046 section 5.1.1)
        self._buffer = b"\r\n"
        self._beside = -len(self._buffer)
        self._fields = 0
        self._files = 0
        self._name = ""
        self._step: Callable[[], Iterator[Event] | None] = self._preamble
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete. It has to be iterated to its end before the next bytes.

        Raises:
            MalformedPOSTRequest: they are of no form.
            MaxPostPreDataLengthExceededError: there is too much beside the file, or there are too many fields.
            IncorrectNumberOfFilesInPostRequest: a second file begins.
        """
        self._buffer += data
        while (events := self._step()) is not None:
            yield from events
        waiting = 0 if self._step == self._content else len(self._buffer)
        if self._beside + waiting > FORM_MAX_BYTES:
            raise MaxPostPreDataLengthExceededError(MaxSizeAllowed=str(FORM_MAX_BYTES))

    def finish(self) -> None:
        """The body has ended.

        Raises:
            MalformedPOSTRequest: the form has not.
        """
        if not self._ended:
            raise MalformedPOSTRequest

    # each step takes from the buffer and gives events; None where it needs more

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        self._beside += size
        if self._beside > FORM_MAX_BYTES:
            raise MaxPostPreDataLengthExceededError(MaxSizeAllowed=str(FORM_MAX_BYTES))
        return taken

    def _preamble(self) -> Iterator[Event] | None:
        """What stands before the first boundary means nothing."""
        at = self._buffer.find(self._delimiter)
        if at < 0:
            return None
        self._take(at + len(self._delimiter))
        self._step = self._boundary
        return iter(())

    def _boundary(self) -> Iterator[Event] | None:
        """Behind a delimiter: the end of its line, or the two hyphens of the last one."""
        if self._buffer.startswith(b"--"):
            self._take(2)
            self._step, self._ended = self._epilogue, True
            return iter(())
        at = self._buffer.find(b"\r\n")
        padding = self._buffer if at < 0 else self._buffer[:at]
        # a lone hyphen or CR may become `--` or CRLF
        if padding.strip(_PADDING) not in ({b"", b"-", b"\r"} if at < 0 else {b""}):
            raise MalformedPOSTRequest
        if at < 0:
            return None
        self._take(at)
        self._step = self._head
        return iter(())

    def _head(self) -> Iterator[Event] | None:
        """The headers of a part, from the end of the delimiter's line on."""
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            return None
        lines = self._take(at + 4)[2:-4].split(b"\r\n")
        self._name, filename = _read_head(lines)
        if self._name.lower() != FILE:
            self._step = self._value
            return iter(())
        self._files += 1
        if self._files > 1:
            raise IncorrectNumberOfFilesInPostRequest
        self._step = self._content
        return iter((FileBegin(filename),))

    def _value(self) -> Iterator[Event] | None:
        at = self._find_end()
        if at < 0:
            return None
        self._fields += 1
        if self._fields > FIELDS_MAX:
            raise MaxPostPreDataLengthExceededError(MaxFieldsAllowed=str(FIELDS_MAX))
        value = self._take(at)
        self._take(len(self._delimiter))
        self._step = self._boundary
        return iter((FormField(self._name, value),))

    def _content(self) -> Iterator[Event] | None:
        at = self._find_end()
        if at >= 0:
            content, self._buffer = self._buffer[:at], self._buffer[at:]
            self._take(len(self._delimiter))
            self._step = self._boundary
            return iter((content, FILE_END)) if content else iter((FILE_END,))
        # what may be the beginning of a delimiter stays
        kept = len(self._delimiter) - 1
        if len(self._buffer) <= kept:
            return None
        content, self._buffer = self._buffer[:-kept], self._buffer[-kept:]
        return iter((content,))

    def _epilogue(self) -> Iterator[Event] | None:
        """What stands behind the last boundary means nothing."""
        self._take(len(self._buffer))
        return None

    def _find_end(self) -> int:
        return self._buffer.find(self._delimiter)


def _read_head(lines: list[bytes]) -> tuple[str, str]:
    """The name of a part, and the file name that it gives.

    Raises:
        MalformedPOSTRequest: it has no name, or its value is encoded (RFC 7578 section 4.7: none is).
    """
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        try:
            key, text = name.decode("ascii").lower(), value.decode().strip(" \t")
        except UnicodeDecodeError:
            raise MalformedPOSTRequest from None
        if not colon or key in headers or not key or key != key.strip(" \t"):
            raise MalformedPOSTRequest
        headers[key] = text
    kind, semicolon, rest = headers.get("content-disposition", "").partition(";")
    found = _parameters(semicolon + rest)
    if kind.strip(" \t").lower() != "form-data" or not found.get("name"):
        raise MalformedPOSTRequest
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise MalformedPOSTRequest
    return found["name"], found.get("filename", "")


def _parameters(text: str) -> dict[str, str]:
    """The parameters behind a value, by their names in lower case.

    Raises:
        MalformedPOSTRequest: they are of no grammar, or one is there twice.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise MalformedPOSTRequest
        found[match[1].lower()] = _QUOTED.sub(r"\1", match[2]) if match[2] is not None else match[3]
        at = match.end()
    return found
