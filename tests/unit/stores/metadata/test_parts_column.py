"""The column that holds the parts of a body."""

from __future__ import annotations

import pytest

from lightningstor_server.stores.metadata.records import parts_of, parts_text
from lightningstor_server.stores.metadata.values import PartChecksums
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums

SIZES = (5 << 20, 7)


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_what_is_written_is_read(algorithm: ChecksumAlgorithm) -> None:
    """Sizes and checksums, and a part that has no checksum."""
    checksums = PartChecksums(algorithm=algorithm, values=("abc=", None))
    assert parts_of(parts_text(SIZES, checksums)) == (SIZES, checksums)
    assert (checksums.of(1), checksums.of(2)) == (Checksums.of(algorithm, "abc="), NO_CHECKSUMS)


def test_parts_without_checksums() -> None:
    """A list of sizes, as the first format of the store has it; no parts are NULL."""
    assert parts_text(SIZES, None) == "[5242880, 7]"
    assert parts_of("[5242880, 7]") == (SIZES, None)
    assert parts_text((), None) is None
    assert parts_of(None) == ((), None)
