"""``isomorphs`` and ``rank``: what selection averages over and tells apart."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from surronas.spaces import Gene, SearchSpace, get_space
from surronas.testing import conditional_space

NB201 = get_space("nasbench201")


def evaluate(cell, x):
    """The cell as arithmetic: every operation a random function of the sum it reads, a skip the identity."""
    functions = {2: lambda t: np.sin(3.1 * t + 0.7), 3: lambda t: np.cos(1.7 * t - 0.2), 4: lambda t: np.tanh(2.3 * t)}
    nodes = [x]
    for first, last in ((0, 1), (1, 3), (3, 6)):
        total = None
        for node, op in zip(nodes, cell[first:last], strict=True):
            if op and node is not None:
                term = node if op == 1 else functions[op](node)
                total = term if total is None else total + term
        nodes.append(total)
    return nodes[-1]


def test_isomorphic_cells_compute_the_same_function_and_others_do_not():
    """Values at five points tell functions apart: equal values mean the same class, and the other way round."""
    C = np.unique(NB201.canonical(NB201.enumerate()), axis=0)
    x = np.array([0.31, -0.77, 1.13, 0.05, -1.9])
    values = [evaluate(cell, x) for cell in C.tolist()]
    values = ["none" if v is None else ",".join(f"{t:.9f}" for t in v + 0.0) for v in values]
    _, function = np.unique(values, return_inverse=True)
    members, rows = NB201.isomorphs(C)
    row_of = {tuple(cell): i for i, cell in enumerate(C.tolist())}
    member = np.array([row_of[tuple(cell)] for cell in members.tolist()])
    np.testing.assert_array_equal(function[member], function[rows])
    np.testing.assert_array_equal(np.bincount(rows), np.bincount(function)[function])
    assert len({(r, m) for r, m in zip(rows.tolist(), member.tolist(), strict=True)}) == len(rows)


def test_isomorphs_come_row_by_row_and_hold_the_row_itself():
    C = NB201.canonical(NB201.sample(50, random_state=0))
    members, rows = NB201.isomorphs(C)
    assert (np.diff(rows) >= 0).all()
    np.testing.assert_array_equal(np.unique(rows), np.arange(50))
    for i, cell in enumerate(C):
        mine = members[rows == i]
        assert (mine == cell).all(axis=1).sum() == 1
        np.testing.assert_array_equal(mine, NB201.canonical(mine))
        assert len(np.unique(mine, axis=0)) == len(mine)
    twice, twice_rows = NB201.isomorphs(np.vstack([C[:1], C[:1]]))
    np.testing.assert_array_equal(twice[twice_rows == 0], twice[twice_rows == 1])


@pytest.mark.parametrize("space", [get_space("nasbench_graph"), conditional_space()], ids=["gnns", "plain"])
def test_where_canonical_forms_settle_it_each_is_alone(space):
    C = space.canonical(space.sample(30, random_state=0))
    members, rows = space.isomorphs(C)
    np.testing.assert_array_equal(members, C)
    np.testing.assert_array_equal(rows, np.arange(30))


@pytest.mark.parametrize("n_choices", [(3, 2, 4), (1, 1), (5,)])
def test_rank_counts_genotypes_in_order(n_choices):
    space = SearchSpace([Gene(f"g{i}", tuple(range(n))) for i, n in enumerate(n_choices)])
    X = np.array(list(product(*(range(n) for n in n_choices))))
    np.testing.assert_array_equal(space.rank(X), np.arange(len(X)))


def test_rank_of_a_space_too_large_to_count():
    space = SearchSpace([Gene(f"g{i}", tuple(range(300))) for i in range(40)])
    X = np.random.RandomState(0).randint(0, 300, size=(200, 40)).astype(np.int64)
    X[1] = X[0]
    X[2] = X[0]
    X[2, 39] ^= 256  # only the high byte differs
    X[2, 39] %= 300
    rank = space.rank(X)
    assert rank.shape == (200,)
    assert rank[0] == rank[1]
    assert len(np.unique(rank)) == len(np.unique(X, axis=0))
    assert space.rank(X[:0]).shape == (0,)


def test_a_drawing_has_the_isomorphs_of_its_canonical_form():
    X = NB201.enumerate()[::25]
    (members, rows), (own, owners) = NB201.isomorphs(X), NB201.isomorphs(NB201.canonical(X))
    np.testing.assert_array_equal(members, own)
    np.testing.assert_array_equal(rows, owners)
