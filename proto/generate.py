"""Generate the Python modules of the protobuf files into the api package.

Law: the output depends on the sources and on the pinned grpcio-tools and mypy-protobuf alone, so
that a check can regenerate and want no difference. No stubs of services are made: the server binds
and the client calls by the descriptors of the services.
"""

from __future__ import annotations

import sys
import sysconfig
from importlib import resources
from pathlib import Path
from typing import Final

from grpc_tools import protoc  # type: ignore[import-untyped]

SOURCES: Final = Path(__file__).resolve().parent
TARGET: Final = SOURCES.parent / "packages" / "lightningstor-api" / "src"
VERSION: Final = "lightningstor_api/v1"


def generate(target: Path = TARGET) -> int:
    """Write the modules and their type stubs below `target`; the compiler's exit code, 0 for success."""
    well_known = resources.files("grpc_tools").joinpath("_proto")
    stubs = Path(sysconfig.get_path("scripts")) / "protoc-gen-mypy"
    folder = target / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    for stale in sorted(folder.glob("*_pb2*")):
        stale.unlink()
    names = sorted(f"{VERSION}/{path.name}" for path in (SOURCES / VERSION).glob("*.proto"))
    arguments = (
        f"--proto_path={SOURCES}",
        f"--proto_path={well_known}",
        f"--plugin=protoc-gen-mypy={stubs}",
        f"--python_out={target}",
        f"--mypy_out=quiet:{target}",  # its stubs pass a strict check; those of --pyi_out do not
    )
    return int(protoc.main(["protoc", *arguments, *names]))


if __name__ == "__main__":
    sys.exit(generate(*(Path(argument).resolve() for argument in sys.argv[1:2])))
