"""Fixed splits: stratified by class, drawn by seed, no image in two of them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import resample

from surronas.exceptions import InvalidInputError
from surronas.spaces.base import IntArray

__all__ = ["mark_repeated", "stratified_draw", "stratified_split"]


def stratified_split(
    rows: IntArray, labels: IntArray, size: Any, rng: np.random.RandomState, parameter: str
) -> tuple[IntArray, IntArray]:
    """Ascending rows that stay and rows that are split off; every class is on both sides.

    Parameters
    ----------
    rows : (n,) int64
    labels : (n_all,) int64
        Of all rows, those outside ``rows`` included.
    size : int or float
        How many to split off, or which share of the rows; 0 for none.
    rng : RandomState
    parameter : str
        What the user calls ``size``, for the error.
    """
    if isinstance(size, (float, np.floating)):
        if not 0 <= size < 1:
            raise InvalidInputError(
                f"The {parameter} must be an int, or a share of at least 0 and below 1. Got {size!r}."
            )
        size = round(size * len(rows))
    off = stratified_draw(rows, labels, size, rng, parameter)
    stay = np.setdiff1d(rows, off)
    both = np.intersect1d(labels[stay], labels[off])
    if len(off) and len(both) < len(np.unique(labels[rows])):
        lacking = np.setdiff1d(labels[rows], both)[0]
        raise InvalidInputError(
            f"The {parameter} must leave every class an image on both sides of the split. Got {len(off)} of "
            f"{len(rows)} images; the class with the number {lacking} has {(labels[rows] == lacking).sum()} of them."
        )
    return stay, off


def stratified_draw(
    rows: IntArray, labels: IntArray, size: Any, rng: np.random.RandomState, parameter: str
) -> IntArray:
    """So many of the rows, ascending, in the proportions of their classes."""
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    if not whole or not 0 <= size <= len(rows):
        raise InvalidInputError(
            f"The {parameter} must be a number of images from 0 to {len(rows)}. Got {size!r} instead."
        )
    if size in (0, len(rows)):
        return np.sort(rows)[:size]
    return np.sort(resample(rows, replace=False, n_samples=int(size), stratify=labels[rows], random_state=rng))


def mark_repeated(images: NDArray[np.uint8], labels: IntArray, order: IntArray) -> tuple[NDArray[np.bool_], int]:
    """Which images have the pixels of one before them in ``order``; how many of these have another label than it."""
    first: dict[bytes, int] = {}
    originals = np.arange(len(images))
    for row in order.tolist():
        originals[row] = first.setdefault(blake2b(images[row].tobytes(), digest_size=16).digest(), row)
    return originals != np.arange(len(images)), int((labels != labels[originals]).sum())
