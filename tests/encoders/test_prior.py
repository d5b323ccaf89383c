"""What models of other tasks predict, as features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from surronas.encoders import get_encoder
from surronas.encoders.features import features
from surronas.encoders.prior import Prior, TaskModel
from surronas.spaces import get_space

NB201 = get_space("nasbench201")
X = NB201.sample(60, random_state=0, unique=False)
C = NB201.canonical(X)


class Sum:
    """A regressor that counts what it is asked."""

    def __init__(self, factor):
        self.factor, self.asked = factor, 0

    def predict(self, F):
        self.asked += len(F)
        return self.factor * F.sum(axis=1)


@pytest.fixture
def prior():
    return Prior({"one": TaskModel(Sum(1.0)), "two": TaskModel(Sum(-2.0))}, "op_counts", NB201)


def test_a_column_a_task(prior):
    F = prior.fit(C).transform(C)
    counts = features(get_encoder("op_counts", space=NB201).fit(C), C).sum(axis=1)
    np.testing.assert_allclose(F, np.column_stack([counts, -2 * counts]))
    assert list(prior.get_feature_names_out()) == ["one", "two"]
    assert prior.blocks_ == (("prior", (2,)),)


def test_isomorphic_architectures_have_the_same(prior):
    members, rows = NB201.isomorphs(C)
    F = prior.fit(C).transform(members)
    assert len(members) > len(C)
    np.testing.assert_array_equal(F, prior.transform(C)[rows])


def test_nothing_is_predicted_twice_and_copies_remember(prior):
    regressor = prior.models["one"].regressor
    prior.fit(C).transform(C)
    different = len(np.unique(NB201.rank(NB201.representatives(C))))
    assert regressor.asked == different
    again = clone(prior).fit(C)
    again.transform(C[::-1])
    assert regressor.asked == different
    more = NB201.canonical(NB201.sample(80, random_state=1))
    again.transform(more)
    assert regressor.asked == len(np.unique(NB201.rank(NB201.representatives(np.concatenate([C, more])))))


def test_without_models_there_is_nothing():
    encoder = Prior(space=NB201).fit(C)
    assert encoder.transform(C).shape == (60, 0)
