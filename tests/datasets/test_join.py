"""Tables of several data sets as one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import BenchmarkTable, Runs, TableInfo, Target, load_benchmark
from surronas.datasets.join import join
from surronas.exceptions import InvalidInputError
from surronas.spaces import Gene, SearchSpace

SPACE = SearchSpace([Gene("a", (0, 1, 2)), Gene("b", (0, 1))])
SIZE = Target("params", "millions", False, "size")


def table(dataset, archs, accuracy, params, **more):
    targets = pd.DataFrame({"accuracy": accuracy, "params": params}, dtype=float)
    described = (Target("accuracy", "%", True, "accuracy", f"on {dataset}"), SIZE)
    info = TableInfo(f"from {dataset}", "CC0-1.0", "Nobody", "0")
    return BenchmarkTable("toy", SPACE, archs, targets, described, info, dataset, **more)


def test_architectures_are_matched_and_missing_ones_are_missing():
    runs = {"accuracy": Runs(np.array([[1.0], [2.0]]), {"seed": (7,)})}
    left = table("x", [[0, 0], [1, 1]], [10, 20], [1, 2], runs=runs)
    right = table("y", [[1, 1], [2, 0]], [30, 40], [2, 3])
    both = join([left, right])
    assert both.archs.tolist() == [[0, 0], [1, 1], [2, 0]]
    assert both.targets["x_accuracy"].tolist()[:2] == [10, 20]
    assert both.targets["y_accuracy"].tolist()[1:] == [30, 40]
    assert both.targets.isna().sum().to_dict() == {
        "x_accuracy": 1, "x_params": 1, "y_accuracy": 1, "y_params": 1,
    }  # fmt: skip
    assert both.target("y_accuracy").description == "on y"
    np.testing.assert_array_equal(both.runs["x_accuracy"].values, [[1], [2], [np.nan]])
    assert both.info.source == "from x; from y"


def test_a_target_that_is_the_same_everywhere_is_there_once():
    archs = [[0, 0], [1, 1]]
    both = join([table("x", archs, [10, 20], [1, 2]), table("y", archs[::-1], [30, 40], [2, 1])])
    assert list(both.targets) == ["x_accuracy", "params", "y_accuracy"]
    assert both.targets["params"].tolist() == [1, 2]
    assert both.targets["y_accuracy"].tolist() == [40, 30]


def test_the_context_goes_along():
    left = table("x", [[0, 0], [1, 1]], [10, 20], [1, 2], context=pd.DataFrame({"origin": ["random", "front"]}))
    right = table("y", [[2, 0], [1, 1]], [30, 40], [3, 2], context=pd.DataFrame({"origin": ["smallest", "front"]}))
    both = join([left, right])
    assert both.archs.tolist() == [[0, 0], [1, 1], [2, 0]]
    assert both.context["origin"].tolist() == ["random", "front", "smallest"]
    assert join([left, table("y", [[2, 0]], [30], [3])]).context["origin"].tolist()[:2] == ["random", "front"]


def test_what_cannot_be_joined_is_refused():
    once = table("x", [[0, 0]], [10], [1])
    with pytest.raises(InvalidInputError, match="several rows of one architecture"):
        join([once, table("y", [[0, 0], [0, 0]], [1, 2], [3, 4])])
    other = SearchSpace([Gene("a", (0, 1))])
    wrong = BenchmarkTable("t", other, [[0]], pd.DataFrame({"params": [1.0]}), [SIZE], once.info)
    with pytest.raises(InvalidInputError, match="one space"):
        join([once, wrong])


def test_several_data_sets_of_a_benchmark():
    both = load_benchmark("nasbench_graph", ["cora", "proteins"])
    cora = load_benchmark("nasbench_graph", "cora")
    assert len(both) == 26206
    pd.testing.assert_series_equal(both.targets["cora_val_accuracy"], cora.targets["val_accuracy"], check_names=False)
    assert both.targets["proteins_val_accuracy"].notna().sum() == 2021
    for wrong in ([], 3, ["cora", 3]):
        with pytest.raises(InvalidInputError, match="must be a str, a list of them, or None"):
            load_benchmark("nasbench_graph", wrong)
