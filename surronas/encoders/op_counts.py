"""How often each operation occurs."""

from __future__ import annotations

import numpy as np

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder, FloatArray
from surronas.spaces.base import IntArray


@register_encoder("op_counts")
class OpCounts(Encoder):
    """How often each operation of the graph occurs: a line through it is a look-up table, one price an operation.

    That is what the latency of networks on most devices is, nearly; ten measurements are enough for so few prices.

    Examples
    --------
    >>> encoder = OpCounts(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> encoder.set_output(transform="pandas").transform([[0, 3, 0, 1, 0, 3]])["nor_conv_3x3"].item()
    2.0
    """

    def _fit(self, C: IntArray) -> None:
        self._op_names = list(self.space_.graph(C[:1], on=None).op_names)

    def _names(self) -> list[str]:
        return self._op_names

    def _encode(self, C: IntArray) -> FloatArray:
        ops = self.space_.graph(C, on=None).ops.reshape(len(C), -1)
        return np.stack([(ops == op).sum(axis=1) for op in range(len(self._op_names))], axis=1).astype(np.float64)
