"""The specification as data: the tables and code blocks of its chapters.

A section has at most one table: a head, a line of dashes, and rows of as many cells. Whatever else
begins with a bar is an error, so that a row that Markdown would drop silently fails a test.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "specifications" / "lightningstor"
CHAPTERS = sorted(FOLDER.glob("*.md"))

Row = dict[str, str]


def section(chapter: str, heading: str) -> list[str]:
    """The lines below a heading, up to the next heading of any level."""
    lines, found, fenced = (FOLDER / f"{chapter}.md").read_text().splitlines(), list[str](), False
    inside = seen = False
    for line in lines:
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            inside = line.lstrip("#").strip() == heading
            assert not (inside and seen), f"{chapter}.md has two sections {heading!r}"
            seen |= inside
        elif inside:
            found.append(line)
    assert seen, f"{chapter}.md has no section {heading!r}"
    return found


def table(chapter: str, heading: str) -> list[Row]:
    """The rows of a section's table, by the words in its head."""
    lines = section(chapter, heading)
    barred = [number for number, line in enumerate(lines) if line.startswith("|")]
    assert barred, f"{chapter}.md, {heading}: no table"
    assert barred == list(range(barred[0], barred[-1] + 1)), f"{chapter}.md, {heading}: more than one table"
    head, dashes, *rows = [_cells(lines[number]) for number in barred]
    assert set(dashes) == {"---"}, f"{chapter}.md, {heading}: no line of dashes below the head"
    for cells in (dashes, *rows):
        assert len(cells) == len(head), f"{chapter}.md, {heading}: {cells}"
    return [dict(zip(head, cells, strict=True)) for cells in rows]


def column(chapter: str, heading: str, name: str) -> list[str]:
    """One column of a table, without the marks of code."""
    return [plain(row[name]) for row in table(chapter, heading)]


def block(chapter: str, heading: str) -> str:
    """The one code block of a section."""
    found = re.findall(r"^```\w*\n(.*?)^```$", "\n".join(section(chapter, heading)) + "\n", re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{chapter}.md, {heading}: {len(found)} code blocks"
    text: str = found[0]
    return text


def plain(cell: str) -> str:
    """A cell's text without the marks of code."""
    return cell.replace("`", "")


def _cells(line: str) -> list[str]:
    assert line.endswith(" |"), f"a row that is not closed: {line}"
    assert line.startswith("| "), f"a row that is not opened: {line}"
    return [cell.strip() for cell in line[1:-1].split("|")]
