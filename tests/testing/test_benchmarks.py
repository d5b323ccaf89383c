"""The kit catches tables and loaders that break a promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import BenchmarkTable, TableInfo, Target, _benchmarks, _load
from surronas.exceptions import UnknownNameError
from surronas.spaces import get_space
from surronas.spaces.nasbench201 import NASBench201
from surronas.testing import check_benchmark

INFO = TableInfo("here", "CC0-1.0", "Nobody, 2024", "")
ACCURACY = Target("accuracy", "%", True, "accuracy", "made up")


def table(space=None, info=INFO, dataset=None, kind=BenchmarkTable, values=(50.0, 90.0), **described):
    space = get_space("nasbench201") if space is None else space
    column = pd.DataFrame({"accuracy": np.linspace(*values, 40)})
    return kind("mine", space, space.sample(40, 0), column, [replace(ACCURACY, **described)], info, dataset)


class OneSplit(BenchmarkTable):
    def split(self, n_train, random_state=0, unique=True, target=None):
        train, test = super().split(n_train, random_state, unique, target)
        return train, np.append(test, train[0])


class Changing(BenchmarkTable):
    def split(self, n_train, random_state=0, unique=True, target=None):
        return super().split(n_train, None, unique, target)


class Views(BenchmarkTable):
    def subset(self, rows):
        part = super().subset(rows)
        part.targets = self.targets.iloc[rows[0] : rows[-1] + 1]
        self.targets.iloc[rows] = np.nan
        return part


def local_space():
    class Local(NASBench201):
        def __reduce__(self):
            return get_space, ("nats_size",)

    return Local()


def test_one_that_keeps_its_promises():
    check_benchmark(table())


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (table(info=replace(INFO, licence=" ")), "info.licence says something"),
        (table(description=""), "target 'accuracy' has a description"),
        (table(values=(np.nan, np.nan)), "target 'accuracy' has values"),
        (table(values=(50.0, 101.0)), "only possible values"),
        (table(values=(0.5, 0.9)), "in %, no fraction of 1"),
        (table(maximize=False), "maximize=True"),
        (table(kind=OneSplit), "no isomorphism class on both sides"),
        (table(kind=Changing), "the same random_state gives the same rows"),
        (table(kind=Views), "a subset's values are its own"),
        (table(space=local_space()), "a worker gets the same table"),
    ],
)
def test_broken_tables(broken, promise):
    with pytest.raises(AssertionError, match=promise):
        check_benchmark(broken)


def deaf(dataset):
    """Whatever it is asked for."""
    return table()


def noisy(dataset):
    """Other values each time."""
    _known(dataset, (None,))
    return table(values=tuple(np.random.default_rng().uniform(10, 90, size=2)))


def misnamed(dataset):
    """By another name than it is registered under."""
    _known(dataset, (None,))
    made = table()
    made.name = "other"
    return made


def mixed(dataset):
    """Says that it is of one data set, and has the values of another."""
    _known(dataset, (None, "a"))
    return table(dataset="a", values=(50.0, 90.0 if dataset else 80.0))


def obliging(dataset):
    """Of two data sets, always of one."""
    _known(dataset, (None, "a", "b"))
    return table(dataset="a")


def _known(dataset, names):
    if dataset not in names:
        raise UnknownNameError.of("dataset of mine", dataset, [name for name in names if name])


@pytest.mark.parametrize(
    ("load", "dataset", "promise"),
    [
        (deaf, None, "an unknown data set raises an InvalidInputError"),
        (noisy, None, "loaded again, the table is the same"),
        (misnamed, None, "the registered one, 'mine'; it is 'other'"),
        (mixed, None, "that of the data set it names"),
        (obliging, "b", "the table is of the data set 'b'"),
    ],
)
def test_broken_loaders(load, dataset, promise, monkeypatch):
    monkeypatch.setitem(_benchmarks._parts, "mine", load)
    _load.cache_clear()
    with pytest.raises(AssertionError, match=promise):
        check_benchmark("mine", dataset)
    _load.cache_clear()
