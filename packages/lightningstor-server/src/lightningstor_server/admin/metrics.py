"""The metrics of all workers, in Prometheus' text format.

Law: a counter never goes back: what a worker counted before it died is kept. What tenants hold is
never a sum of what several workers say: the newest is told, while it is new, and it goes with its worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lightningstor_server.telemetry import (
    BUCKETS_SECONDS,
    USAGE_STALE_SECONDS,
    USAGE_TENANTS_MAX,
    Snapshot,
    Tally,
    TenantsUsage,
    read_board,
)
from lightningstor_types.buckets import Usage

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = (*(str(bound) for bound in BUCKETS_SECONDS), "+Inf")
_USAGE: Final[Mapping[str, tuple[str, Callable[[Usage], int]]]] = {
    "objects": ("Objects, each version counted", lambda usage: usage.objects),
    "bytes": ("Bytes of objects", lambda usage: usage.bytes),
    "uploads_bytes": ("Bytes of parts of uploads that are not yet complete", lambda usage: usage.uploads_bytes),
    "buckets": ("Buckets", lambda usage: usage.buckets),
}
"""What is told of each tenant: what it is, and where it is found."""


class Collection(Collector):
    """Gathers the snapshots of the workers that run, and of those that ran."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._boards: dict[int, Snapshot] = {}
        self._departed = Snapshot()
        self.ready: Callable[[], int] = lambda: 0
        """How many workers serve."""
        self.restarts = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def enter(self, name: str) -> int:
        """A worker is started; returns the descriptor of the memory that it writes its counts to."""
        board = os.memfd_create(f"lightningstor-{name}", os.MFD_CLOEXEC)
        self._boards[board] = Snapshot()
        return board

    def retire(self, board: int) -> None:
        """A worker has ended; its counts stay."""
        self._departed = _sum([self._departed, self._read(board)])
        del self._boards[board]
        os.close(board)

    def _read(self, board: int) -> Snapshot:
        """The newest that is whole."""
        latest = self._boards[board] = read_board(board) or self._boards[board]
        return latest

    def text(self) -> bytes:
        """What a scrape is answered."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the registry for each scrape."""
        snapshots = [self._read(board) for board in self._boards]
        total = _sum([self._departed, *snapshots])
        yield GaugeMetricFamily("lightningstor_workers_ready", "Workers that serve", value=self.ready())
        yield CounterMetricFamily("lightningstor_worker_restarts", "Workers started in place of one that died", value=self.restarts)
        in_flight, read_only = sum(each.in_flight for each in snapshots), any(each.read_only for each in snapshots)
        yield GaugeMetricFamily("lightningstor_requests_in_flight", "Requests that run, of both fronts", value=in_flight)
        yield GaugeMetricFamily("lightningstor_store_read_only", "1 where a worker's store takes no writes", value=int(read_only))
        behind = any(each.copy_behind for each in snapshots)
        yield GaugeMetricFamily("lightningstor_metadata_copy_behind", "1 where the metadata copy lacks commits", value=int(behind))
        yield from _requests(total)
        yield from _bytes(total)
        yield from _usage(self._newest(snapshots))

    def _newest(self, snapshots: Iterable[Snapshot]) -> TenantsUsage | None:
        """What tenants hold; two workers say so while one hands over to the other."""
        since = self._clock() - USAGE_STALE_SECONDS
        known = [each.usage for each in snapshots if each.usage is not None and each.usage.looked_at >= since]
        return max(known, key=lambda usage: usage.looked_at, default=None)


def _sum(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The counts of all; what is of the moment is left out."""
    total = Snapshot()
    for snapshot in snapshots:
        for series, tally in snapshot.tallies.items():
            total.tallies.setdefault(series, Tally()).add(tally)
        for front, counts in snapshot.moved_bytes.items():
            known = total.moved_bytes.setdefault(front, [0, 0])
            known[:] = [mine + more for mine, more in zip(known, counts, strict=True)]
    return total


def _requests(total: Snapshot) -> Iterator[Metric]:
    requests = CounterMetricFamily("lightningstor_requests", "Requests that are over", labels=("operation", "front", "code"))
    by_operation: dict[tuple[str, str], Tally] = {}
    for (operation, front, code), tally in total.tallies.items():
        requests.add_metric((operation, front, code), tally.requests)
        by_operation.setdefault((operation, front), Tally()).add(tally)
    seconds = HistogramMetricFamily("lightningstor_request_seconds", "From the door to the answer's head", labels=("operation", "front"))
    for key, tally in by_operation.items():
        seconds.add_metric(key, list(zip(_BOUNDS, accumulate(tally.buckets), strict=True)), tally.seconds)
    yield from (requests, seconds)


def _bytes(total: Snapshot) -> Iterator[Metric]:
    received = CounterMetricFamily("lightningstor_received_bytes", "Bytes of request bodies; of messages, over gRPC", labels=("front",))
    sent = CounterMetricFamily("lightningstor_sent_bytes", "Bytes of answers' bodies; of messages, over gRPC", labels=("front",))
    for front, counts in total.moved_bytes.items():
        received.add_metric((front,), counts[0])
        sent.add_metric((front,), counts[1])
    yield from (received, sent)


def _usage(usage: TenantsUsage | None) -> Iterator[Metric]:
    """Organisations have metrics of their own: with those of projects a sum would count everything twice."""
    held = {} if usage is None else usage.of
    for name, (meaning, value) in _USAGE.items():
        told = f"{meaning}, of the {USAGE_TENANTS_MAX:,} {{}} with the most bytes"
        by_project = GaugeMetricFamily(f"lightningstor_usage_{name}", told.format("projects"), labels=("organisation", "project"))
        whole = GaugeMetricFamily(f"lightningstor_organisation_usage_{name}", told.format("organisations"), labels=("organisation",))
        for (organisation, project), counts in held.items():
            if project is None:
                whole.add_metric((organisation,), value(counts))
            else:
                by_project.add_metric((organisation, project), value(counts))
        yield from (by_project, whole)
