"""Classifiers in closed form: a subnet classifies other images without any training.

How an evaluator uses them: extract the subnet, calibrate its batch norms on the new training images, then
``fit_head(network, batches, labels, n_classes)`` with batches of those images as ``SuperNet.inputs`` gives them. The
network then has a classifier of ``n_classes``, fitted to its own features; all else is as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces.networks.mbconv import MBConvNetwork

__all__ = ["HEADS", "Head", "fit_head", "fit_prototypes", "fit_ridge", "left_out_margins", "ridge_penalty"]

Head = tuple[Tensor, Tensor]
"""Weight (n_classes, d) and bias (n_classes,), both float32."""


@torch.no_grad()
def fit_head(
    network: MBConvNetwork, batches: Iterable[Tensor], labels: Tensor, n_classes: int, kind: str = "ridge"
) -> None:
    """Give a network a new classifier, fitted to its own features of these images, in place.

    Parameters
    ----------
    network : MBConvNetwork
        Its batch norms calibrated on the new images; it is left in evaluation mode.
    batches : iterable of (n, c, r, r) float tensors
        Training images, as the network takes them.
    labels : (sum of n,) int64
        Of all batches in turn.
    n_classes : int
    kind : {"ridge", "prototype"}

    Raises
    ------
    InvalidInputError
        When a class has no image, there is only one class, or a feature is not finite.
    UnknownNameError
    """
    if kind not in HEADS:
        raise UnknownNameError.of("head", kind, HEADS)
    network.eval()
    weight, bias = HEADS[kind](torch.cat([network.embed(batch) for batch in batches]), labels, n_classes)
    network.classifier = nn.Linear(weight.shape[1], n_classes)
    network.classifier.weight.copy_(weight)
    network.classifier.bias.copy_(bias)


def fit_ridge(features: Tensor, labels: Tensor, n_classes: int) -> Head:
    """Ridge regression of one-hot labels, its penalty and the scale of its logits chosen by leave-one-out.

    What each image gets from the regression without it has a closed form, for all penalties from one
    eigendecomposition (Rifkin and Lippert, 2007, MIT-CSAIL-TR-2007-025). Penalty and scale are those with the least
    cross-entropy of these predictions, so that the softmax of the logits can be read as probabilities.

    Parameters
    ----------
    features : (n, d) float
    labels : (n,) int64
        From 0 to ``n_classes - 1``; every class occurs.
    n_classes : int
        At least 2.

    Returns
    -------
    weight : (n_classes, d) float32
    bias : (n_classes,) float32

    Raises
    ------
    InvalidInputError
    """
    X = _checked(features, labels, n_classes)
    fit = _best_ridge(X, labels, n_classes)
    weight = fit.coefficients.T
    return (fit.scale * weight).float(), (fit.scale * (fit.mean - weight @ fit.centre)).float()


def ridge_penalty(features: Tensor, labels: Tensor, n_classes: int) -> float:
    """The penalty that ``fit_ridge`` chooses, in units of the mean eigenvalue of the centred features' Gram matrix.

    Parameters and errors as of ``fit_ridge``.
    """
    return _best_ridge(_checked(features, labels, n_classes), labels, n_classes).penalty


def left_out_margins(features: Tensor, labels: Tensor, n_classes: int, penalty: float = 0.3) -> Tensor:
    """By how much a ridge regression that has not seen an image tells its class: own less the greatest of the others.

    Parameters
    ----------
    features, labels, n_classes
        As of ``fit_ridge``.
    penalty : float, default=0.3
        In units of the images' mean squared distance from their mean.

    Returns
    -------
    (n,) float32
        Positive where the class is told, 1 where it is with certainty.

    Raises
    ------
    InvalidInputError
        As of ``fit_ridge``.
    """
    n, d = features.shape
    _, left_out = _Ridges(_checked(features, labels, n_classes), labels, n_classes).of(penalty * d / n)
    own = left_out.gather(1, labels[:, None])
    others = left_out.scatter(1, labels[:, None], -torch.inf)
    return (own[:, 0] - others.amax(dim=1)).float()


class _Ridge(NamedTuple):
    loss: float
    penalty: float
    scale: float
    coefficients: Tensor
    centre: Tensor
    mean: Tensor


class _Ridges:
    """Regressions of one-hot labels with any penalty, from one eigendecomposition."""

    def __init__(self, X: Tensor, labels: Tensor, n_classes: int) -> None:
        self.Y = F.one_hot(labels, n_classes).double()
        self.centre, self.mean = X.mean(0), self.Y.mean(0)
        self.eigenvalues, self.V = torch.linalg.eigh((X - self.centre).T @ (X - self.centre))
        self.Z = (X - self.centre) @ self.V
        self.ZY = self.Z.T @ (self.Y - self.mean)
        self.unit = self.eigenvalues.mean().clamp(min=torch.finfo(X.dtype).tiny)

    def of(self, penalty: float) -> tuple[Tensor, Tensor]:
        """Coefficients for ``Z``, and what each image gets from the regression without it."""
        shrinkage = 1 / (self.eigenvalues.clamp(min=0) + self.unit * penalty)
        leverage = 1 / len(self.Z) + self.Z.square() @ shrinkage
        coefficients = shrinkage[:, None] * self.ZY
        return coefficients, self.Y - (self.Y - self.mean - self.Z @ coefficients) / (1 - leverage)[:, None]


def _best_ridge(X: Tensor, labels: Tensor, n_classes: int) -> _Ridge:
    """Of all penalties the regression of least cross-entropy, each image left out in turn."""
    ridges = _Ridges(X, labels, n_classes)
    candidates = []
    for penalty in torch.logspace(-5, 3, 17, dtype=X.dtype).tolist():
        coefficients, left_out = ridges.of(penalty)
        loss, scale = _scaled(left_out, labels)
        candidates.append(_Ridge(loss, penalty, scale, coefficients, ridges.centre, ridges.mean))
    best = min(candidates, key=lambda candidate: candidate.loss)
    return best._replace(coefficients=ridges.V @ best.coefficients)


def fit_prototypes(features: Tensor, labels: Tensor, n_classes: int) -> Head:
    """The class whose mean is nearest in angle, seen from the mean of all, features standardised.

    That is a linear classifier, since the length of what it classifies does not change the order of the classes. One
    image a class is enough. Parameters, results and errors as of ``fit_ridge``.
    """
    X = _checked(features, labels, n_classes)
    centre, deviation = X.mean(0), X.std(0, correction=0)
    deviation[deviation == 0] = 1
    directions = F.normalize((X - centre) / deviation)
    members = F.one_hot(labels, n_classes).to(X)
    weight = F.normalize(members.T @ directions) / deviation
    return weight.float(), -(weight @ centre).float()


HEADS: dict[str, Callable[[Tensor, Tensor, int], Head]] = {"ridge": fit_ridge, "prototype": fit_prototypes}


def _scaled(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """The least cross-entropy that a positive multiple of these logits has, and the multiple."""
    found = minimize_scalar(
        lambda log: float(F.cross_entropy(logits * 10**log, labels)), bounds=(-1, 2.5), method="bounded"
    )
    return float(found.fun), float(10**found.x)


def _checked(features: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """The features as float64, fit to classify by."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise InvalidInputError(
            "The 'features' and 'labels' of a head must be of shapes (n, d) and (n,). "
            f"Got {tuple(features.shape)} and {tuple(labels.shape)}."
        )
    if n_classes < 2:
        raise InvalidInputError(f"A head needs at least 2 classes. Got {n_classes}.")
    outside = ((labels < 0) | (labels >= n_classes)).nonzero()
    if len(outside):
        row = int(outside[0])
        raise InvalidInputError(
            f"The 'labels' of a head must be from 0 to {n_classes - 1}. Got {int(labels[row])} in row {row}."
        )
    absent = (torch.bincount(labels, minlength=n_classes) == 0).nonzero()
    if len(absent):
        raise InvalidInputError(
            f"A head needs training images of every class; of the {n_classes} classes, "
            f"{len(absent)} have none, the first of them class {int(absent[0])}."
        )
    damaged = (~features.isfinite()).any(1).nonzero()
    if len(damaged):
        raise InvalidInputError(f"The 'features' of a head must be finite. Row {int(damaged[0])} is not.")
    return features.double()
