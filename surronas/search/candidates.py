"""Which architectures could be worth evaluating, by what surrogates say of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.core.problem import Problem
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions

from surronas.exceptions import UnknownNameError
from surronas.search.objectives import FloatArray
from surronas.search.operators import KeyDuplicates, NearestInPool, SpaceCrossover, SpaceMutation
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["ALGORITHMS", "Assess", "evolve"]

Assess = Callable[[IntArray], tuple[FloatArray, FloatArray]]
"""(n, n_genes) canonical genotypes -> objectives (n, m) to be minimised, constraints (n, c), kept where <= 0."""

ALGORITHMS = ("nsga2", "nsga3", "unsga3")


def evolve(
    space: SearchSpace,
    assess: Assess,
    start: IntArray,
    rng: np.random.Generator,
    *,
    algorithm: str = "nsga3",
    population: int = 100,
    generations: int = 30,
    pool: IntArray | None = None,
) -> tuple[IntArray, IntArray]:
    """Evolve genotypes towards the Pareto front of what ``assess`` says.

    Parameters
    ----------
    space : SearchSpace
    assess : callable
        Called once a generation, with all its new genotypes.
    start : (k, n_genes) int64
        The first population; filled up with random ones.
    algorithm : {"nsga2", "nsga3", "unsga3"}
        NSGA-III (Deb and Jain, 2014) and U-NSGA-III (Seada and Deb, 2016) take as many Riesz s-energy reference
        directions (Blank et al., 2021) as the population has members.
    pool : (n, n_genes) int64, optional
        Only these may come out; others become the nearest of them.

    Returns
    -------
    final : (p, n_genes) int64 canonical genotypes
        The last population.
    met : (q, n_genes) int64 canonical genotypes
        All that were assessed, each once.
    """
    if algorithm not in ALGORITHMS:
        raise UnknownNameError.of("algorithm", algorithm, ALGORITHMS)
    n_objectives, n_constraints = (part.shape[1] for part in assess(space.canonical(start[:1])))
    problem = _Genotypes(space, assess, n_objectives, n_constraints)
    start = start[:population]
    if len(start) < population:
        n = min(population - len(start), space.size or population)
        drawn = space.sample(n, int(rng.integers(2**31)), unique=False) if pool is None else rng.permutation(pool)[:n]
        start = np.concatenate([start, drawn])
    parts: dict[str, Any] = {
        "pop_size": population,
        "sampling": start,
        "crossover": SpaceCrossover(space),
        "mutation": SpaceMutation(space),
        "eliminate_duplicates": KeyDuplicates(space),
    }
    if pool is not None:
        parts["repair"] = NearestInPool(space, pool)
    if algorithm == "nsga2" or n_objectives == 1:
        method: Any = NSGA2(**parts)
    else:
        kind = {"nsga3": NSGA3, "unsga3": UNSGA3}[algorithm]
        method = kind(ref_dirs=_directions(n_objectives, population), **parts)
    result = minimize(problem, method, ("n_gen", generations), seed=int(rng.integers(2**31)), verbose=False)
    final = space.canonical(result.pop.get("X").astype(np.int64))
    return final, space.unique(np.concatenate(problem.met))


class _Genotypes(Problem):  # type: ignore[misc]
    def __init__(self, space: SearchSpace, assess: Assess, n_objectives: int, n_constraints: int) -> None:
        top = space.n_choices - 1
        super().__init__(n_var=space.n_genes, n_obj=n_objectives, n_ieq_constr=n_constraints, xl=0 * top, xu=top)
        self.space, self.assess = space, assess
        self.met: list[IntArray] = []

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        C = self.space.canonical(x.astype(np.int64))  # surrogates have learnt from canonical genotypes alone
        self.met.append(C)
        out["F"], out["G"] = self.assess(C)


@lru_cache(maxsize=8)
def _directions(n_objectives: int, n: int) -> FloatArray:
    return np.asarray(get_reference_directions("energy", n_objectives, n, seed=1))
