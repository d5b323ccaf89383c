from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.search.archive import Archive
from surronas.search.objectives import resolve_goals
from surronas.spaces import Gene, SearchSpace

SPACE = SearchSpace([Gene("a", (0, 1, 2, 3)), Gene("b", (0, 1, 2, 3))])
GOALS = resolve_goals(["error", "madds"], {"madds": 10}, {"val_accuracy": True, "madds": False})


def add(archive, archs, accuracy, madds, **marks):
    frame = pd.DataFrame({"val_accuracy": accuracy, "madds": madds})
    marks = {"seconds": [1.0] * len(archs), "version": 0, "iteration": 0, "reasons": [""] * len(archs)} | marks
    return archive.add(np.array(archs), frame, **marks)


@pytest.fixture
def archive():
    archs = [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]
    return add(Archive(SPACE, GOALS), archs, [60.0, 80.0, 70.0, 99.0, np.nan], [1.0, 4.0, 5.0, 20.0, 3.0])


def test_front_is_feasible_undominated_and_by_the_first_objective(archive):
    assert archive.front().archs.tolist() == [[0, 1], [0, 0]]
    assert archive.front().values["madds"].tolist() == [4.0, 1.0]


def test_a_failed_evaluation_is_no_number(archive):
    assert archive.values.iloc[4].isna().all()
    assert archive.succeeded.tolist() == [True, True, True, True, False]
    assert not archive.feasible[4]
    assert len(archive) == 5


def test_hypervolume_of_boxes(archive):
    # errors 40 and 20 at costs 1 and 4, up to (100, 10)
    assert archive.hypervolume([100.0, 10.0]) == pytest.approx(60 * 9 + 20 * 6)
    assert Archive(SPACE, GOALS).hypervolume([1.0, 1.0]) == 0


def test_a_known_architecture_gets_new_values_and_keeps_its_prediction():
    archive = add(
        Archive(SPACE, GOALS), [[0, 0], [1, 1]], [50.0, 60.0], [1.0, 2.0], predicted=np.array([[49.0, 1.0]] * 2)
    )
    again = add(archive, [[1, 1]], [70.0], [2.0], version=3, iteration=5)
    assert again.values["val_accuracy"].tolist() == [50.0, 70.0]
    assert again.predicted["val_accuracy"].tolist() == [49.0, 49.0]
    assert again.version.tolist() == [0, 3]
    assert again.iteration.tolist() == [0, 5]
    assert again.found.tolist() == [0, 0]
    assert again.replaced[["row", "val_accuracy", "version"]].to_numpy().tolist() == [[1, 60.0, 0]]
    assert archive.values["val_accuracy"].tolist() == [50.0, 60.0]


def test_values_of_the_latest_version_alone_make_the_front(archive):
    assert add(archive, [[0, 0]], [61.0], [1.0], version=1).front().archs.tolist() == [[0, 0]]
    moved = archive.moved(archive.values.to_numpy() + np.array([1.0, 0.0]), 4)
    assert moved.version.tolist() == [4] * 5
    assert moved.front().archs.tolist() == [[0, 1], [0, 0]]
    assert moved.hypervolume([100.0, 10.0]) == pytest.approx(61 * 9 + 20 * 6)


def test_one_row_for_isomorphic_architectures(conditional_space):
    goals = resolve_goals(["madds"], None, {"madds": False})
    archive = Archive(conditional_space, goals).add(
        conditional_space.canonical([[0, 1, 2, 2], [0, 1, 0, 0]]),
        pd.DataFrame({"madds": [1.0, 2.0]}),
        seconds=[0.0, 0.0],
        version=0,
        iteration=0,
        reasons=["", ""],
    )
    assert len(archive) == 1
    assert archive.contains(np.array([[0, 1, 1, 0], [1, 1, 1, 0]])).tolist() == [True, False]


def test_reasons_and_seconds_are_kept(archive):
    archive = add(archive, [[3, 3]], [np.nan], [1.0], reasons=["it broke"], seconds=[2.5])
    assert archive.reason.tolist() == ["", "", "", "", "", "it broke"]
    assert archive.seconds[-1] == 2.5
    assert archive.values.iloc[-1].isna().all()
