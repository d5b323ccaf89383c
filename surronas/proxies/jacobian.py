"""Proxies of how differently a network's logits depend on the pixels of different images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []

_K = 1e-5


@register_proxy("jacov")
def jacov(probe: Probe) -> float:
    """How far from singular the correlation of the images' Jacobians is (Mellor et al., 2021, arXiv:2006.04647v1).

    Minus the sum of log(v + k) + 1 / (v + k) over the eigenvalues v, with k = 1e-5.
    """
    eigenvalues = np.linalg.eigvalsh(_correlations(probe.jacobian.double().numpy()))
    return -float(np.sum(np.log(eigenvalues + _K) + 1 / (eigenvalues + _K)))


@register_proxy("epe_nas")
def epe_nas(probe: Probe) -> float:
    """How strongly the Jacobians of images of a class correlate (Lopes et al., 2021, EPE-NAS, arXiv:2102.08099).

    The sum over classes of |sum of log(|correlation| + k)|, k = 1e-5; beyond 100 classes the mean absolute difference
    between classes, of means.
    """
    jacobian, labels = probe.jacobian.double().numpy(), probe.labels.numpy()
    classes = [members for label in np.unique(labels) if len(members := jacobian[labels == label]) > 1]
    if not classes:
        raise NotApplicable("no class has two images in the batch")
    sums = np.array([np.sum(np.log(np.abs(_correlations(members)) + _K)) for members in classes])
    if len(classes) <= 100:
        return float(np.abs(sums).sum())
    means = sums / [len(members) for members in classes]
    return float(np.abs(means[:, None] - means).sum() / 2 / len(classes))


def _correlations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if not (rows.std(axis=1) > 0).all():
        raise NotApplicable("the logits do not depend on some images' pixels")
    return np.asarray(np.corrcoef(rows))
