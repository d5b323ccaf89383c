"""Analytic cost as features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.spaces.base import IntArray


@register_encoder("cost")
class Cost(Encoder):
    """Logarithms of the space's analytic costs (parameters, multiply-adds); no columns where it defines no networks.

    Examples
    --------
    >>> encoder = Cost(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> encoder.set_output(transform="pandas").transform([[3, 0, 0, 1, 0, 4]]).columns.tolist()
    ['log_params', 'log_madds']
    """

    def _names(self) -> list[str]:
        if not self.space_.has_cost:
            return []
        return [f"log_{name}" for name in ("params", "madds")]

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        if not self.space_.has_cost:
            return np.empty((len(C), 0))
        return np.asarray(np.log(self.space_.cost(C)[["params", "madds"]].to_numpy(dtype=np.float64)))
