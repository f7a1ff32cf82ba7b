"""A folder for the clients that speak of files.

Law: what came down is compared with what went up by name and by digest, never by size or date.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from clients.keys import SHELL_KEYS, UNSAYABLE

BIG_BYTES: Final = 17 << 20


def fill(root: Path, client: str = "") -> Path:
    """A folder with a file for each odd name that the client can say, beside it and below, and one of 17 MiB, `big`."""
    names = [name for odd, name in SHELL_KEYS.items() if odd not in UNSAYABLE.get(client, {})]
    for number, name in enumerate(names):
        for path in (root / name, root / f"in {number}" / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(100) + name.encode())
    (root / "big").write_bytes(os.urandom(BIG_BYTES))
    return root


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by their relative paths, with the digests of their bytes."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}
