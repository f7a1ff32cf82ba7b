"""Logs of the whole process, and what a worker counts of its requests.

Law: a log event is one line of JSON on stderr, whatever is in it. Counting a request costs about a
microsecond: numbers are kept in this process and written to memory that the supervisor reads too,
FLUSH_SECONDS late at most. That memory outlives a worker that is killed, and nothing outlives both.
What tenants hold is a state and no count of this process: one worker tells it, with the moment it is of.
"""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
import os
import struct
import sys
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import structlog
from attrs import define, field, frozen

from lightningstor_types.buckets import Usage

BUCKETS_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram; one more bucket takes what is longer."""
FLUSH_SECONDS: Final = 0.5
USAGE_INTERVAL_SECONDS: Final = 15.0
"""Between two looks at what tenants hold."""
USAGE_TENANTS_MAX: Final = 1000
"""As many projects are told, and as many organisations: each is a few series for whoever keeps them."""
USAGE_STALE_SECONDS: Final = 4 * USAGE_INTERVAL_SECONDS
"""Usage that is older is told no more: whoever looks at it hangs."""
_FRAME: Final = struct.Struct(">II")
"""CRC-32 and length of what follows."""


def configure_logging(level: str = "info", **bound: str) -> None:
    """Send every event, those of libraries and warnings included, to stderr as a line of JSON.

    `bound` is put into each of them. JSON escapes line ends, so that no value can forge a line.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        foreign_pre_chain=[*shared[:2], structlog.stdlib.add_logger_name, *shared[2:]],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers[:] = [handler]
    # a library's information is our debugging
    logging.root.setLevel(max(number, logging.WARNING) if number > logging.DEBUG else number)
    logging.captureWarnings(capture=True)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a part of the server."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return bound


@define
class Tally:
    """What is counted of one operation, front and outcome."""

    requests: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))

    def add(self, other: Tally) -> None:
        """Count on by another's numbers."""
        self.requests += other.requests
        self.seconds += other.seconds
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]


Series = tuple[str, str, str]
"""Operation, front and code."""


Tenant = tuple[str, str | None]
"""An organisation and a project of it; the organisation as a whole, with None."""


@frozen(kw_only=True)
class TenantsUsage:
    """What tenants held at a moment."""

    looked_at: float
    """In seconds of the monotonic clock, which is one for all processes of a machine."""
    of: Mapping[Tenant, Usage]

    @cached_property
    def encoded(self) -> bytes:
        """As text, made once: it is long, and handed over with every flush."""
        rows = [[*tenant, held.objects, held.bytes, held.uploads_bytes, held.buckets] for tenant, held in self.of.items()]
        return json.dumps([self.looked_at, rows]).encode()

    @classmethod
    def decode(cls, content: bytes) -> TenantsUsage:
        """What `encoded` is."""
        looked_at, rows = json.loads(content)
        usages = (Usage(objects=row[2], bytes=row[3], uploads_bytes=row[4], buckets=row[5]) for row in rows)
        return cls(looked_at=looked_at, of={(row[0], row[1]): usage for row, usage in zip(rows, usages, strict=True)})


@frozen(kw_only=True)
class Snapshot:
    """What a worker has counted since it was started."""

    in_flight: int = 0
    read_only: bool = False
    copy_behind: bool = False
    """Whether the metadata copy lacks commits."""
    tallies: dict[Series, Tally] = field(factory=dict)
    moved_bytes: dict[str, list[int]] = field(factory=dict)
    """Bytes of bodies received and sent, by front."""
    usage: TenantsUsage | None = None
    """None of a worker that does not look at it."""

    def to_json(self) -> bytes:
        """As text, to hand over: a line, and behind it the usage."""
        rows = [[*series, tally.requests, tally.seconds, tally.buckets] for series, tally in self.tallies.items()]
        gauges = {"in_flight": self.in_flight, "read_only": self.read_only, "copy_behind": self.copy_behind}
        line = json.dumps({**gauges, "series": rows, "moved_bytes": self.moved_bytes}).encode()
        return line + b"\n" + (b"" if self.usage is None else self.usage.encoded)

    @classmethod
    def from_json(cls, content: bytes) -> Snapshot:
        """What `to_json` made."""
        line, _, usage = content.partition(b"\n")
        document = json.loads(line)
        tallies = {(row[0], row[1], row[2]): Tally(*row[3:]) for row in document["series"]}
        gauges = {name: document[name] for name in ("in_flight", "read_only", "copy_behind")}
        return cls(
            **gauges,
            tallies=tallies,
            moved_bytes=document["moved_bytes"],
            usage=TenantsUsage.decode(usage) if usage else None,
        )


class Metrics:
    """The counts of one worker. For its event loop's thread alone."""

    def __init__(self, read_only: Callable[[], bool] = lambda: False, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.in_flight = 0
        """Requests that run; whoever runs them counts up and down."""
        self.read_only = read_only
        self.copy_behind: Callable[[], bool] = lambda: False
        """Whoever keeps the metadata copy says whether it lacks commits."""
        self._tallies: dict[Series, Tally] = {}
        self._moved_bytes: dict[str, list[int]] = {}
        self._usage: TenantsUsage | None = None
        self._clock = clock
        self._written = b""

    def observe(self, operation: str, front: str, code: str, seconds: float) -> None:
        """Count a request that is over. `code` is the S3 code of its error, or `OK`."""
        series = (operation, front, code)
        tally = self._tallies.get(series)
        if tally is None:
            tally = self._tallies[series] = Tally()
        tally.requests += 1
        tally.seconds += seconds
        tally.buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1

    def moved(self, front: str, received_bytes: int, sent_bytes: int) -> None:
        """Count bytes of bodies."""
        counts = self._moved_bytes.setdefault(front, [0, 0])
        counts[0] += received_bytes
        counts[1] += sent_bytes

    def tell_usage(self, of: Mapping[Tenant, Usage] | None) -> None:
        """What tenants hold at this moment; None where this worker does not know, or looks at it no more."""
        self._usage = None if of is None else TenantsUsage(looked_at=self._clock(), of=of)

    def snapshot(self) -> Snapshot:
        """Everything counted so far; shares the tallies."""
        return Snapshot(
            in_flight=self.in_flight,
            read_only=self.read_only(),
            copy_behind=self.copy_behind(),
            tallies=self._tallies,
            moved_bytes=self._moved_bytes,
            usage=self._usage,
        )

    def flush(self, board: int) -> None:
        """Write what is counted to the supervisor's memory, if it changed."""
        content = self.snapshot().to_json()
        if content != self._written:
            os.pwrite(board, _FRAME.pack(zlib.crc32(content), len(content)) + content, 0)
            self._written = content

    async def run(self, board: int, stop: asyncio.Event) -> None:
        """Flush now and then until `stop`, and once more."""
        while not stop.is_set():
            self.flush(board)
            try:
                await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
            except TimeoutError:
                continue
        self.flush(board)


def read_board(board: int) -> Snapshot | None:
    """What a worker wrote; None where it has not yet, or is writing at this moment."""
    content = os.pread(board, os.fstat(board).st_size, 0)
    if len(content) < _FRAME.size:
        return None
    checksum, length = _FRAME.unpack_from(content)
    body = content[_FRAME.size : _FRAME.size + length]
    return Snapshot.from_json(body) if zlib.crc32(body) == checksum else None
