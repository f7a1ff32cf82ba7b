"""`lightningstor check`: a sound store has no finding, and every damage has its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lightningstor_server import startup
from lightningstor_server.__main__ import main
from lightningstor_server.maintenance.checking import Finding, check
from unit.damaged_stores import KEY, Store, make

CONTENT_AT = 32
"""Where the content of a chunk's file begins."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that nothing is wrong with."""
    return make(tmp_path_factory.mktemp("sound") / "data")


@pytest.fixture
def store(sound: Store, tmp_path: Path) -> Store:
    """A copy of it, to be damaged."""
    shutil.copytree(sound.options.data, tmp_path / "data")
    shutil.copy(sound.options.data.with_name("the.key"), tmp_path)
    return Store(tmp_path / "data")


def findings(store: Store, *, quick: bool = False) -> list[Finding]:
    """All findings."""
    return list(check(store.options, {}, quick=quick, progress=lambda _done, _all: None))


def run(store: Store, *arguments: str) -> Result:
    """The command."""
    return CliRunner().invoke(main, ["check", "--data", str(store.options.data), "--key-file", str(store.options.key_file), *arguments])


def test_a_sound_store_has_no_finding(store: Store) -> None:
    """Exit code 0 and nothing on stdout; the files of the store are what they were."""
    before = {path: path.read_bytes() for path in store.options.data.rglob("*") if path.is_file()}
    assert findings(store) == []
    assert findings(store, quick=True) == []
    result = run(store)
    assert (result.exit_code, result.stdout) == (0, "")
    after = {path: path.read_bytes() for path in store.options.data.rglob("*") if path.is_file()}
    assert {path: content for path, content in after.items() if not path.name.endswith(("-wal", "-shm", "LOCK"))} == before


PLANTED_ROWS: dict[str, str] = {
    "version-without-body": "UPDATE versions SET body = 999 WHERE key = CAST('small' AS BLOB)",
    "part-without-body": "UPDATE parts SET body = 999",
    "body-without-owner": "INSERT INTO bodies (id, inline, inline_sum) VALUES (77, x'', 0)",
    "body-of-several": "UPDATE versions SET body = (SELECT max(body) FROM versions) WHERE key = CAST('small' AS BLOB)",
    "version-size": "UPDATE versions SET size = size + 1 WHERE key = CAST('chunked' AS BLOB)",
    "part-size": "UPDATE parts SET size = size + 1",
    "piece-order": "UPDATE pieces SET start = start + 1 WHERE start > 0",
    "piece-range": "UPDATE pieces SET chunk_offset = chunk_offset + 1",
    "piece-without-chunk": "DELETE FROM chunks WHERE id = (SELECT min(id) FROM chunks)",
    "chunk-without-owner": "DELETE FROM pieces WHERE body = (SELECT body FROM versions WHERE key = CAST('blocks' AS BLOB))",
    "chunk-and-garbage": "INSERT INTO garbage SELECT id, directory, 0 FROM chunks LIMIT 1",
    "version-order": "UPDATE versions SET revision = 1000 WHERE key = CAST('small' AS BLOB)",
    "part-of-completed-upload": "UPDATE uploads SET completed = '{}', completed_at = 1",
    "usage": "UPDATE usage SET bytes = bytes + 1 WHERE scope LIKE 'b%'",
    "inline-body": "UPDATE bodies SET inline = CAST('inlinf' AS BLOB) WHERE inline = CAST('inline' AS BLOB)",
    "unreadable-version": "UPDATE versions SET meta = '{' WHERE key = CAST('small' AS BLOB)",
    "unreadable-setting": "INSERT INTO settings SELECT id, 'versioning', '[]' FROM buckets",
    "unreadable-upload": "UPDATE uploads SET meta = 'x'",
    "unreadable-body-parts": "UPDATE bodies SET part_sizes = '{}' WHERE part_sizes IS NOT NULL",
    "secret": "UPDATE access_keys SET secret = x'00'",
    "master-key": "UPDATE configuration SET value = '00000000' WHERE name = 'master_key_id'",
    "format": "UPDATE configuration SET value = '1' WHERE name = 'store_format'",
    "reference": "DELETE FROM organisations",
}


@pytest.mark.parametrize("kind", PLANTED_ROWS)
def test_rows_that_do_not_fit_are_found(store: Store, kind: str) -> None:
    """Each kind under its own name; the command ends with exit code 1 and says it in a line and as JSON."""
    store.sql(PLANTED_ROWS[kind])
    found = findings(store)
    assert kind in {finding.kind for finding in found if finding.damage}
    result = run(store)
    assert result.exit_code == 1
    assert f"damage: {kind}: " in result.stdout
    documents = [json.loads(line) for line in run(store, "--json").stdout.splitlines()]
    assert [Finding(**document) for document in documents] == found


