"""`check`: verifies a store that no server runs on.

Law: it changes nothing, and one finding never hides the next. Damage is what costs somebody bytes
or makes the store's own rules untrue; what a crash leaves and the next sweep removes is a remark.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Final

from attrs import frozen

from lightningstor_server.auth.vault import Vault, VaultError, open_vault, secret_context
from lightningstor_server.initialisation import KEY_ID_SETTING
from lightningstor_server.options import Options
from lightningstor_server.stores.blobs.examining import ChunkFile, chunk_files, fault_of
from lightningstor_server.stores.errors import StoreError
from lightningstor_server.stores.metadata.sql.auditing import Audit
from lightningstor_server.stores.metadata.sqlite import SqliteConnection
from lightningstor_server.stores.metadata.statements import migrations

INTEGRITY_ERRORS_MAX: Final = 100
"""SQLite stops there (PRAGMA integrity_check)."""

Progress = Callable[[int, int], None]
"""Told of how many bytes of how many are verified."""


@frozen(kw_only=True)
class Finding:
    """One thing that is not as it must be."""

    kind: str
    """A word that a script can look for."""
    subject: str
    text: str
    damage: bool = True
    """False where it is harmless and goes by itself."""

    def line(self) -> str:
        """For the operator."""
        return f"{'damage' if self.damage else 'remark'}: {self.kind}: {self.subject}: {self.text}"


def check(options: Options, environment: Mapping[str, str], *, quick: bool, progress: Progress) -> Iterator[Finding]:
    """Everything that is wrong with a store. `quick` reads no content: rows and lengths alone."""
    try:
        with closing(SqliteConnection(options.metadata_path, keep_log=True)) as connection:
            connection.all("PRAGMA query_only = ON")
            audit = Audit(connection)
            for step in (
                _integrity(connection),
                _references(connection),
                _format(audit),
                _rows(audit, quick=quick),
                _secrets(audit, options, environment),
            ):
                yield from _guarded(step)
            yield from _guarded(_chunks(audit, options, quick=quick, progress=progress))
            yield from _guarded(_files(audit, options))
    except StoreError as error:
        yield Finding(kind="database", subject=str(options.metadata_path), text=str(error))


def _guarded(step: Iterator[Finding]) -> Iterator[Finding]:
    """What a step finds, and that it could not go on: a damaged page stops one step and not the check."""
    try:
        yield from step
    except StoreError as error:
        yield Finding(kind="database", subject="metadata", text=str(error))
    except OSError as error:
        yield Finding(kind="files", subject=str(error.filename), text=str(error.strerror))


def _integrity(connection: SqliteConnection) -> Iterator[Finding]:
    for (text,) in connection.all(f"PRAGMA integrity_check({INTEGRITY_ERRORS_MAX})"):
        if text != "ok":
            yield Finding(kind="integrity", subject="metadata", text=text)


def _references(connection: SqliteConnection) -> Iterator[Finding]:
    for table, row, parent, _ in connection.each("PRAGMA foreign_key_check"):
        where = table if row is None else f"{table} row {row}"
        yield Finding(kind="reference", subject=where, text=f"refers to a row of {parent} that is not there")


def _format(audit: Audit) -> Iterator[Finding]:
    newest = migrations()[-1][0]
    if (found := audit.setting("store_format")) != str(newest):
        yield Finding(kind="format", subject="metadata", text=f"is of format {found}; this version checks format {newest}")


def _rows(audit: Audit, *, quick: bool) -> Iterator[Finding]:
    for misfit in audit.references():
        yield Finding(kind=misfit.kind, subject=misfit.subject, text=misfit.text)
    for misfit in () if quick else audit.documents():
        yield Finding(kind=misfit.kind, subject=misfit.subject, text=misfit.text)
    if waiting := audit.garbage():
        yield Finding(kind="garbage", subject="metadata", text=f"{waiting} chunks wait for the next sweep", damage=False)


def _secrets(audit: Audit, options: Options, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether every sealed secret opens. Nothing that is opened is kept."""
    expected = audit.setting(KEY_ID_SETTING)
    if expected is None:
        return
    try:
        vault = open_vault(options.key_file, options.data, environment, expected=expected)
    except VaultError as error:
        yield Finding(kind="master-key", subject="secrets", text=str(error))
        return
    for id_, secret in audit.secrets():
        if not _opens(vault, secret, secret_context(id_)):
            yield Finding(kind="secret", subject=f"access key {id_}", text="does not open under the master key")


def _opens(vault: Vault, sealed: bytes, context: str) -> bool:
    try:
        vault.open(sealed, context)
    except VaultError:
        return False
    return True


def _chunks(audit: Audit, options: Options, *, quick: bool, progress: Progress) -> Iterator[Finding]:
    """Every chunk that a row names, against its file."""
    _, total = audit.volume()
    done = 0
    for chunk in audit.chunks():
        if (fault := fault_of(options.chunks_path, chunk, quick=quick)) is not None:
            kind = "missing-chunk" if fault == "is not there" else "damaged-chunk"
            yield Finding(kind=kind, subject=f"chunk {chunk.directory}/{chunk.id.hex()}", text=fault)
        done += chunk.length
        progress(done, total)


def _files(audit: Audit, options: Options) -> Iterator[Finding]:
    """Every file, against the rows."""
    for found in chunk_files(options.chunks_path):
        if not isinstance(found, ChunkFile):
            where = os.fspath(found.relative_to(options.chunks_path))
            yield Finding(kind="foreign-file", subject=where, text="is nothing that the store puts there", damage=False)
        elif not audit.knows(found.id, found.directory):
            text = "no row names it: left by a crash, or newer than the metadata; a sweep removes it"
            yield Finding(kind="orphan", subject=f"chunk {found.directory}/{found.id.hex()}", text=text, damage=False)
