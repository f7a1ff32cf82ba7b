"""The clients' ledger: what was asked of a store and what it answered, kept outside of it.

Law: after a crash the value of a key is that of the last acknowledged write, or of one whose
outcome nobody knows, or of one that ran beside it; never an older one, never a mixture. Order comes
from one counter: an operation replaces another only where it began after the other had ended.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs

FOREVER: Final = 1 << 62
"""The end of what has not ended."""
PATTERN_BYTES: Final = 65_521
"""The period of a content: a prime below the store's blocks of 64 KiB, so that two blocks that change places are seen."""


class Outcome(StrEnum):
    """What the client knows of an operation."""

    OK = "ok"
    FAIL = "fail"
    """The store said that it did not happen."""
    UNKNOWN = "unknown"
    """It may have happened."""


@attrs.frozen
class Value:
    """A body as the ledger knows it."""

    md5: str
    size: int
    etag: str

    @classmethod
    def of(cls, content: bytes, etag: str | None = None) -> Value:
        """The value of a body; its entity tag is its MD5 unless another one is given."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return cls(md5, len(content), etag or md5)


def content_of(name: str, size: int) -> bytes:
    """The bytes of a name: different for each, the same in every run."""
    pattern = hashlib.shake_128(name.encode()).digest(min(size, PATTERN_BYTES))
    return (pattern * (size // PATTERN_BYTES + 1))[:size]


@attrs.define(eq=False)
class Entry:
    """One write or delete of a key; a value of None is that the key is not there."""

    client: str
    name: str
    key: str
    value: Value | None
    begun: int
    ended: int = FOREVER
    outcome: Outcome = Outcome.UNKNOWN


@attrs.define(eq=False)
class Part:
    """A part that was sent."""

    name: str
    size: int
    acknowledged: bool = False

    @property
    def value(self) -> Value:
        """What was sent."""
        return Value.of(content_of(self.name, self.size))


@attrs.define(eq=False)
class Upload:
    """A multipart upload, by one client."""

    key: str
    id: str
    parts: dict[int, Part] = attrs.field(factory=dict)
    state: str = "open"
    """open; completing or aborting while the answer is not known; ended."""

    def value(self) -> Value:
        """The object that its parts make."""
        contents = [content_of(part.name, part.size) for _, part in sorted(self.parts.items())]
        digests = b"".join(hashlib.md5(content, usedforsecurity=False).digest() for content in contents)
        return Value.of(b"".join(contents), f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(contents)}")


class Ledger:
    """Written by many threads; each line is also on disk before the store hears of the operation."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._changed = threading.Condition()
        self._moment = 0
        self._entries: dict[str, list[Entry]] = {}
        self.uploads: list[Upload] = []
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []

    def begin(self, client: str, name: str, key: str, value: Value | None) -> Entry:
        """Note what will be asked; `value` is what the key has if it succeeds."""
        with self._changed:
            entry = Entry(client, name, key, value, self._tick())
            self._entries.setdefault(key, []).append(entry)
            self._write(entry, "begun")
            return entry

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Note what was answered."""
        with self._changed:
            moment = self._tick()
            entry.outcome = outcome
            if outcome is not Outcome.UNKNOWN:
                entry.ended = moment
            if outcome is Outcome.FAIL:
                self._entries[entry.key].remove(entry)
            self.counts[outcome] += 1
            self._write(entry, outcome)
            self._changed.notify_all()

    def now(self) -> int:
        """The moment, for `check_read`."""
        with self._changed:
            return self._tick()

    def await_acknowledged(self, more: int, seconds: float) -> bool:
        """Wait until that many more writes were acknowledged; False if they were not in time."""
        with self._changed:
            goal = self.counts[Outcome.OK] + more
            return self._changed.wait_for(lambda: self.counts[Outcome.OK] >= goal, seconds)

    def seal(self) -> None:
        """The server is gone, and every client with it: what was not answered happened by now, or never will."""
        with self._changed:
            moment = self._tick()
            for entries in self._entries.values():
                for entry in entries:
                    entry.ended = min(entry.ended, moment)

    def keys(self) -> list[str]:
        """Every key that was ever written or deleted."""
        with self._changed:
            return sorted(self._entries)

    def certain(self, key: str) -> Value | None:
        """What a key has, if only one thing is possible and the key is there."""
        with self._changed:
            possible = self._possible(key, FOREVER, FOREVER)
            return possible.pop() if len(possible) == 1 else None

    def check_read(self, key: str, found: Value | None, since: int) -> None:
        """Note a violation unless a read that began at `since` and has ended may have found this."""
        with self._changed:
            self.counts["read"] += 1
            self._check(key, found, self._possible(key, since, self._tick()))

    def settle(self, key: str, found: Value | None) -> None:
        """Check what a key has after a recovery. From here on that is its value: no unknown write comes later."""
        with self._changed:
            self.counts["settled"] += 1
            self._check(key, found, self._possible(key, FOREVER, FOREVER))
            moment = self._tick()
            self._entries[key] = [Entry("recovery", "settle", key, found, moment, moment, Outcome.OK)]

    def violate(self, text: str) -> None:
        """Note something else that must not be."""
        with self._changed:
            self.violations.append(text)
            self._file.write(json.dumps({"violation": text}) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _possible(self, key: str, since: int, until: int) -> set[Value | None]:
        """What a read between two moments may find."""
        entries = self._entries.get(key, [])
        acknowledged = [entry for entry in entries if entry.outcome is Outcome.OK and entry.ended < since]
        begun = [entry for entry in entries if entry.begun < until]
        values = {entry.value for entry in begun if not any(entry.ended < later.begun for later in acknowledged)}
        if not acknowledged:
            values.add(None)  # nothing was there before the first entry
        return values

    def _check(self, key: str, found: Value | None, possible: set[Value | None]) -> None:
        if found not in possible:
            text = f"{key}: found {found}, possible {sorted(map(str, possible))}"
            self.violations.append(text)
            self._file.write(json.dumps({"violation": text}) + "\n")

    def _tick(self) -> int:
        self._moment += 1
        return self._moment

    def _write(self, entry: Entry, event: str) -> None:
        value = None if entry.value is None else attrs.astuple(entry.value)
        line = {"moment": self._moment, "client": entry.client, "op": entry.name, "key": entry.key, "value": value, "event": event}
        self._file.write(json.dumps(line) + "\n")
