"""Adaptive switching with predictors that misbehave, one way each."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from surronas.exceptions import FitError, InvalidInputError
from surronas.predictors import Predictor, get_predictor
from surronas.selection import AdaptiveSwitching, Candidate
from surronas.selection.cross_validation import split_folds
from surronas.selection.rules import RULES
from surronas.spaces import Gene, SearchSpace, get_space

SPACE = SearchSpace([Gene(f"g{i}", (0, 1, 2, 3)) for i in range(5)])
X = SPACE.sample(60, random_state=0)
Y = X @ [5.0, 3.0, 2.0, 1.0, 0.5] + 0.2 * np.random.default_rng(0).normal(size=60)
COLUMNS = ["encoder", "predictor", "tau", "tau_std", "seconds", "arch_seconds", "weight", "status", "reason"]


class Fake(Predictor):
    def _fit(self, X, y):
        self.width_ = X.shape[1]

    def _predict(self, X):
        return np.zeros(len(X)), np.ones(len(X))


class Constant(Fake):
    pass


class NotANumber(Fake):
    def _predict(self, X):
        return np.where(np.arange(len(X)) == 1, np.nan, X[:, 0]), np.ones(len(X))


class EndlessSpread(Fake):
    def _predict(self, X):
        return X[:, 0], np.full(len(X), np.inf)


class Failing(Fake):
    def _fit(self, X, y):
        raise ArithmeticError("the matrix is singular")


class FailingAlso(Fake):
    def _predict(self, X):
        raise KeyError("left over")


class Hopeless(Fake):
    """The wrong way round."""

    def _predict(self, X):
        return -X @ np.arange(X.shape[1]), np.ones(len(X))


class Memory(Predictor):
    """Knows every row it was fitted on, and nothing of any other."""

    def _fit(self, X, y):
        self.known_ = {row.tobytes(): value for row, value in zip(X, y, strict=True)}

    def _predict(self, X):
        noise = [hash(row.tobytes()) % 1009 / 1009 - 0.5 for row in X]
        mean = [self.known_.get(row.tobytes(), guess) for row, guess in zip(X, noise, strict=True)]
        return np.array(mean), np.full(len(X), 0.1)


def switching(*predictors, encoder="one_hot", **params):
    candidates = [Candidate(encoder, get_predictor(p) if isinstance(p, str) else p) for p in predictors]
    return AdaptiveSwitching(candidates, SPACE, **{"random_state": 0, **params})


def record(model, name):
    return model.selection_.set_index("predictor").loc[name]


class ForFew(Memory):
    most_rows = len(X) - 1  # a fold's training rows are as few


@pytest.mark.parametrize("time_budget", [None, 60.0])
def test_what_is_not_made_for_so_many_rows_is_not_tried(time_budget):
    """Its folds would do, and the fit to all rows would not."""
    model = switching(ForFew(), "linear", time_budget=time_budget).fit(X, Y)
    assert [candidate.predictor_name for candidate, _, _ in model.members_] == ["linear"]
    row = record(model, "ForFew")
    assert (row["status"], row["seconds"]) == ("failed", 0)
    assert row["reason"] == f"{len(X):,} rows, it takes at most {len(X) - 1:,}"
    with pytest.raises(FitError, match="it takes at most"):
        switching(ForFew()).fit(X, Y)


@pytest.mark.parametrize("rule", RULES)
def test_what_cannot_rank_is_never_chosen_and_the_record_says_why(rule):
    fakes = (Constant(), NotANumber(), EndlessSpread(), Failing(), FailingAlso())
    model = switching(*fakes, "linear", rule=rule).fit(X, Y)
    assert [candidate.predictor_name for candidate, _, _ in model.members_] == ["linear"]
    expected = {
        "Constant": ("dropped", "constant predictions in a fold"),
        "NotANumber": ("failed", "predictions are not finite"),
        "EndlessSpread": ("failed", "predictions are not finite"),
        "Failing": ("failed", "ArithmeticError: the matrix is singular"),
        "FailingAlso": ("failed", "KeyError: 'left over'"),
    }
    for name, outcome in expected.items():
        assert tuple(record(model, name)[["status", "reason"]]) == outcome
        assert record(model, name)["weight"] == 0
    assert tuple(record(model, "linear")[["status", "weight"]]) == ("chosen", 1.0)


def test_the_record_has_the_documented_columns_best_first():
    model = switching(Failing(), Hopeless(), "mean", "linear", "rbf").fit(X, Y)
    frame = model.selection_
    assert list(frame.columns) == COLUMNS
    assert set(frame["status"]) <= {"chosen", "kept", "dropped", "failed"}
    order = frame["status"].map(["chosen", "kept", "dropped", "failed"].index)
    assert order.is_monotonic_increasing
    assert frame["weight"].sum() == pytest.approx(1)
    assert ((frame["weight"] > 0) == (frame["status"] == "chosen")).all()
    assert frame["tau"].dropna().between(-1, 1).all()
    assert (frame["seconds"] > 0).all()
    assert (frame.loc[frame["status"].isin(["dropped", "failed"]), "reason"] != "").all()
    weights = {candidate.predictor_name: weight for candidate, _, weight in model.members_}
    assert weights == frame.loc[frame["weight"] > 0].set_index("predictor")["weight"].to_dict()


def test_when_all_fail_the_error_lists_each():
    with pytest.raises(FitError) as caught:
        switching(Failing(), FailingAlso(), NotANumber()).fit(X, Y)
    for text in ("one_hot:Failing: ArithmeticError: the matrix is singular", "one_hot:FailingAlso: KeyError: 'left"):
        assert text in str(caught.value)
    assert "one_hot:NotANumber: predictions are not finite" in str(caught.value)


def test_when_none_can_rank_it_is_the_mean_and_says_so():
    model = switching(Constant(), Failing()).fit(X, Y)
    ((candidate, _, weight),) = model.members_
    assert (candidate.predictor_name, weight) == ("mean", 1.0)
    assert "no candidate could rank" in record(model, "mean")["reason"]
    mean = model.predict(X)
    assert np.ptp(mean) == 0
    assert Y.min() < mean[0] < Y.max()
    low, high = model.predict_interval(X, coverage=0.9)
    assert 0.8 <= ((low <= Y) & (Y <= high)).mean() <= 1


def test_a_hopeless_candidate_is_dropped_after_two_folds():
    model = switching(Hopeless(), "linear").fit(X, Y)
    row = record(model, "Hopeless")
    assert row["status"] == "dropped"
    best = record(model, "linear")["tau"]
    assert row["tau"] < best
    assert "after 2 folds, the best had" in row["reason"]


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 9, 12])
def test_few_labels_are_cross_validated_as_well(n):
    model = switching("linear", "gp").fit(X[:n], Y[:n])
    assert "no candidate" not in " ".join(model.selection_["reason"])
    assert set(model.selection_["predictor"]) == {"linear", "gp"}
    assert model.selection_["tau"].notna().all()


@pytest.mark.parametrize("n", [2, 3])
def test_two_or_three_labels_give_their_mean(n):
    model = switching("linear", "gp").fit(X[:n], Y[:n])
    assert record(model, "mean")["status"] == "chosen"
    assert "too few architectures" in record(model, "gp")["reason"]
    mean, std = model.predict(X, return_std=True)
    assert Y[:n].min() <= mean[0] <= Y[:n].max()
    assert (std > 0).all()


def test_a_fold_of_equal_targets_does_not_rule_candidates_out():
    """Nine of ten targets are equal, so that most folds have nothing to rank."""
    y = np.where(np.arange(40) % 10 == 0, Y[:40], 0.0)
    model = switching("linear", "gp", random_state=1).fit(X[:40], y)
    assert (model.selection_["status"] == "chosen").any()
    assert "mean" not in set(model.selection_["predictor"])


def test_constant_targets_are_predicted_with_a_reason():
    model = switching("linear", "gp").fit(X, np.full(60, 93.5))
    assert record(model, "mean")["status"] == "chosen"
    assert record(model, "linear")["reason"] == "no fold has two different targets"
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, 93.5)
    np.testing.assert_allclose(std, 0, atol=1e-9)


def test_out_of_fold_is_out_of_fold():
    """Fitted on all rows a memory is perfect on them; its record must be that of guesses."""
    model = switching(Memory(), "linear").fit(X, Y)
    assert abs(record(model, "Memory")["tau"]) < 0.4
    alone = switching(Memory()).fit(X, Y)
    np.testing.assert_allclose(alone.predict(X), Y, rtol=1e-6)
    low, high = alone.predict_interval(X[:1], coverage=0.5)
    assert (high - low)[0] > 0.5 * Y.std()


def test_isomorphic_rows_share_a_fold():
    """Each row comes twice. Would the copies be in different folds, the memory would be perfect."""
    twice, y = np.repeat(X, 2, axis=0), np.repeat(Y, 2)
    model = switching(Memory(), "linear").fit(twice, y)
    assert abs(record(model, "Memory")["tau"]) < 0.4


def test_isomorphic_cells_of_a_space_share_a_fold():
    space = get_space("nasbench201")
    members, group = space.isomorphs(np.unique(space.canonical(space.sample(60, random_state=0)), axis=0))
    fold = split_folds(space, members, 5, np.random.RandomState(0))
    assert len(members) > 2 * (group.max() + 1)
    assert all(len(set(fold[group == g])) == 1 for g in group)
    assert set(fold) == set(range(5))


def test_folds_are_balanced_and_at_least_two_wide():
    for n in (4, 7, 10, 33):
        fold = split_folds(SPACE, X[:n], 5, np.random.RandomState(0))
        sizes = np.bincount(fold)
        assert sizes.max() - sizes.min() <= 1
        assert sizes.min() >= 2
        assert len(sizes) == min(5, n // 2)


def test_taus_are_those_of_refits_by_hand(monkeypatch):
    """KFold of scikit-learn in place of our folds: the record is what cross_val_predict would give."""
    from scipy.stats import kendalltau
    from sklearn.model_selection import cross_val_predict

    splitter = KFold(5, shuffle=True, random_state=3)
    fold = np.empty(60, dtype=int)
    for k, (_, held_out) in enumerate(splitter.split(X)):
        fold[held_out] = k
    monkeypatch.setattr("surronas.selection.switching.split_folds", lambda *_: fold)
    model = switching("linear", encoder="one_hot").fit(X, Y)
    F = model.encoders_["one_hot"].transform(X)
    z = model.targets_.scores
    expected = cross_val_predict(get_predictor("linear"), F, z, cv=splitter)
    row = record(model, "linear")
    assert row["tau"] == pytest.approx(kendalltau(z, expected).statistic)
    taus = [kendalltau(z[fold == k], expected[fold == k]).statistic for k in range(5)]
    assert row["tau_std"] == pytest.approx(np.std(taus))


def test_predictions_are_the_weighted_blend_of_members_fitted_to_all_rows():
    model = switching("linear", "rbf", "gp").fit(X, Y)
    new = SPACE.sample(30, random_state=9)
    z = model.targets_.scores
    total = np.zeros(30)
    for candidate, fitted, weight in model.members_:
        F = model.encoders_[candidate.encoder]
        np.testing.assert_allclose(fitted.predict(F.transform(X)).mean(), z.mean(), atol=0.1)
        total += weight * fitted.predict(F.transform(new))
    np.testing.assert_allclose(model.predict(new), model.targets_.inverse(total), rtol=1e-9)


def quick():
    """Registered predictors, which a worker process can import."""
    trees = get_predictor("extra_trees", n_trees=10)
    return [Candidate("one_hot", p) for p in (get_predictor("linear"), get_predictor("gp", max_iter=5), trees)]


def outcome(**params):
    model = AdaptiveSwitching(quick(), SPACE, **{"random_state": 5, **params}).fit(X, Y)
    low, high = model.predict_interval(X, 0.8)
    return np.stack([*model.predict(X, return_std=True), low, high]), model.selection_.drop(columns="seconds")


@pytest.mark.parametrize("way", ["again", "processes", "threads"])
def test_the_seed_settles_the_result_whatever_n_jobs(way):
    with warnings.catch_warnings():  # joblib's threads share one list of filters, which fit narrows for a while
        expected = outcome(n_jobs=1)
        if way == "threads":
            with joblib.parallel_config(backend="threading"):
                found = outcome(n_jobs=2)
        else:
            found = outcome(n_jobs=2 if way == "processes" else 1)
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1].equals(expected[1])
    assert (outcome(random_state=6)[0] != expected[0]).any()


def test_candidates_are_left_as_they_were():
    candidates = quick()
    AdaptiveSwitching(candidates, SPACE, random_state=0).fit(X, Y)
    assert all(not hasattr(c.predictor, "n_features_in_") for c in candidates)
    assert candidates[2].predictor.random_state is None


def test_it_is_a_scikit_learn_estimator():
    model = switching("linear", rule="nat", n_folds=3)
    copy = clone(model)
    assert copy.get_params()["rule"] == "nat"
    assert not hasattr(copy, "members_")
    assert copy.fit(X, Y) is copy


def test_unknown_rule():
    with pytest.raises(InvalidInputError, match="The 'rule' parameter must be one of .*'nat'.* Got 'best' instead"):
        switching("linear", rule="best").fit(X, Y)


def test_no_rows_give_no_predictions():
    model = switching("linear").fit(X, Y)
    mean, std = model.predict(X[:0], return_std=True)
    low, high = model.predict_interval(X[:0])
    assert mean.shape == std.shape == low.shape == high.shape == (0,)


def test_refitted_to_the_same_rows_it_is_the_same_model():
    model = switching("linear", "rbf").fit(X, Y)
    weights = {candidate.name: weight for candidate, _, weight in model.members_}
    again = switching("linear", "rbf").refit(X, Y, weights, model.conformal_.scale)
    new = SPACE.sample(30, random_state=9)
    np.testing.assert_allclose(again.predict(new, return_std=True), model.predict(new, return_std=True), rtol=1e-9)


def test_refitted_without_a_known_candidate_it_is_the_mean():
    model = switching("linear", "rbf").refit(X, Y, {"one_hot:mean": 1.0}, 1.0)
    assert np.ptp(model.predict(X)) == 0
