from __future__ import annotations

import numpy as np
from moocore import is_nondominated

import surronas as sn
from surronas.search import NSGA2, FunctionEvaluator, RandomSearch, RegularizedEvolution

SPACE = sn.SearchSpace([sn.Gene(f"g{i}", tuple(range(4))) for i in range(8)])


def evaluator(**options):
    def values(X):
        return {"a": X[:, :4].sum(axis=1) + X[:, 4:].sum(axis=1), "b": 12 - X[:, :4].sum(axis=1) + X[:, 4:].sum(axis=1)}

    return FunctionEvaluator(values, SPACE, {"a": False, "b": False}, chunk=1000, **options)


def volume(search):
    return search.run(n_evaluations=400).archive.hypervolume([24.0, 24.0])


def test_evolution_beats_chance():
    kinds = (RandomSearch, RegularizedEvolution, NSGA2)
    chance, ageing, sorting = (
        [volume(kind(evaluator(), ["a", "b"], batch_size=40, random_state=seed)) for seed in range(2)] for kind in kinds
    )
    assert min(*ageing, *sorting) > max(chance)


def test_random_search_is_uniform():
    archs = RandomSearch(evaluator(), ["a", "b"]).ask(4000)
    for gene in range(8):
        np.testing.assert_allclose(np.bincount(archs[:, gene], minlength=4) / 4000, 0.25, atol=0.04)


def test_parents_are_the_youngest():
    """The oldest are the best by far, but dead: every child is near one of the last 20."""
    search = RegularizedEvolution(evaluator(), ["a"], population=20, sample=5, n_initial=10)
    search.ask(1)
    good = SPACE.sample(30, random_state=0) % 2
    bad = SPACE.sample(40, random_state=1) % 2 + 2
    for archs in (np.unique(good, axis=0), np.unique(bad, axis=0)[:20]):
        search.tell(archs, search.evaluator_.evaluate(archs))
    children = search.ask(8)
    assert (children >= 2).mean() > 0.6
    assert all(min((child != parent).sum() for parent in search.archive_.archs[-20:]) <= 4 for child in children)


def test_the_population_survives_by_rank():
    search = NSGA2(evaluator(), ["a", "b"], population=10, n_initial=40)
    archs = search.ask()
    search.tell(archs, search.evaluator_.evaluate(archs))
    values, left, ranks = search.archive_.objectives, np.arange(40), np.zeros(40)
    for rank in range(40):  # peel the fronts off one by one
        front = left[is_nondominated(values[left], keep_weakly=True)]
        ranks[front] = rank
        left = np.setdiff1d(left, front)
        if not len(left):
            break
    rows, found, _ = search._survivors()
    np.testing.assert_array_equal(np.sort(ranks[rows]), np.sort(ranks)[:10])
    np.testing.assert_array_equal(found, ranks[rows])


def test_infeasible_ones_do_not_survive():
    search = NSGA2(evaluator(), ["a", "b"], {"b": (None, 14.0)}, population=8, n_initial=40, batch_size=8)
    archive = search.run(n_evaluations=120).archive
    assert archive.feasible[-40:].mean() > archive.feasible[:40].mean()
    rows, _, _ = search._survivors()
    assert archive.feasible[rows].all()
