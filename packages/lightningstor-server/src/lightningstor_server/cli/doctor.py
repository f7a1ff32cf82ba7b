"""`lightningstor doctor`.

Law: as the group's. A failing request is examined without sending anything; an endpoint is examined
without writing anything. The secret comes from an option or the environment and goes nowhere: not to
the terminal, not into a log. Exit code 0 where nothing fails, 1 where something does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from lightningstor_server.cli.parameters import telling
from lightningstor_server.failures import EXIT_FAILED, EXIT_OK

TIMEOUT_SECONDS: Final = 5.0
_EPILOG: Final = """\b
Examples:
  lightningstor doctor http://127.0.0.1:9001           # is the endpoint well?
  lightningstor doctor 'https://s3.example.com/b/k?X-Amz-Algorithm=...'
  curl -v ... 2>&1 | lightningstor doctor --request -  # why was it refused?
  lightningstor doctor --request r.txt --host s3.example.com --canonical boto3.log

\b
The key is best given in the environment: AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY. A command line is seen by everybody on the machine."""
_FILE = click.File("rb")
_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
_REQUEST_HELP = "The failing request: raw, from curl -v, or from tcpdump -A; - reads stdin. A refusal in it is read as well."
_ERROR_HELP = "The server's error document (SignatureDoesNotMatch)."
_CANONICAL_HELP = "The client's canonical request, or a log with it (boto3.set_stream_logger(''), aws --debug)."
_HEADER_HELP = "A header of the request, in place of the recorded one. May be repeated."
_HOST_HELP = "A host name, with its port, by which clients know the endpoint. May be repeated."
_AT_HELP = "Judge a recorded request's age as of this moment, UTC.  [default: now]"
_MOMENTS: Final = ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"]


@click.command(epilog=_EPILOG)
@click.argument("target", metavar="[URL]", required=False)
@click.option("--request", type=_FILE, help=_REQUEST_HELP)
@click.option("--error", type=_FILE, help=_ERROR_HELP)
@click.option("--canonical", type=_FILE, help=_CANONICAL_HELP)
@click.option("-X", "--method", default="GET", show_default=True, help="The method that a presigned URL is used with.")
@click.option("-H", "--header", metavar="NAME:VALUE", multiple=True, help=_HEADER_HELP)
@click.option("--body", type=_FILE, help="The request's body, whose SHA-256 is compared.")
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", show_envvar=True, help="The access key that signs.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", show_envvar=True, help="Its secret. It is never shown.")
@click.option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], show_envvar=True, help="The server's region.")
@click.option("--host", metavar="HOST[:PORT]", multiple=True, help=_HOST_HELP)
@click.option("--at", type=click.DateTime(_MOMENTS), help=_AT_HELP)
@click.option("--ca-file", type=_READABLE, envvar="AWS_CA_BUNDLE", show_envvar=True, help="Certificates to trust beside the system's.")
@click.option("--timeout", type=click.FloatRange(0.1, 300), default=TIMEOUT_SECONDS, show_default=True, help="Seconds for each step.")
def doctor(**named: Any) -> None:
    """Explain why a signature does not match, or examine an endpoint.

    With a presigned URL, --request, --error or --canonical, nothing is sent: the request is taken apart, its canonical form
    and string to sign are computed as the server would, and where the signature is another, the usual causes are tried until
    one makes it fit: a Host or a header that a proxy changed, a path that was decoded or merged, a query in another order, a
    wrong region or day, a clock.

    With any other URL the endpoint is examined: name, certificate, clock, and whether paths, queries and headers arrive as
    they are signed. Nothing is written. Exit code 1 tells that something fails.
    """
    with telling():
        from lightningstor_server.cli import examining  # noqa: PLC0415 - `--help` and a wrong option are answered without it

        sys.exit(EXIT_FAILED if examining.examine(examining.Given(**named)) else EXIT_OK)
