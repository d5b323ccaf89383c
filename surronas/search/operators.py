"""Variation of genotypes for pymoo's algorithms, and designs to start from.

Everywhere a genotype has 0 in genes that are not expressed, and what is not expressed is never inherited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.repair import Repair

from surronas.exceptions import SurronasError
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = [
    "KeyDuplicates",
    "NearestInPool",
    "SpaceCrossover",
    "SpaceMutation",
    "initial_design",
    "nearest",
    "recombine",
    "vary",
]

_DESIGN_POOL = 2000


def recombine(space: SearchSpace, A: IntArray, B: IntArray, rng: np.random.Generator) -> IntArray:
    """Uniform crossover: each gene of the child is one parent's.

    A gene that the child expresses and the drawn parent does not comes from the other parent; where neither expresses
    it, it is drawn. A child that is no architecture is replaced by its first parent.

    Parameters
    ----------
    A, B : (n, n_genes) int64

    Returns
    -------
    (n, n_genes) int64, inactive genes 0
    """
    from_a = rng.random(A.shape) < 0.5
    has_a, has_b = space.active(A), space.active(B)
    from_a = np.where(has_a == has_b, from_a, has_a)
    children = np.where(from_a, A, B)
    drawn = rng.integers(0, space.n_choices, size=A.shape)
    return _expressed(space, np.where(has_a | has_b, children, drawn), A)


def vary(space: SearchSpace, X: IntArray, rng: np.random.Generator, rate: float = 1.0) -> IntArray:
    """Change about ``rate`` of the expressed genes of each genotype, at least one of them.

    An ordered gene takes a neighbouring choice half of the time; any other choice is as likely as any else. Genes that
    become expressed by it are drawn. A mutant that is no architecture is drawn again, up to ten times.
    """
    result = X.copy()
    left = np.arange(len(X))
    for _ in range(10):
        mutants = _mutants(space, X[left], rng, rate)
        valid = space.is_valid(mutants)
        result[left[valid]] = mutants[valid]
        left = left[~valid]
        if not len(left):
            break
    return result


def _mutants(space: SearchSpace, X: IntArray, rng: np.random.Generator, rate: float) -> IntArray:
    n_choices = space.n_choices
    active = space.active(X)
    changeable = active & (n_choices > 1)
    chosen = changeable & (rng.random(X.shape) < rate / np.maximum(changeable.sum(axis=1, keepdims=True), 1))
    forced = np.argmax(np.where(changeable, rng.random(X.shape), -1.0), axis=1)
    none = ~chosen.any(axis=1) & changeable.any(axis=1)
    chosen[none, forced[none]] = True
    other = (X + 1 + rng.integers(0, np.maximum(n_choices - 1, 1), size=X.shape)) % n_choices
    step = X + np.where(rng.random(X.shape) < 0.5, 1, -1)
    step = np.where((step < 0) | (step >= n_choices), 2 * X - step, step)
    near = np.array([gene.ordered for gene in space.genes]) & (n_choices > 1) & (rng.random(X.shape) < 0.5)
    mutants = np.where(chosen, np.where(near, step, other), X)
    drawn = rng.integers(0, n_choices, size=X.shape)
    mutants = np.where(active, mutants, drawn)
    return np.where(space.active(mutants), mutants, 0)


def _expressed(space: SearchSpace, X: IntArray, otherwise: IntArray) -> IntArray:
    X = np.where(space.active(X), X, 0)
    return np.where(space.is_valid(X)[:, None], X, otherwise)


def nearest(space: SearchSpace, pool: IntArray, X: IntArray, rng: np.random.Generator) -> IntArray:
    """For each genotype the one of the pool that differs in the fewest genes; drawn among equally near ones."""
    C = space.canonical(X)
    distances = (C[:, None, :] != pool).sum(axis=2)
    return np.asarray(pool[np.argmin(distances + rng.random(distances.shape), axis=1)])


class SpaceCrossover(Crossover):  # type: ignore[misc]
    """``recombine``, as pymoo's: two parents, two children."""

    def __init__(self, space: SearchSpace, prob: float = 0.9) -> None:
        super().__init__(2, 2, prob=prob)
        self.space = space

    def _do(self, problem: Any, X: IntArray, *args: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        A, B = X.astype(np.int64)
        return np.stack([recombine(self.space, A, B, random_state), recombine(self.space, B, A, random_state)])


class SpaceMutation(Mutation):  # type: ignore[misc]
    """``vary``, as pymoo's."""

    def __init__(self, space: SearchSpace, prob: float = 0.9) -> None:
        super().__init__(prob=prob)
        self.space = space

    def _do(self, problem: Any, X: IntArray, *args: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        return vary(self.space, X.astype(np.int64), random_state)


class NearestInPool(Repair):  # type: ignore[misc]
    """``nearest``, as pymoo's repair."""

    def __init__(self, space: SearchSpace, pool: IntArray) -> None:
        super().__init__()
        self.space, self.pool = space, pool

    def _do(self, problem: Any, X: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        return nearest(self.space, self.pool, X.astype(np.int64), random_state)


class KeyDuplicates(DuplicateElimination):  # type: ignore[misc]
    """Isomorphic architectures are duplicates, of each other and of those given."""

    def __init__(self, space: SearchSpace, seen: NDArray[Any] | None = None) -> None:
        super().__init__()
        self.space, self.seen = space, seen

    def _do(self, pop: Any, other: Any, is_duplicate: NDArray[np.bool_]) -> NDArray[np.bool_]:
        keys = self.space.key(pop.get("X").astype(np.int64))
        if other is not None:
            return np.asarray(np.isin(keys, self.space.key(other.get("X").astype(np.int64))))
        _, first = np.unique(keys, return_index=True)
        repeated = np.ones(len(keys), dtype=bool)
        repeated[first] = False
        return repeated if self.seen is None else repeated | np.isin(keys, self.seen)


def initial_design(
    space: SearchSpace,
    n: int,
    rng: np.random.Generator,
    pool: IntArray | None = None,
    cost: Callable[[IntArray], pd.DataFrame] | None = None,
) -> IntArray:
    """Smallest, largest, and then ever the architecture that differs most from those chosen.

    Parameters
    ----------
    space : SearchSpace
    n : int
    pool : (k, n_genes) int64 canonical genotypes, optional
        Choose from these alone; by default from some drawn from the space.
    cost : callable, optional
        (k, n_genes) -> DataFrame of known costs. Smallest and largest of a pool are those of least and greatest cost.

    Returns
    -------
    (min(n, number of architectures), n_genes) int64 canonical genotypes, no two isomorphic

    References
    ----------
    Gonzalez (1985), Clustering to minimize the maximum intercluster distance: the greedy rule.
    """
    ends = _ends(space)
    if pool is None:
        size = min(_DESIGN_POOL, space.size or _DESIGN_POOL)
        pool = space.canonical(space.sample(size, int(rng.integers(2**31)), unique=False))
    else:
        known = np.empty((len(pool), 0)) if cost is None else cost(pool).to_numpy(dtype=np.float64)
        rows = np.concatenate([known.argmin(axis=0), known.argmax(axis=0)])
        ends = np.concatenate([ends[np.isin(space.key(ends), space.key(pool))] if len(ends) else ends, pool[rows]])
        pool = rng.permutation(pool)[:_DESIGN_POOL]
    pool = space.unique(np.concatenate([ends, pool]))
    n_ends = len(space.unique(ends))
    chosen = list(range(n_ends))[:n] or [0][:n]
    distance = np.min([_differing(pool, pool[i]) for i in chosen], axis=0) if chosen else np.empty(0)
    while len(chosen) < min(n, len(pool)):
        distance[chosen] = -1
        ties = np.flatnonzero(distance == distance.max())
        chosen.append(int(rng.choice(ties)))
        distance = np.minimum(distance, _differing(pool, pool[chosen[-1]]))
    return pool[chosen]


def _differing(pool: IntArray, x: IntArray) -> NDArray[np.float64]:
    return np.asarray((pool != x).sum(axis=1), dtype=np.float64)


def _ends(space: SearchSpace) -> IntArray:
    try:
        return space.canonical(np.stack([space.smallest(), space.largest()]))
    except SurronasError:
        return np.empty((0, space.n_genes), dtype=np.int64)
