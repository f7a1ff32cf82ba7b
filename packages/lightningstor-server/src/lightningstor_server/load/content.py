"""What objects hold: bytes that are found again from the key alone.

Law: two keys differ in their bytes from the first one on, so that an answer for another key, or for
another offset, is seen. Nothing is kept for an object: one random block serves all.
"""

from __future__ import annotations

import random
import zlib
from typing import Final

SEED: Final = 19_970_101


class Content:
    """Bodies of up to `size` bytes."""

    def __init__(self, size: int) -> None:
        block = random.Random(SEED).randbytes(max(size, 1))  # noqa: S311 - it has to repeat itself
        self._period = len(block)
        self._bytes = memoryview(block + block)

    def of(self, key: str, size: int) -> memoryview:
        """The body of an object."""
        start = zlib.crc32(key.encode()) % self._period
        return self._bytes[start : start + size]


class Check:
    """Compares what arrives, piece by piece, with what should."""

    def __init__(self, expected: memoryview) -> None:
        self._expected, self._at, self._same = expected, 0, True

    def take(self, piece: bytes | bytearray) -> None:
        """The next bytes."""
        end = self._at + len(piece)
        self._same = self._same and self._expected[self._at : end].tobytes() == piece  # memcmp; a view compares item by item
        self._at = end

    @property
    def passed(self) -> bool:
        """Whether all came, and was as expected."""
        return self._same and self._at == len(self._expected)
