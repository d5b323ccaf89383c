"""The marker ``needs_data``: skipped by name without the data directory, never skipped with it."""

from __future__ import annotations

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


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "repository" / "tests"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_it.py").write_text(TEST)
    (folder.parent / "pytest.ini").write_text("[pytest]\nmarkers = needs_data(name)\n")

    def run(data_dir: Path) -> str:
        command = [sys.executable, "-m", "pytest", "-rsf", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
        environment = {**os.environ, "SURRONAS_DATA_DIR": str(data_dir), "COLUMNS": "200"}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(
            command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=False
        ).stdout

    return run


def test_without_the_directory_a_test_is_skipped_by_name(session, tmp_path):
    out = session(tmp_path / "none")
    assert "2 skipped" in out
    assert "nasbench201/nats_bench.csv" in out
    assert "https://raw.githubusercontent.com/v-tao/nats-bench-landscape/" in out
    assert "SURRONAS_DATA_DIR" in out


def test_with_the_directory_a_skip_is_a_failure(session, tmp_path):
    out = session(tmp_path)
    assert "1 failed, 1 passed" in out
    assert "was skipped although the data directory" in out
