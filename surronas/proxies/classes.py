"""Which architectures are the same network."""

from __future__ import annotations

import numpy as np

from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["same_network"]


def same_network(space: SearchSpace, C: IntArray) -> IntArray:
    """(n, n_genes) for each canonical genotype the first one isomorphic to it, and of its cost.

    A space may call architectures isomorphic that compute the same function by networks of different size:
    NAS-Bench-201's authors do so where two convolutions of one map are one convolution that is used twice.

    Examples
    --------
    >>> from surronas.spaces import get_space
    >>> space = get_space("nasbench201")
    >>> same_network(space, np.array([[1, 0, 0, 0, 3, 0], [0, 0, 0, 3, 0, 0]]))  # a skip connection before or after
    array([[0, 0, 0, 3, 0, 0],
           [0, 0, 0, 3, 0, 0]])
    """
    members, rows = space.isomorphs(C)
    if space.has_cost and len(members) > len(C):
        theirs, own = (space.cost(X)[["params", "madds"]].to_numpy() for X in (members, C))
        same = (theirs == own[rows]).all(axis=1)
        members, rows = members[same], rows[same]
    return members[np.searchsorted(rows, np.arange(len(C)))]
