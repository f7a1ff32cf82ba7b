"""The command line: what it refuses, and how."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lightningstor_server import __version__, startup
from lightningstor_server.__main__ import main


@pytest.fixture
def listener() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def serve(data: Path, *arguments: str | Path) -> Result:
    return run("serve", "--data", data, "--s3-address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0", *arguments)


def test_help_names_every_option_with_its_default() -> None:
    """The contract's options and defaults are in `serve --help`."""
    shown = " ".join(run("serve", "--help").output.split())
    for expected in (
        "--data",
        "[default: ./lightningstor-data]",
        "127.0.0.1:9001",
        "127.0.0.1:9000",
        "127.0.0.1:9002",
        "--workers",
        "[auto|hypercorn|granian]",
        "--key-file",
        "--config",
        "--bootstrap",
    ):
        assert expected in shown


def test_the_version_is_told() -> None:
    """`--version` says which server this is."""
    assert run("--version").output == f"lightningstor, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers", "0"],
        ["--workers", "many"],
        ["--http-server", "uvicorn"],
        ["--s3-address", "9001"],
        ["--s3-address", "127.0.0.1:65536"],
        ["--s3-address", "::1:9001"],
        ["--no-such-option"],
        ["argument"],
    ],
)
def test_a_bad_option_exits_2_and_makes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is written before the command line is understood."""
    result = run("serve", "--data", tmp_path / "data", *arguments)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_configuration_key_is_named(tmp_path: Path) -> None:
    """Exit code 2, one line on stderr, no traceback, no data folder."""
    config = tmp_path / "c.toml"
    config.write_text("[limits]\ndrain_second = 3\n")
    result = serve(tmp_path / "data", "--config", config)
    assert result.exit_code == 2
    assert result.stderr == f"lightningstor: {config}: limits.drain_second: unknown key, did you mean 'drain_seconds'?\n"
    assert not (tmp_path / "data").exists()


def test_a_wrong_bootstrap_file_is_named(tmp_path: Path) -> None:
    """As for the configuration."""
    result = serve(tmp_path / "data", "--bootstrap", tmp_path / "missing.toml")
    assert (result.exit_code, result.stderr) == (2, f"lightningstor: {tmp_path / 'missing.toml'}: No such file or directory\n")


def test_a_taken_port_is_named(tmp_path: Path, listener: str) -> None:
    """Exit code 2 and the address; the store is not touched."""
    result = serve(tmp_path / "data", "--admin-address", listener)
    assert result.exit_code == 2
    assert listener in result.stderr
    assert not (tmp_path / "data" / "metadata.db").exists()
    assert not (tmp_path / "data.key").exists()


def test_two_fronts_cannot_share_an_address(tmp_path: Path, listener: str) -> None:
    """The same address given twice is as taken as any other."""
    host, _, port = listener.rpartition(":")
    with socket.create_server((host, 0)) as other:
        free = f"{host}:{other.getsockname()[1]}"
    assert port not in free
    result = run("serve", "--data", tmp_path / "data", "--s3-address", free, "--grpc-address", free)
    assert result.exit_code == 2
    assert free in result.stderr


def test_a_data_folder_in_use_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second server, and a sweep, say whose folder it is."""
    monkeypatch.setattr(startup, "LOCK_WAIT_SECONDS", 0.0)
    (tmp_path / "metadata.db").touch()
    with (tmp_path / "LOCK").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for result in (serve(tmp_path), run("sweep", "--data", tmp_path)):
            assert (result.exit_code, result.stderr) == (2, f"lightningstor: another server is using the data folder {tmp_path}\n")


def test_a_wrong_key_file_is_an_error(tmp_path: Path) -> None:
    """It is found before anything is served, and leaves no key behind."""
    key = tmp_path / "k"
    key.write_text("nonsense")
    result = serve(tmp_path / "data", "--admin-address", "127.0.0.1:0", "--key-file", key)
    assert result.exit_code == 2
    assert str(key) in result.stderr


def test_a_sweep_needs_a_store(tmp_path: Path) -> None:
    """It never makes one."""
    result = run("sweep", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert not (tmp_path / "data").exists()
