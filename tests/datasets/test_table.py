"""BenchmarkTable on a space small enough to check everything by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surronas.datasets import BenchmarkTable, Runs, TableInfo, Target
from surronas.datasets.sources import drop_impossible
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces import Gene, SearchSpace

INFO = TableInfo("here", "CC0-1.0", "Nobody, 2024", "sha256:0")
TARGETS = (Target("accuracy", "%", True, "accuracy", "made up"), Target("latency", "ms", False, "latency"))


class Sorted(SearchSpace):
    """Three genes whose order does not matter."""

    name = "sorted"
    genes = tuple(Gene(f"g{i}", (0, 1, 2)) for i in range(3))

    def prune(self, X):
        return np.sort(X, axis=1)


@pytest.fixture(scope="module")
def table():
    space = Sorted()
    archs = space.enumerate()
    rng = np.random.default_rng(0)
    targets = pd.DataFrame({"accuracy": rng.uniform(0, 100, 27), "latency": rng.uniform(1, 2, 27)})
    targets.loc[[0, 5, 7], "latency"] = np.nan
    return BenchmarkTable("toy", space, archs, targets, TARGETS, INFO, dataset="none")


def first_of_each_class(table, rows):
    seen, kept = set(), []
    for row in rows:
        key = tuple(sorted(table.archs[row].tolist()))
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def test_architectures_stay_as_they_are(table):
    assert table.archs.dtype == np.int64
    assert len(table) == 27
    assert (table.archs != table.space.canonical(table.archs)).any()


@given(n_train=st.integers(1, 9), seed=st.integers(0, 1000))
def test_unique_split_takes_the_first_of_each_class(table, n_train, seed):
    train, test = table.split(n_train, random_state=seed)
    assert len(train) == n_train
    assert sorted([*train, *test]) == first_of_each_class(table, range(27))
    assert not set(table.space.key(table.archs[train])) & set(table.space.key(table.archs[test]))


@given(n_train=st.integers(1, 26), seed=st.integers(0, 1000))
def test_plain_split_takes_every_row(table, n_train, seed):
    train, test = table.split(n_train, random_state=seed, unique=False)
    assert len(train) == n_train
    assert sorted([*train, *test]) == list(range(27))
    assert (np.diff(test) > 0).all()


def test_split_leaves_missing_rows_of_the_target_out(table):
    train, test = table.split(5, target="latency")
    present = [row for row in range(27) if row not in (0, 5, 7)]
    assert sorted([*train, *test]) == first_of_each_class(table, present)
    train, test = table.split(5, unique=False, target="latency")
    assert sorted([*train, *test]) == present


def test_split_is_uniform_over_rows(table):
    """Each of ten classes is drawn into three training places with probability 0.3."""
    counts = np.zeros(27)
    for seed in range(2000):
        counts[table.split(3, random_state=seed)[0]] += 1
    drawn = counts[first_of_each_class(table, range(27))]
    assert drawn.sum() == 6000
    assert np.abs(drawn - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


def test_split_is_reproducible_and_longer_ones_contain_shorter_ones(table):
    short, long = (table.split(n, random_state=3)[0] for n in (4, 8))
    np.testing.assert_array_equal(short, long[:4])
    np.testing.assert_array_equal(short, table.split(4, random_state=3)[0])
    assert not np.array_equal(short, table.split(4, random_state=4)[0])
    rng = np.random.RandomState(3)
    np.testing.assert_array_equal(short, table.split(4, random_state=rng)[0])


@pytest.mark.parametrize("n_train", [0, -1, 10, 3.0, True, None, "5"])
def test_bad_n_train(table, n_train):
    with pytest.raises(InvalidInputError, match=r"'n_train' parameter of split must be an int from 1 to 9.*Got"):
        table.split(n_train)


def test_unique_false_allows_more(table):
    assert len(table.split(26, unique=False)[1]) == 1
    with pytest.raises(InvalidInputError, match="from 1 to 26"):
        table.split(27, unique=False)


def test_target_by_name(table):
    assert table.target("latency") is TARGETS[1]
    with pytest.raises(UnknownNameError, match=r"'acuracy'.*Did you mean 'accuracy'"):
        table.target("acuracy")
    with pytest.raises(UnknownNameError, match="Unknown target 'flops'"):
        table.split(3, target="flops")
    with pytest.raises(UnknownNameError):
        table.target(["latency"])


def test_unknown_kind_of_target():
    with pytest.raises(UnknownNameError, match="Did you mean 'latency'"):
        Target("x", "ms", False, "latencies")


@pytest.mark.parametrize("rows", [[3, 1, 1], np.arange(27) % 2 == 0, np.array([], dtype=int)])
def test_subset(table, rows):
    part = table.subset(rows)
    np.testing.assert_array_equal(part.archs, table.archs[np.asarray(rows)])
    np.testing.assert_array_equal(part.targets.to_numpy(), table.targets.to_numpy()[np.asarray(rows)])
    assert isinstance(part.targets.index, pd.RangeIndex)
    assert (part.name, part.dataset, part.info, part.target("latency")) == ("toy", "none", INFO, TARGETS[1])


@pytest.mark.parametrize("rows", [[27], [-1], [0.5], [[0]], [True, False]])
def test_bad_rows(table, rows):
    with pytest.raises(InvalidInputError, match="'rows' parameter of subset"):
        table.subset(rows)


def test_copy_is_independent(table):
    copy = table.copy()
    copy.targets.loc[0, "accuracy"] = -1
    copy.archs[0] = 2
    assert table.targets.loc[0, "accuracy"] >= 0
    assert table.archs[0].tolist() == [0, 0, 0]


def test_repr_says_what_there_is(table):
    text = repr(table)
    assert "toy, none: 27 architectures of the space 'sorted'" in text
    assert "latency" in text
    assert "ms (latency, minimize, 3 missing)" in text
    assert f"{table.targets['accuracy'].max():.6g} % (accuracy, maximize)" in text


def test_repr_of_an_empty_column():
    targets = pd.DataFrame({"accuracy": [np.nan] * 2, "latency": [1, 2]})
    assert "accuracy  - (accuracy, maximize, 2 missing)" in repr(
        BenchmarkTable("toy", Sorted(), [[0, 0, 0], [1, 1, 1]], targets, TARGETS, INFO)
    )


def test_inconsistent_tables_are_refused():
    targets = pd.DataFrame({"accuracy": [1.0, 2.0], "latency": [1.0, 2.0]})
    with pytest.raises(InvalidInputError, match=r"one row an architecture, 1 in all\. Got 2"):
        BenchmarkTable("toy", Sorted(), [[0, 0, 0]], targets, TARGETS, INFO)
    with pytest.raises(InvalidInputError, match="'described' targets must be the columns"):
        BenchmarkTable("toy", Sorted(), [[0, 0, 0], [0, 0, 1]], targets, TARGETS[:1], INFO)
    with pytest.raises(InvalidInputError, match="Got 3 in row 1"):
        BenchmarkTable("toy", Sorted(), [[0, 0, 0], [0, 0, 3]], targets, TARGETS, INFO)


def test_runs_and_context_go_with_their_rows(table):
    values = np.arange(54.0).reshape(27, 2)
    context = pd.DataFrame({"task": [f"t{i}" for i in range(27)]})
    runs = {"accuracy": Runs(values, {"seed": (1, 2)})}
    full = BenchmarkTable("toy", table.space, table.archs, table.targets, TARGETS, INFO, None, runs, context)
    part = full.subset(np.array([3, 1]))
    assert part.runs["accuracy"].values.tolist() == [[6.0, 7.0], [2.0, 3.0]]
    assert part.context["task"].tolist() == ["t3", "t1"]


def test_runs_must_fit(table):
    with pytest.raises(InvalidInputError, match="shape"):
        Runs(np.zeros((27, 3)), {"seed": (1, 2)})
    for wrong in (
        {"accuracy": Runs(np.zeros((26, 1)), {"seed": (1,)})},
        {"other": Runs(np.zeros((27, 1)), {"seed": (1,)})},
    ):
        with pytest.raises(InvalidInputError, match="runs"):
            BenchmarkTable("toy", table.space, table.archs, table.targets, TARGETS, INFO, runs=wrong)


def test_impossible_values_become_missing_and_are_counted():
    targets = pd.DataFrame({"accuracy": [50.0, 101.0, np.nan, -1.0], "latency": [0.0, 1.0, np.inf, -3.0]})
    assert drop_impossible(targets, TARGETS) == "Impossible values set to missing: 2 of accuracy, 3 of latency."
    assert targets["accuracy"].isna().tolist() == [False, True, True, True]
    assert targets["latency"].isna().tolist() == [True, False, True, True]
    assert drop_impossible(targets, TARGETS) == ""
