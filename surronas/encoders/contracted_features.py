"""Neural graph features of what an architecture computes: identity operations are wires."""

from __future__ import annotations

from surronas.encoders import register_encoder
from surronas.encoders.graph_features import GraphFeatures
from surronas.spaces import ArchGraph
from surronas.spaces.base import IntArray


@register_encoder("contracted_features")
class ContractedFeatures(GraphFeatures):
    """``graph_features`` of the graph in which every identity operation (a skip connection) is a bare wire.

    A path through a skip connection is then as short as the operations that change something on it. Beside
    ``graph_features``, as a block of its own, it is worth most when labels are few.

    Examples
    --------
    >>> encoder = ContractedFeatures(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> encoder.set_output(transform="pandas").transform([[3, 0, 0, 0, 1, 0]])["shortest[nor_conv_3x3]"].item()
    1.0
    """

    def _graph(self, C: IntArray) -> ArchGraph:
        return super()._graph(C).contracted()
