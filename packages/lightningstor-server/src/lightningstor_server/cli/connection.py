"""How the commands that administer a running server reach it, and how they show what it answers.

Law: as the group's. What the server refuses is one line on stderr with the error's code, and exit code
1. A secret that is asked for on the command line is seen by everybody on the machine: the environment
and files are there for it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click

from lightningstor_server.cli.parameters import ADDRESS, FILE, telling
from lightningstor_server.failures import EXIT_FAILED, StartError
from lightningstor_server.options import Address

SECRET_FILE_MAX_BYTES: Final = 4096
_CREDENTIALS: Final = (
    ("LIGHTNINGSTOR_ACCESS_KEY", "LIGHTNINGSTOR_SECRET_KEY"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)
_ACCESS_KEY_HELP: Final = "Whose call it is.  [default: LIGHTNINGSTOR_ACCESS_KEY, else AWS_ACCESS_KEY_ID]"
_KEYS_HELP: Final = "A file with its secret; - is stdin.  [default: LIGHTNINGSTOR_SECRET_KEY, else AWS_SECRET_ACCESS_KEY]"
_CA_HELP: Final = "The authority of the server's certificate, in PEM: TLS in place of clear text."
_OPTIONS: Final = (
    click.option("--address", type=ADDRESS, default="127.0.0.1:9000", show_default=True, help="The server's gRPC address."),
    click.option("--tls", is_flag=True, help="TLS under the roots that everybody trusts."),
    click.option("--ca-file", type=FILE, help=_CA_HELP),
    click.option("--access-key", metavar="ID", help=_ACCESS_KEY_HELP),
    click.option("--secret-key-file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), help=_KEYS_HELP),
    click.option("--region", default="us-east-1", show_default=True, help="As the server has it."),
    click.option("--json", "as_json", is_flag=True, help="JSON in place of a table."),
)

Columns = Mapping[str, str]
"""A table's columns, in their order: the field of a row, and its heading."""


@attrs.frozen(kw_only=True)
class Remote:
    """A server that is to be asked, in the name of a key."""

    address: Address
    tls: bool
    ca_file: Path | None
    access_key: str
    secret_key: str = attrs.field(repr=False)
    region: str
    as_json: bool

    def ask(self, *requests: Any) -> list[Any]:
        """The answers to requests, one after another. Ends the program where one is refused."""
        return self._run(lambda client: _each(client, requests))

    def pages(self, request: Any, field: str) -> list[Any]:
        """The entries of all pages of a list."""
        return self._run(lambda client: _pages(client, request, field))

    def _run(self, work: Callable[[Any], Awaitable[list[Any]]]) -> list[Any]:
        # not above: `--help` and a wrong option are answered without gRPC
        from lightningstor_api.client import connect  # noqa: PLC0415
        from lightningstor_types.errors import StorError  # noqa: PLC0415

        async def run() -> list[Any]:
            made = connect(
                str(self.address),
                access_key=self.access_key,
                secret_key=self.secret_key,
                region=self.region,
                tls=self.tls or None,
                ca_file=self.ca_file,
            )
            async with made as client:
                return await work(client)

        try:
            return asyncio.run(run())
        except StorError as error:
            click.echo(f"lightningstor: {error.code}: {error.message}", err=True)
            sys.exit(EXIT_FAILED)
        except OSError as error:
            raise StartError(f"{self.ca_file}: {error.strerror or type(error).__name__}") from error

    def show(self, rows: Iterable[Any], columns: Columns) -> None:
        """Print values as a table of those columns, or all that there is of them as a JSON array."""
        found = list(rows)
        if self.as_json:
            click.echo(json.dumps([_plain(row) for row in found], indent=2))
        else:
            _table([[_text(getattr(row, field)) for field in columns] for row in found], list(columns.values()))

    def tell(self, value: Any, *lines: str) -> None:
        """Print one value as lines for people, or all that there is of it as a JSON object."""
        for line in [json.dumps(_plain(value), indent=2)] if self.as_json else lines:
            click.echo(line)


async def _each(client: Any, requests: Sequence[Any]) -> list[Any]:
    return [await client.call(request) for request in requests]


async def _pages(client: Any, request: Any, field: str) -> list[Any]:
    found: list[Any] = []
    while True:
        page = await client.call(request)
        found += getattr(page, field)
        if page.continuation_token is None:
            return found
        request = attrs.evolve(request, continuation_token=page.continuation_token)


def _plain(value: Any) -> Any:
    return attrs.asdict(value, value_serializer=lambda _, __, item: item.isoformat() if isinstance(item, datetime) else item)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)


def _table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def secret_of(path: Path) -> str:
    """The first line of a file, or of stdin for `-`.

    Raises:
        StartError: it cannot be read, or is empty.
    """
    try:
        with click.open_file(str(path), "r", encoding="ascii") as file:
            secret: str = file.readline(SECRET_FILE_MAX_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{path}: no secret can be read of it") from error
    if not secret:
        raise StartError(f"{path}: its first line is empty, and should be a secret")
    return secret


def _credential(access_key: str | None, secret_file: Path | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The key's id and its secret, each from its option, else both from the first pair of variables that names the id."""
    names = next((pair for pair in _CREDENTIALS if pair[0] in environment), _CREDENTIALS[0])
    id_ = access_key or environment.get(names[0])
    secret = secret_of(secret_file) if secret_file is not None else environment.get(names[1])
    if not id_ or not secret:
        raise StartError(f"whose call is this? Set {names[0]} and {names[1]}, or give --access-key and --secret-key-file")
    return id_, secret


def remote(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the connection, and hand it a `Remote` in their place."""

    @functools.wraps(command)
    def run(
        *,
        address: Address,
        tls: bool,
        ca_file: Path | None,
        access_key: str | None,
        secret_key_file: Path | None,
        region: str,
        as_json: bool,
        **rest: Any,
    ) -> None:
        with telling():
            id_, secret = _credential(access_key, secret_key_file, os.environ)
            server = Remote(address=address, tls=tls, ca_file=ca_file, access_key=id_, secret_key=secret, region=region, as_json=as_json)
            command(server, **rest)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
