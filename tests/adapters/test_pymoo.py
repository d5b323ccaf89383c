from __future__ import annotations

import numpy as np
import pytest
from moocore import hypervolume
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.algorithms.soo.nonconvex.pso import PSO
from pymoo.core.callback import Callback
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.sampling.rnd import FloatRandomSampling
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions

import surronas as sn
from surronas.adapters.pymoo import SpaceProblem, SpaceRepair, SpaceSampling, SurrogateAssistance, operators
from surronas.exceptions import InvalidInputError, SurronasError


def assistance(space, **options):
    return SurrogateAssistance(space, generations=3, predictor="linear", **options)


def values_of(table, archs):
    """What the table says, minimised."""
    rows = [int(np.flatnonzero(table.space.key(table.archs) == key)[0]) for key in table.space.key(archs)]
    return table.targets.to_numpy()[rows] * [-1, 1] + [100, 0]


def test_every_value_of_the_result_is_measured(table):
    assisted = assistance(table.space)
    algorithm = NSGA2(pop_size=8, **operators(table.space))
    problem = SpaceProblem(table, ["error", "latency_ms"])
    result = minimize(problem, algorithm, ("n_eval", 32), seed=0, callback=assisted, save_history=True)
    for population in (result.pop, *(entry.off for entry in result.history)):
        assert population.get("F") == pytest.approx(values_of(table, population.get("X").astype(int)))
    archive = assisted.search.archive_
    assert len(archive) == result.algorithm.evaluator.n_eval == 32
    assert archive.objectives == pytest.approx(values_of(table, archive.archs))
    assert archive.predicted.notna().all(axis=1).tolist() == [False] * 8 + [True] * 24


def test_it_finds_the_front_sooner(table):
    class Noted(SpaceProblem):
        def _evaluate(self, x, out, *args, **kwargs):
            super()._evaluate(x, out)
            found.append(out["F"])

    volumes = []
    for callback in (Callback(), assistance(table.space)):
        found = []
        algorithm = NSGA2(pop_size=8, **operators(table.space))
        minimize(Noted(table, ["error", "latency_ms"]), algorithm, ("n_eval", 32), seed=0, callback=callback)
        volumes.append(hypervolume(np.concatenate(found), ref=[40, 15]))
    assert volumes[1] > volumes[0]


def test_other_algorithms_and_constraints(table):
    directions = get_reference_directions("uniform", 2, n_partitions=7)
    bounded = SpaceProblem(table, ["error", "latency_ms"], {"latency_ms": (4, 9)})
    result = minimize(
        bounded,
        NSGA3(directions, **operators(table.space)),
        ("n_eval", 24),
        seed=0,
        callback=assistance(table.space),
    )
    latency = result.F[:, 1]
    assert ((latency >= 4) & (latency <= 9)).all()
    single = SpaceProblem(table, ["error"])
    result = minimize(
        single, GA(pop_size=8, **operators(table.space)), ("n_eval", 32), seed=0, callback=assistance(table.space)
    )
    assert result.F[0] < np.sort(100 - table.targets["val_accuracy"])[5]


def test_what_is_known_is_not_predicted(table):
    def latency(archs):
        return {"f1": values_of(table, archs)[:, 1]}

    assisted = assistance(table.space, cost=latency)
    problem = SpaceProblem(table, ["error", "latency_ms"])
    minimize(problem, NSGA2(pop_size=8, **operators(table.space)), ("n_eval", 24), seed=0, callback=assisted)
    archive = assisted.search.archive_
    assert archive.predicted["f1"][8:].tolist() == pytest.approx(archive.values["f1"][8:].tolist())
    assert archive.predicted["f0"][8:].tolist() != pytest.approx(archive.values["f0"][8:].tolist())


def test_the_same_seed_gives_the_same_run(table):
    def run():
        problem = SpaceProblem(table, ["error", "latency_ms"])
        algorithm = NSGA2(pop_size=8, **operators(table.space))
        return minimize(problem, algorithm, ("n_eval", 24), seed=3, callback=assistance(table.space)).pop.get("X")

    assert (run() == run()).all()


def test_a_pool_is_all_that_is_evaluated(table):
    part = table.subset(np.arange(0, 117, 3))
    problem = SpaceProblem(part, ["error", "latency_ms"])
    algorithm = NSGA2(pop_size=6, **operators(table.space, part.archs))
    assisted = assistance(table.space, pool=part.archs)
    minimize(problem, algorithm, ("n_eval", 24), seed=0, callback=assisted)
    assert np.isin(table.space.key(assisted.search.archive_.archs), table.space.key(part.archs)).all()
    with pytest.raises(SurronasError, match=r"failed: not in the table 'made'.*operators\(space, pool\)"):
        minimize(problem, NSGA2(pop_size=20, **operators(table.space)), ("n_eval", 40), seed=0)


def test_it_ends_when_the_space_is_known(table):
    small = sn.SearchSpace([sn.Gene("a", (0, 1, 2)), sn.Gene("b", (0, 1, 2))])

    class Sum(Problem):
        def __init__(self):
            super().__init__(n_var=2, n_obj=1, xl=0, xu=2, vtype=int)

        def _evaluate(self, x, out, *args, **kwargs):
            out["F"] = x.sum(axis=1, dtype=float)

    assisted = assistance(small)
    result = minimize(Sum(), GA(pop_size=4, **operators(small)), ("n_gen", 9), seed=0, callback=assisted)
    assert len(assisted.search.archive_) == 9
    assert result.F == [0]


def test_repair_makes_architectures_of_any_operators_children(table):
    space = sn.get_space("nasbench101")
    problem = Problem(n_var=space.n_genes, n_obj=1, xl=0, xu=space.n_choices - 1)
    X = FloatRandomSampling()(problem, 50, random_state=np.random.default_rng(0)).get("X")
    repaired = SpaceRepair(space)._do(problem, X, random_state=np.random.default_rng(0))
    assert (space.parse(repaired) == repaired).all()
    assert not repaired[~space.active(repaired)].any()
    kept = space.sample(20, random_state=0)
    assert (SpaceRepair(space)._do(problem, kept + 0.3, random_state=np.random.default_rng(0)) == kept).all()
    algorithm = NSGA2(
        pop_size=8,
        sampling=SpaceSampling(table.space),
        crossover=SBX(),
        mutation=PM(),
        repair=SpaceRepair(table.space),
    )
    result = minimize(SpaceProblem(table, ["error", "latency_ms"]), algorithm, ("n_eval", 24), seed=0)
    assert result.pop.get("F") == pytest.approx(values_of(table, result.pop.get("X").astype(int)))


def test_what_cannot_be_assisted_is_refused(table):
    problem = SpaceProblem(table, ["error"])
    with pytest.raises(InvalidInputError, match="needs a genetic algorithm. PSO has no mating"):
        minimize(problem, PSO(pop_size=5), ("n_gen", 2), callback=assistance(table.space))
    with pytest.raises(InvalidInputError, match=r"must have 6 variables.*'nasbench201'.*Got 5 and 0"):
        minimize(
            problem,
            GA(pop_size=5, **operators(table.space)),
            ("n_gen", 2),
            callback=assistance(sn.get_space("nasbench201")),
        )
