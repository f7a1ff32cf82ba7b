"""Every statement is one that both engines can take."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

import lightningstor_server.stores.metadata
from lightningstor_server.stores.metadata.statements import migrations, statements

FOLDER = Path(lightningstor_server.stores.metadata.__file__).parent
STATEMENTS = [
    (path.stem, name, text) for path in sorted((FOLDER / "queries").glob("*.sql")) for name, text in statements(path.stem).items()
]


@pytest.fixture(scope="module")
def database() -> apsw.Connection:
    """An empty store."""
    connection = apsw.Connection(":memory:")
    for _, script in migrations():
        connection.execute(script)
    return connection


@pytest.mark.parametrize(("family", "name", "text"), STATEMENTS, ids=lambda value: value if len(value) < 30 else "")
def test_statement_fits_the_schema(database: apsw.Connection, family: str, name: str, text: str) -> None:
    """A statement names tables and columns that are there, and is used by the code of its family."""
    count = len(set(re.findall(r"\$(\d+)", text)))
    database.execute(f"EXPLAIN {text}", (None,) * count).fetchall()
    assert any(f'_{family.upper()}["{name}"]' in path.read_text() for path in FOLDER.glob("sql/*.py"))


@pytest.mark.parametrize(("family", "name", "text"), STATEMENTS, ids=lambda value: value if len(value) < 30 else "")
def test_parameters_appear_in_order(family: str, name: str, text: str) -> None:
    """`$1`, `$2` ... first appear in that order, so that SQLite, which binds by position, means the same as PostgreSQL."""
    seen = list(dict.fromkeys(re.findall(r"\$(\d+)", text)))
    assert seen == [str(number + 1) for number in range(len(seen))], (family, name)
