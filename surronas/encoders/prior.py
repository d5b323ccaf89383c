"""What models of other tasks predict, as features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.encoders import get_encoder, register_encoder
from surronas.encoders.base import Blocks, Encoder, FloatArray
from surronas.encoders.features import distinct_forms, features
from surronas.exceptions import InvalidInputError
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["Prior", "TaskModel"]


_REMEMBERED = 65_536


class Regressor(Protocol):
    def predict(self, X: FloatArray) -> Any: ...


class TaskModel:
    """A fitted regressor, which remembers what it predicted; copies of it are itself.

    Parameters
    ----------
    regressor : Regressor
        Of the features of ``Prior``'s encoder.
    """

    def __init__(self, regressor: Regressor) -> None:
        self.regressor = regressor
        self._known = pd.Series(dtype=np.float64)

    def recall(self, ranks: NDArray[Any]) -> FloatArray:
        """(n,) what it predicted for the architectures of these ranks; NaN where it does not know."""
        return self._known.reindex(ranks).to_numpy(dtype=np.float64)

    def predict(self, ranks: NDArray[Any], F: FloatArray) -> FloatArray:
        """(n,) predictions from features, remembered by rank."""
        if not len(ranks):
            return np.empty(0)
        values = np.asarray(self.regressor.predict(F), dtype=np.float64)
        self._known = pd.concat([self._known, pd.Series(values, index=ranks)]).iloc[-_REMEMBERED:]
        return values

    def __deepcopy__(self, memo: Any) -> TaskModel:
        return self


@register_encoder("prior")
class Prior(Encoder):
    """What fitted models of other tasks predict, a column a task, in standard deviations of the task.

    The feature block is named ``prior``, which the predictors ``transfer`` and ``residual`` start from. No columns
    where there are no models. ``surronas.transfer.SourceTasks`` fits them.

    Parameters
    ----------
    models : mapping of a task's name to TaskModel, optional
    encoder : str, default="one_hot"
        Name of the encoder whose features they were fitted to.
    space : SearchSpace, str or None, default=None
    """

    def __init__(
        self,
        models: Mapping[str, TaskModel] | None = None,
        encoder: str = "one_hot",
        space: SearchSpace | str | None = None,
    ) -> None:
        super().__init__(space)
        self.models = models
        self.encoder = encoder

    def _fit(self, C: IntArray) -> None:
        self.encoder_ = get_encoder(self.encoder, space=self.space_).fit(C)
        d = len(self.encoder_.get_feature_names_out())
        for name, regressor in self.regressors().items():
            if getattr(regressor, "n_features_in_", d) != d:
                raise InvalidInputError(
                    f"The model of the task {name!r} must be one of the {d} features of {self.encoder!r}. "
                    f"Got one of {regressor.n_features_in_}."
                )

    def _names(self) -> list[str]:
        return list(self.models or ())

    def _blocks(self) -> Blocks:
        return (("prior", (len(self._feature_names),)),)

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        models = list((self.models or {}).values())
        if not models or not len(C):
            return np.empty((len(C), len(models)))
        forms, form_of = distinct_forms(self.space_, C)
        ranks = self.space_.rank(forms)
        values = np.stack([model.recall(ranks) for model in models], axis=1)
        new = np.isnan(values)
        if new.any():
            rows = np.flatnonzero(new.any(axis=1))
            F = features(self.encoder_, forms[rows])
            for column, model in enumerate(models):
                own = new[rows, column]
                values[rows[own], column] = model.predict(ranks[rows[own]], F[own])
        return np.asarray(values[form_of])

    def regressors(self) -> dict[str, Any]:
        return {name: model.regressor for name, model in (self.models or {}).items()}

    def to_state(self, space: SearchSpace) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {"encoder": self.encoder}, {}

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], regressors: Mapping[str, Any]
    ) -> Prior:
        return cls({name: TaskModel(regressor) for name, regressor in regressors.items()}, state["encoder"])
