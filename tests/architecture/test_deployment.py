"""The files of packages/lightningstor-server/deployment, held against the command line, the configuration and the admin address."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from lightningstor_server import documents
from lightningstor_server.admin.app import build
from lightningstor_server.auth.vault import KEY_VARIABLE
from lightningstor_server.bootstrap import ROOT_ACCESS_KEY_VARIABLE, ROOT_SECRET_KEY_VARIABLE
from lightningstor_server.cli.serving import serve
from lightningstor_server.config import Config, load_config
from lightningstor_server.failures import EXIT_BROKEN, EXIT_USAGE

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENT: Final = ROOT / "packages/lightningstor-server/deployment"
DATA, CONFIGURATION, PROGRAM = "/var/lib/lightningstor", "/etc/lightningstor", "/opt/lightningstor/bin/lightningstor"
DEPLOYMENT_VARIABLES: Final = {"LIGHTNINGSTOR_OPTIONS", "LIGHTNINGSTOR_HEALTH_URL"}
EXPOSURE_MAX: Final = 20
"""Of systemd's 100, at which a service has no hardening at all."""
CHECK_SECONDS: Final = 60


def unit() -> dict[str, list[str]]:
    """The settings of the unit's [Service], each with all its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOYMENT / "lightningstor.service").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def defaults() -> list[str]:
    """What /etc/default/lightningstor may set the options to: the line in force and the one that is commented out."""
    lines = re.findall(r"^(?:# )?LIGHTNINGSTOR_OPTIONS=(.*)$", (DEPLOYMENT / "lightningstor.default").read_text(), re.MULTILINE)
    return [" ".join(shlex.split(line)) for line in lines]


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's, each on one line."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", (DEPLOYMENT / "Containerfile").read_text(), flags=re.MULTILINE))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def instruction(name: str) -> str:
    """The last of that name, which is the one that counts."""
    return [rest for each, rest in instructions() if each == name][-1]


def served(words: list[str]) -> dict[str, Any]:
    """What `lightningstor serve` understands; the command line itself reads it, and refuses what it does not know."""
    assert words[0] == "serve"
    return serve.make_context("serve", words[1:]).params


def command_of_unit(options: str) -> list[str]:
    """The words of ExecStart with the options of /etc/default put in."""
    line = unit()["ExecStart"][0].replace("$LIGHTNINGSTOR_OPTIONS", options)
    program, *words = shlex.split(line.replace("${CREDENTIALS_DIRECTORY}", "/run/credentials/lightningstor.service"))
    assert program == PROGRAM
    return words


@pytest.mark.parametrize("options", ["", *defaults()])
def test_the_units_command_is_understood(options: str) -> None:
    """Every option of the unit and of /etc/default exists and has a good value; the paths are those of the layout."""
    found = served(command_of_unit(options))
    assert (str(found["data"]), str(found["config"])) == (DATA, f"{CONFIGURATION}/lightningstor.toml")
    assert str(found["key_file"]) == "/run/credentials/lightningstor.service/master.key"
    assert unit()["LoadCredential"] == [f"master.key:{CONFIGURATION}/master.key"]
    assert (unit()["StateDirectory"], unit()["StateDirectoryMode"], unit()["UMask"]) == (["lightningstor"], ["0700"], ["0077"])
    assert (found["tls_cert"] is None) == (found["tls_key"] is None)
    assert found["admin_address"].host == "127.0.0.1", "without authentication, it stays inside"


def test_the_unit_ends_and_restarts_as_the_server_does() -> None:
    """It waits longer than the server drains, and does not start again what cannot be mended by that."""
    found = unit()
    assert int(found["TimeoutStopSec"][0]) > Config().limits.drain_seconds
    assert found["KillMode"] == ["mixed"], "SIGTERM is the supervisor's alone"
    assert set(found["RestartPreventExitStatus"][0].split()) == {str(EXIT_USAGE), str(EXIT_BROKEN)}
    assert int(found["LimitNOFILE"][0]) > 2 * Config().limits.max_connections


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt-get install systemd")
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    """`verify` has nothing to say of it, and its exposure is that of a service that is shut in."""
    copy = tmp_path / "lightningstor.service"
    # the program is looked for, and nothing is installed here
    copy.write_text((DEPLOYMENT / "lightningstor.service").read_text().replace(PROGRAM, sys.executable))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],  # noqa: S607 - the system's
        check=False,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
    )
    assert [line for line in verified.stderr.splitlines() if "lightningstor" in line] == []
    hardened = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(copy)],  # noqa: S607
        check=False,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
    )
    assert hardened.returncode == 0, hardened.stdout + hardened.stderr


def test_the_image_runs_what_the_server_understands() -> None:
    """Entry point and command exist; data and key are volumes; the user is nobody; each port is an address's."""
    assert json.loads(instruction("ENTRYPOINT")) == [PROGRAM]
    found = served(json.loads(instruction("CMD")))
    assert (str(found["data"]), str(found["key_file"])) == (DATA, f"{CONFIGURATION}/master.key")
    assert json.loads(instruction("VOLUME")) == [DATA, CONFIGURATION]
    assert instruction("USER") == "10001:10001"
    assert set(instruction("EXPOSE").split()) == {str(found["s3_address"].port), str(found["grpc_address"].port)}
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert len(stages) == 2
    assert all(re.fullmatch(r"debian:\d+-slim( AS build)?", stage) for stage in stages)


