"""Tasks in the forms that people have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import BenchmarkTable
from surronas.datasets.table import TableInfo, Target
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.transfer.tasks import Task, multiplicative, read_tasks

SPACE = get_space("nats_size")
X = SPACE.sample(6, random_state=0)
INFO = TableInfo("", "", "", "")
TARGETS = {
    "accuracy": Target("accuracy", "%", True, "accuracy"),
    "error": Target("error", "%", False, "error"),
    "loss": Target("loss", "", False, "loss"),
    "phone": Target("phone", "ms", False, "latency"),
    "tablet": Target("tablet", "ms", False, "latency"),
    "params": Target("params", "millions", False, "size"),
    "nwot": Target("nwot", "", True, "proxy"),
}


def table(*names, dataset=None, space=SPACE, archs=X):
    values = {name: np.arange(1.0, 7.0) * (i + 1) for i, name in enumerate(names)}
    described = [TARGETS[name] for name in names]
    return BenchmarkTable("small", space, archs, pd.DataFrame(values), described, INFO, dataset)


def directions(tasks):
    return {name: float(np.sign(task.values[-1])) for name, task in tasks.items()}


def test_of_a_table_the_targets_of_the_kind_that_is_learnt_without_itself():
    everything = table(*TARGETS)
    assert list(read_tasks(everything, SPACE, "phone")) == ["tablet"]
    assert list(read_tasks(everything, SPACE, "accuracy")) == ["error", "loss"]
    assert list(read_tasks(table("phone", "params", "tablet"), SPACE)) == ["phone", "tablet"]
    task = read_tasks(everything, SPACE, "phone")["tablet"]
    np.testing.assert_array_equal(task.archs, X)
    assert task.values.tolist() == [5, 10, 15, 20, 25, 30]
    assert task.kind == "latency"


def test_of_several_tables_the_target_of_that_name():
    tables = [table("accuracy", "phone", dataset=name) for name in ("one", "two")]
    assert list(read_tasks(tables, SPACE, "accuracy")) == ["accuracy of one", "accuracy of two"]
    assert list(read_tasks(tables[:1], SPACE, "accuracy")) == ["accuracy of one"]
    assert list(read_tasks([table("loss"), table("accuracy")], SPACE, "mine")) == ["loss of small", "accuracy of small"]


def test_they_point_the_way_of_the_target():
    both = table("accuracy", "error", "loss")
    assert directions(read_tasks(both, SPACE, "accuracy")) == {"error": -1, "loss": -1}
    assert directions(read_tasks(both, SPACE, "loss")) == {"accuracy": -1, "error": 1}
    assert directions(read_tasks(both, SPACE)) == {"accuracy": -1, "error": 1, "loss": 1}
    assert directions(read_tasks(table("phone", "tablet"), SPACE)) == {"phone": 1, "tablet": 1}


def test_a_mapping_is_taken_as_it_is_without_missing_values():
    strings = SPACE.format(X)
    tasks = read_tasks({"a": (strings, [1, 2, np.nan, 4, 5, 6]), 7: (X[:3], pd.Series([3.0, 2.0, 1.0]))}, SPACE, "a")
    np.testing.assert_array_equal(tasks["a"].archs, X[[0, 1, 3, 4, 5]])
    assert tasks["a"].values.tolist() == [1, 2, 4, 5, 6]
    assert tasks["7"].values.tolist() == [3, 2, 1]


def test_what_is_no_source_is_named():
    y = np.arange(6.0)
    other = get_space("nasbench_macro")
    foreign = table("accuracy", space=other, archs=other.sample(6, random_state=0))
    for source, message in (
        (7, "must be a BenchmarkTable, a sequence of them, a mapping .* Got 7"),
        ([table("loss"), 7], "must be a BenchmarkTable, a sequence of them"),
        (table("accuracy", "phone"), "has targets of the kinds accuracy, latency. Give 'y' as a Series"),
        (table("params"), "must have at least 3 values of each task. Got none"),
        ([], "at least 3 values of each task. Got none"),
        (foreign, "must be of the space of the architectures, 'nats_size'. Got one of 'nasbench_macro'"),
        ({"a": (X, y[:5])}, "task 'a' must have one finite or missing value an architecture, 6 in all. Got shape"),
        ({"a": (X, [*y[:5], np.inf])}, "task 'a' must have one finite or missing value"),
        ({"a": (X, [*y[:2], *[np.nan] * 4])}, "at least 3 values of each task. Got 2 of 'a'"),
        ({"a": X}, "task 'a' must be a pair"),
        ({"a": (X, ["fast"] * 6)}, "task 'a' must be a pair .*could not convert"),
        ({"a": (["7:7"], [1.0])}, "Row 0"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            read_tasks(source, SPACE)


def test_devices_multiply_and_data_sets_do_not():
    base = np.random.default_rng(0).lognormal(0, 0.3, 50)
    nothing = np.zeros((50, 5), dtype=int)
    devices = [Task(nothing, factor * base) for factor in (1, 3, 40)]
    accuracies = [Task(nothing, mean + spread * base) for mean, spread in ((50, 4), (90, 3), (20, 5))]
    assert multiplicative(devices)
    assert not multiplicative(accuracies)
    assert multiplicative([task._replace(kind="latency") for task in accuracies])
    assert not multiplicative([task._replace(kind="accuracy") for task in devices])
    assert not multiplicative([devices[0], Task(nothing, base - base.min())])
