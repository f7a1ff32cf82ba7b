"""What the commands' options have in common: their types, and how a failure is told.

Law: what the operator can mend is one line on stderr and exit code 2; a store that cannot be used is
one line and exit code 70 (`failures`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from lightningstor_server.auth.vault import VaultError
from lightningstor_server.failures import EXIT_BROKEN, EXIT_USAGE, StartError
from lightningstor_server.options import Address
from lightningstor_server.stores.errors import CopyRefused, StoreError


class _AddressType(click.ParamType[Address]):
    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


ADDRESS: Final = _AddressType()
FILE: Final = click.Path(dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """End with one line on stderr for what the operator can mend."""
    try:
        yield
    except (StartError, VaultError, CopyRefused) as error:
        click.echo(f"lightningstor: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except StoreError as error:
        click.echo(f"lightningstor: the store cannot be used: {error}", err=True)
        sys.exit(EXIT_BROKEN)
