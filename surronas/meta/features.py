"""Images as the largest subnet sees them, and how fine they are: what data sets are told apart by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn import functional as F

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.spaces.base import RandomState
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.calibration import calibrate
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.threads import single_thread

__all__ = ["N_DETAILS", "ClassFeatures", "draw_sets", "image_features"]

ClassFeatures = list[NDArray[np.float32]]
"""For each class (m, d): m images, d features. What ``Sets.of`` takes."""

N_DETAILS = 6
"""How many of the d features say how fine an image is."""

_BATCH = 500


def image_features(
    supernet: SuperNet, images: ImageData, n_per_class: int = 20, random_state: RandomState = 0
) -> ClassFeatures:
    """Features of training images, class by class, from the supernet's largest subnet.

    Its batch norms are calibrated on these very images, as those of a subnet that is evaluated on them would be: what
    calibration takes away, brightness, say, makes no difference to accuracies either. The last six features are the
    logarithms of an image's variance between its channels, within squares of 2, 4, 8 and 16 pixels, and beyond: on
    coarse or noisy images other resolutions are best than on clear ones, and a network trained to tell classes apart is
    trained to overlook that.

    Parameters
    ----------
    supernet : SuperNet
    images : ImageData
        Square; only the training split is looked at.
    n_per_class : int, default=20
        Images of each class; all, where there are fewer.
    random_state : int, RandomState or None, default=0
        Of the draw.

    Returns
    -------
    ClassFeatures
        d is 518 for ``mbconv-cifar10``.

    Raises
    ------
    InvalidInputError
        When a class has no training image, or images are not square.
    """
    images = prepare_images(images, supernet.space)
    rng = check_random_state(random_state)
    train = images.indices["train"]
    chosen = []
    for number, name in enumerate(images.class_names):
        rows = train[images.labels[train] == number]
        if not len(rows):
            raise InvalidInputError(f"The class {name!r} of {images.name} has no training image.")
        chosen.append(rng.permutation(rows)[:n_per_class])
    x = supernet.largest
    pixels = torch.from_numpy(images.images[np.concatenate(chosen)]).permute(0, 3, 1, 2)
    shifted = crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False)
    network = supernet.extract(x)
    with single_thread(), torch.inference_mode():
        calibrate(network, [supernet.inputs(part, x) for part in _even(shifted)])
        embedded = torch.cat([network.embed(supernet.inputs(part, x)) for part in _even(pixels)])
        features = torch.cat([embedded, _details(pixels)], dim=1).numpy()
    return np.split(features, np.cumsum([len(rows) for rows in chosen])[:-1])


def draw_sets(features: ClassFeatures, n: int, n_per_class: int = 20, random_state: RandomState = 0) -> Iterator[Any]:
    """n draws of ``n_per_class`` images of each class, of features that were computed once."""
    rng = check_random_state(random_state)
    for _ in range(n):
        yield [of_class[rng.permutation(len(of_class))[:n_per_class]] for of_class in features]


def _details(pixels: Tensor) -> Tensor:
    """(n, 3, h, w) uint8 -> (n, 6) float32."""
    colours = pixels.float() / 255
    grey = colours.mean(dim=1, keepdim=True)
    variances = [(colours - grey).square().mean(dim=(1, 2, 3))]
    for _ in range(4):
        coarse = F.avg_pool2d(grey, 2, ceil_mode=True)
        finer = grey - F.interpolate(coarse, size=grey.shape[2:], mode="nearest")
        variances.append(finer.square().mean(dim=(1, 2, 3)))
        grey = coarse
    variances.append(grey.var(dim=(1, 2, 3), correction=0))
    return (torch.stack(variances, dim=1) + 1e-5).log10() + 3  # about from -2 to 2


def _even(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return images.tensor_split(-(-len(images) // _BATCH))
