"""The command line: `lightningstor`.

Law: its options, their defaults and its exit codes are fixed, since scripts rely on them. What
the operator can mend is one line on stderr and exit code 2, before anything is served.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from lightningstor_server import __version__
from lightningstor_server.auth.vault import VaultError
from lightningstor_server.bootstrap import load_bootstrap
from lightningstor_server.config import load_config
from lightningstor_server.failures import EXIT_BROKEN, EXIT_USAGE, StartError
from lightningstor_server.options import Address, Options, default_workers
from lightningstor_server.stores.errors import StoreError

WORKERS_MAX: Final = 256

_EPILOG: Final = """The first start prints a root access key, once, unless LIGHTNINGSTOR_ROOT_ACCESS_KEY and
LIGHTNINGSTOR_ROOT_SECRET_KEY give one. The master key that seals all secrets is made beside the data folder: keep a copy of it
apart from the data, since neither is of use without the other. It may also be given as LIGHTNINGSTOR_MASTER_KEY (base64 of 32
bytes)."""


class _AddressType(click.ParamType[Address]):
    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


_ADDRESS = _AddressType()
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_WORKERS = click.IntRange(1, WORKERS_MAX)
_SERVERS = click.Choice(["auto", "hypercorn", "granian"])
_SERVER_HELP = "auto takes Granian where it is installed (the extra [standard]): it is several times faster."
_ADMIN_HELP = "Health and metrics, without authentication: keep it to yourself."


@click.group(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lightningstor")
def main() -> None:
    """An S3 and gRPC object store that keeps what it acknowledged."""


@main.command(epilog=_EPILOG)
@click.option("--data", type=_FOLDER, default="./lightningstor-data", show_default=True, help="Where everything is kept; made if missing.")
@click.option("--s3-address", type=_ADDRESS, default="127.0.0.1:9001", show_default=True, help="Where S3 is spoken, over HTTP/1.1.")
@click.option("--grpc-address", type=_ADDRESS, default="127.0.0.1:9000", show_default=True, help="Where gRPC is spoken.")
@click.option("--admin-address", type=_ADDRESS, default="127.0.0.1:9002", show_default=True, help=_ADMIN_HELP)
@click.option("--workers", type=_WORKERS, default=default_workers, show_default="one a processor, 8 at most", help="Processes that serve.")
@click.option("--http-server", type=_SERVERS, default="auto", show_default=True, help=_SERVER_HELP)
@click.option("--key-file", type=_FILE, help="The master key.  [default: beside the data folder, by its name with .key]")
@click.option("--config", type=_FILE, help="A TOML file of settings; an unknown key is an error.")
@click.option("--bootstrap", type=_FILE, help="A TOML file of projects and access keys, applied at each start.")
def serve(config: Path | None, bootstrap: Path | None, **named: Any) -> None:
    """Serve S3 and gRPC in the foreground, until SIGTERM or Ctrl-C.

    Logs go to stderr, one line of JSON an event; the event "ready" tells the addresses. Port 0 takes a free one. SIGTERM
    lets what runs finish and exits 0; a second one does not wait.
    """
    with _telling():
        from lightningstor_server import startup  # noqa: PLC0415 - `--help` and a wrong option are answered without it

        declared = None if bootstrap is None else load_bootstrap(bootstrap)
        sys.exit(startup.serve(Options(config=load_config(config), bootstrap=declared, **named)))


@main.command()
@click.option("--data", type=_FOLDER, required=True, help="The data folder of a server that does not run.")
@click.option("--key-file", type=_FILE, help="As for serve. Nothing is opened with it.")
@click.option("--grace", type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="SECONDS", help="Leave what is younger.")
def sweep(data: Path, key_file: Path | None, grace: float) -> None:
    """Remove what nothing refers to any more, while the server is stopped.

    A running server does so by itself, once it is an hour old.
    """
    with _telling():
        from lightningstor_server import startup  # noqa: PLC0415 - as above

        for name, count in startup.sweep(Options(data=data, key_file=key_file), grace).items():
            click.echo(f"{name} = {count}")


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """End with one line on stderr for what the operator can mend."""
    try:
        yield
    except (StartError, VaultError) as error:
        click.echo(f"lightningstor: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except StoreError as error:
        click.echo(f"lightningstor: the store cannot be used: {error}", err=True)
        sys.exit(EXIT_BROKEN)


if __name__ == "__main__":
    main()