def test_the_image_copies_what_is_there() -> None:
    """Each COPY from the repository names a file or folder of it, and the health check runs the copied program."""
    copies = [rest.split() for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    assert copies
    assert all((ROOT / source).exists() for source, _ in copies)
    (program,) = [target for source, target in copies if source.endswith("healthcheck.py")]
    assert json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])[1] == program


def test_the_health_check_asks_what_is_answered() -> None:
    """Its URL is a route of the admin address, on the port that the image serves it on."""
    (url,) = set(re.findall(r'"(http://[^"]+)"', (DEPLOYMENT / "healthcheck.py").read_text() + instruction("ENV")))
    address, _, path = url.removeprefix("http://").partition("/")
    assert address == str(served(json.loads(instruction("CMD")))["admin_address"])
    routes: list[Any] = list(build(lambda: True, lambda: b"").routes)
    assert f"/{path}" in {route.path for route in routes}


def test_the_example_configuration_is_the_default() -> None:
    """It is read without an error, has every key, and says of each what holds without it."""
    path = DEPLOYMENT / "lightningstor.toml"
    assert load_config(path) == Config()
    told, missing = tomllib.loads(path.read_text()), []
    for name, value in _flat(documents.plain(Config())):
        if value is None or value == {}:
            assert re.search(rf"^(# {name} = |\[{name}\])", path.read_text(), re.MULTILINE), name
        elif name not in dict(_flat(told)):
            missing.append(name)
    assert missing == []


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [(prefix + name, value)]
    return found


@pytest.mark.parametrize("path", sorted(DEPLOYMENT.iterdir()), ids=lambda path: path.name)
def test_variables_and_paths_are_the_layouts(path: Path) -> None:
    """No file names an environment variable that nothing reads, or a path that the layout does not have."""
    text = path.read_text()
    known = {KEY_VARIABLE, ROOT_ACCESS_KEY_VARIABLE, ROOT_SECRET_KEY_VARIABLE} | DEPLOYMENT_VARIABLES
    assert set(re.findall(r"LIGHTNINGSTOR_[A-Z_]+", text)) <= known
    files = {"lightningstor.toml", "master.key", "root.env", "tls.pem", "tls.key"}
    assert set(re.findall(r"/etc/lightningstor/([\w.]+)", text)) <= files


def test_owners_and_modes() -> None:
    """The key and the root key are root's alone; the service may read its configuration and nobody else."""
    modes = dict(line.split()[1:3] for line in (DEPLOYMENT / "lightningstor.tmpfiles").read_text().splitlines() if line[:1] in {"d", "z"})
    assert modes[f"{CONFIGURATION}/master.key"] == modes[f"{CONFIGURATION}/root.env"] == "0600"
    assert modes[CONFIGURATION] == "0750"
    assert all(int(mode, 8) & 0o027 == 0 for mode in modes.values())
    user = (DEPLOYMENT / "lightningstor.sysusers").read_text().splitlines()[-1].split()
    assert user[:2] == ["u", "lightningstor"]
    assert unit()["User"] == unit()["Group"] == ["lightningstor"]


@pytest.mark.parametrize("name", ["types", "api", "server"])
def test_each_distribution_has_the_licence(name: str) -> None:
    """A wheel and an sdist are built from their own folder, so the licence is there too."""
    assert (ROOT / f"packages/lightningstor-{name}/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
