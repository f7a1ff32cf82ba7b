"""The command line: what it refuses, and how."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from lightningstor_server import __version__, startup
from lightningstor_server.__main__ import main
from lightningstor_server.cli.main import COMMANDS, SECTIONS


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


def every_command() -> list[tuple[str, click.Command]]:
    """Each command with its full name, those within groups too."""
    found: list[tuple[str, click.Command]] = []
    waiting: list[tuple[str, click.Command]] = [("lightningstor", main)]
    while waiting:
        name, command = waiting.pop()
        found.append((name, command))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for each in command.list_commands(context):
                inner = command.get_command(context, each)
                assert inner is not None, f"{name} {each}"
                waiting.append((f"{name} {each}", inner))
    return sorted(found, key=lambda pair: pair[0])


@pytest.mark.parametrize(("name", "command"), every_command(), ids=[name for name, _ in every_command()])
def test_help_teaches(name: str, command: click.Command) -> None:
    """Each command says what it does and explains each option; each one of the group shows an example of itself.

    A command within a group, such as `key revoke`, may leave its example to the group.
    """
    assert command.help, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"
    if name.count(" ") <= 1:
        assert command.epilog, f"no example of {name}"
        assert any(name in line and line.startswith("  ") for line in command.epilog.splitlines()), f"no example of {name}"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_its_section(name: str) -> None:
    """Nothing stands among the others in `lightningstor --help`, and no family stands in two sections."""
    assert sum(COMMANDS[name] in families for families in SECTIONS.values()) == 1
    assert f"  {name} " in run("--help").output


def test_help_says_what_to_do_first() -> None:
    """Three lines that a stranger can type, and sections."""
    shown = run("--help").output
    assert "Begin here:" in shown
    assert [title for title in ("Serve:", "Store care:", "Tools:") if f"\n{title}\n" in shown] == ["Serve:", "Store care:", "Tools:"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    """For each shell, for this program; where the shell is here, it can read it."""
    script = run("completion", shell).output
    assert "_LIGHTNINGSTOR_COMPLETE" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    ("arguments", "incomplete", "expected"),
    [
        ([], "be", ["bench"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
        (["serve", "--http-server"], "g", ["granian"]),
        (["bench", "--mix"], "m", ["multipart", "mixed"]),
        (["bench", "--size"], "4", ["4KiB"]),
        (["doctor"], "--sec", ["--secret-key"]),
    ],
)
def test_words_are_completed(arguments: list[str], incomplete: str, expected: list[str]) -> None:
    """Commands, options and values."""
    found = ShellComplete(main, {}, "lightningstor", "_LIGHTNINGSTOR_COMPLETE").get_completions(arguments, incomplete)
    assert [item.value for item in found] == expected
