"""The mean of the training targets, whatever the architecture."""

from __future__ import annotations

from typing import Any

import numpy as np

from surronas.predictors import register_predictor
from surronas.predictors.base import FloatArray, Predictor


@register_predictor("mean")
class Mean(Predictor):
    """The baseline that any predictor must beat: the training mean, with the training spread as std."""

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.std_ = float(y.std(ddof=1))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.zeros(len(X)), np.full(len(X), self.std_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
