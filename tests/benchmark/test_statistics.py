from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from surronas.benchmark import statistics

tables = st.tuples(st.integers(2, 8), st.integers(3, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(float))
)


def frame(values):
    return pd.DataFrame(values, columns=list("abcdefgh")[: np.shape(values)[1]])


def test_a_missing_score_ranks_last():
    assert statistics.ranks(frame([[0.2, np.nan, 0.1]])).to_numpy().tolist() == [[2.0, 3.0, 1.0]]
    assert statistics.mean_ranks(frame([[0.2, np.nan, 0.1], [0.1, 0.3, 0.3]])).to_dict() == {
        "a": 1.5,
        "c": 1.75,
        "b": 2.75,
    }


def exact_wilcoxon(difference):
    """Two-sided p-value by listing all signs; no zeros, no ties."""
    ranks = stats.rankdata(abs(difference))
    seen = ranks[difference > 0].sum()
    sums = np.array([np.dot(ranks, signs) for signs in product((0, 1), repeat=len(ranks))])
    return min(1.0, 2 * min((sums >= seen).mean(), (sums <= seen).mean()))


@pytest.mark.parametrize("seed", range(5))
def test_wilcoxon_against_all_sign_flips(seed):
    losses = frame(np.random.default_rng(seed).normal(loc=[0.0, 0.6], size=(9, 2)))
    result = statistics.pairwise_wilcoxon(losses).iloc[0]
    difference = (losses["a"] - losses["b"]).to_numpy()
    assert result["p_value"] == pytest.approx(exact_wilcoxon(difference))
    assert (result["difference"], result["n_pairs"]) == (pytest.approx(difference.mean()), 9)


def test_wilcoxon_uses_complete_pairs_only():
    losses = frame([[0.0, 1.0, np.nan]] * 6)
    losses.loc[0, "a"] = np.nan
    table = statistics.pairwise_wilcoxon(losses).set_index(["a", "b"])
    assert table["n_pairs"].tolist() == [5, 0, 0]
    assert table["p_holm"].isna().tolist() == [False, True, True]
    assert table.loc[("a", "b"), "p_holm"] == table.loc[("a", "b"), "p_value"]


def test_identical_predictors_do_not_differ():
    assert statistics.pairwise_wilcoxon(frame(np.ones((5, 2))))["p_value"].item() == 1.0


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    p_values = np.array(p_values, dtype=float)
    adjusted = statistics.holm(p_values)
    tested = [p for p in p_values if not np.isnan(p)]
    for alpha in (0.01, 0.05, 0.3):
        rejected = 0
        for i, p in enumerate(sorted(tested)):
            if p * (len(tested) - i) > alpha:
                break
            rejected += 1
        assert np.sum(adjusted <= alpha) == rejected
    assert (np.isnan(adjusted) == np.isnan(p_values)).all()


@given(tables)
def test_friedman_closed_form(values):
    n, k = values.shape
    values = values + np.linspace(0, 0.5, k)  # no ties within a row
    mean = frame(values).rank(axis=1).mean()
    statistic = 12 * n / (k * (k + 1)) * ((mean**2).sum() - k * (k + 1) ** 2 / 4)
    assert statistics.friedman(frame(values)) == pytest.approx(stats.chi2.sf(statistic, k - 1))


def test_friedman_where_it_says_nothing():
    assert np.isnan(statistics.friedman(frame(np.ones((5, 2)))))
    assert statistics.friedman(frame(np.ones((5, 3)))) == 1.0


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_nemenyi_distance_against_demsars_table_5a(k, q):
    assert statistics.nemenyi_distance(k, 20) == pytest.approx(q * np.sqrt(k * (k + 1) / 120), rel=4e-4)


@given(st.lists(st.integers(10, 60).map(lambda v: v / 10), min_size=1, max_size=7), st.sampled_from([0.15, 0.65, 1.55]))
def test_cliques_are_the_maximal_groups_within_reach(means, distance):
    means = pd.Series(means, index=list("abcdefg")[: len(means)])
    groups = statistics.cliques(means, distance)
    for group in groups:
        assert len(group) > 1
        assert np.ptp(means[group]) <= distance
    for i, a in enumerate(means.index):
        for b in means.index[i + 1 :]:
            assert any({a, b} <= set(group) for group in groups) == (abs(means[a] - means[b]) <= distance)
    assert not any(set(g) < set(h) for g in groups for h in groups)
