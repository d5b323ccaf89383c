"""``fit_predictor`` with what a meta predictor thinks: as a feature that few labels correct."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.base import clone

import surronas as sn
from surronas.encoders import Encoder
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.meta.graphs import graph_code
from surronas.meta.metad2a import MetaD2A
from surronas.meta.predictor import MetaPredictor
from surronas.meta.prior import MetaPrior
from surronas.meta.set_encoder import Sets
from surronas.spaces import get_space
from surronas.spaces.mbconv import MBConv, Stage

SPACE = get_space("nasbench201")
CHAIN = MBConv(
    [Stage(False, 16, 2, (1, 2, 3), (3, 5), (1, 2, 3))], resolutions=(8, 12, 16), widths=(0.5, 1.0), stem=8, features=16
)


@pytest.fixture
def predictor():
    code = graph_code(SPACE)
    return MetaPredictor(code.n_types, code.n_vertices, n_features=6, hidden=16).eval()


@pytest.fixture
def looks(predictor):
    with torch.no_grad():
        return predictor.sets(Sets.of([np.random.default_rng(k).standard_normal((2, 3, 6)) for k in range(3)]))


class Oracle(Encoder):
    """What no other feature tells: a number that jumps from each architecture to the next."""

    def _names(self):
        return ["score"]

    def _blocks(self):
        return (("prior", (1,)),)

    def _encode(self, C):
        return np.sin(1e3 * (C + 1) @ np.sqrt(np.arange(2.0, 2 + C.shape[1])))[:, None]


@pytest.fixture
def source():
    return SimpleNamespace(space=CHAIN, log=False, prior=lambda images: Oracle(CHAIN))


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
    archs = CHAIN.canonical(CHAIN.sample(90, random_state=1))
    known = Oracle(CHAIN).fit(archs).transform(archs)[:, 0]
    y = 90 + 3 * known + np.random.default_rng(0).normal(0, 0.2, 90)
    few, rest = slice(0, 10), slice(10, None)
    options = {"space": CHAIN, "random_state": 0}
    warm = sn.fit_predictor(archs[few], y[few], source=source, images="of the task", **options)
    assert kendalltau(warm.predict(archs[rest]), y[rest]).statistic > 0.6  # without it, about 0
    believed = warm.selection_["encoder"].str.startswith("prior")
    assert warm.selection_.loc[believed, "weight"].sum() > 0.9
    assert not believed.all()
    with pytest.raises(SurronasError, match="cannot be saved"):
        warm.save("never.surronas")


def test_a_surrogate_with_it_is_saved_and_predicts_the_same(predictor, looks, tmp_path):
    archs = SPACE.sample(30, random_state=0)
    y = (SPACE.canonical(archs) == 3).sum(axis=1) + np.linspace(0, 0.1, 30)
    knows = SimpleNamespace(space=SPACE, log=False, prior=lambda images: MetaPrior(predictor, looks, SPACE))
    options = {"space": SPACE, "source": knows, "images": "of the task", "random_state": 0}
    model = sn.fit_predictor(archs[:12], y[:12], predictor=["prior:transfer", "one_hot:linear"], **options)
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    np.testing.assert_allclose(again.predict(archs), model.predict(archs), rtol=1e-6)
    untrained = sn.fit_predictor(space=SPACE, source=knows, images="of the task")
    untrained.save(tmp_path / "b")
    np.testing.assert_allclose(sn.load_predictor(tmp_path / "b").predict(archs), untrained.predict(archs), rtol=1e-5)


def test_a_source_that_knows_nothing_costs_little(source):
    archs = CHAIN.canonical(CHAIN.sample(120, random_state=2))
    y = archs @ np.linspace(1, 3, archs.shape[1])
    few, rest = slice(0, 25), slice(25, None)
    options = {"space": CHAIN, "predictor": "gp", "random_state": 0}
    warm = sn.fit_predictor(archs[few], y[few], source=source, images="of the task", **options)
    cold = sn.fit_predictor(archs[few], y[few], **options)
    with_it, without = (kendalltau(model.predict(archs[rest]), y[rest]).statistic for model in (warm, cold))
    assert without > 0.6
    assert with_it > without - 0.1


def test_bad_requests_are_errors(source):
    archs, y = CHAIN.sample(6, random_state=0), np.arange(6.0)
    with pytest.raises(InvalidInputError, match="'images' of the task"):
        MetaD2A.prior(None, None)
    with pytest.raises(InvalidInputError, match="without a 'source'"):
        sn.fit_predictor(archs, y, space=CHAIN, images="of the task")
    with pytest.raises(InvalidInputError, match="'source' have no use"):
        sn.fit_predictor(archs, y, space=CHAIN, source=source, images=1, predictor="linear", encoder="one_hot")
    source.space = get_space("mbconv")
    with pytest.raises(InvalidInputError, match="Got one of 'mbconv'"):
        sn.fit_predictor(archs, y, space=CHAIN, source=source, images=1)
