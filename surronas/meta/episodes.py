"""One network's features, many classification tasks: closed-form heads for subsets of the classes, all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from surronas.spaces.base import IntArray
from surronas.spaces.networks.folding import fold
from surronas.supernet.calibration import calibrate
from surronas.supernet.heads import ridge_penalty
from surronas.supernet.machine import has_bfloat16
from surronas.supernet.network import SuperNet
from surronas.supernet.subnet import even_batches

__all__ = ["count_right", "subnet_features"]


def subnet_features(
    supernet: SuperNet, x: IntArray, train: Tensor, validation: Tensor
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Features of a subnet whose batch norms are recalibrated on the training images; None where one is not finite.

    Parameters
    ----------
    supernet : SuperNet
    x : (n_genes,) int64
    train, validation : (n, 3, r, r) uint8
        The training images shifted as in training, as ``SupernetEvaluator`` does.

    Returns
    -------
    (n, d) float32, twice
    """
    dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    batches = [even_batches(supernet.inputs(images, x, dtype)) for images in (train, validation)]
    network = supernet.extract(x)
    calibrate(network, batches[0])
    fold(network)
    found, tried = (torch.cat([network.embed(batch) for batch in part]).float() for part in batches)
    return (found, tried) if bool(found.isfinite().all() and tried.isfinite().all()) else (None, None)


def count_right(
    train: Tensor,
    train_labels: Tensor,
    validation: Tensor,
    validation_labels: Tensor,
    episodes: Sequence[Sequence[int]],
) -> IntArray:
    """How many validation images ridge regression gets right when only some classes are there.

    The Gram matrix of each class's features is made once, and that of an episode is the sum of its classes'. The
    penalty is chosen by leave-one-out among all the classes, then taken for every episode, in units of the mean
    eigenvalue; ``fit_ridge`` would choose one for each, at twenty times the price.

    Parameters
    ----------
    train : (n, d) float
    train_labels : (n,) int64
    validation : (m, d) float
    validation_labels : (m,) int64
    episodes : sequence of sequence of int
        Classes, at least two, each with a training image.

    Returns
    -------
    (n_episodes, 2) int64
        Of the first half of each class's validation images, which ``first_halves`` says, and of the second.
    """
    n_classes = int(train_labels.max()) + 1
    penalty = ridge_penalty(train, train_labels, n_classes)
    X = train.double()
    members = F.one_hot(train_labels, n_classes).double()
    counts, sums = members.sum(0), members.T @ X
    grams = torch.stack([own.T @ own for own in (X[train_labels == k] for k in range(n_classes))])
    Z = validation.double()
    first = first_halves(validation_labels)
    right = np.empty((len(episodes), 2), dtype=np.int64)
    for row, classes in enumerate(episodes):
        chosen = list(classes)
        n, mean = counts[chosen].sum(), sums[chosen].sum(0) / counts[chosen].sum()
        gram = grams[chosen].sum(0) - n * torch.outer(mean, mean)
        gram.diagonal().add_(penalty * gram.diagonal().mean())
        moments = (sums[chosen] - counts[chosen, None] * mean).T
        weight = torch.cholesky_solve(moments, torch.linalg.cholesky(gram))
        rows = torch.isin(validation_labels, torch.tensor(chosen)).nonzero()[:, 0]
        logits = (Z[rows] - mean) @ weight + counts[chosen] / n
        hit = torch.tensor(chosen)[logits.argmax(dim=1)] == validation_labels[rows]
        right[row] = int((hit & first[rows]).sum()), int((hit & ~first[rows]).sum())
    return right


def first_halves(labels: Tensor) -> Tensor:
    """(m,) bool: of the images of each class in turn, every other one."""
    place = F.one_hot(labels).cumsum(0).gather(1, labels[:, None])[:, 0]
    return place % 2 == 1
