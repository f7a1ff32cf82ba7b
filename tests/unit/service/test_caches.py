"""Caches that cannot be stale: what changed is seen by the very next look-up, in every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from lightningstor_server.auth.vault import Vault, secret_context
from lightningstor_server.service.caches import GenerationCache
from lightningstor_server.service.core import Service
from lightningstor_server.service.identity import Identities
from lightningstor_server.service.settings import Settings
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.sqlite import open_memory, open_sqlite, prepare_sqlite
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types import errors
from lightningstor_types.tenants import Project, Role
from unit.service.rig import Rig, make_rig, project

VAULT = Vault(bytes(range(32)))
LIMIT = 4


class Loads:
    """A loader of settings that counts."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, name: str) -> Callable[[Transaction], Awaitable[str | None]]:
        """Loads a setting."""

        async def load(tx: Transaction) -> str | None:
            self.count += 1
            return await tx.configuration.get(name)

        return load


async def change(metadata: Metadata, name: str, value: str, *, bump: bool = True) -> None:
    """Change a setting, and count the generation on in the same transaction."""

    async def work(tx: Transaction) -> None:
        await tx.configuration.set(name, value)
        if bump:
            await tx.configuration.bump()

    await metadata.commit(work)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    """A store in memory."""
    metadata = await open_memory()
    yield metadata
    await metadata.close()


@pytest.fixture
async def entered(metadata: Metadata) -> Project:
    """A project."""
    return await metadata.commit(lambda tx: tx.tenants.put_project(project()))


def make_key(of: Project, id_: str, **changes: Any) -> AccessKey:
    """A key with its sealed secret."""
    secret = VAULT.seal(b"secret of " + id_.encode(), secret_context(id_))
    return attrs.evolve(AccessKey(id=id_, secret=secret, project=of, principal="alice", role=Role.EDITOR, active=True), **changes)


async def put_key(metadata: Metadata, key: AccessKey) -> None:
    """Enter a key as the command line does: the generation counts on."""

    async def work(tx: Transaction) -> None:
        await tx.keys.put(key)
        await tx.configuration.bump()

    await metadata.commit(work)


# -- the cache


async def test_an_entry_is_loaded_once(metadata: Metadata) -> None:
    """As long as the generation stands; also one that is None."""
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)
    loads = Loads()
    await change(metadata, "a", "1")
    for _ in range(3):
        assert await cache.get("a", loads.of("a")) == "1"
        assert await cache.get("b", loads.of("b")) is None
    assert loads.count == 2


async def test_a_change_is_seen_by_the_next_look(metadata: Metadata) -> None:
    """Of every entry, changed or not; a write that is none of the configuration's voids nothing."""
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)
    loads = Loads()
    for number in range(5):
        await change(metadata, "a", str(number))
        assert await cache.get("a", loads.of("a")) == str(number)
        assert loads.count == number + 1
        await change(metadata, "unrelated", str(number), bump=False)
        assert await cache.get("a", loads.of("a")) == str(number)
    assert loads.count == 5


async def test_the_cache_is_bounded(metadata: Metadata) -> None:
    """A client that probes names makes it no larger than its limit."""
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)
    for number in range(10 * LIMIT):
        await cache.get(str(number), Loads().of("x"))
        assert len(cache._entries) <= LIMIT


async def test_a_load_that_fails_is_not_kept(metadata: Metadata) -> None:
    """The next look tries again."""
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)

    async def fail(_: Transaction) -> str | None:
        raise errors.InternalError

    with pytest.raises(errors.InternalError):
        await cache.get("a", fail)
    assert await cache.get("a", Loads().of("a")) is None


async def test_a_generation_that_was_read_already_is_believed(metadata: Metadata) -> None:
    """And an older one never brings an older entry back."""
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)
    loads = Loads()
    before = await metadata.look(lambda tx: tx.configuration.generation())
    await change(metadata, "a", "1")
    assert await cache.get("a", loads.of("a"), generation=before) == "1"
    assert await cache.get("a", loads.of("a"), generation=before + 1) == "1"
    assert loads.count == 1
    await change(metadata, "a", "2")
    assert await cache.get("a", loads.of("a"), generation=before) == "2"
    assert await cache.get("a", loads.of("a"), generation=before + 2) == "2"


async def test_a_slow_load_is_not_kept_for_a_newer_generation() -> None:
    """On an engine whose reads suspend, what an old snapshot gave must not be found under the new generation."""

    @attrs.define
    class Snapshots:
        """Metadata whose snapshots are taken when a read begins, and whose reads suspend."""

        generation: int = 1
        value: str = "old"

        async def read(self, work: Any) -> Any:
            """Run the work on a snapshot of this moment."""
            await asyncio.sleep(0)
            snapshot = Snapshots(self.generation, self.value)

            class Configuration:
                """The snapshot's."""

                async def generation(self) -> int:
                    """As of the snapshot."""
                    return snapshot.generation

                async def get(self, _: str) -> str:
                    """As of the snapshot."""
                    return snapshot.value

            class Tx:
                """A transaction."""

                configuration = Configuration()

            return await work(Tx())

        look = read

    metadata, gate, started = Snapshots(), asyncio.Event(), asyncio.Event()
    cache: GenerationCache[str, str | None] = GenerationCache(metadata, LIMIT)  # type: ignore[arg-type]

    async def slow(tx: Transaction) -> str | None:
        value = await tx.configuration.get("a")
        started.set()
        await gate.wait()
        return value

    first = asyncio.create_task(cache.get("a", slow))
    await started.wait()
    metadata.generation, metadata.value = 2, "new"
    assert await cache.get("other", Loads().of("other")) == "new"
    gate.set()
    await first
    assert await cache.get("a", Loads().of("a")) == "new"


