"""``fit_predictor`` with what a meta predictor thinks: as a feature that few labels correct."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.base import clone

import surronas as sn
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.meta.graphs import graph_code
from surronas.meta.predictor import MetaPredictor
from surronas.meta.prior import MetaPrior
from surronas.meta.set_encoder import Sets
from surronas.spaces import get_space

SPACE = get_space("nasbench201")


@pytest.fixture
def predictor():
    code = graph_code(SPACE)
    return MetaPredictor(code.n_types, code.n_vertices, n_features=6, hidden=16).eval()


@pytest.fixture
def looks(predictor):
    with torch.no_grad():
        return predictor.sets(Sets.of([np.random.default_rng(k).standard_normal((2, 3, 6)) for k in range(3)]))


@pytest.fixture
def source(predictor, looks):
    """Its images are a hint whether to believe it."""
    return SimpleNamespace(space=SPACE, prior=lambda images: MetaPrior(predictor, looks, SPACE))


def test_the_feature_is_the_mean_score_over_looks(predictor, looks):
    X = SPACE.sample(9, random_state=0)
    encoder = clone(MetaPrior(predictor, looks, SPACE)).fit(SPACE.canonical(X))
    with torch.no_grad():
        expected = predictor.score_all(graph_code(SPACE).write(X), looks).mean(dim=1)
    np.testing.assert_allclose(encoder.transform(SPACE.canonical(X))[:, 0], expected, rtol=1e-5)
    assert encoder.blocks_ == (("prior", (1,)),)
    with pytest.raises(InvalidInputError, match="must have a predictor"):
        MetaPrior(space=SPACE).fit(X).transform(X)


def test_a_source_that_knows_the_task_saves_labels(source):
    archs = SPACE.sample(90, random_state=1)
    truth = source.prior(None).fit(archs).transform(SPACE.canonical(archs))[:, 0]
    y = 90 + 3 * (truth - truth.mean()) / truth.std() + np.random.default_rng(0).normal(0, 0.3, 90)
    options = {"space": SPACE, "random_state": 0}
    few = slice(0, 10)
    warm = sn.fit_predictor(archs[few], y[few], source=source, images="of the task", **options)
    cold = sn.fit_predictor(archs[few], y[few], **options)
    rest = slice(10, None)
    tau_warm, tau_cold = (kendalltau(model.predict(archs[rest]), y[rest]).statistic for model in (warm, cold))
    assert tau_warm > 0.7
    assert tau_warm > tau_cold + 0.1
    encoders = warm.selection_["encoder"]
    assert encoders.str.contains("prior").sum() == 2
    with pytest.raises(SurronasError, match="cannot be saved"):
        warm.save("never.surronas")


def test_bad_requests_are_errors(source):
    archs, y = SPACE.sample(6, random_state=0), np.arange(6.0)
    with pytest.raises(InvalidInputError, match="'images' of the task"):
        sn.fit_predictor(archs, y, space=SPACE, source=source)
    with pytest.raises(InvalidInputError, match="without a 'source'"):
        sn.fit_predictor(archs, y, space=SPACE, images="of the task")
    with pytest.raises(InvalidInputError, match="'source' and 'images' have no use"):
        sn.fit_predictor(archs, y, space=SPACE, source=source, images=1, predictor="linear", encoder="one_hot")
    source.space = get_space("mbconv")
    with pytest.raises(InvalidInputError, match="Got one of 'mbconv'"):
        sn.fit_predictor(archs, y, space=SPACE, source=source, images=1)
