"""Some of many, evenly."""

from __future__ import annotations

import numpy as np

from surronas.spaces.base import IntArray

__all__ = ["evenly"]


def evenly(length: int, n: int) -> IntArray:
    """At most n of the numbers below length, as evenly spaced as whole ones can be, the first and the last too.

    Examples
    --------
    >>> evenly(10, 4), evenly(2, 4)
    (array([0, 3, 6, 9]), array([0, 1]))
    """
    return np.unique(np.linspace(0, max(length - 1, 0), min(n, length)).round().astype(np.int64))
