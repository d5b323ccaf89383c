"""Searches without a surrogate, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from surronas.search.objectives import FloatArray
from surronas.search.operators import nearest, recombine, vary
from surronas.search.search import Proposal, Search
from surronas.spaces.base import IntArray

__all__ = ["NSGA2", "RandomSearch", "RegularizedEvolution"]

_TRIES = 20


class RandomSearch(Search):
    """Architectures drawn uniformly, gene by gene, each at most once; the first step is no exception.

    Parameters
    ----------
    evaluator, objectives, constraints, n_initial, batch_size, random_state
        As ``Search``.
    """

    def _first(self, n: int, rng: np.random.Generator) -> Proposal:
        return Proposal(self._fill(self._none, n, rng), None, {"by": "chance"})

    def _propose(self, n: int, rng: np.random.Generator) -> Proposal:
        return self._first(n, rng)

    @property
    def _none(self) -> IntArray:
        return np.empty((0, self.space_.n_genes), dtype=np.int64)

    def _fill(self, archs: IntArray, n: int, rng: np.random.Generator) -> IntArray:
        """Unseen ones of these, filled up to n with random ones."""
        archs = self.unseen(archs)[:n]
        pool = self.evaluator_.pool
        if len(archs) < n and pool is not None:
            return self.unseen(np.concatenate([archs, rng.permutation(pool)]))[:n]
        size = self.space_.size
        for _ in range(_TRIES):
            if len(archs) >= n:
                break
            drawn = self.space_.sample(4 * n, int(rng.integers(2**31)), unique=False)
            archs = self.unseen(np.concatenate([archs, self.space_.canonical(drawn)]))[:n]
        if len(archs) < n and size is not None and size <= 10**6:
            everything = self.space_.canonical(self.space_.enumerate())
            archs = self.unseen(np.concatenate([archs, rng.permutation(everything)]))[:n]
        return archs


class RegularizedEvolution(RandomSearch):
    """Ageing evolution: the best of a random sample of the youngest has a mutant, the oldest die.

    With several objectives, a sample's best is that of a random direction (Chebyshev's scalarisation of the values'
    ranks), so that all parts of the front are bred.

    Parameters
    ----------
    evaluator, objectives, constraints, n_initial, batch_size, random_state
        As ``Search``.
    population : int, default=50
        How many of the youngest live.
    sample : int, default=10

    References
    ----------
    Real et al. (2019), Regularized evolution for image classifier architecture search, AAAI, arXiv:1802.01548.
    """

    def __init__(
        self,
        evaluator: Any,
        objectives: Sequence[str] = ("error", "madds"),
        constraints: Mapping[str, Any] | None = None,
        *,
        n_initial: int = 20,
        batch_size: int = 8,
        population: int = 50,
        sample: int = 10,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            evaluator,
            objectives,
            constraints,
            n_initial=n_initial,
            batch_size=batch_size,
            random_state=random_state,
        )
        self.population = population
        self.sample = sample

    def _propose(self, n: int, rng: np.random.Generator) -> Proposal:
        alive = np.flatnonzero(self.archive_.succeeded)[-self.population :]
        values = self.archive_.objectives[alive]
        ranks = values.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(len(alive) - 1, 1)
        ranks = ranks + 10.0 * ~self.archive_.feasible[alive][:, None]

        def brood() -> IntArray:
            weights = rng.dirichlet(np.ones(values.shape[1]), size=n)
            samples = rng.integers(len(alive), size=(n, self.sample))
            worst = (ranks[samples] * weights[:, None, :]).max(axis=2)
            return self._archs(alive[samples[np.arange(n), worst.argmin(axis=1)]])

        return self._bred(brood, n, rng, "mutation")

    def _bred(self, brood: Callable[[], IntArray], n: int, rng: np.random.Generator, by: str) -> Proposal:
        """Unseen mutants of as many broods as it takes; chance gives what these lack."""
        children = self._none
        for _ in range(_TRIES):
            children = np.concatenate([children, self._children(vary(self.space_, brood(), rng), rng)])
            children = self.unseen(children)[:n]
            if len(children) == n:
                break
        return Proposal(self._fill(children, n, rng), None, {"by": by})

    def _archs(self, rows: IntArray) -> IntArray:
        return np.asarray(self.archive_.archs[rows])

    def _children(self, X: IntArray, rng: np.random.Generator) -> IntArray:
        pool = self.evaluator_.pool
        C = self.space_.canonical(X)
        return C if pool is None else nearest(self.space_, pool, C, rng)


class NSGA2(RegularizedEvolution):
    """NSGA-II on evaluations: a batch is a generation's children.

    The population is what survives, by rank and crowding, of every generation so far; parents are drawn by binary
    tournaments of rank, then crowding.

    Parameters
    ----------
    evaluator, objectives, constraints, random_state
        As ``Search``.
    n_initial : int, default=40
    batch_size : int, default=40
    population : int, default=40

    References
    ----------
    Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
    """

    def __init__(
        self,
        evaluator: Any,
        objectives: Sequence[str] = ("error", "madds"),
        constraints: Mapping[str, Any] | None = None,
        *,
        n_initial: int = 40,
        batch_size: int = 40,
        population: int = 40,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            evaluator,
            objectives,
            constraints,
            n_initial=n_initial,
            batch_size=batch_size,
            population=population,
            random_state=random_state,
        )

    def _propose(self, n: int, rng: np.random.Generator) -> Proposal:
        rows, rank, crowding = self._survivors()

        def brood() -> IntArray:
            pairs = rng.integers(len(rows), size=(2, 2 * n))
            first, second = pairs
            better = (rank[first] < rank[second]) | (
                (rank[first] == rank[second]) & (crowding[first] > crowding[second])
            )
            mothers, fathers = np.split(rows[np.where(better, first, second)], 2)
            A, B = self._archs(mothers), self._archs(fathers)
            return np.where((rng.random(n) < 0.9)[:, None], recombine(self.space_, A, B, rng), A)

        return self._bred(brood, n, rng, "crossover and mutation")

    def _survivors(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Rows of the population, with rank and crowding distance of each."""
        archive = self.archive_
        rows = np.flatnonzero(archive.succeeded)
        values = archive.values.to_numpy()
        excess = archive.goals.excess(values, values)
        problem = Problem(n_var=1, n_obj=archive.objectives.shape[1], n_ieq_constr=excess.shape[1])
        survival, alive = RankAndCrowding(), np.empty(0, dtype=np.int64)
        for iteration in np.unique(archive.iteration[rows]):
            born = rows[archive.iteration[rows] == iteration]
            alive = np.concatenate([alive, born])
            pop = Population.new(X=alive[:, None], F=archive.objectives[alive], G=excess[alive])
            seed = np.random.default_rng((self.random_state, int(iteration)))
            pop = survival.do(problem, pop, n_survive=min(self.population, len(alive)), random_state=seed)
            alive = pop.get("X")[:, 0].astype(np.int64)
        rank = np.array([0.0 if r is None else float(r) for r in pop.get("rank")])
        crowding = np.array([0.0 if c is None else float(c) for c in pop.get("crowding")])
        return alive, rank, crowding
