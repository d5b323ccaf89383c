"""Markers, by which tests are skipped only where they may be, and checks of pages, which notice what they are for."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

TEST = """
import pytest

@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_of_a_table(shared_data):
    assert shared_data.is_dir()

@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_that_skips_itself():
    pytest.skip("for some reason")
"""

TEST_OF_A_PAGE = """
import pytest

@pytest.mark.needs_browser
def test_of_a_page():
    pass
"""

PAGE = """<!doctype html><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<table class="sortable"><thead><tr><th><button>n</button></th></tr></thead>
<tbody><tr><td>10</td></tr><tr><td></td></tr><tr><td>9</td></tr></tbody></table>
<script>
const head = document.querySelector("th"), body = document.querySelector("tbody");
head.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const order = (a, b) => !a ? 1 : !b ? -1 : up ? a - b : b - a;
  body.append(...[...body.rows].sort((a, b) => order(a.textContent, b.textContent)));
});
</script>
"""


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "repository" / "tests"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder.parent / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs_data(name)\n  needs_browser\n")

    def run(test: str, **variables: str) -> str:
        (folder / "test_it.py").write_text(test)
        command = [sys.executable, "-m", "pytest", "-rsf", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
        environment = {**os.environ, **variables, "COLUMNS": "200"}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(
            command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=False
        ).stdout

    return run


def test_without_the_directory_a_test_is_skipped_by_name(session, tmp_path):
    out = session(TEST, SURRONAS_DATA_DIR=str(tmp_path / "none"))
    assert "2 skipped" in out
    assert "nasbench201/nats_bench.csv" in out
    assert "https://raw.githubusercontent.com/v-tao/nats-bench-landscape/" in out
    assert "SURRONAS_DATA_DIR" in out


def test_with_the_directory_a_skip_is_a_failure(session, tmp_path):
    out = session(TEST, SURRONAS_DATA_DIR=str(tmp_path))
    assert "1 failed, 1 passed" in out
    assert "was skipped although the data directory" in out


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_a_browser_only_ci_fails(session, tmp_path, ci, outcome):
    out = session(TEST_OF_A_PAGE, PATH=str(tmp_path), CI=ci)
    assert outcome in out
    assert "apt-get install chromium" in out


@pytest.mark.needs_browser
@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("</table>", "</table>"),
        ("</table>", "</table><div style='width: 500px'>wide</div>"),
        ("<script>", "<script>console.log(1);"),
        ("<script>", "<script>nothing.there();"),
        ("<script>", "<script src='https://127.0.0.1/there.js'></script><script>"),
        ("? a - b : b - a", "? a < b ? -1 : 1 : a > b ? -1 : 1"),
        ("!a ? 1 : !b ? -1 : ", ""),
        ("<td>9</td>", "<td>9</td></tr><tr class=late><td>8</td>"),
        ('"sortable"', '""'),
    ],
)
def test_a_page_is_checked(was, now, tmp_path, check_page):
    path = tmp_path / "page.html"
    path.write_text(PAGE.replace(was, now).replace("[...body.rows]", "[...body.rows].filter(row => !row.className)"))
    with contextlib.nullcontext() if was == now else pytest.raises(AssertionError):
        check_page(path, n_sortable=1)
