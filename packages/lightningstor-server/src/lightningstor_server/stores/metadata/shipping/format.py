"""What the files of a metadata copy look like.

Law: nothing here does input or output, and everything that is read is checked by its CRC32C first.
A copy is a base (a database file, with the CRC32C of each page beside it) and logs that follow one
another. All integers are big-endian:

    log      8 magic, 2 format, 2 zero, 4 page size, 16 store, 8 generation, 4 number, 8 salts,
             4 frame, 8 sequence, 4 CRC32C of the 64 bytes before; then records
    record   4 magic, 4 first frame, 4 last frame, 8 salts, 8 sequence, 8 microseconds since 1970,
             4 CRC32C of the frames, 4 CRC32C of the 40 bytes before; then the frames as SQLite wrote them
    sums     4 CRC32C of each page of the base, in their order
    manifest JSON, on one line, with the CRC32C of the rest of it
"""

from __future__ import annotations

import json
import time
from struct import Struct, error
from typing import Final, NamedTuple, Self

import attrs
from attrs import frozen
from awscrt.checksums import crc32c

from lightningstor_server.stores.errors import CopyRefused, Corrupted, StoreError
from lightningstor_server.stores.metadata.wal import Salts, frame_bytes

COPY_FORMAT: Final = 1
STORE_ID_BYTES: Final = 16
GENERATION_BYTES: Final = 8
SUM: Final = Struct(">I")

_LOG_MAGIC: Final = b"LSTRMCPY"
_RECORD_MAGIC: Final = b"LSMR"
_LOG: Final = Struct(f">8sHHI{STORE_ID_BYTES}s{GENERATION_BYTES}sIIIIQ")
_RECORD: Final = Struct(">4sIIIIQQI")
_SALT_MASK: Final = 0xFFFF_FFFF
RECORD_MAGIC_BYTES: Final = _RECORD_MAGIC

LOG_HEADER_BYTES: Final = _LOG.size + SUM.size
RECORD_HEADER_BYTES: Final = _RECORD.size + SUM.size


class CopyBehind(StoreError):
    """The copy could not be brought up to the store."""


class Position(NamedTuple):
    """A moment of the store: after this frame of the write-ahead log of these salts."""

    salts: Salts
    frame: int


@frozen(kw_only=True)
class Manifest:
    """Which files make up the copy."""

    store: str
    """The store's id, hexadecimal."""
    generation: str
    """Of the base and its logs, hexadecimal; their names have it."""
    page_bytes: int
    logs: tuple[int, ...]
    """The numbers of the logs, in their order; commits are appended to the last."""

    def to_json(self) -> bytes:
        """The file."""
        fields = attrs.asdict(self) | {"format": COPY_FORMAT}
        return json.dumps(fields | {"crc32c": crc32c(_canonical(fields))}).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """What `to_json` made.

        Raises:
            Corrupted: it is not whole, or of a format that is not known.
        """
        try:
            fields = json.loads(content)
            expected = fields.pop("crc32c")
            if crc32c(_canonical(fields)) != expected:
                raise Corrupted("the manifest of the copy does not match its checksum")
            if (number := fields.pop("format")) != COPY_FORMAT:
                raise Corrupted(f"the copy has format {number}; this version knows format {COPY_FORMAT}")
            return cls(**fields | {"logs": tuple(fields["logs"])})
        except (ValueError, KeyError, TypeError, AttributeError) as malformed:
            raise Corrupted(f"the manifest of the copy cannot be read: {malformed}") from malformed


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


