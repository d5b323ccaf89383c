"""Which subnets learn while a supernet is fine-tuned: distributions, and what a step makes of them.

A distribution is any function of a ``numpy.random.Generator`` that gives one genotype. Ready-made ones are ``uniform``,
``gene_counts``, ``members`` and ``dependency_tree``; a step of ``OneAStep`` or ``Taught`` draws from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from surronas.exceptions import InvalidInputError
from surronas.spaces.base import IntArray, SearchSpace

__all__ = ["Distribution", "OneAStep", "Taught", "dependency_tree", "gene_counts", "members", "uniform"]

Distribution = Callable[[np.random.Generator], IntArray]


def uniform(space: SearchSpace) -> Distribution:
    """Every gene on its own, all choices alike."""
    return lambda rng: space.sample(1, int(rng.integers(2**32)), unique=False)[0]


def members(space: SearchSpace, archs: Any) -> Distribution:
    """The given architectures themselves, each as likely as it is frequent.

    Parameters
    ----------
    space : SearchSpace
    archs : n architectures
    """
    C = _some(space, archs)
    return lambda rng: np.asarray(C[rng.integers(len(C))])


def gene_counts(space: SearchSpace, archs: Any) -> Distribution:
    """Every gene on its own, each choice as likely as it is frequent among the architectures (NAT's, Lu et al., 2021).

    An architecture counts for a gene only where the gene is active in it, since what stands for an inactive gene is no
    choice. A gene that is active in none of them is drawn uniformly.

    Parameters
    ----------
    space : SearchSpace
    archs : n architectures

    Raises
    ------
    InvalidInputError
        When genes drawn one by one can make what is no architecture of the space.

    Examples
    --------
    >>> space = SearchSpace.from_array([[2, 1]])
    >>> draw = gene_counts(space, [[0, 1], [2, 1], [2, 1]])
    >>> rng = np.random.default_rng(0)
    >>> np.mean([draw(rng) for _ in range(3000)], axis=0).round(1)
    array([1.3, 1. ])
    """
    shares = _shares(space, _some(space, archs))

    def draw(rng: np.random.Generator) -> IntArray:
        return np.asarray(space.canonical([[rng.choice(len(share), p=share) for share in shares]])[0])

    return draw


def dependency_tree(space: SearchSpace, archs: Any) -> Distribution:
    """The tree of genes, each drawn given one other, that is likeliest to have made the architectures.

    It generalises, as ``gene_counts`` does, and keeps the strongest ties between genes, as ``members`` does. That a
    gene is inactive counts as a choice of its own. A pair of choices that never met has a small chance: as much as one
    more architecture, drawn gene by gene, would give it.

    Parameters
    ----------
    space : SearchSpace
    archs : n architectures

    Raises
    ------
    InvalidInputError
        As ``gene_counts``.

    References
    ----------
    Chow and Liu (1968), Approximating discrete probability distributions with dependence trees. Baluja and Davies
    (1997), Using optimal dependency-trees for combinatorial optimization.
    """
    C = _some(space, archs)
    shares = _shares(space, C)
    values = np.where(space.active(C), C, space.n_choices)
    coded = [np.eye(n + 1)[values[:, gene]] for gene, n in enumerate(space.n_choices)]
    order, parents = _likeliest_tree(coded)
    alone = [one.mean(axis=0) for one in coded]
    given = {
        gene: (coded[parents[gene]].T @ coded[gene] + alone[gene]) / (coded[parents[gene]].sum(axis=0)[:, None] + 1)
        for gene in order[1:]
    }

    def draw(rng: np.random.Generator) -> IntArray:
        drawn = np.zeros(space.n_genes, dtype=np.int64)
        for gene in order:
            share = given[gene][drawn[parents[gene]]] if gene in given else alone[gene]
            drawn[gene] = rng.choice(len(share), p=share)
        absent = [rng.choice(len(share), p=share) for share in shares]  # for genes that turn out to be active
        return np.asarray(space.canonical([np.where(drawn < space.n_choices, drawn, absent)])[0])

    return draw


def _shares(space: SearchSpace, C: IntArray) -> list[NDArray[np.float64]]:
    """How frequent each choice of each gene is where it is active; uniform where it is nowhere."""
    if type(space).is_valid is not SearchSpace.is_valid:
        raise InvalidInputError(
            f"The space {space.name!r} has a rule that ties genes together, so they cannot be drawn one by one. "
            "Use members(space, archs)."
        )
    active = space.active(C)
    shares = []
    for gene, n_choices in enumerate(space.n_choices):
        counts = np.bincount(C[active[:, gene], gene], minlength=n_choices)
        shares.append(counts / counts.sum() if counts.any() else np.full(n_choices, 1 / n_choices))
    return shares


def _likeliest_tree(coded: list[NDArray[np.float64]]) -> tuple[list[int], IntArray]:
    """Genes from the root on, and the parent of each: the spanning tree of greatest mutual information."""
    n = len(coded)
    information = np.zeros((n, n))
    for a, b in combinations(range(n), 2):
        joint = coded[a].T @ coded[b] / len(coded[a])
        apart = np.outer(coded[a].mean(axis=0), coded[b].mean(axis=0))
        information[a, b] = np.sum(joint[joint > 0] * np.log(joint[joint > 0] / apart[joint > 0]))
    weights = np.triu(information.max(initial=0.0) + 1 - information, 1)
    order, parents = breadth_first_order(minimum_spanning_tree(weights), 0, directed=False)
    return order.tolist(), parents.astype(np.int64)


def _some(space: SearchSpace, archs: Any) -> IntArray:
    C = space.canonical(space.parse(archs))
    if not len(C):
        raise InvalidInputError("The 'archs' of a distribution must be at least one architecture. Got none.")
    return C


@dataclass(frozen=True)
class OneAStep:
    """One subnet a step, which learns the labels, as NAT adapts its supernet.

    Parameters
    ----------
    draw : Distribution
    seed : int
    """

    draw: Distribution
    seed: int = 0

    def __call__(self, step: int) -> list[IntArray]:
        return [self.draw(np.random.default_rng((self.seed, step)))]


@dataclass(frozen=True)
class Taught:
    """A teacher, which learns the labels, others that learn its outputs in every step, and drawn ones that do so too.

    Parameters
    ----------
    always : (k, n_genes) int
        The teacher first: the largest architecture, as a rule. With the smallest after it, this is the sandwich of
        Yu et al. (2020), arXiv:2003.11142.
    draw : Distribution
    n : int, default=2
        Drawn a step.
    seed : int
    """

    always: Any
    draw: Distribution
    n: int = 2
    seed: int = 0

    def __call__(self, step: int) -> list[IntArray]:
        rng = np.random.default_rng((self.seed, step))
        return [*self.always, *(self.draw(rng) for _ in range(self.n))]
