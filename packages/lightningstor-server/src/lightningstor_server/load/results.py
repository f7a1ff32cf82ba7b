"""What a run has measured.

Law: a latency is of one operation from its first byte sent to its last received, failures included
in the count and left out of latencies and bytes. Percentiles are of all values, not of samples.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from attrs import define, field, frozen

MIB_BYTES: Final = 1 << 20
BUSY_SHARE: Final = 0.85
"""Of one core; above it the generator measures itself."""
_PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_COLUMNS: Final = ("operation", "requests", "errors", "req/s", "MiB/s", "p50 ms", "p90 ms", "p99 ms", "max ms")
_WIDTHS: Final = (-10, 9, 7, 10, 9, 9, 9, 9, 9)


@define
class Tally:
    """The counts of one operation."""

    latencies_seconds: array[float] = field(factory=lambda: array("d"))
    transferred: int = 0
    """Bytes of bodies, of what succeeded."""
    errors: Counter[str] = field(factory=Counter)

    def add(self, seconds: float, transferred: int) -> None:
        """Count a success."""
        self.latencies_seconds.append(seconds)
        self.transferred += transferred


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values are, by nearest rank; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


@frozen(kw_only=True)
class Result:
    """A run."""

    tallies: dict[str, Tally]
    seconds: float
    busy: float
    """The generator's own share of one core."""
    left: str = ""
    """What could not be removed; empty where nothing is left."""

    @property
    def errors(self) -> Counter[str]:
        """Failures by code, of all operations."""
        return sum((tally.errors for tally in self.tallies.values()), Counter())

    @property
    def clean(self) -> bool:
        """Whether nothing failed and nothing was left behind."""
        return not self.errors and not self.left

    def document(self) -> dict[str, Any]:
        """For programs: seconds and bytes, no rounding."""
        rows = {name: self._row(tally) for name, tally in self.tallies.items()}
        return {
            "seconds": self.seconds,
            "operations": rows,
            "total": self._row(self._total()),
            "errors": dict(self.errors),
            "generator_busy": self.busy,
            "left_behind": self.left,
        }

    def table(self) -> list[str]:
        """For people: a line for each operation, and one for all."""
        rows = [(name, self._row(tally)) for name, tally in self.tallies.items()]
        if len(rows) > 1:
            rows.append(("total", self._row(self._total())))
        lines = [_line(_COLUMNS)]
        for name, row in rows:
            rates = (f"{row['requests_per_second']:.1f}", f"{row['bytes_per_second'] / MIB_BYTES:.2f}")
            latencies = [f"{row['latency_seconds'][each] * 1000:.2f}" for each in _PERCENTILES]
            lines.append(_line((name, str(row["requests"]), str(sum(row["errors"].values())), *rates, *latencies)))
        lines += [f"error: {code}: {count}" for code, count in self.errors.most_common()]
        if self.busy > BUSY_SHARE:
            lines.append(f"The generator used {self.busy:.0%} of a core: more may be in the endpoint than it could ask for.")
        return lines

    def _total(self) -> Tally:
        total = Tally()
        for tally in self.tallies.values():
            total.latencies_seconds.extend(tally.latencies_seconds)
            total.transferred += tally.transferred
            total.errors.update(tally.errors)
        return total

    def _row(self, tally: Tally) -> dict[str, Any]:
        ordered = sorted(tally.latencies_seconds)
        return {
            "requests": len(ordered) + tally.errors.total(),
            "requests_per_second": len(ordered) / self.seconds if self.seconds else 0.0,
            "bytes": tally.transferred,
            "bytes_per_second": tally.transferred / self.seconds if self.seconds else 0.0,
            "latency_seconds": {name: percentile(ordered, share) for name, share in _PERCENTILES.items()},
            "errors": dict(tally.errors),
        }


def _line(cells: Sequence[str]) -> str:
    return "  ".join(
        [f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)]
    ).rstrip()
