"""The configuration file: what it admits, and what its errors name."""

from __future__ import annotations

import base64
from pathlib import Path

import attrs
import pytest

from lightningstor_server import documents
from lightningstor_server.config import Config, ConfigError, Limits, ObjectOwnership, load_config
from lightningstor_types.tenants import BucketNamespace

KEY = bytes(range(32))


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "lightningstor.toml"
    path.write_text(text)
    return load_config(path)


def test_without_a_file_the_defaults_hold() -> None:
    """No --config means the documented defaults."""
    config = load_config(None)
    assert config == Config()
    assert config.bucket_namespace is BucketNamespace.PROJECT
    assert (config.new_buckets.object_ownership, config.new_buckets.block_public_access) == ("BucketOwnerEnforced", True)
    assert (config.lifecycle.day_seconds, config.legacy.post_signature_v2, config.access_log.roll_seconds) == (86400, False, 3600)
    assert (config.limits.sweep_grace_seconds, config.limits.reserve_bytes) == (3600, 64 << 20)


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    """Each key of the contract is accepted and reaches its attribute."""
    config = load(
        tmp_path,
        f"""
        bucket_namespace = "global"
        region = "eu-west-1"
        anonymous_project = "acme/site"
        domains = ["s3.example.org", "localhost"]
        [limits]
        drain_seconds = 5
        reserve_bytes = 1048576
        [new_buckets]
        object_ownership = "ObjectWriter"
        block_public_access = false
        [lifecycle]
        day_seconds = 10
        [kms.keys]
        main = "{base64.b64encode(KEY).decode()}"
        [legacy]
        post_signature_v2 = true
        [access_log]
        roll_seconds = 2
        """,
    )
    assert config == Config(
        bucket_namespace=BucketNamespace.GLOBAL,
        region="eu-west-1",
        anonymous_project="acme/site",
        domains=("s3.example.org", "localhost"),
        limits=Limits(drain_seconds=5.0, reserve_bytes=1 << 20),
        new_buckets=attrs.evolve(Config().new_buckets, object_ownership=ObjectOwnership.OBJECT_WRITER, block_public_access=False),
        lifecycle=attrs.evolve(Config().lifecycle, day_seconds=10),
        kms=attrs.evolve(Config().kms, keys={"main": KEY}),
        legacy=attrs.evolve(Config().legacy, post_signature_v2=True),
        access_log=attrs.evolve(Config().access_log, roll_seconds=2),
    )


def test_what_travels_to_a_worker_is_the_same(tmp_path: Path) -> None:
    """`plain` and `structure` are inverse, KMS keys included."""
    config = load(tmp_path, f'anonymous_project = "a/b"\n[kms.keys]\n"k 1" = "{base64.b64encode(KEY).decode()}"')
    assert documents.structure(Config, documents.plain(config), "x") == config


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("regoin = 'x'", "regoin"),
        ("[limits]\ndrain_second = 3", "limits.drain_second"),
        ("[new_bucket]\nblock_public_access = true", "new_bucket"),
        ("[kms.key]\na = 'x'", "kms.key"),
        ("[limits.drain_seconds]\nx = 1", "limits.drain_seconds"),
        ("[limits]\ndrain_seconds = '3'", "limits.drain_seconds"),
        ("[limits]\ndrain_seconds = nan", "limits.drain_seconds"),
        ("[limits]\ndrain_seconds = -1", "limits.drain_seconds"),
        ("[limits]\nreserve_bytes = 1.5", "limits.reserve_bytes"),
        ("[limits]\nreserve_bytes = true", "limits.reserve_bytes"),
        ("[lifecycle]\nday_seconds = 0", "lifecycle.day_seconds"),
        ("[legacy]\npost_signature_v2 = 1", "legacy.post_signature_v2"),
        ("[new_buckets]\nobject_ownership = 'Nobody'", "new_buckets.object_ownership"),
        ("limits = 3", "limits"),
        ("bucket_namespace = 'PROJECT'", "bucket_namespace"),
        ("region = ''", "region"),
        ("region = 2026-01-01", "region"),
        ("anonymous_project = 'site'", "anonymous_project"),
        ("domains = 'localhost'", "domains"),
        ("domains = ['ok', 'Bad']", "domains[1]"),
        ("[kms.keys]\nshort = 'AAAA'", "kms.keys.short"),
        ("[kms.keys]\nbad = '?'", "kms.keys.bad"),
        ("[kms.keys]\n'-' = ''", "kms.keys.-"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path: Path, text: str, key: str) -> None:
    """An unknown key, a wrong type and a wrong value are errors that name file and dotted key."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{tmp_path / 'lightningstor.toml'}: {key}: ")


@pytest.mark.parametrize("text", ["[", "a = 1\na = 2", "\x00"])
def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path, text: str) -> None:
    """So is one that is not UTF-8, and one that is not there."""
    with pytest.raises(ConfigError, match="not TOML"):
        load(tmp_path, text)
    (tmp_path / "latin").write_bytes(b"region = '\xe4'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin")
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "missing")


def test_no_message_and_no_repr_holds_a_secret(tmp_path: Path) -> None:
    """A KMS key shows neither in an error nor in the configuration's repr."""
    secret = base64.b64encode(KEY).decode()
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'[kms.keys]\nmain = "{secret}AAAA"')
    assert secret not in str(caught.value)
    assert secret not in repr(load(tmp_path, f'[kms.keys]\nmain = "{secret}"'))
    assert repr(KEY) not in repr(load(tmp_path, f'[kms.keys]\nmain = "{secret}"'))


def test_every_limit_has_its_unit_in_its_name() -> None:
    """A limit without a unit is read wrong by somebody."""
    units = ("_seconds", "_bytes", "_connections", "_requests")
    assert [name for name in documents.hints(Limits) if not name.endswith(units)] == []
