"""The TOML configuration, as frozen values.

Law: every key that the file may have is an attribute here, with its unit in its name and its
default beside it; nothing else is accepted. A key whose effect comes with a later release is
validated from the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import attrs
from attrs import frozen

from lightningstor_server import documents
from lightningstor_server.documents import Between, ConfigError, Matching, Sized
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace

__all__ = ["AccessLog", "Config", "ConfigError", "Kms", "Legacy", "Lifecycle", "Limits", "NewBuckets", "ObjectOwnership", "load_config"]

KMS_KEY_BYTES: Final = 32
DAY_SECONDS: Final = 86_400
HOUR_SECONDS: Final = 3_600
_NAME = r"[A-Za-z0-9][A-Za-z0-9 ._@$+=:-]{0,127}"
_DOMAIN = Matching(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", "a DNS name in lower case, without a port")


@frozen(kw_only=True)
class Limits:
    """`[limits]`: what one worker takes on, and how long it waits."""

    max_connections: Annotated[int, Between(16, 1_000_000)] = 4096
    """Open connections of one worker on the S3 address; more wait to be accepted."""
    header_read_seconds: Annotated[float, Between(0.1, HOUR_SECONDS)] = 30.0
    """From the first byte of a request's head to its last."""
    keep_alive_seconds: Annotated[float, Between(0.1, HOUR_SECONDS)] = 60.0
    """How long Hypercorn keeps a connection on which nothing is asked."""
    drain_seconds: Annotated[float, Between(0, HOUR_SECONDS)] = 30.0
    """How long running requests may go on after SIGTERM."""
    sweep_interval_seconds: Annotated[float, Between(1, 7 * DAY_SECONDS)] = 300.0
    """Between two runs of the sweeper."""
    sweep_grace_seconds: Annotated[float, Between(0, 365 * DAY_SECONDS)] = 3600.0
    """How old garbage and orphans must be: longer than the longest read or write of a chunk."""
    reserve_bytes: Annotated[int, Between(0, 1 << 50)] = 64 << 20
    """Free space below which writes are refused, so that deletes still find room."""


@frozen(kw_only=True)
class NewBuckets:
    """`[new_buckets]`: what a bucket is created with."""

    object_ownership: ObjectOwnership = ObjectOwnership.BUCKET_OWNER_ENFORCED
    block_public_access: bool = True


@frozen(kw_only=True)
class Lifecycle:
    """`[lifecycle]`."""

    day_seconds: Annotated[int, Between(1, DAY_SECONDS)] = DAY_SECONDS
    """The length of a day in lifecycle rules; shorter ones are for tests."""


@frozen(kw_only=True)
class Kms:
    """`[kms]`: the keys that SSE-KMS may name."""

    keys: Mapping[
        Annotated[str, Matching(_NAME, "a name")],
        Annotated[bytes, Sized(KMS_KEY_BYTES, KMS_KEY_BYTES, "base64 of 32 bytes")],
    ] = attrs.field(factory=lambda: MappingProxyType({}), repr=False)


@frozen(kw_only=True)
class Legacy:
    """`[legacy]`: what is off unless an old client needs it."""

    post_signature_v2: bool = False


@frozen(kw_only=True)
class AccessLog:
    """`[access_log]`: delivery of server access logs."""

    roll_seconds: Annotated[int, Between(1, DAY_SECONDS)] = HOUR_SECONDS


@frozen(kw_only=True)
class Config:
    """The whole file."""

    bucket_namespace: BucketNamespace = BucketNamespace.PROJECT
    """Within what a bucket's name is unique; fixed once a store is initialised."""
    region: Annotated[str, Matching(r"[a-z0-9][a-z0-9-]{0,62}", "a region's name, like us-east-1")] = "us-east-1"
    anonymous_project: Annotated[str, Matching(f"{_NAME}/{_NAME}", "organisation/project")] | None = None
    """Where requests without a credential resolve names; the root key's project unless given."""
    domains: Annotated[tuple[Annotated[str, _DOMAIN], ...], Sized(0, 64, "at most 64 domains")] = ("localhost",)
    """Under which `<bucket>.<domain>` is a virtual-hosted request."""
    limits: Limits = Limits()
    new_buckets: NewBuckets = NewBuckets()
    lifecycle: Lifecycle = Lifecycle()
    kms: Kms = Kms()
    legacy: Legacy = Legacy()
    access_log: AccessLog = AccessLog()


def load_config(path: Path | None) -> Config:
    """The configuration of a file, or the defaults.

    Raises:
        ConfigError: the file cannot be read, or a key of it is unknown or has a wrong value.
    """
    return Config() if path is None else documents.structure(Config, documents.load(path), str(path))
