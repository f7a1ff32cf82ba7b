"""`lightningstor bench`.

Law: as the group's. What was written is removed, whatever happens; the secret comes from an option
or the environment and is never shown. Exit code 0 where every operation succeeded, 1 where one
failed or something was left behind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from lightningstor_server.cli.parameters import telling
from lightningstor_server.failures import EXIT_FAILED, EXIT_OK
from lightningstor_server.load.mixes import MIXES, OPERATIONS, Mix

SIZE_BYTES_MAX: Final = 256 << 20
"""Of one object: two of them are held in memory."""
CONNECTIONS_MAX: Final = 1024
OBJECTS_MAX: Final = 1_000_000
SECONDS_MAX: Final = 24 * 3600
SECONDS: Final = 10.0
TIMEOUT_SECONDS: Final = 60.0
_UNITS: Final = {
    "": 1,
    "B": 1,
    "K": 1 << 10,
    "M": 1 << 20,
    "G": 1 << 30,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
    "KB": 10**3,
    "MB": 10**6,
}
_SIZES: Final = ("1KiB", "4KiB", "64KiB", "1MiB", "8MiB", "64MiB")
_EPILOG: Final = """\b
Examples:
  lightningstor bench --mix get --size 4KiB --connections 32
  lightningstor bench --endpoint https://s3.example.com --seconds 60 --verify
  lightningstor bench --mix get=80,put=20 --requests 10000 --json > result.json

The key is best given in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY): a command line is seen by everybody on the
machine. The endpoint may be any S3 server. The generator takes a core of its own: give it another machine, or read its line on
how busy it was."""


class _SizeType(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = value.rstrip("bBiIkKmMgG").strip()
        unit = _UNITS.get(value[len(digits) :].strip().upper())
        if unit is None or not (digits.isascii() and digits.isdigit()) or not 0 < int(digits) * unit <= SIZE_BYTES_MAX:
            self.fail(f"{value!r}: expected a size such as 4KiB or 8MiB, up to {SIZE_BYTES_MAX >> 20}MiB", param, ctx)
        return int(digits) * unit

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        return [CompletionItem(size) for size in _SIZES if size.lower().startswith(incomplete.lower())]


class _MixType(click.ParamType[Mix]):
    name = "mix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mix:
        if isinstance(value, Mix):
            return value
        try:
            return Mix.parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        return [CompletionItem(name) for name in MIXES if name.startswith(incomplete)]


_ENDPOINT: Final = "http://127.0.0.1:9001"
_ENDPOINT_NAMES: Final = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
_BUCKET_HELP = "Made, and removed at the end, unless it is there.  [default: one with a random name]"
_MIX_HELP = f"A name ({', '.join(MIXES)}), or weights of {', '.join(OPERATIONS)}: get=80,put=20."
_OBJECTS_HELP = "How many objects are written first, to be read."
_REQUESTS_HELP = "End after so many operations. With --seconds, whichever comes first."
_VERIFY_HELP = "Compare every byte that is read with what was written."
_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=_EPILOG)
@click.option(
    "--endpoint", envvar=_ENDPOINT_NAMES, default=_ENDPOINT, show_default=True, show_envvar=True, metavar="URL", help="The S3 server."
)
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", show_envvar=True, required=True, help="The access key that signs.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", show_envvar=True, required=True, help="Its secret. It is never shown.")
@click.option(
    "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="us-east-1", show_default=True, show_envvar=True, help="The server's."
)
@click.option("--bucket", metavar="NAME", help=_BUCKET_HELP)
@click.option("--mix", type=_MixType(), default="mixed", show_default=True, help=_MIX_HELP)
@click.option("--size", type=_SizeType(), default="4KiB", show_default=True, help="Bytes of an object; 5MiB at least for multipart.")
@click.option(
    "--connections", type=click.IntRange(1, CONNECTIONS_MAX), default=16, show_default=True, help="Clients, each with one connection."
)
@click.option("--objects", type=click.IntRange(1, OBJECTS_MAX), default=64, show_default=True, help=_OBJECTS_HELP)
@click.option("--seconds", type=click.FloatRange(0.1, SECONDS_MAX), help=f"How long to run.  [default: {SECONDS:g}, without --requests]")
@click.option("--requests", type=click.IntRange(min=1), help=_REQUESTS_HELP)
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=TIMEOUT_SECONDS, show_default=True, help="Seconds for each request.")
@click.option("--verify", is_flag=True, help=_VERIFY_HELP)
@click.option("--ca-file", type=_READABLE, envvar="AWS_CA_BUNDLE", show_envvar=True, help="Certificates to trust beside the system's.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
def bench(*, as_json: bool, seconds: float | None, requests: int | None, **named: Any) -> None:
    """Put load on an S3 endpoint and tell what it does.

    Prints requests and MiB a second, latencies and errors for each operation. Everything it writes lies below a random prefix
    and is removed at the end, also after Ctrl-C. Exit code 1 tells that an operation failed.
    """
    with telling():
        from lightningstor_server.cli import benching  # noqa: PLC0415 - `--help` and a wrong option are answered without it

        if seconds is None and requests is None:
            seconds = SECONDS
        clean = benching.run(benching.Wanted(seconds=seconds, requests=requests, **named), as_json=as_json)
        sys.exit(EXIT_OK if clean else EXIT_FAILED)
