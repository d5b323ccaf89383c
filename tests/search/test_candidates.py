from __future__ import annotations

import numpy as np
import pytest
from moocore import is_nondominated

import surronas as sn
from surronas.exceptions import UnknownNameError
from surronas.search.candidates import ALGORITHMS, evolve

SPACE = sn.SearchSpace([sn.Gene(f"g{i}", tuple(range(5)), ordered=True) for i in range(6)])


def assess(X):
    """Two opposed sums; the first three genes trade, the others should be 0."""
    trade = X[:, :3].sum(axis=1) / 12.0
    return np.stack([trade + X[:, 3:].sum(axis=1), 1 - trade + X[:, 3:].sum(axis=1)], axis=1), np.empty((len(X), 0))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_front_of_a_known_function_is_found(algorithm):
    start = SPACE.sample(10, random_state=0)
    final, met = evolve(
        SPACE, assess, start, np.random.default_rng(0), algorithm=algorithm, population=24, generations=30
    )
    best = final[is_nondominated(assess(final)[0])]
    assert (best[:, 3:] == 0).all()
    assert len(np.unique(assess(best)[0][:, 0])) >= 9  # of 13 trades
    assert len(np.unique(SPACE.key(met))) == len(met)
    assert np.isin(SPACE.key(final), SPACE.key(met)).all()


def test_constraints_are_kept():
    def constrained(X):
        return assess(X)[0], (X[:, :1] - 1.0)

    start = SPACE.sample(10, random_state=0)
    final, _ = evolve(SPACE, constrained, start, np.random.default_rng(0), population=20, generations=20)
    assert (final[:, 0] <= 1).all()


def test_a_pool_is_never_left():
    pool = SPACE.canonical(SPACE.sample(60, random_state=1))
    final, met = evolve(SPACE, assess, pool[:10], np.random.default_rng(0), population=20, generations=5, pool=pool)
    assert np.isin(SPACE.key(met), SPACE.key(pool)).all()
    assert np.isin(SPACE.key(final), SPACE.key(pool)).all()


def test_the_seed_settles_it():
    start = SPACE.sample(10, random_state=0)
    runs = [
        evolve(SPACE, assess, start, np.random.default_rng(seed), population=20, generations=4)[1] for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_unknown_algorithm():
    with pytest.raises(UnknownNameError, match="Did you mean 'nsga3'"):
        evolve(SPACE, assess, SPACE.sample(2, random_state=0), np.random.default_rng(0), algorithm="nsga33")
