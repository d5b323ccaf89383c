"""Which subnets to measure next, to find the front of accuracy and multiply-adds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import surronas as sn
from surronas.spaces.base import IntArray, SearchSpace


def promising(space: SearchSpace, known: IntArray, accuracy: NDArray[np.float64], n: int) -> IntArray:
    """``n`` new subnets spread over the front of accuracy and multiply-adds, as a surrogate of the known ones sees it.

    Five rounds of hill climbing: the best 300 of what there is, known ones and random ones at first, and their
    neighbours.
    """
    model = sn.fit_predictor(known, accuracy, space=space, random_state=0, n_jobs=-1)
    pool = np.concatenate([known, space.sample(10_000, random_state=len(known))])
    for _ in range(5):
        best = pool[best_rows(space.cost(pool)["madds"].to_numpy(), model.predict(pool), 300)]
        pool = np.concatenate([best, *map(space.neighbours, best)])
        pool = space.canonical(pool[np.unique(space.key(pool), return_index=True)[1]])
    fresh = pool[~np.isin(space.key(pool), space.key(known))]
    rows = best_rows(space.cost(fresh)["madds"].to_numpy(), model.predict(fresh), n)
    return fresh[rows]


def best_rows(madds: NDArray[Any], accuracy: NDArray[Any], n: int) -> IntArray:
    """Front by front, ``n`` rows; those of the last front evenly spread over it."""
    order = np.lexsort((-accuracy, madds))
    chosen: list[IntArray] = []
    while n > 0 and len(order):
        level = accuracy[order]
        on_front = level > np.r_[-np.inf, np.maximum.accumulate(level)[:-1]]
        front, order = order[on_front], order[~on_front]
        chosen.append(front[np.unique(np.linspace(0, len(front) - 1, min(n, len(front))).round().astype(int))])
        n -= len(chosen[-1])
    return np.concatenate(chosen)
