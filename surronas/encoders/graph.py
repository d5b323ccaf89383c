"""The architecture's graph itself, flattened: adjacency and operations."""

from __future__ import annotations

import numpy as np

from surronas.encoders import register_encoder
from surronas.encoders.base import Blocks, Encoder, FloatArray
from surronas.spaces.base import IntArray


@register_encoder("graph")
class Graph(Encoder):
    """Adjacency matrix (v, v) and one-hot operations (v, k) of the DAG with operations on nodes, side by side.

    The k labels of a node are the space's operations, input and output; the row of an absent node is all 0.
    A predictor given ``blocks_`` can rebuild the graph; to any other these are binary features.

    Examples
    --------
    >>> encoder = Graph(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> encoder.blocks_
    (('adjacency', (8, 8)), ('ops', (8, 6)))
    >>> features = encoder.set_output(transform="pandas").transform([[3, 0, 0, 1, 0, 4]])
    >>> features["ops[4]=skip_connect"].item()
    1.0
    """

    additive = False

    def _fit(self, C: IntArray) -> None:
        graph = self.space_.graph(C[:1])
        self.n_nodes_ = graph.adjacency.shape[1]
        self.labels_ = (*graph.op_names, "input", "output")

    def _blocks(self) -> Blocks:
        v = self.n_nodes_
        return (("adjacency", (v, v)), ("ops", (v, len(self.labels_))))

    def _names(self) -> list[str]:
        nodes = range(self.n_nodes_)
        return [f"adjacency[{i},{j}]" for i in nodes for j in nodes] + [
            f"ops[{i}]={label}" for i in nodes for label in self.labels_
        ]

    def _encode(self, C: IntArray) -> FloatArray:
        graph = self.space_.graph(C)
        n, v = graph.ops.shape
        k = len(self.labels_)
        labels = graph.ops.copy()
        labels[:, 0], labels[:, -1] = k - 2, k - 1
        one_hot = labels[:, :, None] == np.arange(k)
        return np.hstack([graph.adjacency.reshape(n, v * v), one_hot.reshape(n, v * k)]).astype(np.float64)
