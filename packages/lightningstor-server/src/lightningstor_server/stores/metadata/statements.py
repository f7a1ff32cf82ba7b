"""The named SQL of `queries/*.sql`.

Law: SQL stands in files and is named; it is written once for every engine. Parameters are `$1`,
`$2` ... and appear first in that order, which is PostgreSQL's form and, bound by position, SQLite's.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements(family: str) -> dict[str, str]:
    """The statements of `queries/<family>.sql` by name."""
    text = (resources.files(__package__) / "queries" / f"{family}.sql").read_text()
    parts = _NAME.split(text)[1:]
    return {name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)}


def migrations() -> list[tuple[int, str]]:
    """The migrations as (store format that it leads to, script), ascending."""
    folder = resources.files(__package__) / "migrations"
    return sorted((int(file.name.split("_")[0]), file.read_text()) for file in folder.iterdir() if file.name.endswith(".sql"))
