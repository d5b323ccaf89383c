from __future__ import annotations

import numpy as np
import pytest

from surronas.benchmark.protocol import PROTOCOLS, Splitter, get_protocol
from surronas.exceptions import InvalidInputError, UnknownNameError


def splitter(table, name="rest", target="val_accuracy", test_target="test_accuracy", random_state=0):
    protocol = get_protocol(name)
    return Splitter(protocol.restrict(table), target, test_target, protocol.test_on_training, random_state)


@pytest.mark.parametrize("name", ["rest", "canonical", "unique"])
def test_nothing_trained_on_is_tested_on(table, name):
    split = splitter(table, name).split(30, 0)
    assert len(np.unique(split.train)) == 30
    assert not np.intersect1d(split.train, split.test).size


def test_rest_is_everything_else_that_has_a_value(table):
    split = splitter(table).split(30, 0)
    has_test = np.flatnonzero(table.targets["test_accuracy"].notna())
    np.testing.assert_array_equal(np.union1d(split.test, np.intersect1d(split.train, has_test)), has_test)
    assert table.targets["val_accuracy"].iloc[split.train].notna().all()


def test_all_tests_on_training_rows_too_and_says_so(table):
    split = splitter(table, "all").split(30, 0)
    np.testing.assert_array_equal(split.test, np.flatnonzero(table.targets["test_accuracy"].notna()))
    assert "the n trained on included" in PROTOCOLS["all"].describe(300, "val_accuracy", "test_accuracy")


def test_unique_keeps_one_row_a_class_and_canonical_the_canonical_ones(table):
    keys = table.space.key(table.archs)
    unique = get_protocol("unique").restrict(table)
    assert len(unique) == len(set(keys.tolist())) < len(table)
    assert len(set(table.space.key(unique.archs).tolist())) == len(unique)
    canonical = get_protocol("canonical").restrict(table)
    expected = [row for row in table.archs.tolist() if table.space.canonical([row])[0].tolist() == row]
    assert canonical.archs.tolist() == expected


def test_draws_differ_by_repeat_size_and_seed_and_are_repeatable(table):
    draws = {
        tuple(splitter(table, random_state=seed).split(n, repeat).train[:20])
        for seed in (0, 1)
        for n in (20, 40)
        for repeat in (0, 1)
    }
    assert len(draws) == 8
    one, same = (splitter(table).split(20, 3) for _ in range(2))
    np.testing.assert_array_equal(one.train, same.train)
    assert one.seed == same.seed


@pytest.mark.parametrize("bad", [1, 290, 2.0, True, "16"])
def test_bad_sizes_are_refused(table, bad):
    with pytest.raises(InvalidInputError, match="'n_train' parameter of evaluate must hold ints from 2 to 285"):
        splitter(table).check(bad)
    assert splitter(table).check(285) == 285


def test_unknown_protocols_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'unique'"):
        get_protocol("uniqe")
