from __future__ import annotations

from itertools import combinations
from math import gamma, pi

import numpy as np
import pytest
from moocore import hypervolume

from surronas.search.choice import gain_choice, hypervolume_directions, scalarised, spread_choice
from surronas.search.objectives import resolve_goals
from surronas.search.surrogates import Normal, Predictions


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_mean_over_directions_is_the_exact_growth_of_hypervolume(m):
    rng = np.random.default_rng(0)
    front, values, reference = rng.random((6, m)), rng.random((40, m)), np.full(m, 1.1)
    directions = hypervolume_directions(m, 8192)
    before = hypervolume(front, ref=reference)
    exact = [hypervolume(np.vstack([front, v]), ref=reference) - before for v in values]
    best = scalarised(reference - front, directions).max(axis=0)
    gain = np.maximum(scalarised(reference - values, directions) - best, 0).mean(axis=1)
    share_of_ball = pi ** (m / 2) / gamma(m / 2 + 1) / 2**m
    np.testing.assert_allclose(gain * share_of_ball, exact, atol=0.01)


def choose(values, front, n, price=None, **parts):
    m = values.shape[1]
    goals = resolve_goals([f"t{j}" for j in range(m)], None, {f"t{j}": False for j in range(m)})
    archs = np.arange(len(values))[:, None] * np.ones((1, 4), dtype=np.int64)
    predictions = Predictions([values[:, j] for j in range(m)])
    price = np.ones(len(values)) if price is None else price
    return gain_choice(
        archs, predictions, goals, front, np.zeros(m), np.ones(m), price, n, np.random.default_rng(0)
    ).tolist()


def test_greedy_choice_of_known_values_is_the_greedy_subset_of_greatest_hypervolume():
    rng = np.random.default_rng(1)
    front, values = rng.random((3, 2)), rng.random((30, 2))
    chosen = []
    for _ in range(5):
        left = [i for i in range(30) if i not in chosen]
        volume = [hypervolume(np.vstack([front, values[[*chosen, i]]]), ref=np.ones(2)) for i in left]
        chosen.append(left[int(np.argmax(volume))])
    found = choose(values, front, 5)
    best = hypervolume(np.vstack([front, values[chosen]]), ref=np.ones(2))
    assert hypervolume(np.vstack([front, values[found]]), ref=np.ones(2)) == pytest.approx(best, rel=0.005)


def test_price_divides_the_gain():
    values = np.array([[0.2, 0.2], [0.25, 0.25]])
    front = np.array([[0.9, 0.9]])
    assert choose(values, front, 1) == [0]
    assert choose(values, front, 1, price=np.array([2.0, 1.0])) == [1]


def test_as_many_as_asked_for_also_where_nothing_gains():
    values = np.array([[0.9, 0.9], [0.5, 0.5], [0.7, 0.7]])
    front = np.array([[0.1, 0.1]])
    assert sorted(choose(values, front, 3)) == [0, 1, 2]
    assert choose(values, front, 1) == [1]
    assert len(choose(values, front, 9)) == 3


@pytest.mark.parametrize("exploration", [0.0, 1.0])
def test_an_uncertain_candidate_is_worth_more_than_a_certain_equal_one(exploration):
    goals = resolve_goals(["t0", "t1"], None, {"t0": False, "t1": False})
    std = np.array([0.01, 0.3])
    predictions = Predictions([Normal(np.array([0.5, 0.5]), std, lambda z: z), np.array([0.5, 0.5])])
    chosen = gain_choice(
        np.array([[0, 1], [1, 0]]),
        predictions,
        goals,
        np.array([[0.45, 0.5]]),
        np.zeros(2),
        np.ones(2),
        np.ones(2),
        1,
        np.random.default_rng(0),
        exploration,
    )
    assert chosen.tolist() == [1 if exploration else 0]


def unevenness(cost, front):
    return np.diff(np.sort(np.concatenate([front, cost]))).std()


@pytest.mark.parametrize("seed", range(5))
def test_spread_is_nearly_the_best_subset(seed):
    rng = np.random.default_rng(seed)
    cost, front = rng.random(12), rng.random(4)
    chosen = spread_choice(cost, front, 4)
    every = sorted(unevenness(cost[list(rows)], front) for rows in combinations(range(12), 4))
    assert len(set(chosen.tolist())) == 4
    assert unevenness(cost[chosen], front) <= every[len(every) // 100]


def test_spread_takes_all_where_there_are_no_more():
    assert spread_choice(np.array([3.0, 1.0]), np.array([2.0]), 8).tolist() == [0, 1]
    assert spread_choice(np.empty(0), np.array([2.0]), 8).tolist() == []
