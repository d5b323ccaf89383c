"""Neural graph features: paths and degrees over subsets of operations."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder, FloatArray
from surronas.spaces import ArchGraph
from surronas.spaces.base import IntArray

_SAMPLE = 4096


@register_encoder("graph_features")
class GraphFeatures(Encoder):
    """Interpretable features of any labelled DAG, operations on nodes or on edges.

    For sets O of operations: the fewest operations on a path from input to output that uses O alone, the
    most operations from O on any path; the degrees over each operation of the input, the output and, on
    average, the nodes between; how often each operation occurs. All sets O are used up to five operations,
    pairs and their complements up to twelve, single operations beyond.

    Columns that are linear in earlier ones on a sample of the space say nothing new and are left out.

    References
    ----------
    Kadlecová et al. (2024), Surprisingly strong performance prediction with neural graph features, ICML.

    Examples
    --------
    >>> encoder = GraphFeatures(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> features = encoder.set_output(transform="pandas").transform([[3, 3, 0, 1, 0, 3]])
    >>> features["longest[nor_conv_3x3]"].item()
    2.0
    """

    def _fit(self, C: IntArray) -> None:
        sample = self.space_.canonical(self.space_.sample(_SAMPLE, random_state=0, unique=False))
        everything, names = _features(self._graph(sample))
        self.columns_ = _independent(everything)
        self._kept = [names[i] for i in self.columns_]

    def _names(self) -> list[str]:
        return self._kept

    def _encode(self, C: IntArray) -> FloatArray:
        return _features(self._graph(C))[0][:, self.columns_]

    def _graph(self, C: IntArray) -> ArchGraph:
        return self.space_.graph(C, on=None)


def _features(graph: ArchGraph) -> tuple[FloatArray, list[str]]:
    """All features (n, d) of a batch and their names."""
    n, v = graph.adjacency.shape[:2]
    k = len(graph.op_names)
    sets = _operation_sets(k)
    # Operations on nodes are read off the edges that enter them, so one algorithm serves both.
    labels = graph.ops if graph.on == "edges" else np.broadcast_to(graph.ops[:, None, :], (n, v, v))
    labels = np.where(labels < 0, k, labels)
    member = np.zeros((len(sets), k + 1), dtype=np.float32)
    for row, chosen in enumerate(sets):
        member[row, list(chosen)] = 1
    step = np.where(member > 0, np.float32(1), np.float32(np.inf))
    step[:, k] = 0  # entering a node without operation, such as the output, is free

    far = np.float32(v)
    shortest = np.full((v, n, len(sets)), np.inf, dtype=np.float32)
    longest = np.full((v, n, len(sets)), -np.inf, dtype=np.float32)
    shortest[0] = longest[0] = 0
    for j in range(1, v):
        for i in range(j):
            rows = np.flatnonzero(graph.adjacency[:, i, j])
            if not len(rows):
                continue
            label = labels[rows, i, j]
            shortest[j, rows] = np.minimum(shortest[j, rows], shortest[i, rows] + step.T[label])
            longest[j, rows] = np.maximum(longest[j, rows], longest[i, rows] + member.T[label])

    uses = np.stack([(labels == op) & graph.adjacency for op in range(k)], axis=-1)
    occurs = uses if graph.on == "edges" else (graph.ops[:, :, None, None] == np.arange(k)) & True
    tags = ["+".join(graph.op_names[op] for op in chosen) for chosen in sets]
    inner = slice(1, v - 1)
    columns: list[tuple[str, list[str], NDArray[Any]]] = [
        ("count", list(graph.op_names), occurs.sum(axis=(1, 2))),
        ("input_degree", list(graph.op_names), uses[:, 0].sum(axis=1)),
        ("output_degree", list(graph.op_names), _entering(graph, uses)),
        ("in_degree", list(graph.op_names), uses[:, :, inner].sum(axis=(1, 2)) / max(v - 2, 1)),
        ("out_degree", list(graph.op_names), uses[:, inner].sum(axis=(1, 2)) / max(v - 2, 1)),
        ("shortest", tags, np.minimum(shortest[-1], far)),
        ("longest", tags, np.maximum(longest[-1], -1)),
    ]
    names = [f"{kind}[{tag}]" for kind, its_tags, _ in columns for tag in its_tags]
    return np.hstack([values.astype(np.float64) for _, _, values in columns]), names


def _entering(graph: ArchGraph, uses: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, k) how many operations of each kind feed the output."""
    if graph.on == "edges":
        return np.asarray(uses[:, :, -1].sum(axis=1))
    feeds = graph.adjacency[:, :, -1]
    return np.stack([(feeds & (graph.ops == op)).sum(axis=1) for op in range(len(graph.op_names))], axis=1)


def _operation_sets(k: int) -> list[tuple[int, ...]]:
    sizes = range(1, k + 1) if k <= 5 else [s for s in (1, 2, k - 2, k - 1, k) if k <= 12 or s == 1]
    return [chosen for size in sizes for chosen in combinations(range(k), size)]


def _independent(F: FloatArray, tolerance: float = 1e-6) -> list[int]:
    """Indices of the columns that are not linear in a constant and the kept columns before them."""
    basis = np.full((len(F), 1), 1 / np.sqrt(len(F)))
    kept: list[int] = []
    for i, column in enumerate(F.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)  # twice is enough against cancellation
        norm = float(np.linalg.norm(rest))
        if norm > tolerance * max(float(np.linalg.norm(column)), 1e-300):
            basis = np.hstack([basis, rest[:, None] / norm])
            kept.append(i)
    return kept
