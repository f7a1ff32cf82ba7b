"""The house measure, held by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in ROOT.glob("packages/*/src/**/*.py") if "_pb2" not in path.name)
FILE_MAX_LINES = 350
FUNCTION_MAX_LINES = 70
PROTOCOL_MAX_METHODS = 8


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_opens_with_its_law(path: Path) -> None:
    """A file has at most 350 lines and begins with a docstring; one with code states its law there."""
    text = path.read_text()
    assert text.count("\n") <= FILE_MAX_LINES
    docstring = ast.get_docstring(_tree(path))
    assert docstring is not None
    assert "Law:" in docstring or len(_tree(path).body) == 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_are_short(path: Path) -> None:
    """No function is longer than 70 lines."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_MAX_LINES, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_protocols_are_narrow(path: Path) -> None:
    """A Protocol has at most eight methods."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            assert len(methods) <= PROTOCOL_MAX_METHODS, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_named_for_nothing(path: Path) -> None:
    """There are no utils, helpers or managers."""
    assert path.stem not in {"utils", "helpers", "manager", "common_utils", "misc"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/**/test_*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_says_what_must_hold(path: Path) -> None:
    """A test has a docstring."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name
