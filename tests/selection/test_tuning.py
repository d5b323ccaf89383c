"""Tuning, with predictors that take no time; the scores are computed anew by scikit-learn and scipy."""

from __future__ import annotations

import joblib
import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from scipy.stats import kendalltau
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit, cross_val_predict

import surronas as sn
from surronas.encoders import get_encoder
from surronas.exceptions import FitError, InvalidInputError
from surronas.predictors import Predictor, get_predictor, list_predictors, predictor_class
from surronas.selection import tune
from surronas.selection.cross_validation import split_folds
from surronas.selection.targets import TargetScores
from surronas.selection.tuning import _contain, _distribution
from surronas.spaces import Gene, SearchSpace

SPACE = SearchSpace([Gene(f"g{i}", (0, 1, 2, 3)) for i in range(5)])
X = SPACE.sample(40, random_state=0)
Y = X @ [5.0, 3.0, 2.0, 1.0, 0.5] + 3.0 * np.random.default_rng(0).normal(size=40)


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


class Ridge(Predictor):
    """Ridge regression that can be interrupted, refuse a kind, and forget all but the rows it knows."""

    tunable = {"strength": {"low": 1e-3, "high": 1e3, "log": True}}
    left = np.inf

    def __init__(self, strength=1.0, kind="plain"):
        self.strength = strength
        self.kind = kind

    def _fit(self, X, y):
        Ridge.left -= 1
        if Ridge.left < 0:
            raise KeyboardInterrupt
        if self.kind == "broken":
            raise ArithmeticError("the matrix is singular")
        self.known_ = {row.tobytes(): value for row, value in zip(X, y, strict=True)}
        self.weights_ = np.linalg.solve(X.T @ X + self.strength * np.eye(X.shape[1]), X.T @ y)

    def _predict(self, X):
        mean = X @ self.weights_
        if self.kind == "memory":
            mean = np.array([self.known_.get(row.tobytes(), hash(row.tobytes()) % 1009 / 1009) for row in X])
        return mean, np.ones(len(X))


def tuned_on(y=Y, predictor=None, **params):
    predictor = Ridge() if predictor is None else predictor
    return tune(X, y, **{"predictor": predictor, "encoder": "one_hot", "space": SPACE, "n_trials": 12, **params})


def taus_by_hand(predictor, n_folds=5):
    """On the folds of the trials, and on those of the comparison."""
    C = SPACE.canonical(X)
    F, z = get_encoder("one_hot", space=SPACE).fit_transform(C), TargetScores(Y).scores
    rng = np.random.RandomState(0)
    splits = [PredefinedSplit(split_folds(SPACE, C, n_folds, rng)) for _ in range(2)]
    return [kendalltau(z, cross_val_predict(predictor, F, z, cv=split)).statistic for split in splits]


def test_scores_are_out_of_fold_and_of_folds_that_no_trial_saw():
    tuned = tuned_on(predictor=Ridge(strength=1e3))
    assert tuned.params == tuned.study.best_params
    searched, compared = taus_by_hand(tuned.predictor)
    assert tuned.study.best_value == pytest.approx(searched)
    assert tuned.score == pytest.approx(compared)
    assert tuned.default_score == pytest.approx(taus_by_hand(Ridge(strength=1e3))[1])
    assert searched != compared
    assert str(tuned).startswith("strength=")


def test_the_number_of_folds_is_the_users():
    tuned = tuned_on(n_folds=3, n_trials=1)
    assert tuned.default_score == pytest.approx(taus_by_hand(Ridge(), 3)[1])


def test_a_memory_of_the_rows_is_not_chosen():
    kinds = {"kind": CategoricalDistribution(("plain", "memory"))}
    tuned = tuned_on(param_distributions=kinds, n_trials=6)
    values = {trial.params["kind"]: trial.value for trial in tuned.study.trials}
    assert values["plain"] > values["memory"] + 0.3
    assert tuned.predictor.kind == "plain"


def test_a_default_that_is_not_beaten_stays_and_it_is_said():
    worse = {"strength": FloatDistribution(1e7, 1e9)}
    given = Ridge(strength=2.0)
    tuned = tuned_on(predictor=given, param_distributions=worse, n_trials=3)
    assert (tuned.params, tuned.predictor.strength) == ({}, 2.0)
    assert tuned.score == tuned.default_score
    assert "did not beat the default" in str(tuned)
    assert tuned.predictor is not given


def test_the_default_is_the_first_trial_where_the_ranges_hold_it():
    assert tuned_on(predictor=Ridge(3.0), n_trials=1).study.trials[0].params == {"strength": 3.0}
    outside = tuned_on(predictor=Ridge(1e6), n_trials=1)
    assert outside.study.trials[0].params["strength"] <= 1e3


