"""Batch-norm statistics for one subnet: those that a supernet holds were never its own."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from surronas.exceptions import InvalidInputError

__all__ = ["calibrate"]


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of every batch norm to the averages over the batches, in place.

    Each layer is normalised by the statistics of the batch at hand while those of the layers after it are taken, as in
    training; variances are the unbiased ones (Yu and Huang, 2019, arXiv:1903.05134, section 3.3). What was there before
    is forgotten, so that calibrating twice is the same as once. Weights stay; the network is left in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
    batches : iterable of (n, c, r, r) float tensors
        Training images, as the network takes them. Every batch counts the same, so let them be of equal size.

    Raises
    ------
    InvalidInputError
        When there is no batch.
    """
    network.eval()  # all but the batch norms: nothing is to be dropped at random
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # torch's word for a plain average
    n_batches = 0
    try:
        for batch in batches:
            network(batch)
            n_batches += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.eval()
    if not n_batches:
        raise InvalidInputError("The 'batches' parameter of calibrate must hold at least one batch. Got none.")
