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
    "org": "tenants",
    "project": "tenants",
    "principal": "tenants",
    "key": "tenants",
    "quota": "usage",
    "usage": "usage",
    "sweep": "storage",
    "check": "storage",
    "restore": "storage",
    "salvage": "storage",
    "doctor": "doctor",
    "bench": "bench",
    "completion": "completion",
})  # fmt: skip
SECTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    # title: the modules whose commands stand below it in `--help`
    "Serve": frozenset({"serving"}),
    "Tenants": frozenset({"tenants", "usage"}),
    "Store care": frozenset({"storage"}),
    "Tools": frozenset({"doctor", "bench", "completion"}),
})  # fmt: skip
_REST: Final = "Others"
_EPILOG: Final = """\b
Begin here:
  lightningstor serve                          # the first start prints a key, once
  export AWS_ENDPOINT_URL=http://127.0.0.1:9001 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
  lightningstor doctor http://127.0.0.1:9001   # does everything arrive as it is sent?

`lightningstor COMMAND --help` explains a command, with examples. `lightningstor completion --help` tells how the shell completes
all of this."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is needed, and shows its commands in sections."""

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands below their sections; one of no section stands at the end."""
        shown = {name: command for name in COMMANDS if (command := self.get_command(ctx, name)) is not None and not command.hidden}
        width = max(map(len, shown), default=0)
        left = formatter.width - 6 - width
        sectioned = {name: title for name in shown for title, families in SECTIONS.items() if COMMANDS[name] in families}
        for title in (*SECTIONS, _REST):
            names = [name for name in shown if sectioned.get(name, _REST) == title]
            if names:
                with formatter.section(title):
                    formatter.write_dl([(f"{name:<{width}}", shown[name].get_short_help_str(left)) for name in names])


@click.group(cls=_Lazy, epilog=_EPILOG, context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lightningstor")
def main() -> None:
    """An S3 and gRPC object store that keeps what it acknowledged."""
