"""The accuracies of one subnet, in the process that joblib gives it."""

from __future__ import annotations

from math import ceil
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from surronas.spaces.base import IntArray
from surronas.spaces.networks.folding import fold
from surronas.supernet.calibration import calibrate
from surronas.supernet.heads import fit_head
from surronas.supernet.machine import keep_freed_memory
from surronas.threads import single_thread

__all__ = ["Arrays", "as_images", "even_batches", "settle", "subnet_accuracies"]

Arrays = dict[str, NDArray[Any]]

BATCH = 500  # larger ones leave the cache, smaller ones pay more for each operation


def subnet_accuracies(
    network: nn.Module,
    arrays: Arrays,
    labels: dict[str, IntArray],
    dtype: torch.dtype,
    head: str | None,
    n_classes: int,
) -> dict[str, float] | str:
    """Top-1 in % on each split but ``"calibration"``, or why there is none.

    Parameters
    ----------
    network : torch.nn.Module
        It is changed: calibrated, its head replaced where ``head`` names one, its batch norms folded.
    arrays : mapping of split to (n, r, r, c)
        Images in ``dtype``; of bfloat16 the bits, as int16.
    labels : mapping of split to (n,) int64
    dtype : torch.dtype
    head : str, optional
    n_classes : int
    """
    keep_freed_memory()
    with single_thread(), torch.inference_mode():
        images = {split: as_images(array, dtype) for split, array in arrays.items()}
        reason = settle(network, images.pop("calibration"), labels["calibration"], head, n_classes)
        if reason is not None:
            return reason
        fold(network)
        accuracies = {}
        for split, pixels in images.items():
            logits = torch.cat([network(batch) for batch in pixels.split(BATCH)])  # type: ignore[no-untyped-call]
            n_bad = int((~logits.isfinite()).any(dim=1).sum())
            if n_bad:
                return f"its outputs for {n_bad} of {len(logits)} {split} images are not finite"
            right = logits.argmax(dim=1) == torch.from_numpy(labels[split])
            accuracies[split] = 100 * int(right.sum()) / len(right)
        return accuracies


def as_images(array: NDArray[Any], dtype: torch.dtype) -> Tensor:
    """(n, c, r, r) images of an array (n, r, r, c) of their values or bits."""
    return torch.from_numpy(array).view(dtype).permute(0, 3, 1, 2)


def settle(network: nn.Module, images: Tensor, labels: IntArray, head: str | None, n_classes: int) -> str | None:
    """Calibrate a network, and give it a head if one is named; says why that cannot be."""
    calibration = even_batches(images)
    calibrate(network, calibration)
    if not all(bool(buffer.isfinite().all()) for buffer in network.buffers()):
        return "its batch statistics are not finite"
    if head is not None:
        fit_head(network, calibration, torch.from_numpy(labels), n_classes, head)  # type: ignore[arg-type]
    return None


def even_batches(images: Tensor) -> tuple[Tensor, ...]:
    """Of sizes that differ by one at most."""
    return images.tensor_split(ceil(len(images) / BATCH))