# -- what is cached


async def test_a_key_is_found_with_whom_it_speaks_for(metadata: Metadata, entered: Project) -> None:
    """Its secret opened; and no repr has it."""
    await put_key(metadata, make_key(entered, "A"))
    found = await Identities(metadata, VAULT).find("A")
    assert found is not None
    assert (found.secret, found.caller.principal, found.caller.role) == ("secret of A", "alice", Role.EDITOR)
    assert found.caller.project == entered
    assert "secret of" not in repr(found)


async def test_a_revoked_key_is_dead_on_its_next_look_up(metadata: Metadata, entered: Project) -> None:
    """In every process that has it cached; and alive again when it is put back."""
    processes = [Identities(metadata, VAULT) for _ in range(3)]
    for process in processes:
        assert await process.find("A") is None
    await put_key(metadata, make_key(entered, "A"))
    assert all([await process.find("A") for process in processes])
    await put_key(metadata, make_key(entered, "A", active=False))
    assert not any([await process.find("A") for process in processes])
    await put_key(metadata, make_key(entered, "A"))
    assert all([await process.find("A") for process in processes])


async def test_a_changed_role_and_secret_hold_from_the_next_look_up(metadata: Metadata, entered: Project) -> None:
    """Also for other keys of the same principal."""
    identities = Identities(metadata, VAULT)
    for id_ in ("A", "B"):
        await put_key(metadata, make_key(entered, id_))
        assert await identities.find(id_) is not None
    secret = VAULT.seal(b"new", secret_context("A"))
    await put_key(metadata, make_key(entered, "A", secret=secret, role=Role.VIEWER))
    changed, other = await identities.find("A"), await identities.find("B")
    assert changed is not None
    assert other is not None
    assert (changed.secret, changed.caller.role, other.secret, other.caller.role) == ("new", Role.VIEWER, "secret of B", Role.VIEWER)


async def test_two_connections_see_each_others_changes(tmp_path: Path) -> None:
    """As two processes on one database do."""
    prepare_sqlite(tmp_path / "meta.db")
    here, there = await open_sqlite(tmp_path / "meta.db"), await open_sqlite(tmp_path / "meta.db")
    entered = await here.commit(lambda tx: tx.tenants.put_project(project()))
    identities = Identities(there, VAULT)
    for active in (True, False, True):
        await put_key(here, make_key(entered, "A", active=active))
        assert (await identities.find("A") is not None) == active
    await here.close()
    await there.close()


async def test_a_bucket_that_another_process_made_or_deleted_is_seen() -> None:
    """By the next request, whatever this one had cached."""
    rig = await make_rig()
    other = Rig(Service(metadata=rig.metadata, blobs=rig.blobs, settings=Settings()), rig.metadata, rig.blobs, rig.caller, rig.clock)
    for _ in range(3):
        with pytest.raises(errors.NoSuchBucket):
            await other.call("HeadBucket")
        await rig.call("CreateBucket")
        await other.call("HeadBucket")
        await other.put("k", b"x")
        await rig.call("DeleteObject", key="k")
        await rig.call("DeleteBucket")
    await rig.close()


async def test_labels_that_another_process_changed_are_seen() -> None:
    """And are the base of the next change."""
    rig = await make_rig()
    other = Rig(Service(metadata=rig.metadata, blobs=rig.blobs, settings=Settings()), rig.metadata, rig.blobs, rig.caller, rig.clock)
    await rig.call("CreateBucket")
    assert (await other.call("GetBucket")).generation == 1
    await rig.call("UpdateBucket", labels={"a": "b"}, if_generation=1)
    found = await other.call("GetBucket")
    assert (found.generation, found.labels) == (2, {"a": "b"})
    with pytest.raises(errors.PreconditionFailed):
        await other.call("UpdateBucket", labels={}, if_generation=1)
    await rig.close()


async def test_object_writes_void_nothing(rig: Rig) -> None:
    """Else no cache would ever hold."""
    before = await rig.metadata.look(lambda tx: tx.configuration.generation())
    await rig.put("k", b"x")
    upload = await rig.start("k")
    await rig.complete("k", upload, await rig.part("k", upload, 1, b"y"))
    await rig.call("DeleteObject", key="k")
    await rig.sweep()
    assert await rig.metadata.look(lambda tx: tx.configuration.generation()) == before
