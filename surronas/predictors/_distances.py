"""Distances between many rows and many others, by one matrix product."""

from __future__ import annotations

import numpy as np

from surronas.predictors.base import FloatArray

__all__ = ["MOST_ROWS", "squared_distances"]

MOST_ROWS = 16_000
"""Of predictors that hold matrices of all pairs of rows: 2 GB each."""


def squared_distances(A: FloatArray, B: FloatArray) -> FloatArray:
    """(..., a, d), (..., b, d) -> (..., a, b): several times as fast as one by one where d is large.

    The error is that of the squared lengths: small distances have few digits, which is enough for a kernel that is flat
    at 0.
    """
    lengths, others = (np.square(rows).sum(axis=-1, keepdims=True) for rows in (A, B))
    left = np.concatenate([-2.0 * A, lengths, np.ones_like(lengths)], axis=-1)
    right = np.concatenate([B, np.ones_like(others), others], axis=-1)
    squares: FloatArray = left @ right.swapaxes(-1, -2)
    return np.maximum(squares, 0.0, out=squares)
