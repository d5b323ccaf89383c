"""The rules' contract: NAT's by hand; what no rule may choose."""

from __future__ import annotations

import numpy as np
import pytest

from surronas.selection import rules
from surronas.selection.rules import RULES, OutOfFold, ensemble_rule, nat_rule, tau

Z = np.random.default_rng(0).normal(size=60)
FOLD = np.arange(60) % 5


def out_of_fold(mean):
    mean = np.asarray(mean, dtype=float)
    return OutOfFold(mean, np.ones(60), np.array([tau(Z[FOLD == k], mean[FOLD == k]) for k in range(5)]))


def noisy(noise, seed):
    return out_of_fold(Z + noise * np.random.default_rng(seed).normal(size=60))


def test_tau_is_that_of_counted_pairs_and_undefined_for_constants():
    z, mean = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])
    assert tau(z, mean) == pytest.approx((5 - 1) / 6)
    assert tau(z, -mean) == pytest.approx(-(5 - 1) / 6)
    for constant in (np.zeros(4), np.array([1.0, np.nan, 2.0, 3.0]), np.array([1.0, np.inf, 2.0, 3.0])):
        assert np.isnan(tau(z, constant))
    assert np.isnan(tau(np.zeros(4), mean))


def test_nats_rule_is_mean_minus_std_by_hand():
    steady = OutOfFold(Z, np.ones(60), np.array([0.6, 0.6, 0.6, 0.6, 0.6]))
    unsteady = OutOfFold(Z, np.ones(60), np.array([0.9, 0.9, 0.9, 0.2, 0.4]))  # mean 0.66, std 0.30
    poor = OutOfFold(Z, np.ones(60), np.array([0.5, 0.5, 0.5, 0.5, 0.5]))
    assert nat_rule(Z, {"poor": poor, "unsteady": unsteady, "steady": steady}) == {"steady": 1.0}
    assert nat_rule(Z, {"poor": poor, "unsteady": unsteady}) == {"poor": 1.0}


def test_nats_rule_takes_taus_as_signed():
    reversed_ = OutOfFold(-Z, np.ones(60), np.full(5, -0.9))
    weak = OutOfFold(Z, np.ones(60), np.full(5, 0.1))
    assert nat_rule(Z, {"reversed": reversed_, "weak": weak}) == {"weak": 1.0}


@pytest.mark.parametrize("rule", RULES)
def test_undefined_candidates_are_never_chosen(rule):
    half = np.where(FOLD < 3, Z, np.nan)
    one_fold = np.where(FOLD == 2, 0.0, Z)
    undefined = {"constant": np.zeros(60), "nan": np.full(60, np.nan), "untried": half, "constant fold": one_fold}
    undefined = {name: out_of_fold(mean) for name, mean in undefined.items()}
    assert not any(oof.usable for oof in undefined.values())
    assert RULES[rule](Z, undefined) == {}
    assert RULES[rule](Z, {}) == {}
    assert RULES[rule](Z, {**undefined, "good": noisy(0.5, 1)}) == {"good": pytest.approx(1.0)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_candidates", [1, 3, 8])
def test_weights_are_a_convex_blend(rule, n_candidates):
    tried = {f"c{i}": noisy(0.3 + 0.2 * i, seed=i) for i in range(n_candidates)}
    weights = RULES[rule](Z, tried)
    assert set(weights) <= set(tried)
    assert min(weights.values()) > 0
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_candidates_does_not_matter(rule):
    tried = {f"c{i}": noisy(0.3 + 0.2 * i, seed=i) for i in range(5)}
    forth, back = RULES[rule](Z, tried), RULES[rule](Z, dict(reversed(tried.items())))
    assert forth == {name: pytest.approx(back[name], abs=1e-9) for name in forth}


def test_a_perfect_candidate_weighs_most():
    tried = {"noise": out_of_fold(np.random.default_rng(9).normal(size=60)), "perfect": out_of_fold(Z)}
    for rule in RULES.values():
        weights = rule(Z, tried)
        assert max(weights, key=lambda name: weights[name]) == "perfect"


def test_the_blend_of_independent_errors_ranks_better_than_either():
    tried = {"a": noisy(0.8, 1), "b": noisy(0.8, 2)}
    weights = RULES["ensemble"](Z, tried)
    blend = sum(weights[name] * oof.mean for name, oof in tried.items() if name in weights)
    assert tau(Z, blend) > max(tau(Z, oof.mean) for oof in tried.values())


def test_the_blend_keeps_out_what_would_spoil_a_nearly_exact_candidate():
    tried = {"exact": noisy(0.02, 1), "rough": noisy(0.5, 2), "rougher": noisy(0.7, 3)}
    assert RULES["ensemble"](Z, tried)["exact"] > 0.95


def test_noisy_candidates_are_averaged():
    shrunk = {name: (Z + 2 * np.random.default_rng(i).normal(size=60)) / 5 for i, name in enumerate("abc", 1)}
    tried = {name: OutOfFold(mean[:12], np.ones(12), np.ones(5)) for name, mean in shrunk.items()}
    weights = RULES["ensemble"](Z[:12], tried)
    assert list(weights.values()) == pytest.approx([1 / 3] * 3, abs=0.15)


@pytest.mark.parametrize(("n", "noise", "believed"), [(10, 0.6, True), (60, 0.6, False), (60, 0.3, True)])
def test_other_tasks_are_given_up_on_strong_evidence_only(n, noise, believed):
    """Three others err by 0.5, nearly the same way; the candidate that learns from other tasks by more or less."""
    z = Z[:n]
    signs, others = np.where(np.arange(n) % 2, 1, -1), np.where(np.arange(n) % 4 < 2, 1, -1)
    tried = {f"other{i}": OutOfFold(z + (0.5 + 0.01 * i) * others, np.ones(n), np.ones(5)) for i in range(3)}
    tried["tasks"] = OutOfFold(z + noise * signs, np.ones(n), np.ones(5))
    weight = ensemble_rule(z, tried, {"tasks"}).get("tasks", 0.0)
    assert (weight > 0.5) == believed


def test_the_odds_are_the_likelihoods_times_thirty():
    z = Z[:8]
    tried = {"a": OutOfFold(z + 0.6, np.ones(8), np.ones(2)), "tasks": OutOfFold(z + 0.9, np.ones(8), np.ones(2))}
    odds = 30 * (0.6**2 / 0.9**2) ** 4
    predicted = np.stack([oof.mean for oof in tried.values()], axis=1)
    share = rules._equal(z, predicted, np.array([False, True]))
    np.testing.assert_allclose(share, [1 / (1 + odds), odds / (1 + odds)])
    np.testing.assert_allclose(rules._equal(z, predicted, np.array([True, True])), [0.5, 0.5])
