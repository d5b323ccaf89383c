"""pymoo: search spaces for its algorithms, and surrogates for any of its genetic ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from pymoo.core.callback import Callback
from pymoo.core.infill import InfillCriterion
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling

from surronas.adapters.loop import told
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.search import NAT, Archive, as_evaluator
from surronas.search.objectives import resolve_goals
from surronas.search.operators import KeyDuplicates, SpaceCrossover, SpaceMutation, nearest
from surronas.search.surrogates import Surrogates
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["SpaceProblem", "SpaceRepair", "SpaceSampling", "SurrogateAssistance", "operators"]

_DRAWN = 256


class SurrogateAssistance(Callback):  # type: ignore[misc]
    """Makes a genetic algorithm surrogate-assisted: ``minimize(..., callback=SurrogateAssistance(space))``.

    After the first generation, surrogates of objectives and constraints learn from all that was evaluated. From then on
    the algorithm's own mating and survival run for some generations on what the surrogates say, and of the
    architectures bred by it those of greatest expected gain become the generation that is evaluated. So every value
    that the algorithm, its result and its history hold is a measured one.

    Parameters
    ----------
    space : SearchSpace
        The problem's variables are its genotypes.
    generations : int, default=20
        On surrogates, for each that is evaluated.
    cost : callable, optional
        (k, n_genes) genotypes -> DataFrame or dict of columns ``f0``, ``f1``, ..., ``g0``, ...: objectives and
        constraints that are known without evaluating, as the problem returns them.
    pool : (n, n_genes) int array, optional
        The only architectures that can be evaluated.
    **options
        Of ``NAT``: ``predictor``, ``encoder``, ``exploration``, ``confidence``, ``random_state``, ``n_jobs``.

    Attributes
    ----------
    search : NAT
        Its ``archive_`` holds every architecture evaluated, ``decisions_`` how each generation was chosen.

    Raises
    ------
    InvalidInputError
        At the end of the first generation, when the algorithm does not mate, the problem has equality constraints, or
        its variables are not the space's genes.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        generations: int = 20,
        cost: Callable[[IntArray], Any] | None = None,
        pool: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.space, self.generations = space, generations
        self.cost, self.pool, self.options = cost, pool, options

    def initialize(self, algorithm: Any) -> None:
        problem = algorithm.problem
        if not isinstance(getattr(algorithm, "mating", None), InfillCriterion):
            raise InvalidInputError(
                f"SurrogateAssistance needs a genetic algorithm. {type(algorithm).__name__} has no mating."
            )
        if problem.n_eq_constr or problem.n_var != self.space.n_genes:
            raise InvalidInputError(
                f"The problem must have {self.space.n_genes} variables, one a gene of the space {self.space.name!r}, "
                f"and no equality constraints. Got {problem.n_var} and {problem.n_eq_constr}."
            )
        bounds = {f"g{i}": 0.0 for i in range(problem.n_ieq_constr)}
        targets = {f"f{i}": False for i in range(problem.n_obj)} | dict.fromkeys(bounds, False)
        evaluator = told(self.space, targets, cost=self.cost, pool=self.pool)
        objectives = [name for name in targets if name not in bounds]
        self.search = _Bred(evaluator, objectives, bounds, n_initial=1, **self.options)
        self.search.generations = self.generations
        algorithm.mating = _Chosen(algorithm.mating, self.search)

    def notify(self, algorithm: Any) -> None:
        if algorithm.off is not None and len(algorithm.off):
            X, F, G = algorithm.off.get("X", "F", "G")
            self.search.tell(_genotypes(self.space, X), np.column_stack([F, G]))


class _Chosen(InfillCriterion):  # type: ignore[misc]
    """In place of an algorithm's mating: the architectures that a search chooses of those that the mating breeds."""

    def __init__(self, mating: InfillCriterion, search: _Bred) -> None:
        super().__init__()
        self.mating, self.search = mating, search

    def do(self, problem: Any, pop: Any, n_offsprings: int, *, algorithm: Any, **kwargs: Any) -> Any:
        self.search.parents = self.mating, algorithm
        archs = self.search.ask(n_offsprings)
        del self.search.parents
        return Population.new(X=archs)


class _Bred(NAT):
    """NAT whose candidates an algorithm of pymoo's breeds on the surrogates' predictions."""

    parents: tuple[InfillCriterion, Any]

    def _candidates(self, surrogates: Surrogates, archive: Archive, n: int, rng: np.random.Generator) -> IntArray:
        mating, algorithm = self.parents
        problem, size = algorithm.problem, algorithm.pop_size
        pop, survival = deepcopy(algorithm.pop), deepcopy(algorithm.survival)
        met = [np.empty((0, self.space_.n_genes), dtype=np.int64)]
        for _ in range(self.generations):
            off = mating.do(problem, pop, max(size, n), algorithm=algorithm, random_state=rng)
            if not len(off):
                break
            met.append(self.space_.canonical(_genotypes(self.space_, off.get("X"))))
            predictions = surrogates.predict(met[-1])
            off.set("F", self.goals_.values(predictions.quantile(0.5)), "G", self._excess(predictions))
            pop = Population.merge(pop, off)
            pop = survival.do(problem, pop, n_survive=size, algorithm=algorithm, random_state=rng)
        found = self.unseen(np.concatenate(met))
        if len(found) < n:  # the algorithm breeds what is known
            found = self.unseen(np.concatenate([found, super()._candidates(surrogates, archive, n, rng)]))
        return found