def _flip(at: int) -> Callable[[Store], None]:
    def plant(store: Store) -> None:
        path = _of_length(store, 96_000)
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)

    return plant


def _of_length(store: Store, length: int) -> Path:
    ((id_, directory),) = store.sql("SELECT id, directory FROM chunks WHERE length = ?", (length,))
    return store.chunks / directory / id_.hex()


def _remove(store: Store) -> None:
    _of_length(store, 96_000).unlink()


def _cut(store: Store) -> None:
    path = _of_length(store, 96_000)
    path.write_bytes(path.read_bytes()[:-1])


def _exchange(store: Store) -> None:
    one, other = _of_length(store, 96_000), store.chunks / "x"
    one.rename(other)
    shutil.copy(_of_length(store, 256_000), one)
    other.unlink()


PLANTED_FILES: dict[str, tuple[str, str, Callable[[Store], None]]] = {
    "it is gone": ("missing-chunk", "is not there", _remove),
    "it is cut short": ("damaged-chunk", "bytes, and must have", _cut),
    "it is another one": ("damaged-chunk", "bytes, and must have", _exchange),
    "a bit of its header": ("damaged-chunk", "header", _flip(20)),
    "a bit of its first block": ("damaged-chunk", "block 0", _flip(CONTENT_AT + 5)),
    "a bit of its last block": ("damaged-chunk", "block 1", _flip(CONTENT_AT + 95_999)),
    "a bit of its footer": ("damaged-chunk", "footer", _flip(-3)),
}


@pytest.mark.parametrize("case", PLANTED_FILES)
def test_a_chunk_whose_file_is_damaged_is_found(store: Store, case: str) -> None:
    """By its name, with what is wrong, and nothing else is found."""
    kind, text, plant = PLANTED_FILES[case]
    subject = f"chunk {_of_length(store, 96_000).relative_to(store.chunks)}"
    plant(store)
    (found,) = findings(store)
    assert (found.kind, found.subject, found.damage) == (kind, subject, True)
    assert text in found.text


@pytest.mark.parametrize(("case", "seen"), [("it is gone", True), ("it is cut short", True), ("a bit of its first block", False)])
def test_a_quick_check_reads_no_content(store: Store, case: str, *, seen: bool) -> None:
    """It sees that files are there and of their length."""
    PLANTED_FILES[case][2](store)
    assert bool(findings(store, quick=True)) is seen


def test_what_a_crash_leaves_is_a_remark(store: Store) -> None:
    """Orphans, garbage and files of others are told, and are no damage: exit code 0."""
    file = store.files()[0]
    shutil.copy(file, file.with_name("ab" * 16))
    (file.parent / "notes.txt").write_text("x")
    store.sql("INSERT INTO garbage VALUES (x'00', 'gone', 0)")
    found = findings(store)
    assert {finding.kind for finding in found} == {"orphan", "foreign-file", "garbage"}
    assert not any(finding.damage for finding in found)
    result = run(store)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3


def test_a_damaged_page_hides_no_other_finding(store: Store) -> None:
    """What SQLite says of its own file is told, and the check goes on with what can be read."""
    (page_bytes,) = store.sql("PRAGMA page_size")[0]
    (root,) = store.sql("SELECT rootpage FROM sqlite_schema WHERE name = 'access_keys'")[0]
    with store.options.metadata_path.open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xff" * 64)
    _remove(store)
    kinds = {finding.kind for finding in findings(store)}
    assert kinds & {"integrity", "database"}
    assert "missing-chunk" in kinds


def test_a_database_that_is_none_is_a_finding(store: Store) -> None:
    """And no traceback."""
    store.options.metadata_path.write_bytes(b"no database" * 1000)
    assert {finding.kind for finding in findings(store)} == {"database"}
    assert run(store).exit_code == 1


def test_a_lost_key_is_a_finding_and_makes_no_new_one(store: Store) -> None:
    """The check goes on without it."""
    assert store.options.key_file is not None
    store.options.key_file.unlink()
    (found,) = findings(store)
    assert found.kind == "master-key"
    assert not store.options.key_file.exists()


def test_no_finding_tells_a_secret(store: Store) -> None:
    """Nor the master key."""
    store.sql("UPDATE access_keys SET secret = x'0102030405'")
    text = "".join(map(str, findings(store)))
    assert KEY.hex() not in text
    assert "0102030405" not in text


def test_nothing_is_checked_beside_a_server(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where no store is: exit code 2 and one line."""
    monkeypatch.setattr(startup, "LOCK_WAIT_SECONDS", 0.0)
    with startup.locked(store.options.data, create=False):
        result = run(store)
    assert result.exit_code == 2
    assert "another server" in result.stderr
    store.options.metadata_path.unlink()
    result = run(store)
    assert result.exit_code == 2
    assert "no store" in result.stderr
    assert not store.options.metadata_path.exists()
