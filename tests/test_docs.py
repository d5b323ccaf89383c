"""The documentation's examples run as they stand and print what the pages say.

A Python block below ``<!-- run -->`` is run, and so is a set-up in a comment ``<!-- setup ... -->``. A page's blocks
share their names and an empty working directory. A block of text that follows is what they print: the words exactly,
the decimal numbers within 0.05. A Python block that is not run says why, in ``<!-- not run: ... -->`` above it. In
blocks of a shell, each command ``surronas`` is one that the command line understands.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import types
from pathlib import Path

import pytest

from surronas.cli import parser
from surronas.encoders import _encoders
from surronas.predictors import _predictors
from surronas.proxies.registry import _proxies
from surronas.spaces import _spaces

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(
    r"^<!-- setup\n(?P<setup>.*?)^-->$"
    r"|^<!-- run -->\n```python\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
PYTHON = re.compile(r"^(?P<above>.*)\n```python$", re.MULTILINE)
SHELL = re.compile(r"^```(?:bash|console)\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
DECIMAL = re.compile(r"\d+\.\d+")
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}


def run(page):
    """Run a page's blocks; yields what each printed and what the page says it prints."""
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")  # one that pickle finds the page's classes in
    sys.modules[module.__name__] = module
    text = page.read_text(encoding="utf-8")
    parts = list(PART.finditer(text))
    assert sum(part["code"] is not None for part in parts) == text.count("<!-- run -->\n")
    try:
        for part in parts:
            code = part["setup"] or part["code"]
            line = text[: part.start(part.lastgroup if part["setup"] else "code")].count("\n")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile("\n" * line + code, page, "exec"), vars(module))
            if part["code"]:
                yield printed.getvalue(), part["printed"] or ""
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if "<!-- run -->" in text])
def test_a_page_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for registry in (_spaces, _encoders, _predictors, _proxies):
        monkeypatch.setattr(registry, "_parts", {part: registry.get(part) for part in registry.names()})
    for printed, said in run(PAGES[name]):
        assert DECIMAL.sub("#", printed).split() == DECIMAL.sub("#", said).split()
        numbers = [[float(number) for number in DECIMAL.findall(text)] for text in (printed, said)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.05)


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if "```python" in text])
def test_a_block_is_run_or_says_why_not(name):
    above = [match["above"] for match in PYTHON.finditer(TEXTS[name])]
    assert len(above) == TEXTS[name].count("```python")
    assert [line for line in above if not re.fullmatch(r"<!-- (run|not run: .{10,}) -->", line)] == []


def commands(text):
    """Those in a page's blocks of a shell, as lists of arguments."""
    lines = "".join(match["lines"] for match in SHELL.finditer(text)).replace("\\\n", "")
    words = (shlex.split(line, comments=True) for line in lines.splitlines())
    return [found[found.index("surronas") + 1 :] for found in words if "surronas" in found]


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if commands(text)])
def test_commands_are_ones_that_there_are(name):
    for arguments in commands(TEXTS[name]):
        assert parser().parse_args(arguments), arguments


def test_there_are_pages_with_examples():
    assert "docs/your-own-space.md" in PAGES
    assert len(commands(TEXTS["README.md"])) > 2
