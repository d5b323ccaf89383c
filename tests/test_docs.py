"""The documentation's examples run as they stand and print what the pages say.

A Python block below ``<!-- run -->`` is run, and so is a set-up in a comment ``<!-- setup ... -->``. A page's blocks
share their names and an empty working directory. A block of text that follows is what they print: the words exactly,
the decimal numbers within 0.05.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from surronas.spaces import _spaces

DOCS = Path(__file__).resolve().parents[1] / "docs"
PART = re.compile(
    r"^<!-- setup\n(?P<setup>.*?)^-->$"
    r"|^<!-- run -->\n```python\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
DECIMAL = re.compile(r"\d+\.\d+")
PAGES = sorted(page.name for page in DOCS.glob("*.md") if "<!-- run -->" in page.read_text(encoding="utf-8"))


def run(page):
    """Run a page's blocks; yields what each printed and what the page says it prints."""
    names = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    parts = list(PART.finditer(text))
    assert sum(part["code"] is not None for part in parts) == text.count("<!-- run -->\n")
    for part in parts:
        code = part["setup"] or part["code"]
        line = text[: part.start(part.lastgroup if part["setup"] else "code")].count("\n")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile("\n" * line + code, page, "exec"), names)
        if part["code"]:
            yield printed.getvalue(), part["printed"] or ""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_spaces, "_parts", {name: _spaces.get(name) for name in _spaces.names()})
    for printed, said in run(DOCS / name):
        assert DECIMAL.sub("#", printed).split() == DECIMAL.sub("#", said).split()
        numbers = [[float(number) for number in DECIMAL.findall(text)] for text in (printed, said)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.05)


def test_there_are_pages_with_examples():
    assert "your-own-space.md" in PAGES
