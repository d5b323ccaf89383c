"""The meta-database: its numbers are those of a plain regression, and no kill loses what was finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasWarning, UnknownNameError
from surronas.meta.database import MetaDatabase, build_database
from surronas.meta.episodes import subnet_features
from surronas.meta.tasks import Task
from surronas.meta.variation import Variation
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.heads import ridge_penalty
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import load_supernet, save_supernet

SPACE = MBConv(
    [Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16
)
TEN = tuple(map(str, range(10)))
VIEWS = [Task({"digits": TEN}, Variation(turns=turns), 100, 100, 0, turns) for turns in range(3)]

SCRIPT = """
import json
import sys
from surronas.meta.database import build_database
from surronas.meta.tasks import Task
from surronas.supernet.weights import load_supernet
views = [Task.from_spec(spec) for spec in json.loads(sys.argv[3])]
build_database(load_supernet(sys.argv[1]), views, sys.argv[2], n_archs=5, n_tasks=2, n_jobs=1)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_supernet(path, SuperNet(SPACE, 10).eval())
    return path


def build(weights, folder, views=VIEWS, n_archs=5, **options):
    with warnings.catch_warnings():  # there are no measured latencies of this space
        warnings.simplefilter("ignore", SurronasWarning)
        return build_database(load_supernet(weights), views, folder, n_archs=n_archs, n_tasks=2, **options)


@pytest.fixture(scope="module")
def database(weights, tmp_path_factory):
    return build(weights, tmp_path_factory.mktemp("whole"))


@torch.no_grad()
def test_rows_are_what_a_regression_on_the_networks_features_says(database, weights):
    assert database.frame["task"].tolist() == np.repeat(range(6), 5).tolist()
    assert [task.view for task in database.tasks] == [0, 0, 1, 1, 2, 2]
    supernet = load_supernet(weights)
    of_view = VIEWS[1].images().resize(16)
    pixels = {split: torch.from_numpy(of_view.split(split)[0]).permute(0, 3, 1, 2) for split in ("train", "validation")}
    pixels["train"] = crop_and_flip(pixels["train"], torch.Generator().manual_seed(0), flip=False)
    for number in (2, 3):
        rows = (database.frame["task"] == number).to_numpy()
        X = database.X[rows]
        assert (X[0] == SPACE.smallest()).all()
        assert (X[1] == SPACE.largest()).all()
        costs = database.frame.loc[rows, ["params", "madds"]]
        assert (costs.to_numpy() == SPACE.cost(X)[["params", "madds"]].to_numpy()).all()
        classes = list(database.tasks[number].classes)
        assert 3 <= len(classes) <= 10
        for x, accuracy in zip(X, database.frame["val_accuracy"][rows], strict=True):
            train, validation = subnet_features(supernet, x, pixels["train"], pixels["validation"])
            penalty = ridge_penalty(train, torch.from_numpy(of_view.split("train")[1]), 10)
            own, tried = (np.isin(of_view.split(split)[1], classes) for split in ("train", "validation"))
            y, z = (of_view.split(split)[1][chosen] for split, chosen in (("train", own), ("validation", tried)))
            A = train[own].double().numpy()
            alpha = penalty * np.linalg.eigvalsh((A - A.mean(0)).T @ (A - A.mean(0))).mean()
            scores = Ridge(alpha=alpha).fit(A, np.eye(10)[y]).predict(validation[tried].double().numpy())
            assert accuracy == pytest.approx(100 * (scores.argmax(axis=1) == z).mean(), abs=1e-9)
    random = database.X.reshape(3, 2, 5, -1)[:, :, 2:]
    assert (random[0] != random[1]).any()
    assert (random[:, 0] == random[:, 1]).all()  # a view's architectures are on all its tasks


def test_images_of_a_task_are_its_views(database):
    task = database.tasks[3]
    images, of_view = database.images(3), VIEWS[1].images()
    assert images.class_names == tuple(TEN[k] for k in task.classes)
    known = {pixels.tobytes() for pixels in of_view.split("train")[0]}
    assert {pixels.tobytes() for pixels in images.split("train")[0]} <= known


def test_halves_say_how_reliable_a_task_is(database):
    frame = database.frame.copy()
    rng = np.random.default_rng(0)
    one, other = rng.normal(80, 3, (2, len(frame)))
    other[:5] = one[:5] + 1  # the first task's halves agree
    frame["val_accuracy"], frame["half_difference"] = (one + other) / 2, one - other
    frame.loc[5:9, "val_accuracy"], frame.loc[5:9, "half_difference"] = 90.0, 0.0
    found = MetaDatabase(SPACE, VIEWS, database.tasks, database.X, frame, {}).reliability()
    assert found[0] == pytest.approx(1)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(spearmanr(one[10:15], other[10:15]).statistic)


def test_easy_classes_are_no_tasks(weights, tmp_path, monkeypatch):
    monkeypatch.setattr("surronas.meta.database._LEAST_ERROR", 101.0)
    with pytest.raises(InvalidInputError, match="tells architectures apart"):
        build(weights, tmp_path, VIEWS[:1], n_archs=2)


def test_killed_while_it_measures_it_goes_on(database, weights, tmp_path):
    argv = [sys.executable, "-c", SCRIPT, weights, tmp_path, json.dumps([v.to_spec() for v in VIEWS])]
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
        file.write(b'{"view": 2, "arch')  # torn
    resumed = build(weights, tmp_path)
    pd.testing.assert_frame_equal(resumed.frame, database.frame)
    assert (resumed.X == database.X).all()
    lines = journal.read_bytes().splitlines()
    assert len(lines) == 4  # nothing was measured twice


def test_the_file_is_read_back(database, tmp_path):
    database.save(tmp_path / "d.parquet")
    again = MetaDatabase.load(tmp_path / "d.parquet")
    assert again.space == SPACE
    assert again.views == VIEWS
    assert again.tasks == database.tasks
    assert (again.X == database.X).all()
    pd.testing.assert_frame_equal(again.frame, database.frame)
    assert again.info == database.info
    again.save(tmp_path / "e.parquet")
    assert (tmp_path / "e.parquet").read_bytes() == (tmp_path / "d.parquet").read_bytes()


def test_damaged_files_are_errors(database, tmp_path):
    path = tmp_path / "d.parquet"
    with pytest.raises(UnknownNameError, match="meta-database 'mbconw'"):
        MetaDatabase.load("mbconw")
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
    build(weights, tmp_path, VIEWS[:1], n_archs=2)
    with pytest.raises(InvalidInputError, match="n_archs"):
        build(weights, tmp_path, VIEWS[:1], n_archs=3)
    with pytest.raises(InvalidInputError, match="at least 2"):
        build(weights, tmp_path, VIEWS[:1], n_archs=1)


def test_rows_and_tasks_must_fit(database):
    with pytest.raises(InvalidInputError, match="rows of its 1 tasks"):
        MetaDatabase(SPACE, VIEWS, database.tasks[:1], database.X, database.frame, {})
    assert np.isfinite(database.frame["val_accuracy"]).all()
