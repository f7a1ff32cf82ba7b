"""The ledger itself: it must see what a store could do wrong, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from faults.ledger import PATTERN_BYTES, Entry, Ledger, Outcome, Value, content_of

OLD, NEW, OTHER = (Value.of(content_of(name, 100)) for name in ("old", "new", "other"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        yield ledger


def _done(ledger: Ledger, value: Value | None, outcome: Outcome = Outcome.OK) -> None:
    ledger.end(ledger.begin("a", "put", "k", value), outcome)


def _begun(ledger: Ledger, value: Value | None) -> Entry:
    return ledger.begin("b", "put", "k", value)


def test_only_the_last_acknowledged_value_will_do(ledger: Ledger) -> None:
    """After two acknowledged writes the older value, another one and none at all are violations."""
    _done(ledger, OLD)
    _done(ledger, NEW)
    ledger.check_read("k", NEW, ledger.now())
    assert ledger.violations == []
    for wrong in (OLD, OTHER, None):
        ledger.check_read("k", wrong, ledger.now())
    assert len(ledger.violations) == 3


def test_what_was_deleted_stays_deleted(ledger: Ledger) -> None:
    """After an acknowledged delete nothing but nothing is right."""
    _done(ledger, OLD)
    _done(ledger, None)
    ledger.settle("k", None)
    assert ledger.violations == []
    ledger.settle("k", OLD)
    assert len(ledger.violations) == 1


def test_an_unknown_write_may_have_happened_or_not(ledger: Ledger) -> None:
    """Both the acknowledged value and the one whose answer got lost are right; older ones are not."""
    _done(ledger, OLD)
    _done(ledger, NEW)
    _done(ledger, OTHER, Outcome.UNKNOWN)
    for right in (NEW, OTHER):
        ledger.check_read("k", right, ledger.now())
    assert ledger.violations == []
    ledger.check_read("k", OLD, ledger.now())
    assert len(ledger.violations) == 1


def test_an_unknown_write_does_not_come_after_a_recovery(ledger: Ledger) -> None:
    """What was found after a recovery is what is there: an unknown write that was not seen then never comes."""
    _done(ledger, OLD)
    _done(ledger, NEW, Outcome.UNKNOWN)
    ledger.seal()
    ledger.settle("k", OLD)
    ledger.settle("k", NEW)
    assert len(ledger.violations) == 1


def test_writes_beside_each_other_may_come_in_either_order(ledger: Ledger) -> None:
    """Of two acknowledged writes that ran at one time either may be the last; one that was over before both may not."""
    _done(ledger, OTHER)
    first, second = _begun(ledger, OLD), _begun(ledger, NEW)
    ledger.end(first, Outcome.OK)
    ledger.end(second, Outcome.OK)
    for right in (OLD, NEW):
        ledger.check_read("k", right, ledger.now())
    assert ledger.violations == []
    ledger.check_read("k", OTHER, ledger.now())
    assert len(ledger.violations) == 1


def test_a_read_beside_a_write_may_see_it_or_not(ledger: Ledger) -> None:
    """A read that began before a write was acknowledged may find the value before; one that began later may not."""
    _done(ledger, OLD)
    writing = _begun(ledger, NEW)
    since = ledger.now()
    ledger.end(writing, Outcome.OK)
    ledger.check_read("k", OLD, since)
    ledger.check_read("k", NEW, since)
    assert ledger.violations == []
    ledger.check_read("k", OLD, ledger.now())
    assert len(ledger.violations) == 1


def test_a_refused_write_did_not_happen(ledger: Ledger) -> None:
    """The value of a write that was answered with an error is nowhere to be found."""
    _done(ledger, OLD)
    _done(ledger, NEW, Outcome.FAIL)
    ledger.check_read("k", NEW, ledger.now())
    assert len(ledger.violations) == 1


def test_a_value_is_its_bytes_its_length_and_its_tag(ledger: Ledger) -> None:
    """A body cut short, mixed of two, or with another's entity tag is not the value that was written."""
    whole = content_of("whole", 3 * PATTERN_BYTES)
    mixed = whole[:PATTERN_BYTES] + content_of("mixed", 3 * PATTERN_BYTES)[PATTERN_BYTES:]
    _done(ledger, Value.of(whole))
    for wrong in (Value.of(whole[:-1]), Value.of(mixed), Value.of(whole, OLD.etag)):
        ledger.check_read("k", wrong, ledger.now())
    assert len(ledger.violations) == 3


def test_contents_differ_from_block_to_block() -> None:
    """Two blocks of a content that change places make another content."""
    block = 64 << 10
    content = content_of("blocks", 4 * block)
    blocks = {content[at : at + block] for at in range(0, len(content), block)}
    assert len(blocks) == 4
    assert content == content_of("blocks", 4 * block)
