"""The kits catch parts that break a promise."""

from __future__ import annotations

import numpy as np
import pytest

from surronas.encoders.one_hot import OneHot
from surronas.predictors.linear import Linear
from surronas.spaces import Gene, SearchSpace, get_space
from surronas.spaces.nasbench201 import NASBench201
from surronas.testing import check_encoder, check_predictor, check_space, conditional_space, estimators


class Broken(NASBench201):
    name = "broken"


class NotIdempotent(Broken):
    def prune(self, X):
        return (X + 1) % 5


class LooseNeighbours(Broken):
    def neighbours(self, x):
        return self.sample(10, random_state=0)


class CostOfDeadEdges(Broken):
    def cost(self, X, **options):
        return super().cost(X, **options) + np.asarray(X).sum(axis=1)[:, None]


class Unreadable(Broken):
    def format(self, X):
        return [text[::-1] for text in super().format(X)]


@pytest.mark.parametrize(
    ("space", "promise"),
    [
        (NotIdempotent(), "canonical is idempotent"),
        (LooseNeighbours(), "neighbours differ in one active gene"),
        (CostOfDeadEdges(), "cost is that of the canonical form"),
    ],
)
def test_broken_space(space, promise):
    with pytest.raises(AssertionError, match=promise):
        check_space(space)


def test_unreadable_format():
    with pytest.raises(ValueError, match="Row 0 does not parse"):
        check_space(Unreadable())


def test_space_of_one_gene():
    check_space(SearchSpace([Gene("only", ("a", "b"))]))


class FeaturesOfTheSample(OneHot):
    def _fit(self, C):
        self.mean_ = C.mean()

    def _encode(self, C):
        return super()._encode(C) - self.mean_


class RowsThatSeeEachOther(OneHot):
    def _encode(self, C):
        return super()._encode(C) * len(C)


class TwiceTheName(OneHot):
    def _names(self):
        return ["same"] * len(super()._names())


@pytest.mark.parametrize(
    ("encoder", "promise"),
    [
        (FeaturesOfTheSample, "features do not depend on the training sample"),
        (RowsThatSeeEachOther, "a row's features do not depend on the others"),
        (TwiceTheName, "feature names are distinct"),
    ],
)
def test_broken_encoder(encoder, promise):
    with pytest.raises(AssertionError, match=promise):
        check_encoder(encoder(space=conditional_space()))
    with pytest.raises(AssertionError, match=promise):
        check_encoder(encoder(), spaces=[get_space("nasbench201")])


class NegativeStd(Linear):
    def _predict(self, X):
        mean, std = super()._predict(X)
        return mean, -std


class Unseeded(Linear):
    def _predict(self, X):
        mean, std = super()._predict(X)
        return mean + 0.01 * self.noise_, std

    def _fit(self, X, y):
        super()._fit(X, y)
        self.noise_ = np.random.default_rng().normal()


class TinyIsConstant(Linear):
    def fit(self, X, y):
        super().fit(X, y)
        self.y_constant_ = self.y_scale_ < 1e-12
        return self


class Unscaled(Linear):
    def predict(self, X, return_std=False):
        result = super().predict(X, return_std=return_std)
        return (result[0], result[1] / self.y_scale_) if return_std else result


@pytest.mark.parametrize(
    ("predictor", "promise"),
    [
        (NegativeStd(), "std finite and >= 0"),
        (Unscaled(), "scaled and shifted targets"),
        (TinyIsConstant(), "targets 9e-16 times as large"),
    ],
)
def test_broken_predictor(predictor, promise):
    with pytest.raises(AssertionError, match=promise):
        check_predictor(predictor)


def test_unseeded_predictor():
    with pytest.raises(AssertionError, match="check_regressor_data_not_an_array"):
        check_predictor(Unseeded())


def test_an_exemption_that_is_not_needed_is_a_failure(monkeypatch):
    monkeypatch.setitem(estimators.EXEMPTIONS, "Linear", {"check_fit1d": "it is not needed"})
    with pytest.raises(AssertionError, match="check_fit1d: exempted, but it passes"):
        check_predictor("linear")
