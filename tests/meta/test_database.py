"""The meta-database: its numbers are the evaluator's, and no kill loses what was finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.meta.database import MetaDatabase, build_database
from surronas.meta.tasks import Task
from surronas.meta.variation import Variation
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import load_supernet, save_supernet

SPACE = MBConv(
    [Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16
)
TASKS = [
    Task({"digits": classes}, Variation(turns=turns), 40, 40, 0, seed)
    for seed, (classes, turns) in enumerate([(("0", "1"), 0), (("3", "8", "9"), 1), (("2", "7"), 2)])
]

SCRIPT = """
import json
import sys
from surronas.meta.database import build_database
from surronas.meta.tasks import Task
from surronas.supernet.weights import load_supernet
tasks = [Task.from_spec(spec) for spec in json.loads(sys.argv[3])]
build_database(load_supernet(sys.argv[1]), tasks, sys.argv[2], n_archs=5, n_jobs=1)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_supernet(path, SuperNet(SPACE, 10).eval())
    return path


@pytest.fixture(scope="module")
def database(weights, tmp_path_factory):
    return build_database(load_supernet(weights), TASKS, tmp_path_factory.mktemp("whole"), n_archs=5)


def test_rows_are_what_the_evaluator_says(database, weights):
    assert database.frame["task"].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    supernet = load_supernet(weights)
    for number, task in enumerate(TASKS):
        rows = (database.frame["task"] == number).to_numpy()
        X = database.X[rows]
        assert (X[0] == SPACE.smallest()).all()
        assert (X[1] == SPACE.largest()).all()
        targets = ("val_accuracy", "params", "madds")
        evaluator = SupernetEvaluator(supernet, task.images(), targets=targets, n_calibration=40, head="ridge")
        expected = evaluator.evaluate(X)
        assert database.frame["val_accuracy"][rows].tolist() == expected["val_accuracy"].tolist()
        ten = SPACE.cost(X)
        assert (database.frame.loc[rows, ["params", "madds"]].to_numpy() == ten.to_numpy()).all()
    random = database.X.reshape(3, 5, -1)[:, 2:]
    assert (random[0] != random[1]).any()


def test_killed_while_it_measures_it_goes_on(database, weights, tmp_path):
    argv = [sys.executable, "-c", SCRIPT, weights, tmp_path, json.dumps([t.to_spec() for t in TASKS])]
    process = subprocess.Popen(list(map(str, argv)))
    journal = tmp_path / "journal.jsonl"
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 2:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.wait()
    finished = journal.read_bytes().count(b"\n") - 1
    assert 1 <= finished <= 3
    with journal.open("ab") as file:
        file.write(b'{"task": 2, "arch')  # torn
    resumed = build_database(load_supernet(weights), TASKS, tmp_path, n_archs=5)
    pd.testing.assert_frame_equal(resumed.frame, database.frame)
    assert (resumed.X == database.X).all()
    lines = journal.read_bytes().splitlines()
    assert len(lines) == 4  # nothing was measured twice


def test_the_file_is_read_back(database, tmp_path):
    database.save(tmp_path / "d.parquet")
    again = MetaDatabase.load(tmp_path / "d.parquet")
    assert again.space == SPACE
    assert again.tasks == list(TASKS)
    assert (again.X == database.X).all()
    pd.testing.assert_frame_equal(again.frame, database.frame)
    assert again.info == database.info
    again.save(tmp_path / "e.parquet")
    assert (tmp_path / "e.parquet").read_bytes() == (tmp_path / "d.parquet").read_bytes()


def test_damaged_files_are_errors(database, tmp_path):
    path = tmp_path / "d.parquet"
    with pytest.raises(InvalidFileError, match="no file"):
        MetaDatabase.load(path)
    database.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidFileError, match="not a whole meta-database"):
        MetaDatabase.load(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(InvalidFileError, match="not a whole meta-database"):
        MetaDatabase.load(path)


def test_a_folder_of_other_settings_is_refused(weights, tmp_path):
    supernet = load_supernet(weights)
    build_database(supernet, TASKS[:1], tmp_path, n_archs=2)
    with pytest.raises(InvalidInputError, match="n_archs"):
        build_database(supernet, TASKS[:1], tmp_path, n_archs=3)
    with pytest.raises(InvalidInputError, match="at least 2"):
        build_database(supernet, TASKS[:1], tmp_path, n_archs=1)


def test_rows_and_tasks_must_fit(database):
    with pytest.raises(InvalidInputError, match="rows of its 1 tasks"):
        MetaDatabase(SPACE, TASKS[:1], database.X, database.frame, {})
    assert np.isfinite(database.frame["val_accuracy"]).all()
