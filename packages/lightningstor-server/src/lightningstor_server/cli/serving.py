"""`lightningstor serve`.

Law: as the group's. What is wrong is found before anything is served.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from lightningstor_server.bootstrap import load_bootstrap
from lightningstor_server.cli.parameters import ADDRESS, FILE, FOLDER, telling
from lightningstor_server.config import load_config
from lightningstor_server.options import Options, default_workers

WORKERS_MAX: Final = 256

_EPILOG: Final = """\b
Examples:
  lightningstor serve --data /var/lib/lightningstor
  lightningstor serve --s3-address 0.0.0.0:9001 --tls-cert cert.pem --tls-key key.pem

The first start prints a root access key, once, unless LIGHTNINGSTOR_ROOT_ACCESS_KEY and
LIGHTNINGSTOR_ROOT_SECRET_KEY give one. The master key that seals all secrets is made beside the data folder: keep a copy of it
apart from the data, since neither is of use without the other. It may also be given as LIGHTNINGSTOR_MASTER_KEY (base64 of 32
bytes)."""
_WORKERS = click.IntRange(1, WORKERS_MAX)
_SERVERS = click.Choice(["auto", "hypercorn", "granian"])
_SERVER_HELP = "auto takes Granian where it is installed (the extra [standard]): it is several times faster."
_CERT_HELP = "The certificate of all three addresses and its chain, in PEM: TLS in place of clear text. Read again on SIGHUP."
_INSECURE_HELP = "Take bearer tokens in clear text on an address that other machines reach."
_COPY_HELP = "A folder on another disk that gets every commit of the metadata before it is answered; see `restore`."
_ADMIN_HELP = "Health and metrics, without authentication: keep it to yourself."


@click.command(epilog=_EPILOG)
@click.option("--data", type=FOLDER, default="./lightningstor-data", show_default=True, help="Where everything is kept; made if missing.")
@click.option("--s3-address", type=ADDRESS, default="127.0.0.1:9001", show_default=True, help="Where S3 is spoken, over HTTP/1.1.")
@click.option("--grpc-address", type=ADDRESS, default="127.0.0.1:9000", show_default=True, help="Where gRPC is spoken.")
@click.option("--admin-address", type=ADDRESS, default="127.0.0.1:9002", show_default=True, help=_ADMIN_HELP)
@click.option("--workers", type=_WORKERS, default=default_workers, show_default="one a processor, 8 at most", help="Processes that serve.")
@click.option("--http-server", type=_SERVERS, default="auto", show_default=True, help=_SERVER_HELP)
@click.option("--metadata-copy", type=FOLDER, help=_COPY_HELP)
@click.option("--key-file", type=FILE, help="The master key.  [default: beside the data folder, by its name with .key]")
@click.option("--tls-cert", type=FILE, help=_CERT_HELP)
@click.option("--tls-key", type=FILE, help="The private key of the certificate, in PEM, without a password.")
@click.option("--insecure", is_flag=True, help=_INSECURE_HELP)
@click.option("--config", type=FILE, help="A TOML file of settings; an unknown key is an error.")
@click.option("--bootstrap", type=FILE, help="A TOML file of projects and access keys, applied at each start.")
def serve(config: Path | None, bootstrap: Path | None, **named: Any) -> None:
    """Serve S3 and gRPC in the foreground, until SIGTERM or Ctrl-C.

    Logs go to stderr, one line of JSON an event; the event "ready" tells the addresses. Port 0 takes a free one. SIGTERM
    lets what runs finish and exits 0; a second one does not wait. SIGHUP reads the certificate again.
    """
    with telling():
        from lightningstor_server import startup  # noqa: PLC0415 - `--help` and a wrong option are answered without it

        declared = None if bootstrap is None else load_bootstrap(bootstrap)
        sys.exit(startup.serve(Options(config=load_config(config), bootstrap=declared, **named)))
