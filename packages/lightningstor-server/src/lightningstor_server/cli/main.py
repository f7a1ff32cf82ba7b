"""The group of all commands.

Law: a command is named here and loaded when it is asked for, so that `--help` and a wrong option are
answered without a server's imports. Options, defaults and exit codes are fixed: scripts rely on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from lightningstor_server import __version__

_FAMILIES: Final = "lightningstor_server.cli"
COMMANDS: Final[Mapping[str, str]] = MappingProxyType({
    # command: the module of this package that defines it, under the command's own name
    "serve": "serving",
    "sweep": "storage",
})  # fmt: skip


class _Lazy(click.Group):
    """A group that imports a command's module when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        family = COMMANDS.get(cmd_name)
        if family is None:
            return None
        found: click.Command = getattr(import_module(f"{_FAMILIES}.{family}"), cmd_name)
        return found


@click.group(cls=_Lazy, context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lightningstor")
def main() -> None:
    """An S3 and gRPC object store that keeps what it acknowledged."""