@frozen(kw_only=True)
class LogHeader:
    """The head of a log."""

    store: str
    generation: str
    number: int
    page_bytes: int
    position: Position
    """The moment behind which its first record is."""
    sequence: int
    """The sequence number of the last record before it."""

    def encode(self) -> bytes:
        """The first LOG_HEADER_BYTES of the file."""
        store, generation = bytes.fromhex(self.store), bytes.fromhex(self.generation)
        place = (*self.position.salts, self.position.frame, self.sequence)
        fields = _LOG.pack(_LOG_MAGIC, COPY_FORMAT, 0, self.page_bytes, store, generation, self.number, *place)
        return fields + SUM.pack(crc32c(fields))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` made.

        Raises:
            Corrupted: it is not whole.
        """
        if len(data) != LOG_HEADER_BYTES or SUM.unpack_from(data, _LOG.size)[0] != crc32c(data[: _LOG.size]):
            raise Corrupted("a log of the copy has no whole header")
        magic, number_of_format, zero, page_bytes, store, generation, number, salt1, salt2, frame, sequence = _LOG.unpack_from(data)
        if (magic, number_of_format, zero) != (_LOG_MAGIC, COPY_FORMAT, 0):
            raise Corrupted(f"a log of the copy is none of format {COPY_FORMAT}")
        position = Position((salt1, salt2), frame)
        found = {"store": store.hex(), "generation": generation.hex(), "number": number, "page_bytes": page_bytes}
        return cls(**found, position=position, sequence=sequence)

    def belongs_to(self, manifest: Manifest) -> bool:
        """Whether it is of the copy that the manifest describes."""
        mine = (self.store, self.generation, self.page_bytes)
        return mine == (manifest.store, manifest.generation, manifest.page_bytes)


@frozen(kw_only=True)
class Record:
    """The head of a run of frames. The run is a commit where its last frame is one; then everything before it counts."""

    first: int
    last: int
    salts: Salts
    sequence: int
    micros: int
    """When it was written, in microseconds since 1970-01-01 UTC; told to the operator, and nothing rests on it."""
    frames_sum: int

    @classmethod
    def of(cls, run: bytes, position: Position, first: int, sequence: int) -> Self:
        """The head of a run of frames that begins with frame `first` and ends at `position`."""
        salts, last = position
        return cls(first=first, last=last, salts=salts, sequence=sequence, micros=time.time_ns() // 1000, frames_sum=crc32c(run))

    def encode(self) -> bytes:
        """The RECORD_HEADER_BYTES before the frames."""
        fields = _RECORD.pack(_RECORD_MAGIC, self.first, self.last, *self.salts, self.sequence, self.micros, self.frames_sum)
        return fields + SUM.pack(crc32c(fields))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` made.

        Raises:
            Corrupted: it is not whole.
        """
        try:
            magic, first, last, salt1, salt2, sequence, micros, frames_sum = _RECORD.unpack_from(data)
        except error:
            raise Corrupted("a record of the copy is cut short") from None
        if len(data) != RECORD_HEADER_BYTES or SUM.unpack_from(data, _RECORD.size)[0] != crc32c(data[: _RECORD.size]):
            raise Corrupted("the head of a record of the copy does not match its checksum")
        if magic != _RECORD_MAGIC or last < first:
            raise Corrupted("there is no record of the copy where one should be")
        return cls(first=first, last=last, salts=(salt1, salt2), sequence=sequence, micros=micros, frames_sum=frames_sum)

    def run_bytes(self, page_bytes: int) -> int:
        """The length of its frames."""
        return (self.last - self.first + 1) * frame_bytes(page_bytes)

    @property
    def position(self) -> Position:
        """The moment after it."""
        return Position(self.salts, self.last)


def first_to_ship(shipped: Position, salts: Salts, frames: int, *, reset_known: bool) -> int:
    """The first of `frames` frames of the log of those salts that a copy at `shipped` lacks.

    The log begins anew only once all of it was checkpointed, which writers do after they shipped
    it. So one new beginning (SQLite adds 1 to the first salt) is continuous where every writer
    ships, which `reset_known` says. Over a restart nobody knows that.

    Raises:
        CopyBehind: frames between the two are gone.
    """
    if salts == shipped.salts:
        if frames < shipped.frame:
            raise CopyRefused("the copy has commits that the store has lost: restore from it, or name another folder")
        return shipped.frame + 1
    if reset_known and salts[0] == (shipped.salts[0] + 1) & _SALT_MASK:
        return 1
    raise CopyBehind("the write-ahead log began anew behind the last frame that the copy has")
