"""`lightningstor salvage`: bytes without metadata, each of them verified."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lightningstor_server.__main__ import main
from unit.damaged_stores import CHUNKED, PART, TWO_BLOCKS, Store, make

BLOCK_BYTES = 64 << 10


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that nothing is wrong with."""
    return make(tmp_path_factory.mktemp("sound") / "data")


@pytest.fixture
def store(sound: Store, tmp_path: Path) -> Store:
    """A copy of it without its metadata."""
    shutil.copytree(sound.options.data, tmp_path / "data")
    for path in (tmp_path / "data").glob("metadata.*"):
        path.unlink()
    return Store(tmp_path / "data")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where it is saved."""
    return tmp_path / "deep" / "out"


def run(store: Store, out: Path) -> Result:
    """The command."""
    return CliRunner().invoke(main, ["salvage", "--data", str(store.options.data), "--to", str(out)])


def manifest(out: Path) -> list[dict[str, Any]]:
    """The lines of the manifest."""
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def chunk_of(store: Store, content: bytes) -> Path:
    """The file that holds this content."""
    return next(path for path in store.files() if content in path.read_bytes())


def test_the_bytes_are_saved_without_metadata(store: Store, out: Path) -> None:
    """Every chunk under its id, with a line of its length and SHA-256; the store is what it was."""
    before = {path: path.read_bytes() for path in store.files()}
    result = run(store, out)
    assert result.exit_code == 0
    assert f"whole = {len(before)}" in result.stdout
    saved = {path.read_bytes() for path in out.iterdir() if path.name != "manifest.jsonl"}
    assert {CHUNKED, TWO_BLOCKS, PART} <= saved
    for line in manifest(out):
        content = (out / line["id"]).read_bytes()
        assert (line["state"], line["length"], line["sha256"]) == ("whole", len(content), hashlib.sha256(content).hexdigest())
    assert {path: path.read_bytes() for path in store.files()} == before


def test_a_damaged_block_is_zeros_and_named(store: Store, out: Path) -> None:
    """The other blocks are saved; exit code 1."""
    path = chunk_of(store, TWO_BLOCKS)
    content = bytearray(path.read_bytes())
    content[32 + BLOCK_BYTES + 7] ^= 1
    path.write_bytes(content)
    assert run(store, out).exit_code == 1
    (line,) = [line for line in manifest(out) if line["id"] == path.name]
    assert (line["state"], line["bad_blocks"]) == ("partial", [1])
    saved = (out / path.name).read_bytes()
    assert saved == TWO_BLOCKS[:BLOCK_BYTES] + bytes(len(TWO_BLOCKS) - BLOCK_BYTES)


def test_what_cannot_be_verified_is_not_saved(store: Store, out: Path) -> None:
    """A file without its footer is a line of the manifest and no bytes."""
    path = chunk_of(store, TWO_BLOCKS)
    path.write_bytes(path.read_bytes()[:-10])
    assert run(store, out).exit_code == 1
    (line,) = [line for line in manifest(out) if line["id"] == path.name]
    assert line["state"] == "lost"
    assert line["reason"]
    assert not (out / path.name).exists()


def test_bytes_under_another_name_are_saved_and_told(store: Store, out: Path) -> None:
    """Their header says whose they are."""
    path = chunk_of(store, TWO_BLOCKS)
    path.rename(path.with_name("cd" * 16))
    assert run(store, out).exit_code == 0
    (line,) = [line for line in manifest(out) if line["id"] == "cd" * 16]
    assert line["state"] == "misplaced"
    assert path.name in line["reason"]
    assert (out / ("cd" * 16)).read_bytes() == TWO_BLOCKS


@pytest.mark.parametrize("place", ["data/out", "full"])
def test_it_writes_only_into_an_empty_folder_elsewhere(store: Store, tmp_path: Path, place: str) -> None:
    """Exit code 2, and nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    result = run(store, tmp_path / place)
    assert result.exit_code == 2
    assert result.stderr.startswith("lightningstor: ")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


def test_without_chunks_there_is_nothing_to_save(tmp_path: Path, out: Path) -> None:
    """Exit code 2."""
    (tmp_path / "data").mkdir()
    assert run(Store(tmp_path / "data"), out).exit_code == 2
    assert not out.exists()
