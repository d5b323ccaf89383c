"""Analytic cost as features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.spaces.base import IntArray

_MEASURES = ("params", "madds", "activations")


@register_encoder("cost")
class Cost(Encoder):
    """Logarithms of the space's analytic costs: parameters, multiply-adds and, where it counts them, activations.

    No columns where the space defines no networks.

    Examples
    --------
    >>> encoder = Cost(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> encoder.set_output(transform="pandas").transform([[3, 0, 0, 1, 0, 4]]).columns.tolist()
    ['log_params', 'log_madds']
    """

    def _fit(self, C: IntArray) -> None:
        counted = self.space_.cost(C[:1]).columns if self.space_.has_cost else ()
        self._measures = [name for name in _MEASURES if name in counted]

    def _names(self) -> list[str]:
        return [f"log_{name}" for name in self._measures]

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        if not self._measures:
            return np.empty((len(C), 0))
        return np.asarray(np.log(self.space_.cost(C)[self._measures].to_numpy(dtype=np.float64)))
