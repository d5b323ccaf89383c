"""Search spaces: tuples of categorical genes that describe themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import count
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.exceptions import InvalidInputError, SurronasError
from surronas.spaces.gene import Gene
from surronas.spaces.graph import ArchGraph
from surronas.spaces.reading import IntArray, as_integers, assignment, from_assignments, short

__all__ = ["Gene", "IntArray", "RandomState", "SearchSpace", "as_integers"]

RandomState = int | np.random.RandomState | None

_ENUMERABLE = 2_000_000
_UNREADABLE = (
    *(ValueError, TypeError, LookupError, AttributeError, SyntaxError, ArithmeticError),
    *(RecursionError, MemoryError),  # of Python's parser, on what is nested too deeply
)


class SearchSpace:
    """A search space: categorical genes, a canonical form, an isomorphism key and a graph.

    A subclass declares ``genes`` and overrides what its space adds: ``parse_one`` and ``format`` for its
    notations, ``prune`` for parts that cannot influence the output, ``key`` for isomorphism, ``graph_of``
    for the architecture's graph, ``cost`` for its analytic cost. Sampling, enumeration, neighbours,
    validation and error texts are the same for all spaces and live here.

    Parameters
    ----------
    genes : sequence of Gene, optional
        For a plain space of one's own; subclasses set the class attribute instead.

    Examples
    --------
    >>> space = SearchSpace([Gene("kernel", (3, 5, 7)), Gene("skip", (False, True))])
    >>> space.size
    6
    >>> space.parse([{"kernel": 5, "skip": True}])
    array([[1, 1]])
    >>> space.format([[1, 1]])
    ['kernel=5 skip=True']
    """

    name: str = "categorical"
    genes: tuple[Gene, ...] = ()
    rule: str = ""
    """What ``is_valid`` demands, for error messages."""

    def __init__(self, genes: Sequence[Gene] | None = None) -> None:
        if genes is not None:
            self.genes = tuple(genes)
        seen: set[str] = set()
        for gene in self.genes:
            if gene.name in seen:
                raise InvalidInputError(f"The gene name {gene.name!r} appears twice.")
            unknown = set(gene.active_if) - seen
            if unknown:
                raise InvalidInputError(
                    f"The 'active_if' of gene {gene.name!r} must name earlier genes. Got {sorted(unknown)!r}."
                )
            seen.add(gene.name)
        for gene in self.genes:
            for parent, allowed in gene.active_if.items():
                foreign = [c for c in allowed if c not in self._gene(parent).choices]
                if foreign or not allowed:
                    raise InvalidInputError(
                        f"The 'active_if' of gene {gene.name!r} must allow choices of gene {parent!r}, which has "
                        f"{self._gene(parent).choices!r}. Got {allowed!r}."
                    )
        if not self.genes:
            raise InvalidInputError("A search space must have at least one gene. Got none.")

    @classmethod
    def from_array(cls, X: Any) -> SearchSpace:
        """The plain categorical space an integer array spans: gene ``i`` has ``max(X[:, i]) + 1`` choices.

        The columns of a DataFrame name the genes.
        """
        names = map(str, X.columns) if isinstance(X, pd.DataFrame) else map("x{}".format, count())
        X = as_integers(X)
        if X.ndim != 2 or 0 in X.shape:
            raise InvalidInputError(f"The 'archs' must be a non-empty (n, n_genes) integer array. Got shape {X.shape}.")
        bad = np.argwhere((X < 0) | (X > 4095))
        if len(bad):
            row, gene = bad[0]
            raise InvalidInputError(
                f"The 'archs' must hold integers from 0 to 4095 when no space is given. "
                f"Got {X[row, gene]} in row {row}, gene {gene}; declare the genes for other values."
            )
        tops = X.max(axis=0).tolist()
        return SearchSpace([Gene(name, tuple(range(top + 1))) for name, top in zip(names, tops, strict=False)])

    # -- genes ---------------------------------------------------------------------------------

    def _gene(self, name: str) -> Gene:
        return self.genes[self.gene_names.index(name)]

    @cached_property
    def gene_names(self) -> list[str]:
        return [gene.name for gene in self.genes]

    @property
    def n_genes(self) -> int:
        return len(self.genes)

    @cached_property
    def n_choices(self) -> IntArray:
        """(n_genes,) the number of choices of each gene."""
        return np.array([len(gene.choices) for gene in self.genes], dtype=np.int64)

    @cached_property
    def size(self) -> int | None:
        """How many genotypes differ in an active gene; None where that cannot be counted."""
        parents = [i for i, name in enumerate(self.gene_names) if any(name in gene.active_if for gene in self.genes)]
        if not parents:
            return int(prod(self.n_choices.tolist()))
        if prod(self.n_choices[parents].tolist()) > _ENUMERABLE:
            return None
        combos = _grid(self.n_choices[parents])
        X = np.zeros((len(combos), self.n_genes), dtype=np.int64)
        X[:, parents] = combos
        active = self.active(X)
        distinct = (active[:, parents] | (combos == 0)).all(axis=1)
        free = np.setdiff1d(np.arange(self.n_genes), parents)
        counts = np.where(active[:, free], self.n_choices[free], 1)[distinct]
        return int(sum(prod(row) for row in counts.tolist()))

    def active(self, X: Any) -> NDArray[np.bool_]:
        """(n, n_genes) bool: which genes are expressed."""
        X = np.asarray(X)
        active = np.ones(X.shape, dtype=bool)
        for i, j, allowed in self._conditions:
            active[:, i] &= active[:, j] & allowed[X[:, j]]
        return active

    @cached_property
    def _conditions(self) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """(gene, parent, which choices of the parent allow it)."""
        place = {name: j for j, name in enumerate(self.gene_names)}
        return [
            (i, place[parent], np.array([choice in allowed for choice in self.genes[place[parent]].choices]))
            for i, gene in enumerate(self.genes)
            for parent, allowed in gene.active_if.items()
        ]

    def is_valid(self, X: IntArray) -> NDArray[np.bool_]:
        """(n,) bool: False for genotypes that are no architecture of the space although each gene is in range."""
        return np.ones(len(X), dtype=bool)

    # -- reading and writing -------------------------------------------------------------------

    def parse(self, archs: Any) -> IntArray:
        """Read architectures in any form the space knows.

        Parameters
        ----------
        archs : (n, n_genes) integer array, or n architectures
            Each architecture is a genotype, a dict of gene values, or what ``parse_one`` of the space reads.
            A DataFrame has one column a gene and holds choices.

        Returns
        -------
        (n, n_genes) int64

        Raises
        ------
        InvalidInputError
            Naming the row and the gene.
        """
        if isinstance(archs, pd.DataFrame):
            archs = archs.rename(columns=str).to_dict("records")
        if isinstance(archs, (str, bytes, Mapping)) or not isinstance(archs, Iterable):
            raise InvalidInputError(f"The 'archs' must be a sequence of architectures. Got one {type(archs).__name__}.")
        if isinstance(archs, np.ndarray) and archs.ndim == 0:
            raise InvalidInputError(f"The 'archs' must be a sequence of architectures. Got the array {short(archs)}.")
        if not isinstance(archs, np.ndarray):
            archs = list(archs)
            simple = all(isinstance(a, (tuple, list, np.ndarray)) and len(a) == self.n_genes for a in archs)
            if not (archs and simple and all(isinstance(v, (int, np.integer)) for a in archs for v in a)):
                archs = np.array([self._parse_row(i, a) for i, a in enumerate(archs)]).reshape(-1, self.n_genes)
        elif archs.ndim == 1 or archs.dtype.kind in "UST":
            archs = np.array([self._parse_row(i, a) for i, a in enumerate(archs)]).reshape(-1, self.n_genes)
        return self._check_genotypes(as_integers(archs))

    def _parse_row(self, row: int, arch: Any) -> Sequence[int]:
        try:
            if isinstance(arch, Mapping):
                return self._parse_dict(arch)
            if isinstance(arch, (tuple, list, np.ndarray)) and all(isinstance(v, (int, np.integer)) for v in arch):
                codes = [int(v) for v in arch]
                return codes if len(codes) == self.n_genes else self.parse_codes(codes)
            return self.parse_one(arch)
        except _UNREADABLE as error:
            raise InvalidInputError(
                f"The 'archs' must be architectures of the space {self.name!r}. Row {row} does not parse: "
                f"{str(error).rstrip('.')}. Got {short(arch)}."
            ) from error

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        foreign = [name for name in arch if name not in self.gene_names]
        if foreign:
            raise InvalidInputError(f"there is no gene {foreign[0]!r}")
        codes = []
        for gene in self.genes:
            value = arch.get(gene.name)
            unset = value is None or (isinstance(value, float) and np.isnan(value))
            if unset and (gene.active_if or None in gene.choices):
                codes.append(gene.choices.index(None) if None in gene.choices else 0)
            elif unset:
                raise InvalidInputError(f"the gene {gene.name!r} is missing")
            elif value not in gene.choices:
                raise InvalidInputError(f"the gene {gene.name!r} must be one of {gene.choices!r}, not {value!r}")
            else:
                codes.append(gene.choices.index(value))
        return codes

    def parse_one(self, arch: Any) -> Sequence[int]:
        """One architecture in the space's own notation -> its genotype. Errors need not name the row."""
        if isinstance(arch, str):
            return self._parse_dict(from_assignments(arch, self.genes))
        raise InvalidInputError(f"a {type(arch).__name__} is none of the forms this space reads")

    def parse_codes(self, codes: Sequence[int]) -> Sequence[int]:
        """Integers that are no genotype, in another numbering the field uses -> the genotype; by default refused."""
        raise InvalidInputError(f"{self.n_genes} genes were expected, {len(codes)} came")

    def format(self, X: Any) -> list[str]:
        """The architectures in the space's customary notation; ``parse`` reads it back."""
        X = self._check_genotypes(as_integers(X))
        active = self.active(X)
        return [
            " ".join(assignment(gene, code) for gene, code, on in zip(self.genes, row, mask, strict=True) if on)
            for row, mask in zip(X.tolist(), active.tolist(), strict=True)
        ]

    def _check_genotypes(self, X: IntArray) -> IntArray:
        if X.ndim != 2 or X.shape[1] != self.n_genes:
            raise InvalidInputError(
                f"The 'archs' must have shape (n, {self.n_genes}), one column a gene of the space {self.name!r}. "
                f"Got shape {X.shape}."
            )
        bad = np.argwhere((X < 0) | (X >= self.n_choices))
        if len(bad):
            row, gene = bad[0]
            raise InvalidInputError(
                f"The 'archs' must hold choices from 0 to {self.n_choices[gene] - 1} for gene "
                f"{self.genes[gene].name!r} (gene {gene}). Got {X[row, gene]} in row {row}."
            )
        invalid = np.flatnonzero(~self.is_valid(X))
        if len(invalid):
            raise InvalidInputError(
                f"The 'archs' must be architectures of the space {self.name!r}. "
                f"Got {X[invalid[0]].tolist()} in row {invalid[0]}, which is none{': ' * bool(self.rule)}{self.rule}."
            )
        return X

    # -- forms ---------------------------------------------------------------------------------

    def canonical(self, X: Any) -> IntArray:
        """Set inactive genes to 0 and remove what cannot influence the output. Idempotent."""
        X = self._check_genotypes(as_integers(X))
        return self.prune(np.where(self.active(X), X, 0))

    def prune(self, X: IntArray) -> IntArray:
        """Canonical form of genotypes whose inactive genes are 0 already; a space with dead parts overrides it."""
        return X

    def key(self, X: Any) -> NDArray[Any]:
        """(n,) array, equal for isomorphic architectures and only for them."""
        return self.rank(self.canonical(X))

    def rank(self, X: IntArray) -> NDArray[Any]:
        """(n,) array, equal for equal genotypes and only for them."""
        if prod(self.n_choices.tolist()) < 2**62:
            radix = np.cumprod(np.r_[1, self.n_choices[::-1]])[:-1][::-1]
            return np.asarray(X @ radix)
        return np.array([row.tobytes().hex() for row in X.astype(np.int16)])

    def isomorphs(self, C: Any) -> tuple[IntArray, IntArray]:
        """All canonical genotypes isomorphic to each of n canonical ones.

        A space whose canonical form does not yet make isomorphic architectures equal overrides it;
        features are averaged over them, so that isomorphic architectures are predicted the same.

        Returns
        -------
        members : (m, n_genes) int64, m >= n
        rows : (m,) int64, ascending
            The row of C each member belongs to.
        """
        return np.asarray(C), np.arange(len(C))

    def representatives(self, C: Any) -> IntArray:
        """(n, n_genes) for each canonical genotype the first one isomorphic to it."""
        members, rows = self.isomorphs(C)
        return members[np.searchsorted(rows, np.arange(len(C)))]

    # -- drawing -------------------------------------------------------------------------------

    def sample(self, n: int, random_state: RandomState = None, unique: bool = True) -> IntArray:
        """Draw genotypes uniformly, gene by gene.

        Parameters
        ----------
        n : int
        random_state : int, RandomState or None
        unique : bool, default=True
            No two of them isomorphic.

        Returns
        -------
        (n, n_genes) int64

        Raises
        ------
        InvalidInputError
            When the space has fewer than n different architectures.
        """
        if not isinstance(n, (int, np.integer)) or not 0 <= n < 2**31:
            raise InvalidInputError(
                f"The 'n' parameter of sample must be a non-negative int below 2^31. Got {n!r} instead."
            )
        rng = check_random_state(random_state)
        kept = np.empty((0, self.n_genes), dtype=np.int64)
        for _ in range(0 if unique and self.size is not None and n > self.size else 20):
            X = rng.randint(0, self.n_choices, size=(max(n, 16) * 2, self.n_genes)).astype(np.int64)
            X = np.where(self.active(X), X, 0)
            kept = np.concatenate([kept, X[self.is_valid(X)]])
            kept = self.unique(kept) if unique else kept
            if len(kept) >= n:
                return kept[:n]
        if self.size is not None and self.size <= _ENUMERABLE:
            everything = self.enumerate()
            kept = self.unique(np.concatenate([kept, everything[rng.permutation(len(everything))]]))
            if len(kept) >= n:
                return kept[:n]
            found = "the number of different architectures"
        else:
            found = "as many different architectures as were found"
        raise InvalidInputError(
            f"The 'n' parameter of sample must be at most {len(kept)}, {found} of the space {self.name!r}. "
            f"Got {n} instead."
        )

    def unique(self, X: IntArray) -> IntArray:
        """The genotypes without those isomorphic to an earlier one, in their order."""
        _, first = np.unique(self.key(X), return_index=True)
        return X[np.sort(first)]

    def enumerate(self) -> IntArray:
        """Every genotype of the space, inactive genes 0; in official index order where there is one."""
        if self.size is None or self.size > _ENUMERABLE:
            raise InvalidInputError(
                f"The space {self.name!r} has {self.size or 'uncountably many'} genotypes, too many to enumerate."
            )
        X = np.zeros((1, self.n_genes), dtype=np.int64)
        for i in range(self.n_genes):
            on = self.active(X)[:, i]
            repeats = np.where(on, self.n_choices[i], 1)
            X = np.repeat(X, repeats, axis=0)
            starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
            X[:, i] = np.arange(len(X)) - starts
        return X[self.is_valid(X)]

    def neighbours(self, x: Any) -> IntArray:
        """(m, n_genes) all genotypes that differ from x in one active gene."""
        X = self.parse([x])
        X = np.where(self.active(X), X, 0)
        rows = []
        for i in np.flatnonzero(self.active(X)[0]):
            others = np.repeat(X, self.n_choices[i] - 1, axis=0)
            others[:, i] = np.delete(np.arange(self.n_choices[i]), X[0, i])
            rows.append(others)
        Y = np.concatenate(rows)
        Y = np.where(self.active(Y), Y, 0)
        return Y[self.is_valid(Y)]

    def smallest(self) -> IntArray:
        """(n_genes,) the genotype of least cost."""
        return self._extreme(np.zeros(self.n_genes, dtype=np.int64))

    def largest(self) -> IntArray:
        """(n_genes,) the genotype of greatest cost."""
        return self._extreme(self.n_choices - 1)

    def _extreme(self, x: IntArray) -> IntArray:
        unordered = [gene.name for gene in self.genes if not gene.ordered]
        if unordered:
            raise SurronasError(
                f"The space {self.name!r} has no smallest and largest architecture: "
                f"gene {unordered[0]!r} is not declared as ordered."
            )
        return np.asarray(np.where(self.active(x[None]), x, 0)[0])

    # -- graph, cost, network ------------------------------------------------------------------

    def graph(self, X: Any, on: str | None = "nodes") -> ArchGraph:
        """The canonical architectures as labelled DAGs.

        Parameters
        ----------
        X : (n, n_genes) int array
        on : {"nodes", None}
            Where operations sit: on nodes, or (None) wherever the space's authors put them.
        """
        graph = self.graph_of(self.canonical(X))
        return graph.on_nodes() if on == "nodes" else graph

    def graph_of(self, C: IntArray) -> ArchGraph:
        """Graphs of canonical genotypes; by default the chain of the active genes' choices."""
        names = [f"{gene.name}={choice}" for gene in self.genes for choice in gene.choices]
        offsets = np.cumsum(np.r_[0, self.n_choices[:-1]])
        return ArchGraph.chain(C + offsets, self.active(C), names)

    @property
    def has_graph(self) -> bool:
        """Whether the space draws its architectures as graphs; else they are chains of genes."""
        return type(self).graph_of is not SearchSpace.graph_of

    @property
    def has_cost(self) -> bool:
        """Whether ``cost`` is defined."""
        return type(self).cost is not SearchSpace.cost

    def cost(self, X: Any, **network_options: Any) -> pd.DataFrame:
        """Analytic cost of the networks: columns ``params`` and ``madds`` (multiply-adds), absolute counts."""
        raise SurronasError(f"The space {self.name!r} defines no networks, so it has no analytic cost.")

    def build(self, x: Any, **network_options: Any) -> Any:
        """The network of one architecture, freshly initialised.

        Parameters
        ----------
        x : (n_genes,) int, or what else ``parse`` reads
            Its canonical form is built.
        **network_options
            ``num_classes``, ``in_channels`` (3), ``resolution`` (side of the images that it is for), and those that
            ``cost`` takes.

        Returns
        -------
        torch.nn.Module
            (n, in_channels, r, r) float -> (n, num_classes) logits. Its ``features`` give the last feature map, its
            ``classifier`` is the linear layer, ``resolution`` is r.

        Raises
        ------
        InvalidInputError
        SurronasError
            When the space defines no networks.
        """
        for name, value in network_options.items():
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                continue
            if value < 1:
                raise InvalidInputError(f"The '{name}' parameter of build must be at least 1. Got {value}.")
        return self.network_of(self.canonical(self.parse([x]))[0], **network_options)

    def network_of(self, c: IntArray, **network_options: Any) -> Any:
        """The network of a canonical genotype, what ``build`` returns."""
        raise SurronasError(f"The space {self.name!r} defines no networks to build.")

    @property
    def has_network(self) -> bool:
        """Whether ``build`` is defined."""
        return type(self).network_of is not SearchSpace.network_of or type(self).build is not SearchSpace.build

    # -- identity ------------------------------------------------------------------------------

    def to_spec(self) -> dict[str, Any]:
        """JSON-able description: a registered space is its name, a plain one its genes."""
        if type(self) is not SearchSpace:
            return {"name": self.name}
        return {
            "genes": [
                {
                    "name": g.name,
                    "choices": [c.item() if isinstance(c, np.generic) else c for c in g.choices],
                    "active_if": {k: list(v) for k, v in g.active_if.items()},
                    "ordered": g.ordered,
                }
                for g in self.genes
            ]
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace) or (self.name, self.genes) != (other.name, other.genes):
            return False
        return self is other or self.to_spec() == other.to_spec()

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.gene_names), tuple(self.n_choices.tolist())))

    def __repr__(self) -> str:
        size = "" if self.size is None else f", size={self.size:,}"
        return f"<SearchSpace {self.name!r}: {self.n_genes} genes{size}>"


def _grid(n_choices: IntArray) -> IntArray:
    axes = np.meshgrid(*(np.arange(n) for n in n_choices), indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)
