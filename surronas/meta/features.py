"""What data sets are told apart by: images as a subnet sees them, how fine they are, how well subnets tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn import functional as F

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.spaces.base import IntArray, RandomState
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.calibration import calibrate
from surronas.supernet.heads import left_out_margins
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.subnet import even_batches
from surronas.threads import single_thread

__all__ = ["N_KEPT", "N_PER_CLASS", "ClassFeatures", "draw_sets", "image_features", "probes"]

ClassFeatures = list[NDArray[np.float32]]
"""For each class (m, d): m images, d features. What ``Sets.of`` takes."""

N_KEPT, N_PER_CLASS = 40, 20
"""Images of a class whose features are kept, and how many of them one look at a task draws."""

_LEVEL, _DIFFERENCE = 0.3, 0.15  # about the deviations of margins' means, and of differences to them


def image_features(
    supernet: SuperNet,
    images: ImageData,
    n_per_class: int = 20,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> ClassFeatures:
    """Features of training images, class by class, from the supernet's largest subnet, and how well some subnets do.

    Batch norms are calibrated on these very images, as those of a subnet that is evaluated on them would be: what
    calibration takes away, brightness, say, makes no difference to accuracies either. Of an image there are, in order,

    - the largest subnet's features;
    - six logarithms of its variance, between its channels, within squares of 2, 4, 8 and 16 pixels, and beyond: on
      coarse or noisy images other resolutions are best than on clear ones, and a network trained to tell classes apart
      is trained to overlook that;
    - by how much its class is told by a ridge regression of the other images' features, made by the smallest, a middle
      and the largest subnet at each resolution: the mean of all, then each one's difference to that. What an image
      looks like does not say how well a supernet that was trained on others gets on with it; this does.

    So some subnets are tried on the training images, each image left out in turn. Others are not looked at.

    Parameters
    ----------
    supernet : SuperNet
    images : ImageData
        Square; only the training split is looked at.
    n_per_class : int, default=20
        Images of each class; all, where there are fewer.
    random_state : int, RandomState or None, default=0
        Of the draw.
    n_jobs : int, optional
        Subnets at a time, each in a thread.

    Returns
    -------
    ClassFeatures
        d is 534 for ``mbconv-cifar10``.

    Raises
    ------
    InvalidInputError
        When a class has no training image, there is only one class, or images are not square.
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
    rows = np.concatenate(chosen)
    pixels = torch.from_numpy(images.images[rows]).permute(0, 3, 1, 2)
    labels = torch.from_numpy(images.labels[rows])
    shifted = crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False)

    def tried(x: IntArray) -> tuple[Tensor, Tensor]:
        with single_thread(), torch.inference_mode():
            network = supernet.extract(x)
            calibrate(network, [supernet.inputs(part, x) for part in even_batches(shifted)])
            embedded = torch.cat([network.embed(supernet.inputs(part, x)) for part in even_batches(pixels)])
            return embedded, left_out_margins(embedded, labels, images.n_classes)

    embedded, told_by = zip(*Parallel(n_jobs, prefer="threads")(map(delayed(tried), probes(supernet))), strict=True)
    with single_thread(), torch.inference_mode():
        margins = torch.stack(told_by, dim=1)
        level = margins.mean(dim=1, keepdim=True)
        told = torch.cat([level / _LEVEL, (margins - level) / _DIFFERENCE], dim=1)
        features = torch.cat([embedded[-1], _details(pixels), told], dim=1).numpy()
    return np.split(features, np.cumsum([len(of_class) for of_class in chosen])[:-1])


def probes(supernet: SuperNet) -> IntArray:
    """(p, n_genes): the smallest, a middle and the largest subnet, each at every resolution; the largest is last."""
    space = supernet.space
    middle = np.minimum(np.array(space.n_choices) // 2, supernet.largest)
    sizes = np.stack([space.smallest(), middle, supernet.largest])
    names = [gene.name for gene in space.genes]
    if "resolution" not in names:
        return sizes
    place = names.index("resolution")
    every = np.repeat(sizes, supernet.largest[place] + 1, axis=0)
    every[:, place] = np.tile(np.arange(supernet.largest[place] + 1), len(sizes))
    return space.canonical(every)


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
