"""The README's first tour, as its reader takes it."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import attrs
import pytest

import servers

README = Path(__file__).parents[2] / "README.md"
SNIPPET_SECONDS = 120.0
_HEADING = re.compile(r"#{1,6} +(.*)")
_FENCE = re.compile(r"(`{3,})(\w*)")


@attrs.frozen
class Snippet:
    """A fenced block, and where its first line stands."""

    language: str
    line: int
    text: str


def tour(markdown: str) -> list[Snippet]:
    """The blocks of python and sh between a heading with the word tour and the next one of its level or above."""
    found: list[Snippet] = []
    level, fence, language, begun, lines = 0, "", "", 0, list[str]()
    for number, line in enumerate(markdown.splitlines(), 1):
        mark = _FENCE.match(line)
        if fence:
            if line.strip() == fence:
                if level and language in {"python", "sh"}:
                    found.append(Snippet(language, begun, "\n".join(lines) + "\n"))
                fence = ""
            else:
                lines.append(line)
        elif mark is not None:
            fence, language, begun, lines = mark[1], mark[2], number + 1, []
        elif (heading := _HEADING.match(line)) is not None:
            depth = len(line) - len(line.lstrip("#"))
            if "tour" in heading[1].lower():
                level = depth
            elif level and depth <= level:
                level = 0
    return found


def run_shell(snippet: Snippet) -> None:
    """Run a block of sh as it stands; the first command that fails ends it. URLs that it prints can be read."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet.text],  # noqa: S607 - the reader's own
        timeout=SNIPPET_SECONDS,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"README.md:{snippet.line}\n{snippet.text}\n{done.stdout}\n{done.stderr}"
    for url in (line for line in done.stdout.splitlines() if line.startswith(os.environ["AWS_ENDPOINT_URL"])):
        with urllib.request.urlopen(url, timeout=SNIPPET_SECONDS) as answer:  # noqa: S310 - http only
            assert answer.read(), f"README.md:{snippet.line} prints a URL that reads nothing"


def run_python(snippet: Snippet, namespace: dict[str, object]) -> None:
    """Run a block of python behind the ones before it; a traceback names the README's lines."""
    code = compile("\n" * (snippet.line - 1) + snippet.text, str(README), "exec")
    exec(code, namespace)  # noqa: S102 - the README's, and nobody else's


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a tour need not close its clients
def test_the_tour_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every snippet of the tour runs, in its order, against a server that was started for it."""
    snippets = tour(README.read_text())
    assert {snippet.language for snippet in snippets} == {"python", "sh"}, "the tour shows boto3 and aws cli"
    with servers.running(tmp_path / "data", "--workers=1") as server:
        folder = tmp_path / "tour"
        folder.mkdir()
        for name, value in {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": servers.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY,
            "AWS_DEFAULT_REGION": servers.REGION,
            "AWS_PAGER": "",
            "LIGHTNINGSTOR_GRPC": server.grpc,
            "AWS_CONFIG_FILE": str(folder / ".aws" / "config"),
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        namespace: dict[str, object] = {"__name__": "tour"}
        for snippet in snippets:
            if snippet.language == "sh":
                run_shell(snippet)
            else:
                run_python(snippet, namespace)
        namespace.clear()
        gc.collect()


def test_the_tour_is_found() -> None:
    """Only python and sh below the tour's heading count, not what stands before or behind it."""
    before, behind = "# A\n```sh\nno\n```\n", "```toml\nno\n```\n## B\n```sh\nno\n```\n"
    within = "## First Tour\n```python\nx = 1\n```\n### more\n````sh\n# b\n```\necho\n````\n"
    assert tour(before + within + behind) == [Snippet("python", 7, "x = 1\n"), Snippet("sh", 11, "# b\n```\necho\n")]