def params_of(study):
    """Of the trials that came to an end, in their order."""
    return [trial.params for trial in study.trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def test_the_seed_settles_the_result_whatever_n_jobs():
    once = tuned_on()
    with joblib.parallel_config(backend="threading"):
        again = tuned_on(n_jobs=2)
    other = tuned_on(random_state=1)
    assert params_of(once.study) == params_of(again.study)
    assert (once.params, once.score, once.default_score) == (again.params, again.score, again.default_score)
    assert params_of(other.study) != params_of(once.study)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_study_goes_on_where_it_stopped(kind, tmp_path):
    storage = tmp_path / "tuning.log" if kind == "journal" else f"sqlite:///{tmp_path}/tuning.db"
    whole = tuned_on(n_trials=14)
    assert len(tuned_on(n_trials=3, storage=storage).study.trials) == 3
    Ridge.left = 5 + 6 * 5 + 2  # the default's folds, six trials, and two folds of a seventh
    try:
        with pytest.raises(KeyboardInterrupt):
            tuned_on(n_trials=14, storage=storage)
    finally:
        Ridge.left = np.inf
    resumed = tuned_on(n_trials=14, storage=storage)
    assert params_of(resumed.study) == params_of(whole.study)
    assert not resumed.study.get_trials(states=(TrialState.RUNNING,))
    assert (resumed.params, resumed.score) == (whole.params, whole.score)
    Ridge.left = 5 + 5  # what is finished is not tried again: only the default and the best are compared
    try:
        assert tuned_on(n_trials=14, storage=storage).params == whole.params
    finally:
        Ridge.left = np.inf


def test_other_rows_have_another_study_in_the_same_storage(tmp_path):
    storage = str(tmp_path / "tuning.log")
    first = tuned_on(n_trials=3, storage=storage)
    for changed in ({"y": Y + np.arange(40) % 3}, {"random_state": 4}, {"n_folds": 4}, {"predictor": Ridge(2.0)}):
        other = tuned_on(n_trials=2, storage=storage, **changed)
        assert other.study.study_name != first.study.study_name
        assert len(other.study.trials) == 2


def test_a_trial_that_fails_is_pruned_and_the_others_go_on():
    kinds = {"kind": CategoricalDistribution(("plain", "broken")), "strength": FloatDistribution(0.1, 10)}
    tuned = tuned_on(param_distributions=kinds)
    states = {trial.params["kind"]: trial.state for trial in tuned.study.trials}
    assert states == {"plain": TrialState.COMPLETE, "broken": TrialState.PRUNED}
    assert tuned.predictor.kind == "plain"


def test_a_default_that_fails_is_an_error():
    with pytest.raises(FitError, match="Ridge.*cannot be judged: ArithmeticError: the matrix is singular"):
        tuned_on(predictor=Ridge(kind="broken"))


def test_no_trial_begins_that_would_end_too_late(monkeypatch):
    class Clock:
        now = 0.0
        perf_counter = staticmethod(lambda: Clock.now)

    class Slow(Ridge):
        def _fit(self, X, y):
            super()._fit(X, y)
            Clock.now += 1.0

    monkeypatch.setattr("surronas.selection.tuning.time", Clock)
    tuned = tuned_on(predictor=Slow(), time_budget=31.0)
    # five seconds each: the default on the other folds, four trials, and perhaps the best one's comparison
    assert len(tuned.study.trials) == 4
    assert Clock.now <= 31.0
    assert params_of(tuned_on(predictor=Slow(), time_budget=12.0).study) == []


def test_what_is_found_is_fitted_like_any_other():
    tuned = tuned_on(predictor=Ridge(strength=1e3))
    assert not hasattr(tuned.predictor, "weights_")
    assert clone(tuned.predictor).strength == tuned.params["strength"]
    model = sn.fit_predictor(X, Y, space=SPACE, predictor=tuned.predictor, encoder=tuned.encoder, random_state=0)
    assert kendalltau(Y, model.predict(X)).statistic > 0.5


def test_auto_is_the_encoding_that_suits_the_space():
    cells = sn.get_space("nasbench201")
    archs = cells.sample(24, random_state=0)
    tuned = tune(archs, archs.sum(axis=1), predictor=Ridge(), space=cells, n_trials=1)
    assert tuned.encoder == "graph_features+contracted_features+cost"
    assert tune(archs, archs.sum(axis=1), predictor="one_hot:rbf", space=cells, n_trials=1).encoder == "one_hot"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"predictor": "auto"}, "The 'predictor' parameter of tune must be one Predictor or name. Got 'auto'"),
        ({"predictor": ["rbf", "mlp"]}, "must be one Predictor or name. Got \\['rbf', 'mlp'\\]"),
        ({"encoder": ["one_hot"]}, "The 'encoder' parameter of tune must be one name. Got \\['one_hot'\\]"),
        ({"predictor": "linear"}, "The predictor 'linear' declares no hyper-parameters to tune"),
        ({"param_distributions": {"strenght": FloatDistribution(0, 1)}}, "parameters of 'Ridge', .* Got 'strenght'"),
        ({"param_distributions": {"strength": (0, 1)}}, "distributions of optuna.distributions. Got \\(0, 1\\) for"),
        ({"param_distributions": {}}, "at least one parameter"),
        ({"n_trials": 0}, "The 'n_trials' parameter must be an int of at least 1. Got 0"),
        ({"n_folds": 1}, "The 'n_folds' parameter must be an int of at least 2. Got 1"),
        ({"time_budget": -1}, "The 'time_budget' parameter must be a positive number"),
        ({"y": Y[:-1]}, "The 'y' must have shape \\(40,\\)"),
        ({"y": np.where(np.arange(40) == 7, np.nan, Y)}, "The 'y' must be finite. Got nan in row 7"),
    ],
)
def test_what_cannot_be_tuned(params, text):
    with pytest.raises(InvalidInputError, match=text):
        tuned_on(**params)


@pytest.mark.parametrize("name", list_predictors())
def test_the_ranges_are_of_parameters_and_hold_the_defaults(name):
    tunable = predictor_class(name).tunable
    defaults = get_predictor(name).get_params()
    assert tunable.keys() <= defaults.keys()
    distributions = {param: _distribution(**values) for param, values in tunable.items()}
    assert _contain(distributions, {param: defaults[param] for param in distributions})
    whole = [isinstance(distributions[p], IntDistribution) for p in tunable]
    assert whole == [isinstance(defaults[p], int) for p in tunable]


def test_those_whose_parameters_matter_have_ranges():
    tunable = {name for name in list_predictors() if predictor_class(name).tunable}
    trees = {"xgboost", "xgboost_rank", "random_forest", "extra_trees"}
    assert tunable >= trees | {"mlp", "gnn", "rbf", "rbf_ensemble"}
