"""A body that travels.

Law: whoever iterates a `ByteStream` to its end has bytes that were verified as far as the front
can (length, chunk signatures, payload hash). An error raised by the iteration means that nothing
of it may be kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from lightningstor_types.digests import NO_CHECKSUMS, Checksums


class ByteStream(Protocol):
    """Bytes that come piece by piece."""

    @property
    def length(self) -> int | None:
        """How many bytes will come, where the sender announced it."""

    @property
    def trailer(self) -> Checksums:
        """The checksums that came behind the body; complete once the iteration has ended."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, once."""


class BytesStream:
    """A body that is at hand as a whole."""

    def __init__(self, content: bytes, trailer: Checksums = NO_CHECKSUMS) -> None:
        self.content = content
        self.trailer = trailer

    @property
    def length(self) -> int:
        """The number of bytes."""
        return len(self.content)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The content in one piece."""
        yield self.content
