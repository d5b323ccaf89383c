"""Scores as features, given or computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import check_estimator

from surronas.encoders import get_encoder
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidInputError
from surronas.proxies import Scorer
from surronas.spaces import get_space
from surronas.testing import check_encoder, conditional_space

NB201, SIZES = get_space("nasbench201"), get_space("nats_size")
BATCH = np.random.default_rng(0).standard_normal((4, 3, 8, 8), dtype=np.float32), np.arange(4) % 2
TINY = {"network_options": {"channels": 2, "cells": 1}}
PROXIES = ["nwot", "params", "snip"]


@pytest.fixture(scope="module")
def scorer():
    return Scorer(PROXIES, BATCH, **TINY)


def known(n=30, space=NB201):
    """Scores that say which row they are of."""
    X = space.sample(n, random_state=0)
    return X, pd.DataFrame({"a": np.arange(n) - 10.0, "b": 10.0 ** np.arange(n)}, index=space.format(X))


def test_contract_with_scores_that_are_computed_or_given(scorer):
    check_estimator(ZeroCost(), on_skip=None)
    check_encoder(ZeroCost(scorer), [NB201])
    check_encoder(ZeroCost(scores=known()[1]), [NB201])
    check_encoder("zero_cost", [conditional_space(), get_space("nasbench_graph")])
    check_encoder("zero_cost+one_hot", [conditional_space()])


def test_features_are_the_scorers_scores_on_a_logarithmic_scale(scorer):
    X = NB201.representatives(NB201.canonical(NB201.sample(4, random_state=1)))
    encoder = ZeroCost(scorer, space=NB201).fit(X[:1])
    F = encoder.transform(X)
    assert list(encoder.get_feature_names_out()) == [*PROXIES, "missing"]
    assert not F[:, -1].any()
    scores = scorer.score(X, NB201).to_numpy()
    np.testing.assert_allclose(np.sinh(F[:, :-1]), scores, rtol=1e-9)
    assert encoder.seconds_ == scorer.mean_seconds(NB201) > 0


def test_names_are_computed_on_noise_once_for_all_encoders():
    C = SIZES.parse(["8:8:8:8:8"])
    one, two = (get_encoder("zero_cost", proxies=["params", "layers"], space=SIZES).fit(C) for _ in range(2))
    assert one.scorer_ is two.scorer_
    assert one.scorer_.batch.source == "standard normal noise with random labels"
    np.testing.assert_allclose(np.sinh(one.transform(C))[0, :2], [SIZES.cost(C)["params"][0], 23], rtol=1e-9)


def test_cheap_is_the_default_and_an_aggregate_stands_for_its_parts():
    C = SIZES.parse(["8:8:8:8:8"])
    cheap = ["params", "madds", "layers", "l2_norm", "synflow", "nwot", "swap"]
    assert list(get_encoder("zero_cost", space=SIZES).fit(C).get_feature_names_out()) == [*cheap, "missing"]
    assert "az_nas" not in get_encoder("zero_cost", proxies="az_nas", space=SIZES).fit(C).get_feature_names_out()


def test_given_scores_are_looked_up_by_class_and_never_computed():
    X, scores = known()
    C = NB201.canonical(X)
    first = np.sort(np.unique(NB201.rank(NB201.representatives(C)), return_index=True)[1])
    X, C, scores = X[first], C[first], scores.iloc[first]
    encoder = ZeroCost(scores=scores, space=NB201).fit(X)
    members, rows = NB201.isomorphs(C)
    assert len(members) > len(X)
    np.testing.assert_allclose(np.sinh(encoder.transform(members)[:, :-1]), scores.to_numpy()[rows], rtol=1e-9)
    new = NB201.sample(200, random_state=5)
    new = new[~np.isin(NB201.rank(NB201.representatives(NB201.canonical(new))), encoder._known.index)]
    F = encoder.transform(NB201.canonical(new))
    assert (F[:, -1] == 1).all()
    np.testing.assert_allclose(F[:, :-1] - np.arcsinh(scores.median().to_numpy()), 0, atol=1e-12)
    assert np.isnan(encoder.seconds_)


def test_scores_of_isomorphic_rows_are_averaged_and_missing_ones_left_out():
    X, scores = known(3)
    twice = pd.concat([scores, scores + 2])
    twice.iloc[0, 0] = np.nan
    F = ZeroCost(scores=twice, space=NB201).fit(X).transform(NB201.canonical(X))
    np.testing.assert_allclose(np.sinh(F[:, 0]), [-8, -8, -7], rtol=1e-9)


def test_a_score_that_failed_is_the_median_and_says_so():
    X, scores = known(5)
    scores.iloc[1, 0] = np.nan
    F = ZeroCost(scores=scores, space=NB201).fit(X).transform(NB201.canonical(X))
    assert F[:, -1].tolist() == [0, 0.5, 0, 0, 0]
    assert np.sinh(F[1, 0]) == pytest.approx(np.median([-10, -8, -7, -6]))
    scores["a"] = np.nan
    assert not ZeroCost(scores=scores, space=NB201).fit(X).transform(NB201.canonical(X))[:, 0].any()


def test_what_cannot_be_computed_is_the_median_of_drawn_architectures(scorer):
    """The empty cell's images all look the same to its last layers."""
    failing = Scorer(["jacov", "params"], BATCH, **TINY)
    empty = np.zeros((1, 6), dtype=int)
    assert np.isnan(failing.score(empty, NB201).loc[0, "jacov"])
    F = ZeroCost(failing, space=NB201).fit(empty).transform(empty)
    drawn = NB201.representatives(NB201.canonical(NB201.sample(16, 0, unique=False)))
    assert np.sinh(F[0, 0]) == pytest.approx(failing.score(drawn, NB201)["jacov"].median())
    assert F[0, -1] == 0.5


