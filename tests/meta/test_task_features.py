"""Features of a database's tasks: each view's once, whoever computes them and whatever stops it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidFileError
from surronas.meta import task_features as module
from surronas.meta.database import Episode, MetaDatabase
from surronas.meta.features import N_KEPT, image_features
from surronas.meta.task_features import task_features
from surronas.meta.tasks import Task
from surronas.meta.variation import Variation
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.network import SuperNet

SPACE = MBConv(
    [Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16
)
ORIGIN = {"database": "made up", "supernet": "untrained"}


def made_up():
    """Three views, two tasks of each, one row a task."""
    views = [Task({"digits": ("1", "4", "7", "8")}, Variation(invert=bool(v)), 40, 20, 0, v) for v in range(3)]
    tasks = [Episode(v, classes) for v in range(3) for classes in ((0, 1, 2), (1, 2, 3))]
    X = np.repeat(SPACE.smallest()[None], len(tasks), axis=0)
    return MetaDatabase(SPACE, views, tasks, X, pd.DataFrame({"task": range(len(tasks))}), {})


@pytest.fixture
def supernet():
    torch.manual_seed(0)
    return SuperNet(SPACE, 10).eval()


@pytest.fixture
def computed(monkeypatch):
    """The views that are computed, in this process."""
    seen, whole = [], module._of_view

    def noted(database, supernet, view):
        seen.append(view)
        return whole(database, supernet, view)

    monkeypatch.setattr(module, "_of_view", noted)
    return seen


def alike(one, other):
    return all(
        len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def test_they_are_the_images_features_at_any_n_jobs(supernet, tmp_path):
    found = task_features(made_up(), supernet, tmp_path / "one", ORIGIN)
    for task in range(6):
        expected = image_features(supernet, made_up().images(task), N_KEPT, task)
        for a, b in zip(found[task], expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)  # of half precision
    assert alike(found, task_features(made_up(), supernet, tmp_path / "two", ORIGIN, n_jobs=2))


def test_what_was_computed_is_not_computed_again(supernet, tmp_path, computed, monkeypatch):
    whole = task_features(made_up(), supernet, tmp_path / "whole", ORIGIN)
    write = module.write_atomic

    def full(path, content):
        if path.name == "view1.pt":
            raise OSError("No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomic", full)
        with pytest.raises(OSError, match="No space"):
            task_features(made_up(), supernet, tmp_path / "stopped", ORIGIN)
    computed.clear()
    assert alike(task_features(made_up(), supernet, tmp_path / "stopped", ORIGIN), whole)
    assert computed == [1, 2]


def test_those_of_another_origin_are_computed_anew(supernet, tmp_path, computed):
    task_features(made_up(), supernet, tmp_path, ORIGIN)
    computed.clear()
    task_features(made_up(), supernet, tmp_path, {**ORIGIN, "database": "another"})
    assert computed == [0, 1, 2]


def test_a_damaged_file_is_named(supernet, tmp_path):
    task_features(made_up(), supernet, tmp_path, ORIGIN)
    path = tmp_path / "view1.pt"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidFileError, match="view1.pt are damaged"):
        task_features(made_up(), supernet, tmp_path, ORIGIN)
