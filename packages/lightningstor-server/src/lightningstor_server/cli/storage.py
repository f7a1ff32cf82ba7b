"""The commands on a store that no server runs on.

Law: as the group's. Each holds the store's lock while it works. Long work shows a progress bar on a
terminal, on stderr, so that what is printed can be piped.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final, Self

import attrs
import click

from lightningstor_server.cli.parameters import FILE, FOLDER, telling
from lightningstor_server.failures import StartError
from lightningstor_server.options import Options

EXIT_FINDINGS: Final = 1
"""`check` found damage; `salvage` left something behind."""
_OFFLINE: Final = "The data folder of a server that does not run."
_KEY_HELP: Final = "As for serve. Nothing is opened with it."
_COPY_HELP: Final = "As for serve; without it the copy of a store that has one begins anew at the next start."
_SWEEP_EPILOG: Final = """\b
Example:
  lightningstor sweep --data /var/lib/lightningstor --grace 3600"""
_CHECK_EPILOG: Final = """\b
Examples:
  lightningstor check --data /var/lib/lightningstor
  lightningstor check --data /var/lib/lightningstor --json | jq -r .subject"""
_RESTORE_EPILOG: Final = """\b
Example:
  lightningstor restore --from /mnt/other/copy --data /var/lib/lightningstor
  lightningstor check --data /var/lib/lightningstor"""
_SALVAGE_EPILOG: Final = """\b
Example:
  lightningstor salvage --data /var/lib/lightningstor --to /mnt/other/saved
  jq -r 'select(.state != "whole")' /mnt/other/saved/manifest.jsonl"""
_GRACE: Final = click.FloatRange(min=0)


@click.command(epilog=_SWEEP_EPILOG)
@click.option("--data", type=FOLDER, required=True, help=_OFFLINE)
@click.option("--key-file", type=FILE, help=_KEY_HELP)
@click.option("--metadata-copy", type=FOLDER, help=_COPY_HELP)
@click.option("--grace", type=_GRACE, default=0.0, show_default=True, metavar="SECONDS", help="Leave what is younger.")
def sweep(data: Path, key_file: Path | None, metadata_copy: Path | None, grace: float) -> None:
    """Remove what nothing refers to any more, while the server is stopped.

    A running server does so by itself, once it is an hour old.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - `--help` and a wrong option are answered without it
        from lightningstor_server.stores.blobs.examining import chunk_files  # noqa: PLC0415

        options = Options(data=data, key_file=key_file, metadata_copy=metadata_copy)
        files = sum(1 for _ in chunk_files(options.chunks_path)) if sys.stderr.isatty() else 0
        with _Bar("sweeping", files) as bar:
            counts = startup.sweep(options, grace, bar.advance)
    for name, count in counts.items():
        click.echo(f"{name} = {count}")


