from __future__ import annotations

import numpy as np
import pytest

import surronas as sn
from surronas.search.operators import initial_design, nearest, recombine, vary
from surronas.spaces import Gene, SearchSpace

SPACES = ["nasbench201", "nasbench101", "ofa_mbv3", "mbconv", "darts"]


@pytest.mark.parametrize("name", SPACES)
def test_children_are_architectures_without_unexpressed_choices(name):
    space = sn.get_space(name)
    rng = np.random.default_rng(0)
    A, B = (space.sample(100, random_state=seed, unique=False) for seed in (0, 1))
    for children in (recombine(space, A, B, rng), vary(space, A, rng), vary(space, A, rng, rate=5)):
        assert space.is_valid(children).all()
        assert (children[~space.active(children)] == 0).all()
        assert ((children >= 0) & (children < space.n_choices)).all()


@pytest.mark.parametrize("name", SPACES)
def test_a_mutant_differs(name):
    space = sn.get_space(name)
    X = space.sample(200, random_state=0, unique=False)
    assert (vary(space, X, np.random.default_rng(0)) != X).any(axis=1).mean() > 0.99


def test_what_is_not_expressed_is_not_inherited(conditional_space):
    # A has one layer: its zeros for kernels 2 and 3 stand for nothing, so B's kernels must come through.
    A, B = np.tile([0, 1, 0, 0], (500, 1)), np.tile([2, 1, 2, 2], (500, 1))
    children = recombine(conditional_space, A, B, np.random.default_rng(0))
    deep = children[children[:, 0] == 2]
    assert 200 < len(deep) < 300
    assert (deep[:, 2:] == 2).all()


def test_genes_that_become_expressed_are_drawn(conditional_space):
    shallow = np.tile([0, 1, 0, 0], (2000, 1))
    mutants = vary(conditional_space, shallow, np.random.default_rng(0))
    deep = mutants[mutants[:, 0] == 2]
    assert np.bincount(deep[:, 3], minlength=3).min() > 0.2 * len(deep)


def test_the_rate_is_the_number_of_changes():
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2)) for i in range(20)])
    X = space.sample(1000, random_state=0, unique=False)
    changes = (vary(space, X, np.random.default_rng(0), rate=3.0) != X).sum(axis=1)
    assert changes.mean() == pytest.approx(3, abs=0.2)
    assert changes.min() >= 1


def test_ordered_genes_step_to_neighbours_more_often():
    choices = tuple(range(9))
    spaces = [SearchSpace([Gene("g", choices, ordered=ordered)]) for ordered in (True, False)]
    X = np.full((2000, 1), 4)
    near = [(np.abs(vary(space, X, np.random.default_rng(0)) - X) == 1).mean() for space in spaces]
    assert near[0] == pytest.approx(0.5 + 0.5 * 2 / 8, abs=0.05)
    assert near[1] == pytest.approx(2 / 8, abs=0.05)


def test_nearest_has_the_fewest_differing_genes():
    space = sn.get_space("nasbench201")
    pool, X = space.canonical(space.sample(50, random_state=0)), space.sample(30, random_state=1)
    found = nearest(space, pool, X, np.random.default_rng(0))
    for x, near in zip(space.canonical(X), found, strict=True):
        assert (near != x).sum() == min((row != x).sum() for row in pool)
        assert (pool == near).all(axis=1).any()


def test_design_has_the_extremes_and_fills_the_space():
    space = sn.get_space("ofa_mbv3")
    design = initial_design(space, 20, np.random.default_rng(0))
    assert (design[:2] == space.canonical([space.smallest(), space.largest()])).all()
    assert len(np.unique(space.key(design))) == 20

    def closest(X):
        return min((X[i] != X[j]).sum() for i in range(20) for j in range(i))

    random = [closest(space.canonical(space.sample(20, random_state=seed))) for seed in range(20)]
    assert closest(design) > max(random)


def test_design_of_a_pool_stays_in_it():
    space = sn.get_space("nasbench_macro")
    pool = space.canonical(space.sample(12, random_state=0))
    design = initial_design(space, 20, np.random.default_rng(0), pool)
    assert sorted(space.key(design)) == sorted(space.key(pool))
    smallest = np.concatenate([pool, space.canonical([space.smallest()])])
    assert (initial_design(space, 3, np.random.default_rng(0), smallest)[0] == space.smallest()).all()
    assert initial_design(space, 0, np.random.default_rng(0), pool).shape == (0, 8)


def test_design_of_a_pool_has_its_cheapest_and_dearest():
    space = sn.get_space("nasbench_macro")
    pool = space.canonical(space.sample(300, random_state=0))
    design = initial_design(space, 10, np.random.default_rng(0), pool, space.cost)
    cost, chosen = space.cost(pool), space.cost(design)
    for name in ("params", "madds"):
        assert chosen[name].min() == cost[name].min()
        assert chosen[name].max() == cost[name].max()
    assert len(np.unique(space.key(design))) == 10