def test_a_scorer_fills_in_what_is_not_given(scorer):
    X = NB201.representatives(NB201.canonical(NB201.sample(6, random_state=0)))
    frame = scorer.score(X, NB201).set_axis(NB201.format(X))
    part = frame[:3] + 1
    F = ZeroCost(scorer, part, NB201).fit(X).transform(NB201.canonical(X))
    np.testing.assert_allclose(np.sinh(F[:, :-1]), np.r_[part, frame[3:]], rtol=1e-9)
    assert not F[:, -1].any()


def test_in_a_union():
    X, scores = known()
    encoder = get_encoder("one_hot+zero_cost", given={"zero_cost": ZeroCost(scores=scores)}, space=NB201)
    C = NB201.canonical(X)
    F = encoder.fit(C[:2]).transform(C)
    assert [name for name in encoder.get_feature_names_out() if "zero" in name] == [
        "zero_cost__a", "zero_cost__b", "zero_cost__missing",
    ]  # fmt: skip
    np.testing.assert_array_equal(F[:, -3:], ZeroCost(scores=scores, space=NB201).fit(C).transform(C))
    np.testing.assert_array_equal(F[:, :-3], get_encoder("one_hot", space=NB201).fit(C).transform(C))
    assert encoder.additive
    assert np.isnan(encoder.seconds_)
    assert get_encoder("one_hot+cost", space=NB201).fit(C).seconds_ == 0


def test_bad_scores_are_refused():
    X, scores = known(3)
    for wrong, text in (
        (scores.reset_index(drop=True), "The index of 'scores' must hold the architectures.* Row 0 does not parse"),
        (scores.rename(columns={"b": "a"}), "columns of different names"),
        (scores.replace(1.0, np.inf), "must be finite or missing"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            ZeroCost(scores=wrong, space=NB201).fit(X)
    with pytest.raises(InvalidInputError, match="must have a column for the proxy 'nwot'"):
        ZeroCost("nwot", scores, space=NB201).fit(X)


@pytest.mark.parametrize("index", ["strings", "tuples"])
def test_it_comes_back_from_its_state(scorer, index):
    X, scores = known(4)
    scores.columns = ["params", "nwot"]
    scores["snip"] = [1.0, np.nan, 2.0, 3.0]
    if index == "tuples":
        scores.index = pd.MultiIndex.from_arrays(list(X.T))
    for encoder in (ZeroCost(scores=scores), ZeroCost(scorer, scores), ZeroCost(scorer), ZeroCost(["params"])):
        again = ZeroCost.from_state(*encoder.to_state(NB201), {})
        C = NB201.canonical(X)
        one, two = (e.set_params(space=NB201).fit(C) for e in (encoder, again))
        if encoder.proxies != ["params"]:
            np.testing.assert_array_equal(one.transform(C), two.transform(C))
        assert list(one.get_feature_names_out()) == list(two.get_feature_names_out())
