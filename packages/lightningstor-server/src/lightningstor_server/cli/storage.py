"""The commands on a store that no server runs on.

Law: as the group's. Each holds the store's lock while it works.
"""

from __future__ import annotations

from pathlib import Path

import click

from lightningstor_server.cli.parameters import FILE, FOLDER, telling
from lightningstor_server.options import Options


@click.command()
@click.option("--data", type=FOLDER, required=True, help="The data folder of a server that does not run.")
@click.option("--key-file", type=FILE, help="As for serve. Nothing is opened with it.")
@click.option("--grace", type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="SECONDS", help="Leave what is younger.")
def sweep(data: Path, key_file: Path | None, grace: float) -> None:
    """Remove what nothing refers to any more, while the server is stopped.

    A running server does so by itself, once it is an hour old.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - `--help` and a wrong option are answered without it

        for name, count in startup.sweep(Options(data=data, key_file=key_file), grace).items():
            click.echo(f"{name} = {count}")
