"""The files of a metadata copy: what is written is read, what is damaged is refused, and what may be continued."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lightningstor_server.stores.errors import CopyRefused, Corrupted
from lightningstor_server.stores.metadata.shipping.format import CopyBehind, LogHeader, Manifest, Position, Record, first_to_ship

MANIFEST = Manifest(store="ab" * 16, generation="cd" * 8, page_bytes=16384, logs=(3, 4))
HEADER = LogHeader(store="ab" * 16, generation="cd" * 8, number=4, page_bytes=16384, position=Position((7, 8), 9), sequence=10)
RECORD = Record.of(b"x" * 100, Position((7, 8), 11), 10, 11)
FORMS: dict[str, tuple[object, bytes, Callable[[bytes], object]]] = {
    "manifest": (MANIFEST, MANIFEST.to_json(), Manifest.from_json),
    "log": (HEADER, HEADER.encode(), LogHeader.decode),
    "record": (RECORD, RECORD.encode(), Record.decode),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read(form: str) -> None:
    """The same value."""
    value, content, decode = FORMS[form]
    assert decode(content) == value


@pytest.mark.parametrize("form", FORMS)
def test_no_flipped_bit_is_taken(form: str) -> None:
    """Whichever it is, it is refused; or it makes no difference, as white space in JSON does not."""
    value, content, decode = FORMS[form]
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert decode(bytes(damaged)) == value
        except Corrupted:
            continue


@pytest.mark.parametrize("form", ["log", "record"])
def test_what_is_cut_is_refused(form: str) -> None:
    """At every length."""
    _, content, decode = FORMS[form]
    for length in range(len(content)):
        with pytest.raises(Corrupted):
            decode(content[:length])


@pytest.mark.parametrize(
    ("salts", "frames", "reset_known", "first"),
    [
        ((7, 8), 9, False, 10),  # nothing is missing
        ((7, 8), 20, False, 10),
        ((7, 8), 20, True, 10),
        ((8, 1), 5, True, 1),  # it began anew, and everybody shipped before
    ],
)
def test_a_copy_is_continued_where_nothing_is_missing(salts: tuple[int, int], frames: int, first: int, *, reset_known: bool) -> None:
    """With the first frame that it lacks."""
    assert first_to_ship(HEADER.position, salts, frames, reset_known=reset_known) == first


def test_the_first_salt_begins_again_at_nought() -> None:
    """It has 32 bits."""
    assert first_to_ship(Position((2**32 - 1, 8), 9), (0, 1), 5, reset_known=True) == 1


@pytest.mark.parametrize(
    ("salts", "reset_known"),
    [((8, 1), False), ((9, 1), True), ((6, 1), True), ((7, 1), True)],
    ids=["over a restart", "twice", "backwards", "another log"],
)
def test_a_copy_is_not_continued_over_a_gap(salts: tuple[int, int], *, reset_known: bool) -> None:
    """Where the write-ahead log began anew and nobody knows what went with it."""
    with pytest.raises(CopyBehind):
        first_to_ship(HEADER.position, salts, 50, reset_known=reset_known)


@pytest.mark.parametrize("reset_known", [True, False])
def test_a_store_that_lost_commits_is_refused(*, reset_known: bool) -> None:
    """The copy is what is left of them."""
    with pytest.raises(CopyRefused):
        first_to_ship(HEADER.position, (7, 8), 8, reset_known=reset_known)
