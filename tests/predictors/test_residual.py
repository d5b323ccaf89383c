"""A prior that is right saves labels; one that is wrong costs little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from surronas.predictors import get_predictor

BLOCKS = (("prior", (1,)), ("genes", (4,)))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    genes = rng.standard_normal((220, 4))
    y = 70 + 2 * genes @ [2, -1, 0.5, 1] + 3 * genes[:, 0] * genes[:, 1]
    return genes, y, rng


def fit(prior, genes, y, n=14):
    X = np.column_stack([prior, genes])
    model = get_predictor("residual", blocks=BLOCKS, random_state=0).fit(X[:n], y[:n])
    mean, std = model.predict(X[n:], return_std=True)
    assert (std > 0).all()
    return kendalltau(mean, y[n:]).statistic, model


def test_a_good_prior_beats_none(data):
    genes, _, rng = data
    y = np.sin(7 * genes).sum(axis=1)  # more than fourteen labels can tell
    alone = get_predictor("gp", random_state=0).fit(genes[:14], y[:14])
    plain = kendalltau(alone.predict(genes[14:]), y[14:]).statistic
    good, model = fit(-0.01 * y + 0.003 * rng.standard_normal(220), genes, y)  # of any sign and scale
    assert good > 0.6
    assert good > plain + 0.3
    assert model.slope_ < -0.7


def test_a_bad_prior_is_not_believed(data):
    genes, y, rng = data
    alone = get_predictor("gp", random_state=0).fit(genes[:30], y[:30])
    plain = kendalltau(alone.predict(genes[30:]), y[30:]).statistic
    bad, model = fit(rng.standard_normal(220), genes, y, n=30)
    assert bad > plain - 0.15
    assert abs(model.slope_) < 0.6


def test_what_the_prior_leaves_is_learnt(data):
    genes, y, _ = data
    prior = 2 * genes @ [2, -1, 0.5, 1]
    few, _ = fit(prior, genes, y, n=8)
    many, _ = fit(prior, genes, y, n=120)
    assert many > 0.9 > few


def test_without_a_prior_it_is_the_gaussian_process(data):
    genes, y, _ = data
    one, other = (get_predictor(name, random_state=0).fit(genes[:30], y[:30]) for name in ("residual", "gp"))
    for a, b in zip(one.predict(genes, return_std=True), other.predict(genes, return_std=True), strict=True):
        np.testing.assert_allclose(a, b)


def test_of_the_prior_alone_it_is_a_line():
    y = np.array([1.0, 2.0, 4.0, 3.0])
    p = np.array([10.0, 20.0, 40.0, 30.0])
    model = get_predictor("residual", blocks=(("prior", (1,)),)).fit(p[:, None], y)
    assert model.slope_ == pytest.approx(4 / 5)  # n labels, and one at zero
    np.testing.assert_allclose(model.predict([[25.0], [50.0]]), [2.5, 2.5 + 0.8 * 2.5])
