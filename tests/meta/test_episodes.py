"""Heads of many episodes at once beside scikit-learn's ridge regression, one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from surronas.meta.episodes import count_right, first_halves, subnet_features
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.heads import ridge_penalty
from surronas.supernet.network import SuperNet


@pytest.fixture
def features():
    """Five classes of different sizes that overlap."""
    rng = np.random.default_rng(0)
    labels = [rng.permutation(np.repeat(np.arange(5), sizes)) for sizes in ([30, 40, 50, 30, 20], [21, 40, 30, 25, 30])]
    means = rng.standard_normal((5, 12))
    parts = [means[y] + 1.6 * rng.standard_normal((len(y), 12)) + 3 for y in labels]
    return [torch.from_numpy(part) for pair in zip(parts, labels, strict=True) for part in pair]


def test_each_episode_is_a_ridge_regression_of_its_own(features):
    train, y, validation, z = features
    episodes = [(0, 1, 2), (4, 1), (3, 0, 2, 4, 1)]
    right = count_right(train, y, validation, z, episodes)
    penalty = ridge_penalty(train, y, 5)
    for row, classes in enumerate(episodes):
        own, tried = (np.isin(labels, classes) for labels in (y, z))
        X, codes = train[own].numpy(), np.eye(5)[y[own]][:, classes]
        unit = np.linalg.eigvalsh(np.cov(X.T, bias=True) * len(X)).mean()
        model = Ridge(alpha=penalty * unit).fit(X, codes)
        hit = np.array(classes)[model.predict(validation[tried]).argmax(axis=1)] == z[tried].numpy()
        first = first_halves(z)[tried].numpy()
        assert right[row].tolist() == [hit[first].sum(), hit[~first].sum()]
    assert 0.4 * len(z) < right[2].sum() < 0.95 * len(z)


def test_halves_share_each_class():
    labels = torch.tensor([2, 0, 0, 2, 1, 0, 2, 2])
    assert first_halves(labels).tolist() == [True, True, False, False, True, True, True, False]


@torch.no_grad()
def test_a_network_that_is_not_finite_has_no_features():
    space = MBConv([Stage(False, 16, 2, (1, 2), (3,), (1, 2))], resolutions=(8, 16), widths=(1.0,), features=16)
    supernet = SuperNet(space, 10).eval()
    images = torch.randint(256, (30, 3, 16, 16), dtype=torch.uint8)
    found, tried = subnet_features(supernet, space.largest(), images, images[:20])
    assert (found.shape, tried.shape) == ((30, 16), (20, 16))
    torch.testing.assert_close(found[:20], tried, atol=0.05, rtol=0.05)  # of batches of other sizes
    next(supernet.network.parameters()).fill_(float("nan"))
    assert subnet_features(supernet, space.largest(), images, images) == (None, None)
