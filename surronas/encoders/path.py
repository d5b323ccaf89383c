"""Which sequences of operations lead from input to output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.exceptions import InvalidInputError
from surronas.spaces import ArchGraph, SearchSpace
from surronas.spaces.base import IntArray

_SAMPLE = 4096


@register_encoder("path")
class Path(Encoder):
    """Path encoding: a column a sequence of operations, 1 where some path from input to output spells it.

    Parameters
    ----------
    space : SearchSpace, str or None, default=None
    max_features : int, default=500
        Only the sequences that are commonest in a sample of the space are kept (truncated path encoding).

    References
    ----------
    White et al. (2021), BANANAS, AAAI, arXiv:1910.11858.

    Examples
    --------
    >>> encoder = Path(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> paths = encoder.set_output(transform="pandas").transform([[3, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]])
    >>> paths["skip_connect"].tolist(), paths.sum(axis=1).tolist()
    ([1.0, 1.0], [1.0, 1.0])
    """

    def __init__(self, space: SearchSpace | str | None = None, max_features: int = 500) -> None:
        super().__init__(space)
        self.max_features = max_features

    def _fit(self, C: IntArray) -> None:
        if not isinstance(self.max_features, (int, np.integer)) or self.max_features < 1:
            raise InvalidInputError(
                f"The 'max_features' parameter of Path must be a positive int. Got {self.max_features!r} instead."
            )
        sample = self.space_.canonical(self.space_.sample(_SAMPLE, random_state=0, unique=False))
        graph = self.space_.graph(sample, on=None)
        rows, paths = _paths(graph)
        distinct = np.unique(np.column_stack([rows, paths]), axis=0)[:, 1:]
        spelled, counts = np.unique(distinct, axis=0, return_counts=True)
        lengths = (spelled >= 0).sum(axis=1)
        commonest = np.lexsort((lengths, -counts))[: self.max_features]
        self.paths_ = spelled[np.sort(commonest)]
        self._op_names = graph.op_names

    def _names(self) -> list[str]:
        return ["->".join(self._op_names[op] for op in path if op >= 0) or "(wire)" for path in self.paths_]

    def _encode(self, C: IntArray) -> NDArray[np.bool_]:
        rows, paths = _paths(self.space_.graph(C, on=None))
        known, column = np.unique(np.vstack([self.paths_, paths]), axis=0, return_inverse=True)
        column = column.ravel()
        place = np.full(len(known), -1)
        place[column[: len(self.paths_)]] = np.arange(len(self.paths_))
        place = place[column[len(self.paths_) :]]
        F = np.zeros((len(C), len(self.paths_)), dtype=bool)
        F[rows[place >= 0], place[place >= 0]] = True
        return F


def _paths(graph: ArchGraph) -> tuple[IntArray, NDArray[np.int16]]:
    """Every path of every graph: the graph's row (m,), and its operations (m, v), -1 after the last.

    Paths grow edge by edge for the whole batch at once.
    """
    n, v = graph.adjacency.shape[:2]
    labels = graph.ops if graph.on == "edges" else np.broadcast_to(graph.ops[:, None, :], (n, v, v))
    ending = [(np.arange(n), np.full((n, v), -1, dtype=np.int16))]
    for j in range(1, v):
        grown = []
        for i, (rows, paths) in enumerate(ending):
            through = graph.adjacency[rows, i, j]
            rows, paths = rows[through], paths[through]
            label = labels[rows, i, j]
            spells = np.flatnonzero(label >= 0)
            paths[spells, (paths[spells] >= 0).sum(axis=1)] = label[spells]
            grown.append((rows, paths))
        ending.append((np.concatenate([rows for rows, _ in grown]), np.concatenate([paths for _, paths in grown])))
    return ending[-1]
