"""NAS-Bench-201: cells of four nodes and six labelled edges."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces._cells import EDGES, draw, without_dead_edges
from surronas.spaces.base import Gene, IntArray, SearchSpace, as_integers
from surronas.spaces.block_names import Kind, name_blocks, read_block
from surronas.spaces.graph import ArchGraph

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_STEM, _REDUCTION = "stem-side:{}-in:{}-out:{}", "reduction-side:{}-in:{}-out:{}"
_HEAD = "head-side:{}-in:{}-classes:{}"
_ON_EDGES = {f"{op}-side:{{}}-channels:{{}}": op for op in OPS[2:]}
NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
NASLIB_OPS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")

_TO_NASLIB_SLOT = [EDGES.index(edge) for edge in NASLIB_EDGES]
_TO_NASLIB_OP = np.array([NASLIB_OPS.index(op) for op in OPS])
_TOKEN = re.compile(r"([a-z0-9_]+)~(\d)")


@register_space("nasbench201")
class NASBench201(SearchSpace):
    """15,625 cells: four nodes, an operation on each of the six edges (Dong and Yang, 2020, arXiv:2001.00326).

    Genes run in the order of the official string, edges (0,1) (0,2) (1,2) (0,3) (1,3) (2,3). ``parse``
    reads official strings; NASLib's tuples, whose slots 3 and 4 are swapped and whose operations are
    numbered otherwise, come and go by ``from_naslib`` and ``to_naslib``.

    Examples
    --------
    >>> space = NASBench201()
    >>> X = space.parse(["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"])
    >>> X
    array([[3, 0, 0, 1, 0, 4]])
    >>> space.canonical(X)  # only the skip connection joins input and output
    array([[0, 0, 0, 1, 0, 0]])
    """

    name = "nasbench201"
    genes = tuple(Gene(f"op_{i}_{j}", OPS) for i, j in EDGES)

    def parse_one(self, arch: Any) -> Sequence[int]:
        if not isinstance(arch, str):
            raise InvalidInputError(f"an official string was expected, not a {type(arch).__name__}")
        if arch.lstrip().startswith("("):
            return list(self.from_naslib([ast.literal_eval(arch)])[0].tolist())
        tokens = _TOKEN.findall(arch)
        rebuilt = "+".join("|" + "".join(f"{op}~{i}|" for op, i in tokens[a:b]) for a, b in ((0, 1), (1, 3), (3, 6)))
        if len(tokens) != 6 or rebuilt != arch.strip() or [int(i) for _, i in tokens] != [i for i, _ in EDGES]:
            raise InvalidInputError("it is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")
        for op, _ in tokens:
            if op not in OPS:
                raise InvalidInputError(f"{op!r} is none of {', '.join(OPS)}")
        return [OPS.index(op) for op, _ in tokens]

    def format(self, X: Any) -> list[str]:
        names = np.array(OPS, dtype=object)[self.parse(X)]
        return ["|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*row) for row in names]

    def from_naslib(self, tuples: Any) -> IntArray:
        """NASLib's op tuples, (n, 6) codes 0 skip, 1 none, 2 conv3x3, 3 conv1x1, 4 pool -> genotypes."""
        codes = self._check_genotypes(as_integers(tuples))
        X = np.empty_like(codes)
        X[:, _TO_NASLIB_SLOT] = np.argsort(_TO_NASLIB_OP)[codes]
        return X

    def to_naslib(self, X: Any) -> IntArray:
        """Genotypes -> NASLib's op tuples, (n, 6)."""
        return np.asarray(_TO_NASLIB_OP[self.parse(X)][:, _TO_NASLIB_SLOT])

    def prune(self, X: IntArray) -> IntArray:
        """Set to ``none`` every edge that no path from input to output uses."""
        return without_dead_edges(X)

    def key(self, X: Any) -> IntArray:
        """Isomorphism classes, those of the official ``UniqueString``: 6,466 in all.

        The official classes tell cells apart that feed a constant through different operations (a
        convolution of zeros), so 85 of the 9,445 canonical forms belong to more than one class.
        """
        return np.asarray(_official_classes()[self.rank(self.parse(X))])

    def isomorphs(self, C: Any) -> tuple[IntArray, IntArray]:
        group_of, members, starts = _functions()
        group = group_of[self.rank(self.parse(C))]
        counts = np.diff(starts)[group]
        rows = np.repeat(np.arange(len(group)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return members[starts[group][rows] + within], rows

    def enumerate(self) -> IntArray:
        """All 15,625 genotypes; the row is the official index of NAS-Bench-201 and NATS-Bench."""
        X = super().enumerate()
        order = list(range(len(X)))
        random.Random(88).shuffle(order)  # the benchmark's authors numbered the cells by this shuffle
        return X[order]

    def graph_of(self, C: IntArray) -> ArchGraph:
        return draw(C, OPS[1:])

    def network_of(  # type: ignore[override]
        self,
        c: IntArray,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        channels: int = 16,
        cells: int = 5,
    ) -> Network:
        from surronas.spaces.networks.resnet_cells import build

        widths = [channels * 2**stage for stage in range(3)]
        stages = [[width] * cells for width in widths]
        return build([OPS[code] for code in c], stages, widths[1:], num_classes, in_channels, resolution)

    def blocks(
        self, X: Any, num_classes: int = 10, resolution: int = 32, channels: int = 16, cells: int = 5
    ) -> tuple[list[str], IntArray]:
        """What a latency look-up table adds up: the parts of each network by name, as ``block`` builds them.

        Skip connections are none: they take no time of their own.

        Returns
        -------
        names : list of str
            The different parts of all the networks.
        index : (n, 4 + 54 cells) int64
            Stem, reductions, head, and the operations of all cells; -1 where there is none.
        """
        C = self.canonical(self.parse(X))
        once = np.ones((len(C), 1), dtype=bool)
        widths, sides = channels * 2 ** np.arange(3), resolution // 2 ** np.arange(3)
        by_edge = [np.repeat(each, cells * len(EDGES)) for each in (sides, widths)]
        kinds: list[Kind] = [
            (_STEM, once, (resolution, 3, channels)),
            (_REDUCTION, once.repeat(2, axis=1), (sides[:-1], widths[:-1], widths[1:])),
            (_HEAD, once, (sides[-1], widths[-1], num_classes)),
        ]
        kinds += [(form, np.tile(C == OPS.index(op), 3 * cells), by_edge) for form, op in _ON_EDGES.items()]
        return name_blocks(kinds)

    @staticmethod
    def block(name: str) -> tuple[Any, tuple[int, int, int]]:
        """(torch.nn.Module, (channels, height, width) of what it reads): the part of that name, freshly initialised."""
        from surronas.spaces.networks.resnet_cells import head, operation, reduction, stem

        form, (side, c_in, *others) = read_block(name, (_STEM, _REDUCTION, _HEAD, *_ON_EDGES))
        if form in _ON_EDGES:
            return operation(_ON_EDGES[form], c_in, c_in, 1), (c_in, side, side)
        return {_STEM: stem, _REDUCTION: reduction, _HEAD: head}[form](c_in, *others), (c_in, side, side)

    def cost(  # type: ignore[override]
        self, X: Any, num_classes: int = 10, resolution: int = 32, channels: int = 16, cells: int = 5
    ) -> pd.DataFrame:
        """Parameters, multiply-adds and published FLOPs of the network of pruned cells.

        The network: a 3x3 stem, three stages of ``cells`` cells with ``channels``, twice and four times as
        many channels, a residual block that halves the resolution between stages, pooling, a linear layer.

        Returns
        -------
        DataFrame of int64
            ``params``; ``madds``, those of convolutions and classifier; ``flops``, the count that NASLib and
            NAS-Bench-Suite-Zero publish: ``madds`` and, an element, 1 for a ReLU, 2 for a batch normalisation and
            the window's size for an average pooling. The global pooling of a map of r x r counts as (r + 1)^2.
        """
        C = self.canonical(X)
        n1, n3, n_pool = ((C == OPS.index(op)).sum(axis=1) for op in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
        widths = channels * 2 ** np.arange(3)
        sides = resolution // 2 ** np.arange(3)
        areas = sides**2
        sizes = widths * areas
        weights = n1 + 9 * n3
        params = cells * (weights * (widths**2).sum() + (n1 + n3) * 2 * widths.sum())
        stem = 27 * channels
        residual = 9 * widths[:-1] * widths[1:] + 9 * widths[1:] ** 2 + widths[:-1] * widths[1:]
        norms = 2 * channels + 4 * widths[1:].sum() + 2 * widths[-1]
        head = widths[-1] * num_classes
        madds = cells * weights * (widths**2 * areas).sum() + stem * areas[0] + (residual * areas[1:]).sum() + head
        in_cells = cells * sizes.sum() * (3 * (n1 + n3) + 9 * n_pool)
        # ReLU of a residual block's input, 2x2 pooling of it, then two batch normalisations and a ReLU
        in_residuals = sizes[:-1].sum() + (4 * widths[:-1] * areas[1:]).sum() + 5 * sizes[1:].sum()
        around = 2 * sizes[0] + 3 * sizes[-1] + widths[-1] * (sides[-1] + 1) ** 2
        return pd.DataFrame(
            {
                "params": params + stem + residual.sum() + norms + head + num_classes,
                "madds": madds,
                "flops": madds + in_cells + in_residuals + around,
            }
        )


@cache
def _official_classes() -> IntArray:
    """(15625,) official class of each genotype by its rank."""
    names = ["+".join(_output(row, keep_zeros=True)) for row in SearchSpace.enumerate(NASBench201()).tolist()]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


@cache
def _functions() -> tuple[IntArray, IntArray, IntArray]:
    """Which function each genotype computes by its rank, canonical genotypes by function, where each starts.

    Coarser than the official classes, which keep apart what differs in a sum with nothing.
    """
    space = NASBench201()
    X = SearchSpace.enumerate(space)
    C, canonical = np.unique(space.prune(X), axis=0, return_inverse=True)
    names = ["+".join(_output(row, keep_zeros=False)) for row in C.tolist()]
    _, function, counts = np.unique(names, return_inverse=True, return_counts=True)
    function_of = np.empty(len(X), dtype=np.int64)
    function_of[space.rank(X)] = function[canonical.reshape(-1)]
    return function_of, C[np.argsort(function, kind="stable")], np.r_[0, np.cumsum(counts)]


def _output(row: list[int], keep_zeros: bool) -> tuple[str, ...]:
    """The sorted terms of the output node's sum; a skip connection passes on the sum it starts from."""
    nodes: list[tuple[str, ...]] = [("0",)]
    for first, last in ((0, 1), (1, 3), (3, 6)):
        terms: list[str] = []
        for node, op in zip(nodes, row[first:last], strict=True):
            if op == 0 or node in ((), ("#",)):
                terms += ["#"] if keep_zeros else []
            elif op == 1:
                terms += ["+".join(node)] if keep_zeros else node
            else:
                terms.append(f"({'+'.join(node)})@{OPS[op]}")
        nodes.append(tuple(sorted(terms)))
    return nodes[-1]
