"""The metadata copy: whatever was answered is in it, and nothing else comes out of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, example, given, settings

from lightningstor_server.stores.errors import CopyRefused, Corrupted, StoreError, Unavailable
from lightningstor_server.stores.metadata import wal
from lightningstor_server.stores.metadata.shipping import generations, keeper, shipper, starting
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder
from lightningstor_server.stores.metadata.shipping.keeper import Keeper
from lightningstor_server.stores.metadata.shipping.restoring import RestoredCopy, restore_copy
from lightningstor_server.stores.metadata.sql import SqlMetadata
from lightningstor_server.stores.metadata.sqlite import open_sqlite, prepare_sqlite
from strategies import damages

PROCESS_SECONDS = 120.0
COMMITS = 150
Sample = tuple[Path, list[dict[str, str]]]
WRITE = """
import asyncio, sys
from pathlib import Path
from lightningstor_server.stores.metadata.shipping import shipper
from lightningstor_server.stores.metadata.sqlite import open_sqlite

shipper.CHECKPOINT_FRAMES = 40

async def main(path, copy, name, commits):
    metadata = await open_sqlite(Path(path), Path(copy))
    sys.stdin.readline()
    for number in range(commits):
        await metadata.commit(lambda tx: tx.configuration.set(f"{name}{number}", "x" * 3000))
    await metadata.close()

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "metadata.db"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Where its copy is."""
    return tmp_path / "copy"


@pytest.fixture
async def metadata(path: Path, copy: Path) -> AsyncIterator[SqlMetadata]:
    """A store that ships."""
    prepare_sqlite(path, copy)
    metadata = await open_sqlite(path, copy)
    yield metadata
    await metadata.close()


async def put(metadata: SqlMetadata, name: str, value: str = "v") -> None:
    """One commit."""
    await metadata.commit(lambda tx: tx.configuration.set(name, value))


def state(database: Path) -> dict[str, str]:
    """What a database holds."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT name, value FROM configuration").fetchall())


def restored(copy: Path, *, previous: bool = False, accept_damage: bool = False) -> dict[str, str]:
    """What a copy gives back."""
    return restored_with_report(copy, previous=previous, accept_damage=accept_damage)[0]


def restored_with_report(copy: Path, *, previous: bool = False, accept_damage: bool = False) -> tuple[dict[str, str], RestoredCopy]:
    """The same, and what is said of it."""
    target = copy.with_name(f"restored-{os.urandom(4).hex()}.db")
    try:
        report = restore_copy(CopyFolder(copy), target, previous=previous, accept_damage=accept_damage)
        return state(target), report
    finally:
        for left in target.parent.glob(target.name + "*"):
            left.unlink()


def generation(copy: Path) -> str:
    """The generation that the copy is of."""
    manifest = CopyFolder(copy).manifest()
    assert manifest is not None
    return manifest.generation


def beginnings(database: Path) -> int:
    """Counts how often the write-ahead log began anew."""
    return wal.decode_header(database.with_name(database.name + "-wal").read_bytes()[: wal.HEADER_BYTES]).salts[0]


def logs(copy: Path) -> list[Path]:
    """The logs of a copy."""
    return sorted(copy.glob("log-*"))


def bytes_of(files: list[Path]) -> int:
    """How long they are together."""
    return sum(file.stat().st_size for file in files)


def take_away(copy: Path) -> None:
    """Let the folder be gone."""
    copy.rename(copy.with_name("away"))


def bring_back(copy: Path) -> None:
    """Let it be there again."""
    copy.with_name("away").rename(copy)


# -- shipping


