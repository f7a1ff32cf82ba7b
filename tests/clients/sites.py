"""Where the clients of the matrix go: a server under one HTTP server, over one scheme.

Law: a client is told the endpoint, the key and the authority to trust, and nothing else of us.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

import servers
from clients import tls

SCHEMES: Final = ("http", "https")
HELP_SECONDS: Final = 60.0
TLS_OPTION: Final = "--tls-cert"


@attrs.frozen(kw_only=True)
class Site:
    """An S3 endpoint that runs."""

    server: servers.Server
    endpoint: str
    """The URL, without a path."""
    authority: Path | None
    """The certificate to trust, over https."""

    @property
    def address(self) -> str:
        """Host and port."""
        return self.endpoint.partition("://")[2]

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.authority is not None

    def environment(self, home: Path) -> dict[str, str]:
        """What a program is started with: AWS's variables, and where each TLS library looks for authorities."""
        shared = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": servers.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY,
            "AWS_DEFAULT_REGION": servers.REGION,
            "AWS_REGION": servers.REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        }
        if self.authority is None:
            return shared
        trusting = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        return shared | dict.fromkeys(trusting, str(self.authority))

    def order(self, bucket: str, keys: list[str]) -> bytes:
        """What the programs of round_trips/ read from their standard input."""
        host, _, port = self.address.rpartition(":")
        document = {
            "endpoint": self.endpoint,
            "host": host,
            "port": int(port),
            "secure": self.secure,
            "authority": None if self.authority is None else str(self.authority),
            "access_key": servers.ACCESS_KEY,
            "secret_key": servers.SECRET_KEY,
            "region": servers.REGION,
            "bucket": bucket,
            "keys": keys,
        }
        return json.dumps(document).encode()


def speaks_tls() -> bool:
    """Whether `lightningstor serve` ends TLS by itself."""
    command = [sys.executable, "-m", "lightningstor_server", "serve", "--help"]
    return TLS_OPTION in subprocess.run(command, check=True, capture_output=True, text=True, timeout=HELP_SECONDS).stdout


@contextmanager
def running(data: Path, scheme: str, http_server: str) -> Iterator[Site]:
    """A site for the length of a block. Two workers, so that what one of them wrote is read through the other."""
    options = ("--workers=2", f"--http-server={http_server}")
    data.parent.mkdir(parents=True, exist_ok=True)
    if scheme == "http":
        with servers.running(data, *options) as server:
            yield Site(server=server, endpoint=server.endpoint, authority=None)
    elif speaks_tls():
        files = tls.issue(data.parent)
        with servers.running(data, *options, f"{TLS_OPTION}={files.certificate}", f"--tls-key={files.key}") as server:
            yield Site(server=server, endpoint=f"https://{server.s3}", authority=files.authority)
    else:
        with servers.running(data, *options) as server, tls.terminated(server.s3, data.parent) as (endpoint, authority):
            yield Site(server=server, endpoint=endpoint, authority=authority)
