"""A trained supernet for other images: a new head, and fine-tuning of all subnets.

``adapt`` is both. A search that fine-tunes again and again, to what its archive has become, under one learning-rate
schedule, keeps a ``Trainer`` of ``new_head(supernet, images)`` instead and runs its steps in portions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.heads import HEADS
from surronas.supernet.images import prepare_images
from surronas.supernet.machine import has_bfloat16, keep_freed_memory
from surronas.supernet.network import SuperNet
from surronas.supernet.processes import process_group
from surronas.supernet.recipe import ADAPTATION, Recipe
from surronas.supernet.run import run_steps, run_training
from surronas.supernet.sandwich import Subnets
from surronas.supernet.training import Trainer
from surronas.supernet.weights import fingerprint

__all__ = ["adapt", "fine_tune", "new_head"]

_RANDOM = 8  # subnets, besides the extremes, that a new head is fitted to


def adapt(
    supernet: SuperNet,
    images: ImageData,
    *,
    recipe: Recipe = ADAPTATION,
    subnets: Subnets | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> SuperNet:
    """A supernet for other images and classes: ``new_head``, then ``fine_tune``.

    Parameters
    ----------
    supernet : SuperNet
        Stays as it is.
    images : ImageData
        Square; grey images get three equal channels, and all are resized to the space's largest resolution. Only the
        training split is used.
    recipe, subnets, folder, progress
        As ``fine_tune`` takes them. Images may be mirrored where ``recipe`` says ``flip=True``, which the default does
        not: it cannot know whether a mirrored image is of the same class.

    Returns
    -------
    SuperNet
        In evaluation mode; calibrate the subnets that are extracted from it. Pixels are normalised as for the original,
        whose weights expect it; calibration takes up what else the new pixels have in mean and deviation.

    Raises
    ------
    InvalidInputError
        When the images are not square, do not have the supernet's channels, or a class has no training image.
    """
    headed = new_head(supernet, images)
    return fine_tune(headed, images, recipe=recipe, subnets=subnets, folder=folder, progress=progress)


@torch.no_grad()
def new_head(supernet: SuperNet, images: ImageData, kind: str = "ridge") -> SuperNet:
    """A copy of a supernet whose classifier is of these images' classes, fitted in closed form.

    It is fitted at once to the features of the largest and the smallest subnet and, each on a share of the images, of
    some random ones; the columns that a subnet leaves out are zero in its features. That serves as a start: a subnet
    that shall classify without fine-tuning needs a head of its own, by ``fit_head``.

    Parameters
    ----------
    supernet : SuperNet
    images : ImageData
        Their training split.
    kind : {"ridge", "prototype"}

    Returns
    -------
    SuperNet
        With the other weights and the normalisation of the original.

    Raises
    ------
    InvalidInputError
        As ``adapt``.
    UnknownNameError
    """
    images = prepare_images(images, supernet.space)
    pixels, labels = (torch.from_numpy(array) for array in images.split("train"))
    _check(supernet, images, labels)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))  # a batch of one class has other means
    n_random = min(_RANDOM, len(labels) // 16)
    drawn = np.minimum(supernet.space.sample(n_random, random_state=1, unique=False), supernet.largest)
    portions = [order, order, *(order[i::n_random] for i in range(n_random))]
    features = torch.zeros(sum(map(len, portions)), supernet.network.classifier.in_features)
    end, generator = 0, torch.Generator().manual_seed(0)
    for x, rows in zip((supernet.largest, supernet.space.smallest(), *drawn), portions, strict=True):
        own = _features(supernet, crop_and_flip(pixels[rows].permute(0, 3, 1, 2), generator, flip=False), x)
        features[end : end + len(own), : own.shape[1]] = own
        end += len(own)
    weight, bias = HEADS[kind](features, labels[torch.cat(portions)], images.n_classes)
    return _copied(supernet, images.n_classes, {"network.classifier.weight": weight, "network.classifier.bias": bias})


def fine_tune(
    supernet: SuperNet,
    images: ImageData,
    *,
    recipe: Recipe = ADAPTATION,
    subnets: Subnets | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> SuperNet:
    """A copy of a supernet, trained further on images of its classes.

    Parameters
    ----------
    supernet : SuperNet
        Stays as it is.
    images : ImageData
        As for ``adapt``.
    recipe : Recipe
        Its warm-up must be 0; ``dataclasses.replace(ADAPTATION, epochs=20)`` changes the default.
    subnets : callable, optional
        What learns in a step; ``distributions`` has what NAT uses, an archive's counts or members. By default the
        largest subnet learns the labels, the smallest and ``recipe.n_random`` random ones learn its outputs.
    folder : path-like, optional
        Where checkpoints go, so that the same call goes on where it stopped; as ``train`` says of its folder. By
        default nothing is written.
    progress : bool, default=False

    Returns
    -------
    SuperNet
        In evaluation mode, with the averaged weights.

    Raises
    ------
    InvalidInputError
        When the images do not fit the supernet, the recipe has a warm-up, or the folder holds another training.
    """
    if recipe.warmup_epochs:
        raise InvalidInputError(
            f"The 'recipe' of a fine-tuning must have no warm-up epochs. Got {recipe.warmup_epochs}: after them the "
            "channels would be sorted anew."
        )
    images = prepare_images(images, supernet.space)
    keep_freed_memory()
    with process_group():
        trainer = Trainer(_copied(supernet, supernet.num_classes), images, recipe, subnets=subnets)
        if folder is not None:
            return run_training(trainer, images, folder, progress, origin=fingerprint(supernet))
        run_steps(trainer, progress=progress)
        return trainer.result()


def _features(supernet: SuperNet, pixels: Tensor, x: Any, batch_size: int = 256) -> Tensor:
    """(n, features) of a subnet in training mode, whose batch norms need no calibration, of images as in training."""
    network = supernet.extract(x).train()
    dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    batches = pixels.tensor_split(ceil(len(pixels) / batch_size))
    return torch.cat([network.embed(supernet.inputs(batch, x, dtype)) for batch in batches])


def _copied(supernet: SuperNet, num_classes: int, parts: Mapping[str, Tensor] | None = None) -> SuperNet:
    """Another supernet with the same weights, but for these parts."""
    copy = SuperNet(supernet.space, num_classes, supernet.in_channels, largest=supernet.largest)
    copy.load_state_dict({**supernet.state_dict(), **(parts or {})})
    return copy.train(supernet.training)


def _check(supernet: SuperNet, images: ImageData, labels: Tensor) -> None:
    channels = images.images.shape[3]
    if channels != supernet.in_channels:
        raise InvalidInputError(f"The supernet takes images of {supernet.in_channels} channels. Got {channels}.")
    counts = torch.bincount(labels, minlength=images.n_classes)
    absent = [name for name, count in zip(images.class_names, counts, strict=True) if not count]
    if absent or len(counts) < 2:
        raise InvalidInputError(
            f"The images of {images.name} must be of at least 2 classes, with training images of each. "
            + (f"Got none of {absent[0]!r}." if absent else "Got one class.")
        )
