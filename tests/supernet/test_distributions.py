"""What is drawn follows the archive, and only what the archive expresses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.base import Gene, SearchSpace
from surronas.spaces.mbconv import MBConv
from surronas.supernet.distributions import OneAStep, Taught, dependency_tree, gene_counts, members, uniform

SPACE = SearchSpace(
    [
        Gene("width", ("a", "b", "c")),
        Gene("depth", (1, 2)),
        Gene("block1", (3, 5, 7)),
        Gene("block2", (3, 5, 7), {"depth": (2,)}),
    ]
)
# block2 is expressed in the last four rows only, with 5, 5, 5, 7 there.
ARCHIVE = np.array([[0, 0, 2, 0]] * 5 + [[2, 0, 0, 0]] * 3 + [[2, 1, 0, 1]] * 3 + [[0, 1, 2, 2]])


def drawn(draw, n=4000):
    rng = np.random.default_rng(0)
    return np.array([draw(rng) for _ in range(n)])


def test_gene_counts_are_those_of_the_archive_where_a_gene_is_active():
    X = drawn(gene_counts(SPACE, ARCHIVE))
    active = SPACE.active(X)
    expected = [[6, 0, 6], [8, 4], [6, 0, 6], [0, 3, 1]]
    for gene, counts in enumerate(expected):
        values = X[active[:, gene], gene]
        observed = np.bincount(values, minlength=len(counts))
        possible = np.array(counts) > 0
        assert not observed[~possible].any()
        shares = np.array(counts)[possible] / sum(counts)
        assert chisquare(observed[possible], shares * len(values)).pvalue > 0.001
    assert not X[~active].any()


def test_genes_are_drawn_one_by_one_from_counts_and_together_from_members():
    by_gene, together = drawn(gene_counts(SPACE, ARCHIVE)), drawn(members(SPACE, ARCHIVE))
    tie = {tuple(row) for row in ARCHIVE[:, [0, 2]]}
    assert {tuple(row) for row in together[:, [0, 2]]} == tie == {(0, 2), (2, 0)}
    assert {tuple(row) for row in by_gene[:, [0, 2]]} == {(0, 0), (0, 2), (2, 0), (2, 2)}


def test_a_dependency_tree_keeps_ties_and_frequencies():
    rng = np.random.default_rng(1)
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2)) for i in range(4)])
    first, other = rng.integers(0, 3, 200), rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    archive = np.stack([first, other, (first + 1) % 3, other], axis=1)
    X = drawn(dependency_tree(space, archive))
    assert ((X[:, 2] == (X[:, 0] + 1) % 3) & (X[:, 3] == X[:, 1])).mean() > 0.97
    for gene in range(4):
        shares = np.bincount(archive[:, gene], minlength=3) / 200
        np.testing.assert_allclose(np.bincount(X[:, gene], minlength=3) / len(X), shares, atol=0.03)
    assert abs(np.corrcoef(X[:, 0], X[:, 1])[0, 1] - np.corrcoef(first, other)[0, 1]) < 0.1


def test_a_dependency_tree_draws_what_is_active():
    X = drawn(dependency_tree(SPACE, ARCHIVE))
    active = SPACE.active(X)
    assert not X[~active].any()
    assert set(X[active[:, 3], 3]) == {1, 2}  # as the archive has them where it has them
    assert abs(active[:, 3].mean() - 4 / 12) < 0.05
    assert len(drawn(dependency_tree(SearchSpace.from_array([[3]]), [[2]]), 3)) == 3


def test_members_are_drawn_as_often_as_they_occur():
    X = drawn(members(SPACE, ARCHIVE))
    rows, counts = np.unique(ARCHIVE, axis=0, return_counts=True)
    observed = [(X == row).all(axis=1).sum() for row in rows]
    assert sum(observed) == len(X)
    assert chisquare(observed, counts / counts.sum() * len(X)).pvalue > 0.001


def test_a_gene_that_no_architecture_expresses_is_drawn_uniformly():
    shallow = gene_counts(SPACE, ARCHIVE[:8])
    assert not drawn(shallow, 200)[:, [1, 3]].any()
    deep = SearchSpace([Gene("a", (0, 1)), Gene("b", (0, 1, 2), {"a": (1,)}), Gene("c", (0, 1), {"b": (1, 2)})])
    X = drawn(gene_counts(deep, [[1, 0, 0]]), 50)
    assert (X == [1, 0, 0]).all()


def test_uniform_draws_every_choice_alike():
    X = drawn(uniform(SPACE), 3000)
    for gene in (0, 1, 2):
        assert chisquare(np.bincount(X[:, gene])).pvalue > 0.001


def test_a_step_draws_the_same_whenever_it_is_asked():
    space = MBConv()
    for subnets in (OneAStep(uniform(space), seed=3), Taught([space.largest()], uniform(space), n=3, seed=3)):
        first = [[x.tolist() for x in subnets(step)] for step in range(5)]
        assert first == [[x.tolist() for x in subnets(step)] for step in range(5)]
        assert len({str(step) for step in first}) == 5
    (x,) = OneAStep(uniform(space), seed=4)(0)
    assert x.tolist() != OneAStep(uniform(space), seed=3)(0)[0].tolist()


def test_who_always_learns_comes_first():
    space = MBConv()
    ends = [space.largest(), space.smallest()]
    steps = [Taught(ends, uniform(space), n=2)(step) for step in range(6)]
    assert all((step[:2] == np.stack(ends)).all() for step in steps)
    assert {len(step) for step in steps} == {4}


def test_what_cannot_be_drawn_from_is_said():
    for distribution in (members, gene_counts):
        with pytest.raises(InvalidInputError, match="at least one architecture. Got none"):
            distribution(SPACE, np.empty((0, 4), dtype=int))
        with pytest.raises(InvalidInputError, match="gene 'width'.*Got 3 in row 0"):
            distribution(SPACE, [[3, 0, 0, 0]])
    with pytest.raises(InvalidInputError, match="cannot be drawn one by one"):
        gene_counts(get_space("nasbench101"), get_space("nasbench101").sample(2, random_state=0))
