"""A real server process under each HTTP server, over http and https, and clients of it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import servers
from clients import installed, sites

HTTP_SERVERS = ("hypercorn", "granian")

Client = Any
Connect = Callable[..., Client]


@pytest.fixture(autouse=True, scope="session")
def _no_ambient_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the user of this machine has configured for AWS does not reach the tests."""
    folder = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "AWS_PROFILE",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_SESSION_TOKEN",
            "AWS_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
        ):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session", params=HTTP_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Two workers, so that what one of them wrote is read through the other."""
    data = tmp_path_factory.mktemp(request.param) / "data"
    with servers.running(data, "--workers=2", f"--http-server={request.param}") as running:
        yield running


@pytest.fixture(scope="session")
def connect(server: servers.Server) -> Iterator[Connect]:
    """Makes boto3 clients, which do not repeat what failed: a failure that a retry hides is one too."""
    clients: list[Client] = []

    def make(*, endpoint: str | None = None, secret: str = servers.SECRET_KEY, **settings: Any) -> Client:
        options = {name: settings.pop(name) for name in ("verify", "access_key") if name in settings}
        settings = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, "signature_version": "s3v4", **settings}
        client = boto3.client(
            "s3",
            endpoint_url=endpoint or server.endpoint,
            aws_access_key_id=options.get("access_key", servers.ACCESS_KEY),
            aws_secret_access_key=secret,
            region_name=servers.REGION,
            verify=options.get("verify"),
            config=Config(**settings),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def s3(connect: Connect) -> Client:
    """A client as most people have it, but for its retries."""
    return connect()


@pytest.fixture
def bucket(s3: Client) -> str:
    """A bucket that is new."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session", params=itertools.product(HTTP_SERVERS, sites.SCHEMES), ids="-".join)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """Each HTTP server over each scheme."""
    http_server, scheme = request.param
    with sites.running(tmp_path_factory.mktemp("site") / "data", scheme, http_server) as running:
        yield running


@pytest.fixture(scope="session")
def watcher(site: sites.Site) -> Iterator[Client]:
    """A boto3 client of the site, to look with."""
    client = boto3.client(
        "s3",
        endpoint_url=site.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name=servers.REGION,
        verify=None if site.authority is None else str(site.authority),
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    yield client
    client.close()


@pytest.fixture(scope="session")
def interpreter(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """The Python of an environment of `installed.VENVS`."""
    cache = request.config.cache
    assert cache is not None
    return lambda name: installed.python(name, cache.mkdir(f"client-venv-{name}"))


@pytest.fixture(scope="session")
def npm_packages(request: pytest.FixtureRequest) -> Path:
    """The folder in which package.json is installed."""
    installed.program("npm", "npm")
    cache = request.config.cache
    assert cache is not None
    return installed.node_modules(cache.mkdir("client-npm"))
