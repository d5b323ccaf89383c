"""How far image classification tasks are from each other: by their images, or by what they ask of a network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn import functional as F

from surronas.datasets.images import ImageData
from surronas.datasets.images.splits import stratified_draw
from surronas.exceptions import InvalidInputError
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.subnet import settle
from surronas.threads import single_thread

__all__ = ["fisher_distances", "fisher_information", "set_distances"]

_CALIBRATION = 5  # times as many images for batch norms and classifier as for the information


def set_distances(one: Tensor, other: Tensor) -> NDArray[np.float64]:
    """One less the cosine between the set encoder's vectors, seen from the mean of ``other``.

    Parameters
    ----------
    one : (n, d) float
    other : (t, d) float
        Those of known tasks.

    Returns
    -------
    (n, t) float64, from 0 to 2
    """
    centre = other.mean(dim=0)
    directions = [F.normalize((vectors - centre).double(), dim=1) for vectors in (one, other)]
    return np.asarray(1 - (directions[0] @ directions[1].T).clamp(-1, 1).numpy())


def fisher_information(
    supernet: SuperNet, images: ImageData, n_images: int = 200, random_state: int = 0
) -> NDArray[np.float64]:
    """What a task asks of each filter: the diagonal empirical Fisher information of the largest subnet's last stage.

    The subnet's batch norms are recalibrated on the task's training images, and its classifier is the closed-form one.
    For each image the gradient of the log-likelihood of its label is squared, then averaged over images and over the
    weights of a filter: Task2Vec (Achille et al., 2019, arXiv:1902.03545), which trains the classifier, samples labels
    and takes all layers. Earlier stages see edges and colours, which these tasks share, and cost most of the time.

    Parameters
    ----------
    supernet : SuperNet
    images : ImageData
        Square; only the training split is looked at.
    n_images : int, default=200
        Training images that the information is the mean over, drawn by class; all, where there are fewer.
    random_state : int, default=0

    Returns
    -------
    (filters,) float64
    """
    images = prepare_images(images, supernet.space)
    n_train = len(images.indices["train"])
    images = images.subset(sizes={"train": min(n_train, _CALIBRATION * n_images)}, random_state=random_state)
    pixels, labels = (torch.from_numpy(array) for array in images.split("train"))
    pixels, x = pixels.permute(0, 3, 1, 2), supernet.largest
    network = supernet.extract(x)
    with torch.no_grad(), single_thread():
        shifted = crop_and_flip(pixels, torch.Generator().manual_seed(random_state), flip=False)
        reason = settle(network, supernet.inputs(shifted, x), labels.numpy(), "ridge", images.n_classes)
    if reason is not None:
        raise InvalidInputError(f"The 'supernet' says nothing of {images.name}: {reason}.")
    last = f"stage{len(supernet.space.stages)}_"
    filters = [part for name, part in network.named_parameters() if last in name and part.ndim == 4]
    network.requires_grad_(False)
    for part in filters:
        part.requires_grad_(True)
    rows = stratified_draw(
        np.arange(len(labels)), labels.numpy(), min(n_images, len(labels)), check_random_state(random_state), "n_images"
    )
    total = [torch.zeros(len(part), dtype=torch.float64) for part in filters]
    with single_thread(), torch.enable_grad():
        for image, label in zip(supernet.inputs(pixels[rows], x), labels[rows], strict=True):
            loss = F.cross_entropy(network(image[None]), label[None])
            for sums, gradient in zip(total, torch.autograd.grad(loss, filters), strict=True):
                sums += gradient.double().square().flatten(1).mean(dim=1)
    return np.asarray(torch.cat(total).numpy() / len(rows))


def fisher_distances(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Task2Vec's symmetric distance of every two tasks: of f and g one less the cosine of f / (f + g) and g / (f + g).

    Parameters
    ----------
    information : (t, filters) float64, >= 0
        As ``fisher_information`` gives it, of each task.

    Returns
    -------
    (t, t) float64
    """
    if information.ndim != 2 or not (information >= 0).all():
        raise InvalidInputError(
            "The 'information' of fisher_distances must be an array (t, filters) of numbers of at least 0. "
            f"Got shape {information.shape}."
        )
    f, g = information[:, None], information[None]
    whole = np.where(f + g > 0, f + g, 1)
    a, b = f / whole, g / whole
    norms = np.sqrt((a**2).sum(axis=2) * (b**2).sum(axis=2))
    return np.asarray(1 - (a * b).sum(axis=2) / np.where(norms > 0, norms, 1))
