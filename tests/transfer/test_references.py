"""References fill a space better than random draws do, and say more of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import surronas as sn
from surronas.encoders import get_encoder
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.testing import conditional_space
from surronas.transfer import suggest_reference_architectures

SIZES = get_space("nats_size")


@pytest.mark.parametrize("name", ["nasbench201", "nats_size", "nasbench_macro", "conditional"])
def test_they_are_different_canonical_architectures_and_the_same_each_time(name):
    space = conditional_space() if name == "conditional" else get_space(name)
    R = suggest_reference_architectures(space, 5, random_state=1)
    np.testing.assert_array_equal(R, space.canonical(space.parse(R)))
    assert len(np.unique(space.rank(space.representatives(R)))) == 5
    np.testing.assert_array_equal(R, suggest_reference_architectures(space, 5, random_state=1))
    assert (R != suggest_reference_architectures(space, 5, random_state=2)).any()


@pytest.mark.parametrize("k", [3, 10])
def test_every_architecture_has_one_nearby(k):
    """The mean distance to the nearest reference, in standardised features, is less than with any of 20 draws."""
    X = SIZES.canonical(SIZES.sample(1000, random_state=7))
    encoder = get_encoder("ordinal+cost", space=SIZES).fit(X)
    center, scale = encoder.transform(X).mean(axis=0), encoder.transform(X).std(axis=0)

    def distance(R):
        return cdist(*((encoder.transform(A) - center) / scale for A in (X, R))).min(axis=1).mean()

    ours = distance(suggest_reference_architectures(SIZES, k))
    assert ours < min(distance(SIZES.canonical(SIZES.sample(k, random_state=seed))) for seed in range(20))


def test_what_is_learnt_from_them_ranks_better_on_average():
    """Accuracies by ten references against ten random cells, six seeds, linear in costs and operations."""
    table = sn.load_benchmark("analog_nasbench")
    y = table.targets["baseline_accuracy"].to_numpy()
    row_of = {tuple(row): i for i, row in enumerate(table.archs.tolist())}
    test = np.random.RandomState(0).permutation(len(table))[:1500]

    def score(rows):
        F, G = (get_encoder("cost+one_hot", space=table.space).fit_transform(table.archs[r]) for r in (rows, test))
        return sn.metrics.kendall_tau(y[test], sn.get_predictor("linear").fit(F, y[rows]).predict(G))

    ours, random = [], []
    for seed in range(6):
        references = suggest_reference_architectures(table.space, 10, random_state=seed)
        ours.append(score([row_of[tuple(row)] for row in references.tolist()]))
        random.append(score(np.random.RandomState(seed).permutation(len(table))[:10]))
    assert np.mean(ours) > np.mean(random) + 0.02


def test_as_many_as_the_space_has():
    space = sn.SearchSpace([sn.Gene("a", (0, 1)), sn.Gene("b", (0, 1, 2))])
    assert len(suggest_reference_architectures(space, 6)) == 6
    with pytest.raises(InvalidInputError, match="'k' parameter must be at most 6, .* Got 7"):
        suggest_reference_architectures(space, 7)


@pytest.mark.parametrize("k", [2, 0, -1, True, 3.0, "3", None])
def test_fewer_than_three_are_refused(k):
    with pytest.raises(InvalidInputError, match="'k' parameter must be an int of at least 3. Got .* instead"):
        suggest_reference_architectures(SIZES, k)
