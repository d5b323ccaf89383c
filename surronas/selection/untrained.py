"""What stands for a surrogate before the first label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from surronas.encoders import Encoder, get_encoder
from surronas.encoders.features import distinct_forms, features
from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray
from surronas.selection.switching import RECORD
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["Untrained"]

_NO_SCALE = (
    "An untrained surrogate orders architectures, but knows no scale: its {} would mean nothing. Give fit_predictor "
    "labels, at least two."
)


class Untrained:
    """The order that a prior gives a space, in the place of ``AdaptiveSwitching``; what is expected better has more.

    Parameters
    ----------
    space : SearchSpace
    name : str
        An encoder of features whose mean orders the space.
    encoders : mapping of str to Encoder
        Unfitted encoders with parameters of their own, which ``name`` may mean.

    Attributes
    ----------
    selection_ : DataFrame
        One row, as ``AdaptiveSwitching`` writes them, whose reason says that nothing was learnt.
    """

    def __init__(self, space: SearchSpace, name: str, encoders: Mapping[str, Encoder]) -> None:
        self.space, self.name, self.encoders = space, name, encoders
        self.encoder_ = get_encoder(name, given=encoders, space=space)
        self.encoder_.fit(space.canonical(space.sample(1, random_state=0)))
        if not len(self.encoder_.get_feature_names_out()):
            raise InvalidInputError(
                f"Without labels nothing orders the space {space.name!r}, which has no analytic cost. Give labels, "
                "'proxies' or a 'source'."
            )
        parts = getattr(self.encoder_, "parts_", ())
        what = f"the untrained aggregate of {', '.join(parts)}" if parts else "what was learnt on other tasks"
        record = {
            "encoder": name,
            "predictor": "untrained",
            "tau": np.nan,
            "tau_std": np.nan,
            "seconds": 0.0,
            "arch_seconds": self.encoder_.seconds_,
            "weight": 1.0,
            "status": "chosen",
            "reason": f"no labels: the order is that of {what}; values have no unit",
        }
        self.selection_ = pd.DataFrame([record]).astype(RECORD)

    def predict(self, X: IntArray, return_std: bool = False) -> Any:
        """(n, n_genes) canonical genotypes -> (n,), without a unit."""
        if return_std:
            raise InvalidInputError(_NO_SCALE.format("standard deviations"))
        if not len(X):
            return np.empty(0)
        forms, form_of = distinct_forms(self.space, X)
        return np.asarray(features(self.encoder_, forms).mean(axis=1)[form_of])

    def predict_interval(self, X: IntArray, coverage: float = 0.9) -> tuple[FloatArray, FloatArray]:
        raise InvalidInputError(_NO_SCALE.format("intervals"))

    def satisfies(self, X: IntArray, limit: float, sign: int, confidence: float) -> Any:
        raise InvalidInputError(_NO_SCALE.format("chance of keeping a limit"))

    def known_held_out(self) -> Any:
        raise InvalidInputError("An untrained surrogate has no labels that could tell how good it is.")
