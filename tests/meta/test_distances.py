"""Distances of tasks beside their definitions, written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import surronas as sn
from surronas.exceptions import InvalidInputError
from surronas.meta.distances import fisher_distances, fisher_information, set_distances
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.calibration import calibrate
from surronas.supernet.heads import fit_head
from surronas.supernet.network import SuperNet

SPACE = MBConv(
    [Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 1, (1, 2), (3, 5), (1, 2))],
    resolutions=(8, 16),
    widths=(1.0,),
    stem=8,
    features=16,
)


@pytest.fixture
def supernet():
    return SuperNet(SPACE, 10).eval()


def test_set_distance_is_one_less_the_cosine_from_the_centre():
    one, known = torch.randn(2, 5), torch.randn(4, 5)
    found = set_distances(one, known)
    a, b = (one - known.mean(0)).double().numpy(), (known - known.mean(0)).double().numpy()
    for i in range(2):
        for j in range(4):
            assert found[i, j] == pytest.approx(1 - a[i] @ b[j] / np.sqrt(a[i] @ a[i] * (b[j] @ b[j])), abs=1e-6)
    np.testing.assert_allclose(np.diag(set_distances(known, known)), 0, atol=1e-6)


def test_information_is_the_mean_of_squared_gradients(supernet):
    """Of all images of a small set, one backward pass at a time through a network that is made here."""
    images = sn.load_images("digits").subset([3, 8], sizes={"train": 24}).resize(16).to_rgb()
    found = fisher_information(supernet, images, n_images=24)
    pixels, labels = (torch.from_numpy(array) for array in images.split("train"))
    pixels = pixels.permute(0, 3, 1, 2)
    network = supernet.extract(SPACE.largest())
    with torch.no_grad():
        shifted = supernet.inputs(crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False), SPACE.largest())
        calibrate(network, [shifted])
        fit_head(network, [shifted], labels, 2)
    expected: list[float] = []
    weights = [part for name, part in network.named_parameters() if "stage2_" in name and part.ndim == 4]
    squares = [torch.zeros_like(part) for part in weights]
    for image, label in zip(supernet.inputs(pixels, SPACE.largest()), labels, strict=True):
        network.zero_grad()
        F.cross_entropy(network(image[None]), label[None]).backward()
        for total, part in zip(squares, weights, strict=True):
            total += part.grad.square()
    for total in squares:
        expected += (total.sum(dim=(1, 2, 3)) / total[0].numel() / 24).tolist()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-12)
    assert (found > 0).any()


def test_tasks_with_the_same_images_are_nearer_than_others(supernet):
    digits = sn.load_images("digits")
    tasks = [digits.subset([3, 8]), digits.subset([3, 8], sizes={"train": 200}), digits.subset([0, 1])]
    tasks[2] = replace(tasks[2], images=255 - tasks[2].images)
    found = fisher_distances(np.stack([fisher_information(supernet, task, 60) for task in tasks]))
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 0, atol=1e-12)
    assert found[0, 1] < found[0, 2]


def test_fisher_distance_is_task2vecs():
    f, g = np.array([1.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.0])
    a, b = np.array([0.5, 0.75, 0]), np.array([0.5, 0.25, 0])
    expected = 1 - a @ b / np.sqrt(a @ a * (b @ b))
    assert fisher_distances(np.stack([f, g]))[0, 1] == pytest.approx(expected)
    with pytest.raises(InvalidInputError, match="at least 0"):
        fisher_distances(-np.stack([f, g]))