async def test_every_commit_that_was_answered_is_in_the_copy(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """At once, while the store runs on; it says how much it replayed."""
    for number in range(20):
        await put(metadata, f"s{number}", "x" * number * 1000)
        if number % 5 == 0:
            assert restored(copy) == state(path)
    found, report = restored_with_report(copy)
    assert found == state(path)
    assert report.records == 20
    assert report.dropped_bytes == 0
    assert report.last_micros is not None


async def test_a_log_that_begins_anew_is_followed(metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints come behind the shipping: no frame is overwritten that the copy lacks."""
    monkeypatch.setattr(shipper, "CHECKPOINT_FRAMES", 10)
    before, begun = generation(copy), beginnings(path)
    for number in range(60):
        await put(metadata, f"s{number}", "x" * 30_000)
    assert beginnings(path) - begun > 5
    assert restored(copy) == state(path)
    assert generation(copy) == before


async def test_a_commit_longer_than_a_record_is_several(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts once all of them are there."""
    monkeypatch.setattr(shipper, "RUN_BYTES", 64 << 10)
    await put(metadata, "long", "x" * 500_000)
    assert restored(copy) == state(path)
    log = logs(copy)[0]
    before = state(path) | {"long": "x" * 500_000}
    await put(metadata, "longer", "y" * 500_000)
    whole = bytes_of([log])
    os.truncate(log, whole - (40 << 10))
    assert restored(copy) == before


async def test_many_at_once(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """A batch is shipped as one."""
    await asyncio.gather(*(put(metadata, f"s{number}") for number in range(300)))
    assert restored(copy) == state(path)


def test_processes_ship_in_turns(path: Path, copy: Path) -> None:
    """Each goes on where the other left, also over new beginnings of the log, and the copy has the commits of both."""
    prepare_sqlite(path, copy)
    before = generation(copy)
    line = [sys.executable, "-c", WRITE, str(path), str(copy)]
    processes = [
        subprocess.Popen([*line, name, str(COMMITS)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("left", "right")
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    try:
        for process in processes:
            assert process.communicate(timeout=PROCESS_SECONDS)[1] == ""
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=PROCESS_SECONDS)
    found = restored(copy)
    assert found == state(path)
    assert sum(name.startswith(("left", "right")) for name in found) == 2 * COMMITS
    prepare_sqlite(path, copy)
    assert generation(copy) == before


def test_a_killed_writer_loses_nothing_that_it_answered(path: Path, copy: Path) -> None:
    """Killed at any moment, again and again: the start goes on with the same generation and ships what is missing."""
    prepare_sqlite(path, copy)
    for turn in range(4):
        line = [sys.executable, "-c", WRITE, str(path), str(copy), f"t{turn}-", "100000"]
        process = subprocess.Popen(line, stdin=subprocess.PIPE, text=True)
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0 + 0.13 * turn)
        process.kill()
        process.communicate(timeout=PROCESS_SECONDS)
        prepare_sqlite(path, copy)
        assert restored(copy) == state(path)


# -- what a start does


async def test_what_was_committed_and_not_shipped_is_shipped_by_the_next_start(
    path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between COMMIT and the copy leaves the frames in the log, which no close and no checkpoint takes away."""
    prepare_sqlite(path, copy)
    before = generation(copy)
    metadata = await open_sqlite(path, copy)
    await put(metadata, "shipped")
    with monkeypatch.context() as patches:
        patches.setattr(shipper.Delivery, "committed", lambda _self, _frames: False)
        await put(metadata, "not shipped")
        assert "not shipped" not in restored(copy)
    await metadata.close()
    prepare_sqlite(path, copy)
    assert "not shipped" in restored(copy)
    assert restored(copy) == state(path)
    assert generation(copy) == before


async def test_a_start_that_ships_to_nobody_breaks_the_chain(path: Path, copy: Path) -> None:
    """What was written without the copy is in it after the next start with it, by a new base; the one before stays a while."""
    prepare_sqlite(path, copy)
    first = generation(copy)
    before = state(path)
    prepare_sqlite(path)
    metadata = await open_sqlite(path)
    await put(metadata, "beside")
    await metadata.close()
    prepare_sqlite(path, copy)
    assert generation(copy) != first
    assert restored(copy) == state(path)
    assert restored(copy)["beside"] == "v"
    assert restored(copy, previous=True) == before


async def test_a_copy_that_is_ahead_of_the_store_is_refused(metadata: SqlMetadata, path: Path, copy: Path, tmp_path: Path) -> None:
    """A store that was put back to an earlier day must not overwrite what came later."""
    await put(metadata, "early")
    (tmp_path / "older").mkdir()
    for name in ("metadata.db", "metadata.db-wal"):
        shutil.copy(path.with_name(name), tmp_path / "older")
    await put(metadata, "late")
    with pytest.raises(CopyRefused, match="restore"):
        prepare_sqlite(tmp_path / "older" / "metadata.db", copy)
    assert restored(copy)["late"] == "v"


def test_the_copy_of_another_store_is_refused(path: Path, copy: Path, tmp_path: Path) -> None:
    """And left as it is; so is a copy whose store is gone."""
    prepare_sqlite(path, copy)
    files = {file: file.read_bytes() for file in copy.iterdir()}
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "metadata.db"
    with pytest.raises(CopyRefused, match="restore"):
        prepare_sqlite(other, copy)
    assert not other.exists()
    prepare_sqlite(other, tmp_path / "other-copy")
    with pytest.raises(CopyRefused, match="another store"):
        prepare_sqlite(other, copy)
    assert {file: file.read_bytes() for file in copy.iterdir()} == files


def test_a_copy_in_the_data_folder_is_refused(path: Path) -> None:
    """It would be lost with the data; by whatever name the folder is called."""
    (path.parent.parent / "link").symlink_to(path.parent)
    for folder in (path.parent, path.parent / "copy", path.parent.parent / "link" / "copy"):
        with pytest.raises(CopyRefused, match="data folder"):
            prepare_sqlite(path, folder)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_refused(path: Path, copy: Path) -> None:
    """Before anything is served."""
    copy.write_text("a file")
    with pytest.raises(CopyRefused):
        prepare_sqlite(path, copy)


# -- a copy that fails


async def test_commits_go_on_while_the_copy_is_away_and_are_in_it_when_it_is_back(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """The caller's commit stands; the write-ahead log is held until the copy has it, so that nothing needs a new base."""
    before = generation(copy)
    take_away(copy)
    for number in range(10):
        await put(metadata, f"s{number}")
    bring_back(copy)
    assert "s0" not in restored(copy)
    await put(metadata, "after")
    assert restored(copy) == state(path)
    assert generation(copy) == before


async def test_an_outage_too_long_ends_in_a_new_base(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write-ahead log is let go at its bound; the copy is never continued over the gap."""
    before = generation(copy)
    monkeypatch.setattr(shipper, "HELD_LOG_BYTES", 200_000)
    keeps = Keeper(path, copy)
    take_away(copy)
    keeps._try()
    assert keeps.behind
    for number in range(60):
        await put(metadata, f"s{number}", "x" * 20_000)
    bring_back(copy)
    await put(metadata, "after")
    assert "after" not in restored(copy)
    keeps.keep()
    assert not keeps.behind
    await put(metadata, "last")
    assert restored(copy) == state(path)
    assert generation(copy) != before


async def test_the_first_new_beginning_in_an_outage_ends_the_chain(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One new beginning is what writers that ship leave as well; that this one left frames behind is marked."""
    monkeypatch.setattr(shipper, "HELD_LOG_BYTES", 200_000)
    await put(metadata, "before")
    before, begun = state(path), beginnings(path)
    take_away(copy)
    for number in range(100):
        await put(metadata, f"s{number}", "x" * 20_000)
        if beginnings(path) > begun:
            break
    assert beginnings(path) == begun + 1
    bring_back(copy)
    await put(metadata, "after")
    assert restored(copy) == before
    Keeper(path, copy).keep()
    assert restored(copy) == state(path)


async def test_a_sync_that_fails_is_never_taken_for_one_that_did_not(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was to make durable is cut off, and written anew by the next commit."""
    await put(metadata, "before")
    log = logs(copy)[0]
    length = bytes_of([log])
    failed = []

    def fdatasync(descriptor: int) -> None:
        failed.append(descriptor)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patches:
        patches.setattr(os, "fdatasync", fdatasync)
        await put(metadata, "during")
    assert len(failed) == 1
    assert bytes_of([log]) == length
    await put(metadata, "after")
    assert restored(copy) == state(path)
    assert restored(copy)["during"] == "v"


async def test_a_lost_manifest_ends_in_a_new_base(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """The copy is made anew from the living store, while it is written to."""
    await put(metadata, "before")
    (copy / "manifest.json").unlink()
    await put(metadata, "during")
    Keeper(path, copy).keep()
    await put(metadata, "after")
    assert restored(copy) == state(path)


# -- new bases and folding


async def test_logs_are_folded_while_others_write(metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a copy is taken, it has what was answered before; its logs stay short."""
    monkeypatch.setattr(shipper, "CHECKPOINT_FRAMES", 30)
    keeps = Keeper(path, copy, log_max_bytes=200_000)
    before = generation(copy)
    stop = asyncio.Event()

    async def fold() -> int:
        turns = 0
        while not stop.is_set():
            await asyncio.to_thread(keeps.keep)
            turns += 1
        return turns

    folding = asyncio.create_task(fold())
    for number in range(150):
        await put(metadata, f"s{number % 40}", str(number) * 3000)
    stop.set()
    assert await folding > 1
    keeps.keep()
    assert restored(copy) == state(path)
    assert generation(copy) == before
    assert bytes_of(logs(copy)) < 400_000
    assert len(logs(copy)) == 1


@pytest.mark.parametrize("step", ["pwrite", "publish", "prune"])
async def test_a_fold_that_is_cut_off_is_done_again(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it stops, the copy is whole: what is in the base already is in the log, too."""
    for number in range(30):
        await put(metadata, f"s{number}", "x" * 20_000)
    keeps = Keeper(path, copy, log_max_bytes=100_000)
    _cut_off(monkeypatch, step)
    with pytest.raises(OSError, match="cut off"):
        keeps.keep()
    monkeypatch.undo()
    assert restored(copy) == state(path)
    await put(metadata, "after")
    assert restored(copy) == state(path)
    keeps.keep()
    assert restored(copy) == state(path)
    assert len(logs(copy)) == 1


def _cut_off(patches: pytest.MonkeyPatch, step: str) -> None:
    calls = []
    pwrite, publish = os.pwrite, CopyFolder.publish

    def cut(*_: object, **__: object) -> None:
        raise OSError("cut off")

    def pwrite_some(descriptor: int, content: bytes, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 5:
            pwrite(descriptor, content[: len(content) // 2], offset)
            cut()
        return pwrite(descriptor, content, offset)

    def publish_first(folder: CopyFolder, *arguments: object, **named: object) -> None:
        calls.append(0)
        if len(calls) == 2:  # the first seals the log, the second drops it
            cut()
        publish(folder, *arguments, **named)  # type: ignore[arg-type]

    if step == "pwrite":
        patches.setattr(generations.os, "pwrite", pwrite_some)
    elif step == "publish":
        patches.setattr(CopyFolder, "publish", publish_first)
    else:
        patches.setattr(CopyFolder, "prune", cut)


async def test_a_base_is_made_while_others_write(metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed meanwhile is in the log behind it."""
    monkeypatch.setattr(shipper, "CHECKPOINT_FRAMES", 30)
    for number in range(40):
        await put(metadata, f"s{number}", "x" * 20_000)
    writing = asyncio.create_task(_write_on(metadata))
    for _ in range(5):
        (copy / "manifest.json").unlink()
        await asyncio.to_thread(Keeper(path, copy).keep)
    writing.cancel()
    await asyncio.wait([writing])
    await put(metadata, "last")
    assert restored(copy) == state(path)


async def _write_on(metadata: SqlMetadata) -> None:
    number = 0
    while True:
        await put(metadata, f"w{number % 20}", f"{number}" * 2000)
        number += 1


async def test_a_database_that_shrinks_is_restored_as_small(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """Pages that are gone do not come back, from the base or from the log."""
    keeps = Keeper(path, copy, log_max_bytes=1)
    await put(metadata, "big", "x" * 2_000_000)
    keeps.keep()
    await put(metadata, "big", "small")
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as outside:
        outside.wal_autocheckpoint(0)
        outside.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        outside.execute("VACUUM")
    await put(metadata, "after")
    found, report = restored_with_report(copy)
    assert found == state(path)
    assert report.database_bytes < 1_000_000
    keeps.keep()
    assert restored_with_report(copy)[1].database_bytes == report.database_bytes
    await put(metadata, "big", "y" * 3_000_000)
    keeps.keep()
    assert restored(copy) == state(path)


async def test_who_restores_keeps_the_folder(metadata: SqlMetadata, path: Path, copy: Path) -> None:
    """Nothing is folded under its hands; commits go on."""
    with CopyFolder(copy).locked():
        with pytest.raises(Unavailable):
            Keeper(path, copy).keep()
        await put(metadata, "meanwhile")
    assert restored(copy) == state(path)


async def test_a_copy_on_a_medium_that_only_reads_is_restored(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can write there, so nobody is to be kept out."""
    await put(metadata, "before")
    opened = os.open

    def refusing(file: Path, flags: int, *arguments: int) -> int:
        if flags & os.O_RDWR and copy in Path(file).parents:
            raise OSError(30, "Read-only file system")
        return opened(file, flags, *arguments)

    with monkeypatch.context() as patches:
        patches.setattr(os, "open", refusing)
        with CopyFolder(copy).locked():
            assert restored(copy) == state(path)


async def test_the_keeper_runs_until_it_is_told_to_stop(
    metadata: SqlMetadata, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks again and again, and mends a copy on its own."""
    monkeypatch.setattr(keeper, "KEEP_INTERVAL_SECONDS", 0.01)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    begin = generations.begin

    def telling(*arguments: object) -> object:
        manifest = begin(*arguments)  # type: ignore[arg-type]
        loop.call_soon_threadsafe(begun.set)
        return manifest

    monkeypatch.setattr(keeper, "begin", telling)
    stop = asyncio.Event()
    running = asyncio.create_task(Keeper(path, copy).run(stop))
    (copy / "manifest.json").unlink()
    await asyncio.wait_for(begun.wait(), PROCESS_SECONDS)
    stop.set()
    await running
    await put(metadata, "after")
    assert restored(copy) == state(path)


# -- damage


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A copy with a base and a log of commits, and what the store held after each of them."""
    root = tmp_path_factory.mktemp("sample")
    (root / "data").mkdir()
    path, copy = root / "data" / "metadata.db", root / "copy"
    prepare_sqlite(path, copy)
    states = [state(path)]

    async def fill() -> None:
        metadata = await open_sqlite(path, copy)
        for number in range(6):
            await put(metadata, f"s{number % 4}", str(number) * (10 if number % 2 else 9000))
            states.append(state(path))
        await metadata.close()

    asyncio.run(fill())
    return copy, states


def _damaged(sample: Path, target: Path, *, which: int, content: bytes) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(sample, target)
    _files(target)[which].write_bytes(content)
    return target


def _files(copy: Path) -> list[Path]:
    return sorted(path for path in copy.iterdir() if path.name != "LOCK")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages)
@example((0, 0.0, 0))
def test_a_log_cut_anywhere_gives_a_state_that_was(
    sample: tuple[Path, list[dict[str, str]]], tmp_path: Path, damage: tuple[int, float, int]
) -> None:
    """The store as it was after some commit, the last one where nothing is missing; never something between."""
    copy, states = sample
    which = next(index for index, path in enumerate(_files(copy)) if path.name.startswith("log-"))
    whole = _files(copy)[which].read_bytes()
    length = int(damage[1] * (len(whole) + 1))
    cut = _damaged(copy, tmp_path / "cut", which=which, content=whole[:length])
    try:
        found, report = restored_with_report(cut)
    except Corrupted:
        assert length < 200  # its header is gone
        return
    assert found in states
    assert (found == states[-1]) == (length == len(whole))
    assert found == states[report.records]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages)
def test_a_flipped_bit_is_found(sample: Sample, tmp_path: Path, damage: tuple[int, float, int]) -> None:
    """In any file: what is restored is the last state, or it is refused. On demand a damaged log gives an earlier one."""
    copy, states = sample
    which = damage[0] % len(_files(copy))
    content = bytearray(_files(copy)[which].read_bytes())
    content[int(damage[1] * len(content))] ^= 1 << damage[2]
    damaged = _damaged(copy, tmp_path / "flipped", which=which, content=bytes(content))
    try:
        assert restored(damaged) == states[-1]
    except (StoreError, FileNotFoundError):
        try:
            assert restored(damaged, accept_damage=True) in states[:-1]
        except (StoreError, FileNotFoundError):
            return


async def test_a_start_goes_on_with_no_damaged_copy(path: Path, copy: Path) -> None:
    """It begins anew, from the store, which has everything."""
    prepare_sqlite(path, copy)
    metadata = await open_sqlite(path, copy)
    for number in range(5):
        await put(metadata, f"s{number}")
    await metadata.close()
    before = generation(copy)
    log = logs(copy)[0]
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    prepare_sqlite(path, copy)
    assert generation(copy) != before
    assert restored(copy) == state(path)


async def test_a_restored_store_ships_again(metadata: SqlMetadata, copy: Path, tmp_path: Path) -> None:
    """Into the same folder, as the same store."""
    await put(metadata, "before")
    (tmp_path / "new").mkdir()
    target = tmp_path / "new" / "metadata.db"
    restore_copy(CopyFolder(copy), target)
    store = state(target)[starting.STORE_SETTING]
    prepare_sqlite(target, copy)
    assert state(target)[starting.STORE_SETTING] == store
    assert restored(copy) == state(target)
    assert restored(copy)["before"] == "v"