class SpaceProblem(Problem):  # type: ignore[misc]
    """The architectures of a benchmark table, a supernet or a function as pymoo's problem.

    Parameters
    ----------
    evaluator : BenchmarkTable, SupernetEvaluator or Evaluator
    objectives, constraints : as a ``Search`` takes them
        Maximised targets are negated, as pymoo minimises.

    Raises
    ------
    SurronasError
        When an evaluation fails, which pymoo has no word for; the text says which and why.
    """

    def __init__(
        self, evaluator: Any, objectives: Sequence[str], constraints: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        self.evaluator = as_evaluator(evaluator)
        self.space = self.evaluator.space
        self.goals = resolve_goals(objectives, constraints, self.evaluator.targets)
        nothing = np.empty((0, len(self.goals.targets)))
        n_bounds = self.goals.excess(nothing, nothing).shape[1]
        top = self.space.n_choices - 1
        sizes = {"n_var": self.space.n_genes, "n_obj": len(self.goals.objectives), "n_ieq_constr": n_bounds}
        super().__init__(**sizes, xl=0 * top, xu=top, vtype=int, **options)

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        archs = self.space.canonical(_genotypes(self.space, x))
        frame = self.evaluator.evaluate(archs)
        values = frame[self.goals.targets].to_numpy(dtype=np.float64)
        failed = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(failed):
            reasons = {failure["row"]: failure["reason"] for failure in frame.attrs.get("failures", ())}
            raise SurronasError(
                f"The evaluation of {self.space.format(archs[failed[:1]])[0]} failed: "
                f"{reasons.get(failed[0], 'no value')}. Where only some architectures can be evaluated, give "
                "operators(space, pool) to the algorithm."
            )
        out["F"], out["G"] = self.goals.values(values), self.goals.excess(values, values)


class SpaceSampling(Sampling):  # type: ignore[misc]
    """Different architectures of a space, or of a pool."""

    def __init__(self, space: SearchSpace, pool: IntArray | None = None) -> None:
        super().__init__()
        self.space, self.pool = space, pool

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        if self.pool is not None:
            return np.asarray(random_state.permutation(self.pool)[:n_samples])
        return self.space.sample(n_samples, int(random_state.integers(2**31)))


class SpaceRepair(Repair):  # type: ignore[misc]
    """Makes architectures of what any operators bred.

    Numbers are rounded to choices, genes that are not expressed become 0, and what is no architecture becomes the
    nearest of some drawn from the space; with a pool, all become the nearest of it.
    """

    def __init__(self, space: SearchSpace, pool: IntArray | None = None) -> None:
        super().__init__()
        self.space, self.pool = space, pool

    def _do(self, problem: Any, X: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        space = self.space
        X = np.clip(_genotypes(space, X), 0, space.n_choices - 1)
        X = np.where(space.active(X), X, 0)
        wrong = ~space.is_valid(X)
        if wrong.any():
            drawn = space.sample(min(_DRAWN, space.size or _DRAWN), int(random_state.integers(2**31)), unique=False)
            distances = (X[wrong][:, None, :] != drawn).sum(axis=2)
            X[wrong] = drawn[np.argmin(distances, axis=1)]
        return X if self.pool is None else nearest(space, self.pool, X, random_state)


def operators(space: SearchSpace, pool: Any = None) -> dict[str, Any]:
    """Sampling, crossover, mutation, repair and duplicates of a space, as pymoo's genetic algorithms take them.

    Parameters
    ----------
    space : SearchSpace
    pool : (n, n_genes) int array, optional
        The only architectures that can be evaluated.

    Examples
    --------
    >>> import surronas as sn
    >>> from pymoo.algorithms.moo.nsga2 import NSGA2
    >>> from pymoo.optimize import minimize
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> problem = SpaceProblem(table, ["baseline_accuracy", "analog_accuracy"])
    >>> algorithm = NSGA2(pop_size=10, **operators(table.space))
    >>> assistance = SurrogateAssistance(table.space, predictor="linear", generations=5)
    >>> result = minimize(problem, algorithm, ("n_eval", 30), seed=0, callback=assistance)
    >>> len(assistance.search.archive_), result.F.shape[1]
    (30, 2)
    """
    pool = None if pool is None else space.canonical(space.parse(pool))
    return {
        "sampling": SpaceSampling(space, pool),
        "crossover": SpaceCrossover(space),
        "mutation": SpaceMutation(space),
        "repair": SpaceRepair(space, pool),
        "eliminate_duplicates": KeyDuplicates(space),
    }


def _genotypes(space: SearchSpace, X: Any) -> IntArray:
    """(n, n_genes) int64 of the variables' values, whatever their type."""
    return np.rint(np.asarray(X).astype(np.float64)).astype(np.int64).reshape(-1, space.n_genes)
