"""The composition root: it alone knows every part and puts them together.

Law: `prepare` runs before any worker and leaves nothing open; `build_worker` runs in each worker,
which opens its own connections. Nothing here decides anything about requests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, Final

from attrs import frozen

from lightningstor_server import bootstrap, initialisation
from lightningstor_server.config import Config
from lightningstor_server.http_servers import Application, Message, Receive, Send
from lightningstor_server.options import Options
from lightningstor_server.service.settings import Settings
from lightningstor_server.serving import Job, Parts
from lightningstor_server.stores.blobs.base import BlobStore
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.metadata.base import Metadata
from lightningstor_server.stores.metadata.shipping.keeper import Keeper
from lightningstor_server.stores.metadata.sqlite import open_sqlite, prepare_sqlite
from lightningstor_server.telemetry import USAGE_INTERVAL_SECONDS, USAGE_TENANTS_MAX, Metrics

OFFLINE_WORKER: Final = "offline"
"""The name under which the blob store is opened where no worker runs."""

_FRONT: ContextVar[str] = ContextVar("front", default="grpc")
"""Which front a call of the service comes from; an HTTP request sets it in its own task."""


async def prepare(options: Options) -> bootstrap.RootKey | None:
    """Recover, migrate and unlock the store, and see to its tenants; the root key if it has to be shown.

    Raises:
        StartError, VaultError: the operator has to mend something.
        Broken: the store cannot be used.
    """
    prepare_sqlite(options.metadata_path, options.metadata_copy)
    async with _opened(options) as metadata:
        vault = await initialisation.unlock(metadata, options, os.environ)
        await initialisation.initialise(metadata, vault, options.config.bucket_namespace)
        root = await bootstrap.ensure_root(metadata, vault, os.environ)
        if options.bootstrap is not None:
            await bootstrap.apply(options.bootstrap, metadata, vault)
        return root


async def sweep(options: Options, grace_seconds: float, progress: Callable[[int], None]) -> Any:
    """Remove garbage and orphans of a store that no server runs on; returns what was removed.

    `progress` is told of files that were looked at.

    Raises:
        Broken: the store cannot be used.
    """
    from lightningstor_server.service.sweeper import Sweeper  # noqa: PLC0415 - the supervisor never needs it

    prepare_sqlite(options.metadata_path, options.metadata_copy)
    async with _opened(options) as metadata:
        blobs = FilesystemBlobs(options.chunks_path, worker=OFFLINE_WORKER, reserve_bytes=0)
        try:
            return await Sweeper(metadata, blobs, grace_seconds=grace_seconds, interval_seconds=0, progress=progress).sweep()
        finally:
            await blobs.close()


async def build_worker(options: Options, name: str) -> Parts:
    """The parts of a worker.

    Raises:
        VaultError: the key is no longer the one that the supervisor saw.
        Broken: the store cannot be used.
    """
    # not above: the supervisor prepares the store with this module and must stay small
    from lightningstor_server.auth.tokens import TOKEN_KEY_LABEL, Tokens  # noqa: PLC0415
    from lightningstor_server.rpc.health import Health  # noqa: PLC0415
    from lightningstor_server.rpc.server import build_server, credentials  # noqa: PLC0415
    from lightningstor_server.s3.app import S3App  # noqa: PLC0415
    from lightningstor_server.service.bearers import Bearers  # noqa: PLC0415
    from lightningstor_server.service.core import Service, utc_now  # noqa: PLC0415
    from lightningstor_server.service.identity import Identities  # noqa: PLC0415
    from lightningstor_server.service.lock_clock import Reading, anchor, read_uptime  # noqa: PLC0415

    config = options.config
    metadata = await open_sqlite(options.metadata_path, options.metadata_copy)
    vault = await initialisation.unlock(metadata, options, os.environ)
    blobs = FilesystemBlobs(options.chunks_path, worker=name, reserve_bytes=config.limits.reserve_bytes)
    metrics = Metrics(read_only=lambda: blobs.read_only)
    identities = Identities(metadata, vault)
    bearers = Bearers(identities, Tokens(vault.derive(TOKEN_KEY_LABEL)), clock=utc_now) if options.bearer_allowed else None
    service = Service(
        metadata=metadata,
        blobs=blobs,
        settings=_settings(config),
        observer=_observer(metrics),
        bearers=bearers,
        sealer=vault if options.bearer_allowed else None,
    )
    await anchor(metadata, Reading(wall=utc_now(), uptime=read_uptime()))
    certificates, status = options.certificates, Health()

    async def close() -> None:
        await metadata.close()
        await blobs.close()

    legacy = config.legacy.post_signature_v2
    front = S3App(service, identities, region=config.region, domains=config.domains, clock=utc_now, post_signature_v2=legacy)
    return Parts(
        app=_metered(front, metrics),
        rpc=build_server(
            service,
            identities,
            clock=utc_now,
            region=config.region,
            address=str(options.grpc_address),
            tls=None if certificates is None else credentials(lambda: (certificates.current.key, certificates.current.chain)),
            bearers=bearers,
            status=status,
            counts=metrics,
        ),
        metrics=metrics,
        background=_background(options, metadata, blobs, metrics),
        broken=service.broken,
        withdraw=status.withdraw,
        close=close,
    )


def _settings(config: Config) -> Settings:
    """What of the configuration reaches the rules."""
    return Settings(
        region=config.region,
        bucket_namespace=config.bucket_namespace,
        anonymous_project=config.anonymous_project,
        new_bucket_ownership=config.new_buckets.object_ownership,
        new_bucket_blocked=config.new_buckets.block_public_access,
    )


def _background(options: Options, metadata: Metadata, blobs: BlobStore, metrics: Metrics) -> list[Job]:
    """What runs in one worker of all."""
    from lightningstor_server.service.expiry import Expiry  # noqa: PLC0415 - as in build_worker
    from lightningstor_server.service.sweeper import Sweeper  # noqa: PLC0415 - the same
    from lightningstor_server.service.usage_report import UsageReport  # noqa: PLC0415

    limits = options.config.limits
    sweeper = Sweeper(metadata, blobs, grace_seconds=limits.sweep_grace_seconds, interval_seconds=limits.sweep_interval_seconds)
    usage = UsageReport(metadata, metrics.tell_usage, interval_seconds=USAGE_INTERVAL_SECONDS, tenants_max=USAGE_TENANTS_MAX)
    expiry = Expiry(metadata, day_seconds=options.config.lifecycle.day_seconds)
    jobs: list[Job] = [sweeper.run, usage.run, expiry.run]
    if options.metadata_copy is not None:
        keeper = Keeper(options.metadata_path, options.metadata_copy)
        metrics.copy_behind = lambda: keeper.behind
        jobs.append(keeper.run)
    return jobs


def _observer(metrics: Metrics) -> Callable[[str, str, float], None]:
    def observe(operation: str, code: str, seconds: float) -> None:
        metrics.observe(operation, _FRONT.get(), code or "OK", seconds)

    return observe


@contextlib.asynccontextmanager
async def _opened(options: Options) -> AsyncIterator[Metadata]:
    metadata = await open_sqlite(options.metadata_path, options.metadata_copy)
    try:
        yield metadata
    finally:
        await metadata.close()


@frozen
class _Metered:
    """The S3 front, with its requests and bytes counted."""

    app: Application
    metrics: Metrics

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        received = sent = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            await send(message)

        _FRONT.set("s3")
        self.metrics.in_flight += 1
        try:
            await self.app(scope, counting_receive, counting_send)
        finally:
            self.metrics.in_flight -= 1
            self.metrics.moved("s3", received, sent)


def _metered(app: Application, metrics: Metrics) -> Application:
    return _Metered(app, metrics)
