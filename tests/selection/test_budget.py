"""A time budget, by a clock that the fits of the candidates turn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surronas as sn
from surronas.exceptions import InvalidInputError
from surronas.predictors import Predictor, get_predictor
from surronas.selection import AdaptiveSwitching, Candidate
from surronas.spaces import Gene, SearchSpace

SPACE = SearchSpace([Gene(f"g{i}", (0, 1, 2, 3)) for i in range(5)])
X = SPACE.sample(60, random_state=0)
Y = X @ [5.0, 3.0, 2.0, 1.0, 0.5] + 0.2 * np.random.default_rng(0).normal(size=60)


class Clock:
    now = 0.0

    @classmethod
    def perf_counter(cls):
        return cls.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("surronas.selection.budget.time", Clock)
    monkeypatch.setattr("surronas.selection.trials.time", Clock)


class Timed(Predictor):
    """Least squares with ``columns`` features; a fit to 48 rows, what four of five folds hold, takes ``seconds``."""

    def __init__(self, seconds=1.0, columns=20, power=1.0):
        self.seconds = seconds
        self.columns = columns
        self.power = power

    def _fit(self, X, y):
        Clock.now += self.seconds * (len(X) / 48) ** self.power
        self.weights_ = np.linalg.lstsq(X[:, : self.columns], y, rcond=None)[0]

    def _predict(self, X):
        return X[:, : self.columns] @ self.weights_, np.ones(len(X))


class Constant(Timed):
    def _predict(self, X):
        return np.zeros(len(X)), np.ones(len(X))


class Failing(Timed):
    def _fit(self, X, y):
        super()._fit(X, y)
        raise ArithmeticError


def fit(*predictors, **params):
    """The fitted switching and what it took."""
    start = Clock.now
    candidates = [Candidate("one_hot", predictor) for predictor in predictors]
    model = AdaptiveSwitching(candidates, SPACE, **{"random_state": 0, **params}).fit(X, Y)
    return model, Clock.now - start


def test_a_budget_that_is_enough_changes_nothing():
    predictors = [Timed(1.0), Timed(2.0, columns=18), get_predictor("mean")]
    free, seconds = fit(*predictors)
    kept, _ = fit(*predictors, time_budget=3 * seconds)
    new = SPACE.sample(40, random_state=1)
    np.testing.assert_allclose(kept.predict(new), free.predict(new), rtol=1e-9)
    columns = ["predictor", "tau", "status", "reason", "seconds"]
    assert kept.selection_[columns].round(9).equals(free.selection_[columns].round(9))


def test_the_slow_ones_are_left_out_and_the_record_says_why():
    # By itself the first takes 5 s for its folds and 1.25 s for all rows; the third takes a hundred times as long.
    model, seconds = fit(Timed(1.0), Timed(1.5, columns=18), Timed(100.0, columns=19), time_budget=120)
    frame = model.selection_
    assert frame["status"].tolist()[2] == "untried"
    assert set(frame["status"][:2]) <= {"chosen", "kept"}
    assert re.fullmatch(
        r"no time: it needs about [\d.e+]+ s, the others [\d.e+]+ s, and [\d.]+ s of the time budget of 120 s are left",
        frame["reason"][2],
    )
    assert (frame["seconds"][2], frame["weight"][2]) == (0, 0)
    assert np.isnan(frame["tau"][2])
    assert seconds <= 120


def test_of_a_budget_that_is_too_small_the_quickest_is_left_whatever_the_order():
    predictors = [Timed(3.0), Timed(1.0, columns=18), Timed(2.0, columns=19)]
    model, _ = fit(*predictors, time_budget=6.0)
    ((candidate, _, weight),) = model.members_
    assert (candidate.predictor.seconds, weight) == (1.0, 1.0)
    assert model.selection_["status"].tolist() == ["chosen", "untried", "untried"]
    assert np.isfinite(model.predict_interval(X)).all()


def test_where_there_is_no_time_to_rehearse_the_first_stays():
    model, _ = fit(Timed(3.0), Timed(1.0, columns=18), time_budget=1e-3)
    ((candidate, _, _),) = model.members_
    assert candidate.predictor.seconds == 3.0
    assert "did not even allow to rehearse it" in model.selection_["reason"][1]


@pytest.mark.parametrize("quickest", [Constant(0.1), Failing(0.1)])
def test_a_quickest_one_that_cannot_rank_is_not_the_last(quickest):
    model, _ = fit(quickest, Timed(1.0), Timed(50.0), time_budget=5.0)
    ((candidate, _, _),) = model.members_
    assert candidate.predictor.seconds == 1.0


def test_one_that_takes_longer_than_rehearsed_is_stopped():
    """With the cube of the rows, where the square is believed at most: a third of what a fold really takes."""
    model, seconds = fit(Timed(1.0), Timed(9.0, columns=18, power=3.0), time_budget=30.0)
    slow = model.selection_[model.selection_["status"] == "dropped"]
    assert slow["reason"].str.startswith("no time: ").tolist() == [True]
    assert slow["seconds"].tolist() == pytest.approx([18.0])
    assert seconds <= 30


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=5), st.floats(0.5, 200), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_budget_is_kept_unless_the_quickest_breaks_it(seconds, budget, power):
    """Time that grows with a power of the rows up to the square is foreseen."""
    model, spent = fit(*(Timed(s, columns=20 - i, power=power) for i, s in enumerate(seconds)), time_budget=budget)
    rehearsal = (8 / 48) ** power + (16 / 48) ** power
    alone = 5 + 1.25**power  # folds and the fit to all rows
    quickest = 0.25 * budget + max(seconds) * (rehearsal + alone)
    assert len(model.members_) >= 1
    assert spent <= max(budget, quickest) + 1e-6


def test_n_jobs_counts_folds_that_run_side_by_side(monkeypatch):
    monkeypatch.setattr("surronas.selection.budget.effective_n_jobs", lambda n_jobs: 5)
    model, _ = fit(Timed(1.0), Timed(1.0, columns=18), time_budget=12.0)
    assert (model.selection_["status"] != "untried").all()


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), "10", True])
def test_what_is_no_time(bad):
    with pytest.raises(InvalidInputError, match="The 'time_budget' parameter must be a positive number of seconds"):
        fit(Timed(), time_budget=bad)


def test_fit_predictor_has_the_same_budget(monkeypatch):
    monkeypatch.undo()  # the clock goes by itself
    table = sn.load_benchmark("analog_nasbench")
    train, test = table.split(n_train=40, random_state=0)
    y = table.targets["baseline_accuracy"].to_numpy()
    choices = ["one_hot:linear", "one_hot:rbf", "one_hot:mean"]
    model = sn.fit_predictor(
        table.archs[train], y[train], space=table.space, predictor=choices, random_state=0, time_budget=1e-9
    )
    assert model.selection_["status"].tolist() == ["chosen", "untried", "untried"]
    assert sn.metrics.kendall_tau(y[test], model.predict(table.archs[test])) > 0.4
    with pytest.raises(InvalidInputError, match="Got 0 instead"):
        sn.fit_predictor(table.archs[train], y[train], space=table.space, time_budget=0)
