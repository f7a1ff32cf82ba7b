"""`lightningstor completion`.

Law: as the group's. The script is click's own; it asks this program for the words, so that it never
grows old.
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

PROGRAM: Final = "lightningstor"
VARIABLE: Final = "_LIGHTNINGSTOR_COMPLETE"
"""By which the script asks; click makes it of the program's name."""
SHELLS: Final = ("bash", "zsh", "fish")
_EPILOG: Final = """\b
Examples:
  lightningstor completion bash > ~/.local/share/bash-completion/completions/lightningstor
  lightningstor completion zsh > ~/.zfunc/_lightningstor   # with fpath+=~/.zfunc before compinit
  lightningstor completion fish > ~/.config/fish/completions/lightningstor.fish
  eval "$(lightningstor completion bash)"                  # for this shell alone"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and values in a shell."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, PROGRAM, VARIABLE).source())
