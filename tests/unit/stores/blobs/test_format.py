"""The chunk file's grammar.

Law: what was encoded is decoded, and one flipped byte anywhere is noticed.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.stores.blobs import format as chunk_format
from lightningstor_server.stores.blobs.base import BLOCK_BYTES, BLOCK_SUM_BYTES, CHUNK_BYTES, CHUNK_ID_BYTES
from lightningstor_server.stores.blobs.format import BlockSummer, Run
from lightningstor_server.stores.errors import Corrupted

ids = st.binary(min_size=CHUNK_ID_BYTES, max_size=CHUNK_ID_BYTES)
lengths = st.integers(1, CHUNK_BYTES)
PATTERN = bytes(range(251)) * 1200
"""301,200 bytes: four full blocks and a short one, no two blocks alike."""


def sums_of(content: bytes) -> bytes:
    """The block sums, taken at once."""
    summer = BlockSummer()
    summer.update(content)
    return summer.block_sums()


def flipped(data: bytes, at: int) -> bytes:
    """The data with one bit of one byte changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_the_sum_is_crc32c() -> None:
    """The sum of a block is that of RFC 3720 appendix B.4: 32 zeros give aa 36 91 8a there, least byte first."""
    assert sums_of(bytes(32)).hex() == "8a9136aa"


@given(ids)
def test_header_round_trip(chunk_id: bytes) -> None:
    """A header gives back the id, and is as long as the content's place says."""
    header = chunk_format.encode_header(chunk_id)
    assert len(header) == chunk_format.HEADER_BYTES
    assert chunk_format.decode_header(header) == chunk_id


@given(ids)
def test_header_flips_are_seen(chunk_id: bytes) -> None:
    """No byte of the header can change unnoticed, nor can it be cut."""
    header = chunk_format.encode_header(chunk_id)
    for at in range(len(header)):
        with pytest.raises(Corrupted):
            chunk_format.decode_header(flipped(header, at))
        with pytest.raises(Corrupted):
            chunk_format.decode_header(header[:at])


def test_header_of_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that is sound but of a later format is not read as if it were of this one."""
    monkeypatch.setattr(chunk_format, "CHUNK_FORMAT", 2)
    header = chunk_format.encode_header(bytes(CHUNK_ID_BYTES))
    monkeypatch.undo()
    with pytest.raises(Corrupted, match="format 1"):
        chunk_format.decode_header(header)


@given(st.data(), lengths)
def test_footer_round_trip(data: st.DataObject, length: int) -> None:
    """The footer is found from the end of the file, whatever stands before it."""
    size = chunk_format.blocks_of(length) * BLOCK_SUM_BYTES
    sums = data.draw(st.binary(min_size=size, max_size=size))
    footer = chunk_format.encode_footer(length, sums)
    assert len(footer) <= chunk_format.FOOTER_MAX_BYTES
    assert chunk_format.decode_footer(footer) == (length, sums)
    assert chunk_format.decode_footer(b"content" + footer) == (length, sums)


@pytest.mark.parametrize("length", [1, BLOCK_BYTES, BLOCK_BYTES + 1, CHUNK_BYTES])
def test_footer_flips_are_seen(length: int) -> None:
    """No byte of the footer can change unnoticed, nor can it be cut at either end."""
    footer = chunk_format.encode_footer(length, bytes(range(4)) * chunk_format.blocks_of(length))
    for at in range(len(footer)):
        with pytest.raises(Corrupted):
            chunk_format.decode_footer(flipped(footer, at))
        with pytest.raises(Corrupted):
            chunk_format.decode_footer(footer[:at])
        with pytest.raises(Corrupted):
            chunk_format.decode_footer(footer[at + 1 :])


@given(st.integers(0, len(PATTERN)), st.lists(st.integers(0, len(PATTERN)), max_size=12))
def test_sums_do_not_depend_on_how_bytes_come(length: int, cuts: list[int]) -> None:
    """The sums are those of the content, however it is split, and one for each block that was begun."""
    content = PATTERN[:length]
    summer = BlockSummer()
    at = 0
    for cut in [*sorted(cuts), length]:
        summer.update(content[at:cut])
        at = max(at, cut)
    assert summer.length == length
    assert summer.block_sums() == sums_of(content)
    assert summer.block_sums() == b"".join(sums_of(content[at : at + BLOCK_BYTES]) for at in range(0, length, BLOCK_BYTES))


@given(st.data(), lengths)
def test_runs_are_whole_blocks_and_give_the_range(data: st.DataObject, chunk_length: int) -> None:
    """The runs of a range lie on block borders, keep to READ_BYTES, and their wanted parts join to the range."""
    offset = data.draw(st.integers(0, chunk_length))
    length = data.draw(st.integers(0, chunk_length - offset))
    at = offset
    for run in chunk_format.runs(offset, length, chunk_length):
        assert run.start % BLOCK_BYTES == 0
        assert run.start + run.length == chunk_length or run.length % BLOCK_BYTES == 0
        assert 0 < run.length <= chunk_format.READ_BYTES
        assert run.start + run.skip == at
        assert run.take > 0
        assert run.skip + run.take <= run.length
        at += run.take
    assert at == offset + length


def test_a_range_of_128_kib_is_one_run() -> None:
    """A range of 128 KiB needs one read, wherever it lies."""
    assert len(list(chunk_format.runs(BLOCK_BYTES - 1, 128 << 10, CHUNK_BYTES))) == 1


@given(st.data(), st.integers(1, len(PATTERN)))
def test_verified_cuts_what_was_wanted(data: st.DataObject, chunk_length: int) -> None:
    """Sound blocks give exactly the wanted bytes."""
    content = PATTERN[:chunk_length]
    offset = data.draw(st.integers(0, chunk_length - 1))
    length = data.draw(st.integers(1, chunk_length - offset))
    sums = sums_of(content)
    got = b"".join(
        chunk_format.verified(content[run.start : run.start + run.length], run, sums)
        for run in chunk_format.runs(offset, length, chunk_length)
    )
    assert got == content[offset : offset + length]


@given(st.integers(0, 4 * BLOCK_BYTES - 1))
def test_verified_names_the_damaged_block(at: int) -> None:
    """A flipped byte is an error that says which block it is in, also where nobody asked for that byte."""
    content = PATTERN[: 4 * BLOCK_BYTES]
    with pytest.raises(Corrupted, match=f"block {at // BLOCK_BYTES} "):
        chunk_format.verified(flipped(content, at), Run(0, len(content), 17, 1), sums_of(content))


def test_verified_wants_every_byte_and_every_sum() -> None:
    """Bytes that are missing are an error, and so are sums that are missing."""
    content = PATTERN[: 2 * BLOCK_BYTES]
    run = Run(0, len(content), 0, len(content))
    with pytest.raises(Corrupted, match="cut short"):
        chunk_format.verified(content[:-1], run, sums_of(content))
    with pytest.raises(Corrupted, match="block 1 "):
        chunk_format.verified(content, run, sums_of(content)[:-1])
