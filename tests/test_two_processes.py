"""Two processes at once on one folder: nothing torn, lost or doubled in what comes out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import time
from pathlib import Path

import pandas as pd

from surronas.benchmark import evaluate
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.io import write_atomic
from surronas.proxies.cache import ScoreCache
from surronas.proxies.measure import Measured
from surronas.spaces import Gene, SearchSpace

folder, number, n = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
space = SearchSpace([Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(4)])
X = space.enumerate()
values = pd.DataFrame({"val_accuracy": 60.0 + X.sum(axis=1) + X[:, 0] / 7})
described = [Target("val_accuracy", "%", True, "accuracy")]
table = BenchmarkTable("made", space, X, values, described, TableInfo("", "", "", ""))

(folder / f"ready{number}").touch()
while len(list(folder.glob("ready*"))) < n:
    time.sleep(0.01)
evaluate(["one_hot:mean"], table, n_train=[16], n_repeats=20, out=folder / "out")
cache = ScoreCache({"space": {"name": "s"}}, folder / "cache")
for i in range(100):
    cache.add((i,), Measured({"nwot": i + number / 2}, {}, {"nwot": 1.0}))
    write_atomic(folder / "file", bytes([number]) * 100_000)
"""


def work(folder, n):
    processes = [subprocess.Popen([sys.executable, "-c", SCRIPT, folder, str(i), str(n)]) for i in range(n)]
    assert [process.wait() for process in processes] == [0] * n
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one process leaves, and what two do."""
    return [work(tmp_path_factory.mktemp("work"), n) for n in (1, 2)]


def test_a_comparison_has_each_cell_once(folders):
    import pandas as pd

    times = ["fit_seconds", "predict_seconds"]
    one, two = (pd.read_parquet(folder / "out/results.parquet").drop(columns=times) for folder in folders)
    pd.testing.assert_frame_equal(one, two)


def test_a_cache_has_whole_lines_of_both(folders):
    (path,) = (folders[1] / "cache").iterdir()
    _, *cells = (json.loads(line) for line in path.read_bytes().splitlines())
    found = sorted((cell["arch"][0], cell["scores"]["nwot"]) for cell in cells)
    assert found == sorted((i, i + number / 2) for i in range(100) for number in (0, 1))


def test_a_file_is_one_writer_s_and_nothing_is_left_over(folders):
    assert len(set((folders[1] / "file").read_bytes())) == 1
    assert (folders[1] / "file").stat().st_size == 100_000
    assert not list(folders[1].rglob(".*"))
