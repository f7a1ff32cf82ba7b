"""Reads all rows of a store that nobody writes, and says what does not fit together.

Law: it only reads, and holds a row at a time: what has to be sorted or compared, the engine does.
Nothing is taken from the store's own counts; they are what is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from attrs import frozen
from awscrt.checksums import crc32c

from lightningstor_server.stores.blobs.base import Chunk
from lightningstor_server.stores.errors import StoreError
from lightningstor_server.stores.metadata.database import Parameters, Row
from lightningstor_server.stores.metadata.records import acl_of, metadata_of, parts_of, settings_of, version_of
from lightningstor_server.stores.metadata.statements import statements

_AUDIT = statements("audit")
_VERSIONS: Final = statements("history")["of_revision"].partition("FROM")[0].strip() + ", bucket FROM versions"
"""Every version in the columns that `version_of` takes, and its bucket."""


class Rows(Protocol):
    """A connection that only reads; its calls block."""

    def each(self, statement: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a statement, one at a time."""

    def all(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """The rows of a statement."""


@frozen
class Misfit:
    """Rows that contradict one another, or say what cannot be."""

    kind: str
    subject: str
    text: str


def _object(row: Row) -> str:
    """A version, as the operator may look it up."""
    bucket, key, revision = row[:3]
    return f"bucket {bucket}, key {json.dumps(bytes(key).decode(errors='replace'))}, revision {revision}"


def _part(row: Row) -> str:
    return f"upload {row[0]}, part {row[1]}"


def _chunk(row: Row) -> str:
    return f"chunk {row[1]}/{row[0].hex()}"


def _body(row: Row) -> str:
    return f"body {row[0]}"


def _scope(row: Row) -> str:
    return f"usage {row[0]}"


_CHECKS: Final[tuple[tuple[str, str, Callable[[Row], str], Callable[[Row], str]], ...]] = (
    # kind, statement that gives what is wrong, what it is about, what is wrong with it
    ("version-without-body", _AUDIT["version_bodies"], _object, lambda row: f"names body {row[3]}, which is not there"),
    ("part-without-body", _AUDIT["part_bodies"], _part, lambda row: f"names body {row[2]}, which is not there"),
    ("body-without-owner", _AUDIT["orphaned_bodies"], _body, lambda _: "no version and no part has it"),
    ("body-of-several", _AUDIT["shared_bodies"], _body, lambda row: f"{row[1]} versions and parts have it"),
    ("version-size", _AUDIT["version_sizes"], _object, lambda row: f"is said to have {row[3]} bytes, and its body has not"),
    ("part-size", _AUDIT["part_sizes"], _part, lambda row: f"is said to have {row[2]} bytes, and its body has not"),
    ("piece-order", _AUDIT["piece_order"], _body, lambda row: f"has a gap or an overlap at byte {row[1]}"),
    ("piece-range", _AUDIT["piece_ranges"], _body, lambda row: f"has a piece at byte {row[1]} that its chunk is too short for"),
    ("piece-without-chunk", _AUDIT["dangling_pieces"], _body, lambda row: f"has a piece at byte {row[1]} of a chunk of no row"),
    ("chunk-without-owner", _AUDIT["unowned_chunks"], _chunk, lambda _: "no body has a piece of it"),
    ("chunk-and-garbage", _AUDIT["doomed_chunks"], _chunk, lambda _: "is in use and garbage at once"),
    ("version-order", _AUDIT["current_markers"], _object, lambda _: "is a delete marker, and the current version or not empty"),
    ("version-order", _AUDIT["late_currents"], _object, lambda _: "is the current one, and there is a later one"),
    ("version-order", _AUDIT["lost_currents"], _object, lambda _: "is the latest one, and not the current one"),
    ("version-order", _AUDIT["future_revisions"], _object, lambda _: "is of a revision that the bucket has not reached"),
    ("part-of-completed-upload", _AUDIT["completed_parts"], _part, lambda _: "is of an upload that was completed"),
    ("usage", _AUDIT["usage"], _scope, lambda row: "should be {1} objects, {2} and {3} bytes, {4} buckets".format(*row)),
    ("usage", _AUDIT["strange_usage"], _scope, lambda _: "is kept of what is not there"),
)  # fmt: skip


class Audit:
    """What can be read of a store's rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def references(self) -> Iterator[Misfit]:
        """Rows that do not fit together."""
        for kind, statement, subject, text in _CHECKS:
            try:
                for row in self._rows.each(statement):
                    yield Misfit(kind, subject(row), text(row))
            except StoreError as error:  # one damaged page must not hide what the other questions find
                yield Misfit("database", f"the question of {kind}", str(error))

    def documents(self) -> Iterator[Misfit]:
        """Columns that hold what this version cannot read, and small bodies that do not match their checksum."""
        for id_, inline, inline_sum in self._rows.each(_AUDIT["inline_bodies"]):
            if crc32c(inline) != inline_sum:
                yield Misfit("inline-body", f"body {id_}", "does not match its checksum")
        for *version, bucket in self._rows.each(_VERSIONS):
            yield from _unreadable("version", _object((bucket, *version)), partial(version_of, tuple(version)))
        for bucket, name, document in self._rows.each(_AUDIT["settings"]):
            yield from _unreadable("setting", f"bucket {bucket}, {name}", partial(settings_of, [(name, document)]))
        for upload, meta, acl in self._rows.each(_AUDIT["uploads"]):
            for read in (partial(metadata_of, meta), partial(acl_of, acl)):
                yield from _unreadable("upload", f"upload {upload}", read)
        for body, parts in self._rows.each(_AUDIT["body_parts"]):
            yield from _unreadable("body-parts", f"body {body}", partial(parts_of, parts))

    def secrets(self) -> Iterator[tuple[str, bytes]]:
        """The access keys with their sealed secrets."""
        return ((id_, secret) for id_, secret in self._rows.each(_AUDIT["access_keys"]))

    def setting(self, name: str) -> str | None:
        """A setting of the store itself."""
        found = self._rows.all(_AUDIT["configuration"], (name,))
        return found[0][0] if found else None

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk that is in use."""
        for id_, directory, length, block_sums, format_ in self._rows.each(_AUDIT["chunks"]):
            yield Chunk(id=id_, directory=directory, length=length, block_sums=block_sums, format=format_)

    def volume(self) -> tuple[int, int]:
        """How many chunks are in use, and their bytes."""
        count, length = self._rows.all(_AUDIT["volume"])[0]
        return count, length

    def knows(self, chunk: bytes, directory: str) -> bool:
        """Whether a chunk in that folder is in use or garbage."""
        return any(self._rows.all(_AUDIT["known"], (chunk, directory))[0])

    def garbage(self) -> int:
        """How many chunks wait to be removed."""
        return int(self._rows.all(_AUDIT["garbage"])[0][0])

    def counts(self) -> dict[str, int]:
        """How much there is."""
        names = ("buckets", "objects", "versions", "uploads", "chunks", "revisions")
        return dict(zip(names, self._rows.all(_AUDIT["counts"])[0], strict=True))


def _unreadable(kind: str, subject: str, read: Callable[[], object]) -> Iterator[Misfit]:
    """A misfit where reading fails, by whatever a decoder meets in a column that is not what was written."""
    try:
        read()
    except Exception as error:  # noqa: BLE001 - whatever a decoder meets in a damaged column is the finding
        yield Misfit(f"unreadable-{kind}", subject, f"cannot be read: {error}")