@click.command(epilog=_CHECK_EPILOG)
@click.option("--data", type=FOLDER, required=True, help=_OFFLINE)
@click.option("--key-file", type=FILE, help="As for serve: every stored secret is tried with it.")
@click.option("--quick", is_flag=True, help="Read no content: compare rows with one another and with the lengths of the files.")
@click.option("--json", "as_json", is_flag=True, help="Print each finding as a line of JSON.")
def check(data: Path, key_file: Path | None, *, quick: bool, as_json: bool) -> None:
    """Verify a whole store, while the server is stopped; nothing is changed.

    Every row, every reference, every count, every secret and every byte is read and compared. One finding is one line. Damage is
    what costs somebody something; a remark is what a crash leaves, and the next sweep removes it. Exit code 1 tells of damage.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - as above
        from lightningstor_server.maintenance import checking  # noqa: PLC0415

        options = Options(data=data, key_file=key_file)
        if not options.metadata_path.exists():
            raise StartError(f"there is no store in {data}: `restore` brings back its metadata, `salvage` its bytes")
        damages = remarks = 0
        with startup.locked(data, create=False), _Bar("checking") as bar:
            for finding in checking.check(options, os.environ, quick=quick, progress=bar.reach):
                damages, remarks = damages + finding.damage, remarks + (not finding.damage)
                click.echo(json.dumps(attrs.asdict(finding)) if as_json else finding.line())
    click.echo(f"{damages} damaged, {remarks} remarks", err=True)
    sys.exit(EXIT_FINDINGS if damages else 0)


@click.command(epilog=_RESTORE_EPILOG)
@click.option("--from", "copy", type=FOLDER, required=True, help="What serve was given as --metadata-copy.")
@click.option("--data", type=FOLDER, required=True, help="The data folder, whose chunks are there and whose metadata are lost.")
@click.option("--force", is_flag=True, help="Move metadata that are there aside.")
@click.option("--previous", is_flag=True, help="Take the copy as it was before its last new base.")
@click.option("--accept-damage", is_flag=True, help="Take the last commit before a damaged record; those behind it are lost.")
def restore(copy: Path, data: Path, *, force: bool, previous: bool, accept_damage: bool) -> None:
    """Make a store's metadata anew from their copy, as of its last commit.

    Nothing is overwritten. The secrets in it are sealed under the store's master key, which is needed as before. `check` tells
    whether the chunks are all there.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - as above
        from lightningstor_server.maintenance import restoring  # noqa: PLC0415

        options = Options(data=data)
        with startup.locked(data, create=True), _Bar("restoring") as bar:
            report = restoring.restore(copy, options, force=force, previous=previous, accept_damage=accept_damage, progress=bar.reach)
    for name, value in {"store": report.store, "last_commit": report.last_commit or "none since the base", **report.counts}.items():
        click.echo(f"{name} = {value}")
    if report.dropped_bytes:
        click.echo(f"{report.dropped_bytes} bytes at the copy's end are of a commit that was cut off, and nobody was answered", err=True)
    for path in report.moved:
        click.echo(f"moved aside: {path}", err=True)


@click.command(epilog=_SALVAGE_EPILOG)
@click.option("--data", type=FOLDER, required=True, help="The data folder; its metadata are not needed.")
@click.option("--to", "out", type=FOLDER, required=True, help="An empty folder, made if missing.")
def salvage(data: Path, out: Path) -> None:
    """Save the bytes of a store whose metadata are lost for good.

    It promises bytes and no names: every chunk that matches its checksums is written under its id, beside manifest.jsonl, which
    has a line for each: id, length, sha256, state, and when it was written. An object of more than 8 MiB is several chunks, one
    of 16 KiB or less was in the metadata. Exit code 1 tells that something could not be verified.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - as above
        from lightningstor_server.maintenance import salvaging  # noqa: PLC0415

        root = Options(data=data).chunks_path
        # a medium that only reads has no writers, and is what one salvages from
        holding = startup.locked(data, create=False) if os.access(data, os.W_OK) else contextlib.nullcontext()
        counts = dict.fromkeys((salvaging.WHOLE, salvaging.PARTIAL, salvaging.MISPLACED, salvaging.LOST), 0)
        with holding, _Bar("salvaging", salvaging.volume(root)) as bar:
            for salvaged in salvaging.salvage(root, out, bar.advance):
                counts[salvaged.state] += 1
    for state, count in counts.items():
        click.echo(f"{state} = {count}")
    sys.exit(EXIT_FINDINGS if counts[salvaging.PARTIAL] or counts[salvaging.LOST] else 0)


class _Bar:
    """A progress bar on a terminal, and nothing elsewhere."""

    def __init__(self, label: str, total: int = 0) -> None:
        self._label, self._done = label, 0
        self._bar: Any = None
        self._total = total
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def reach(self, done: int, total: int) -> None:
        """So much of so much is done."""
        self._total = total
        self.advance(done - self._done)

    def advance(self, amount: int) -> None:
        """So much more is done."""
        self._done += amount
        if self._bar is None and sys.stderr.isatty():
            self._bar = self._stack.enter_context(click.progressbar(length=self._total, label=self._label, file=sys.stderr))
        if self._bar is not None:
            self._bar.update(amount)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
