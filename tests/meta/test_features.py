"""Features: of the class's own training images, by the largest subnet calibrated on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import surronas as sn
from surronas.exceptions import InvalidInputError
from surronas.meta.features import draw_sets, image_features, probes
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.calibration import calibrate
from surronas.supernet.heads import left_out_margins
from surronas.supernet.network import SuperNet

SPACE = MBConv(
    [Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16
)


@pytest.fixture
def supernet():
    return SuperNet(SPACE, 10).eval()


@torch.no_grad()
def test_features_are_those_of_the_calibrated_largest_network(supernet):
    """All images of two classes, so that the draw is known but for its order."""
    images = sn.load_images("digits").subset([3, 8], sizes={"train": 30})
    found = image_features(supernet, images, n_per_class=1000)
    prepared = images.resize(16).to_rgb()
    rows = [np.flatnonzero(prepared.labels[prepared.indices["train"]] == k) for k in (0, 1)]
    assert [of_class.shape for of_class in found] == [(len(r), 16 + 6 + 1 + 6) for r in rows]
    order = np.random.RandomState(0)
    chosen = np.concatenate([order.permutation(prepared.indices["train"][r]) for r in rows])
    pixels = torch.from_numpy(prepared.images[chosen]).permute(0, 3, 1, 2)
    network = supernet.extract(SPACE.largest())
    shifted = crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False)
    calibrate(network, [supernet.inputs(shifted, SPACE.largest())])
    expected = network.embed(supernet.inputs(pixels, SPACE.largest())).numpy()
    together = np.concatenate(found)
    np.testing.assert_allclose(together[:, :16], expected, rtol=1e-5, atol=1e-6)
    grey = prepared.images[chosen].mean(axis=3) / 255  # of equal channels
    variances = [np.zeros(len(grey))]
    for side in (2, 4, 8, 16):  # what is between the squares of one size is within those of the next
        blocks = grey.reshape(len(grey), 16 // side, side, 16 // side, side)
        variances.append(((blocks - blocks.mean(axis=(2, 4), keepdims=True)) ** 2).mean(axis=(1, 2, 3, 4)))
    variances = [variances[0], *np.diff(variances, axis=0), np.zeros(len(grey))]
    np.testing.assert_allclose(together[:, 16:22].T, np.log10(np.array(variances) + 1e-5) + 3, atol=1e-3)


@torch.no_grad()
def test_how_well_each_probe_tells_the_classes(supernet):
    images = sn.load_images("digits").subset([3, 8], sizes={"train": 30})
    found = image_features(supernet, images, n_per_class=1000)
    told = np.concatenate(found)[:, 22:]
    labels = torch.from_numpy(np.repeat([0, 1], [len(of_class) for of_class in found]))
    margins = left_out_margins(torch.from_numpy(np.concatenate(found)[:, :16]), labels, 2)
    np.testing.assert_allclose(0.3 * told[:, 0] + 0.15 * told[:, -1], margins, atol=1e-4)  # the largest is last
    np.testing.assert_allclose(told[:, 1:].sum(axis=1), 0, atol=1e-4)
    assert (np.std(told, axis=0) > 0).all()


def test_threads_change_nothing(supernet):
    images = sn.load_images("digits")
    one, two = (image_features(supernet, images, 5, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_probes_are_three_sizes_at_each_resolution():
    stage = Stage(False, 16, 2, (1, 2, 3), (3, 5, 7), (1, 2, 3))
    space = MBConv([stage], resolutions=(8, 12, 16), widths=(0.5, 0.8, 1.0), stem=8, features=16)
    found = probes(SuperNet(space, 2))
    smallest, middle, largest = found[:3], found[3:6], found[6:]
    for of_size in (smallest, middle, largest):
        assert space.shapes(of_size).resolution[:, 0].tolist() == [8, 12, 16]
        assert (of_size[:, 1:] == of_size[0, 1:]).all()
    assert (smallest[0] == space.smallest()).all()
    assert (largest[2] == space.largest()).all()
    assert (middle[1] == space.canonical(np.ones((1, space.n_genes), dtype=int))).all()


def test_probes_of_one_resolution_are_three_sizes():
    space = MBConv([Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(16,), widths=(0.5, 1.0), stem=8)
    assert probes(SuperNet(space, 2)).shape == (3, space.n_genes)


def test_other_splits_are_not_looked_at(supernet):
    images = sn.load_images("digits")
    dark = images.images.copy()
    dark[np.concatenate([images.indices["validation"], images.indices["test"]])] = 0
    one = image_features(supernet, images, 5)
    other = image_features(supernet, replace(images, images=dark), 5)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert [a.shape for a in one] == [(5, 16 + 6 + 1 + 6)] * 10


def test_coarse_and_noisy_images_are_told_from_clear_ones(supernet):
    clear = sn.load_images("digits").resize(16)
    coarse = clear.resize(4).resize(16)
    noise = np.random.RandomState(0).normal(0, 60, clear.images.shape)
    noisy = replace(clear, images=np.clip(clear.images + noise, 0, 255).astype(np.uint8))
    finest = [np.concatenate(image_features(supernet, images, 5))[:, 17].mean() for images in (coarse, clear, noisy)]
    assert finest[0] < finest[1] - 0.3 < finest[1] + 0.1 < finest[2]


def test_draws_are_of_the_class_and_by_seed():
    features = [np.full((30, 2), k) + np.arange(30)[:, None] / 100 for k in (0, 1)]
    one, two = draw_sets(features, 2, n_per_class=8)
    again = next(draw_sets(features, 1, n_per_class=8))
    for k in (0, 1):
        assert one[k].shape == (8, 2)
        assert (np.floor(one[k]) == k).all()
        assert len(np.unique(one[k][:, 0])) == 8
        assert (one[k] == again[k]).all()
        assert (one[k] != two[k]).any()


def test_a_class_without_training_images_is_named(supernet):
    images = sn.load_images("digits")
    train = images.indices["train"]
    lacking = replace(images, indices={**images.indices, "train": train[images.labels[train] != 4]})
    with pytest.raises(InvalidInputError, match="'4'"):
        image_features(supernet, lacking)
