"""Which of the candidates to evaluate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from surronas.search.objectives import FloatArray, Goals
from surronas.search.surrogates import Predictions
from surronas.spaces.base import IntArray

__all__ = ["gain_choice", "hypervolume_directions", "scalarised", "spread_choice"]

_DIRECTIONS = 128
_LEVELS = 16
_DRAWS = 128
_SHORT_LIST = 192
_KINSHIP = 0.5


def gain_choice(
    archs: IntArray,
    predictions: Predictions,
    goals: Goals,
    front: FloatArray,
    ideal: FloatArray,
    reference: FloatArray,
    price: FloatArray,
    n: int,
    rng: np.random.Generator,
    exploration: float = 1.0,
) -> IntArray:
    """Greedily the candidates of greatest expected gain in hypervolume for what they cost.

    The hypervolume is an expectation over random directions of the best point's scalarised value, so that the gain of a
    point is as easy to compute in many dimensions as in two; its expectation is over draws from the surrogates'
    predictive distributions. Draws of architectures that share genes go together, so that one of a kind leaves less
    for the others to gain.

    Parameters
    ----------
    archs : (k, n_genes) int64 canonical genotypes of the candidates
    predictions : Predictions
        Of the candidates' targets.
    front : (f, m) float64
        The values to be better than, minimised.
    ideal, reference : (m,) float64
        The best values known, and those from which on hypervolume counts.
    price : (k,) float64
    n : int
    exploration : float, default=1
        What the predictive standard deviations are multiplied by.

    Returns
    -------
    (min(n, k),) int64, in the order chosen

    References
    ----------
    Zhang and Golovin (2020), Random hypervolume scalarizations, ICML, arXiv:2006.04655.
    """
    directions = hypervolume_directions(len(ideal), _DIRECTIONS)
    scale = np.where(reference > ideal, reference - ideal, 1.0)
    best = scalarised((reference - front) / scale, directions).max(axis=0, initial=0.0)
    seed = int(rng.integers(2**31))
    n_targets = len(goals.targets)

    levels = exploration * _normal(_LEVELS, n_targets, seed)[:, None, :]
    first = np.zeros(len(archs))
    for level in levels:  # one at a time: (candidates, directions) is as much as should be in memory
        values = goals.values(predictions.at(level[None])[0])
        first += np.maximum(scalarised((reference - values) / scale, directions) - best, 0).mean(axis=1)
    first /= price
    short = np.argsort(-first, kind="stable")[: max(_SHORT_LIST, 2 * n)]

    root = _root(archs[short])
    draws = _normal(_DRAWS, n_targets * len(short), seed).reshape(_DRAWS, n_targets, len(short))
    normals = exploration * np.swapaxes(draws @ root.T, 1, 2)
    values = goals.values(predictions.take(short).at(normals))
    reached = scalarised((reference - values) / scale, directions)
    beaten = np.broadcast_to(best, (_DRAWS, len(directions))).copy()
    chosen: list[int] = []
    for _ in range(min(n, len(short))):
        gain = np.maximum(reached - beaten[:, None, :], 0).mean(axis=(0, 2)) / price[short]
        gain[chosen] = -1.0
        # Where nothing is expected to gain, the one that comes nearest to it.
        nearest = (reached - beaten[:, None, :]).max(axis=(0, 2))
        nearest[chosen] = -np.inf
        pick = int(np.argmax(gain)) if gain.max() > 0 else int(np.argmax(nearest))
        chosen.append(pick)
        beaten = np.maximum(beaten, reached[:, pick])
    return np.asarray(short[chosen])


def spread_choice(cost: FloatArray, front_cost: FloatArray, n: int) -> IntArray:
    """MSuNAS's choice: the subset that, with the front, is spread most evenly along the axis of cost.

    The subset minimises the standard deviation of the gaps between neighbours (Lu et al., 2020, arXiv:2007.10396).
    Candidates are added one by one and then exchanged as long as that helps, where the original lets a genetic
    algorithm choose.

    Parameters
    ----------
    cost : (k,) float64
    front_cost : (f,) float64
        Of the archive's front.

    Returns
    -------
    (min(n, k),) int64, ascending
    """
    k = len(cost)
    chosen: list[int] = []
    while len(chosen) < min(n, k):
        chosen.append(min(set(range(k)) - set(chosen), key=lambda i: (_unevenness(cost[[*chosen, i]], front_cost), i)))
    improved = len(chosen) < k
    while improved:
        improved = False
        now = _unevenness(cost[chosen], front_cost)
        for place in range(len(chosen)):
            for i in range(k):
                trial = [*chosen[:place], i, *chosen[place + 1 :]]
                if i not in chosen and _unevenness(cost[trial], front_cost) < now - 1e-12 * max(now, 1.0):
                    chosen, improved = trial, True
                    now = _unevenness(cost[chosen], front_cost)
    return np.sort(np.asarray(chosen, dtype=np.int64))


def _unevenness(chosen: FloatArray, front: FloatArray) -> float:
    gaps = np.diff(np.sort(np.concatenate([front, chosen])))
    return float(gaps.std()) if len(gaps) else 0.0


@lru_cache(maxsize=16)
def hypervolume_directions(m: int, n: int) -> FloatArray:
    """(n, m) directions, evenly spread over the positive part of the unit sphere."""
    if m == 1:
        return np.ones((1, 1))
    if m == 2:
        angles = (np.arange(n) + 0.5) * np.pi / 2 / n
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    normals = np.abs(_normal(2 * n, m, 0))
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def scalarised(gains: FloatArray, directions: FloatArray) -> FloatArray:
    """(..., m) distances below the reference -> (..., d): how far each direction is dominated, to the m-th power."""
    reach = np.full((*gains.shape[:-1], len(directions)), np.inf)
    for j in range(gains.shape[-1]):
        np.minimum(reach, np.maximum(gains[..., j, None], 0.0) / directions[:, j], out=reach)
    return np.asarray(reach ** gains.shape[-1])


def _normal(n: int, d: int, seed: int) -> FloatArray:
    """(n, d) standard normal numbers: each column has the n quantiles, in an order of its own (a Latin hypercube)."""
    ranks = np.argsort(np.random.default_rng(seed).random((n, d)), axis=0)
    return np.asarray(ndtri((ranks + 0.5) / n))


def _root(archs: IntArray) -> FloatArray:
    """A square root of the draws' correlations: less for each gene in which two architectures differ."""
    differing = (archs[:, None, :] != archs[None, :, :]).sum(axis=2)
    correlation = np.exp(-_KINSHIP * differing)
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
