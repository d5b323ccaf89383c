"""Pixels as networks take them: normalised float32 tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surronas.spaces.base import IntArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Normalization", "normalization_of", "to_tensors"]


class Normalization(NamedTuple):
    """Mean and standard deviation of each channel, for pixels from 0 to 1: two (c,) float64 arrays."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def normalization_of(images: NDArray[np.uint8], rows: IntArray) -> Normalization:
    """Of the pixels of these rows of (n, h, w, c) images; the deviation of a channel of one value only is 1."""
    total, squares = np.zeros(images.shape[1:]), np.zeros(images.shape[1:])
    for start in range(0, len(rows), 4096):  # exact: 4,096 squares sum to less than 2^32, all of them to less than 2^53
        pixels = images[rows[start : start + 4096]]
        total += pixels.sum(axis=0, dtype=np.uint32)
        squares += np.square(pixels, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    total, squares = total.sum(axis=(0, 1)), squares.sum(axis=(0, 1))
    n = len(rows) * images.shape[1] * images.shape[2]
    variance = (n * squares - total**2) / n**2
    return Normalization(total / n / 255, np.where(variance > 0, np.sqrt(np.maximum(variance, 0)) / 255, 1.0))


def to_tensors(images: NDArray[np.uint8], labels: IntArray, normalization: Normalization) -> tuple[Tensor, Tensor]:
    """(n, h, w, c) uint8 and (n,) int64 as (n, c, h, w) float32, normalised and contiguous, and (n,) int64."""
    from torch import contiguous_format, float32, from_numpy, tensor

    mean, std = (tensor(values, dtype=float32)[:, None, None] for values in normalization)
    pixels = from_numpy(images).permute(0, 3, 1, 2).to(float32, memory_format=contiguous_format)
    return pixels.div_(255).sub_(mean).div_(std), from_numpy(labels)
