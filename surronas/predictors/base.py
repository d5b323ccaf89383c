"""What every predictor shares: validation, standardised targets, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from surronas.exceptions import InvalidInputError
from surronas.parallel import check_n_jobs

__all__ = ["FloatArray", "Predictor"]

FloatArray = NDArray[np.float64]

_CHUNK = 4096


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor on features with a standard deviation.

    A subclass writes ``_fit(X, y)`` on float64 features (n, d) and standardised targets (n,), and
    ``_predict(X)``, which returns the mean and the standard deviation of each row on that scale. Learned
    attributes are numpy arrays, numbers, strings, containers of them, or scikit-learn estimators, so
    that a fitted predictor can be saved without pickle.

    Attributes
    ----------
    y_mean_, y_scale_ : float
        Location and scale of the training targets; ``y_scale_`` is 1 for constant ones.
    y_constant_ : bool
        All training targets are equal; so are all predictions then.
    """

    reads_graphs = False
    """Whether it is made for the features of the ``graph`` encoder."""

    most_rows: int | None = None
    """The most training rows that it takes, where memory grows with their square; None: any number."""

    tunable: Mapping[str, Mapping[str, Any]] = {}
    """The hyper-parameters that ``surronas.selection.tune`` tunes: the arguments of Optuna's distribution of each,
    ``low`` and ``high`` (two ints for an int) with ``log`` or ``step``, or ``choices``."""

    def fit(self, X: Any, y: Any) -> Predictor:
        """Fit.

        Parameters
        ----------
        X : (n, d) array of finite floats, n >= 2
        y : (n,) array of finite floats

        Raises
        ------
        InvalidInputError
            When there are more than ``most_rows``.
        """
        check_n_jobs(getattr(self, "n_jobs", None))
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        if not self.takes(len(X)):
            raise InvalidInputError(
                f"The 'X' must have at most {self.most_rows:,} rows for {type(self).__name__}, whose memory grows with "
                f"their square. Got {len(X):,}: give fewer, or take another predictor."
            )
        y = np.asarray(y, dtype=np.float64)
        self.y_mean_ = float(y.mean())
        scale = float(y.std())
        self.y_constant_ = scale <= 1e-12 * abs(self.y_mean_)
        self.y_scale_ = 1.0 if self.y_constant_ else scale
        self._fit(np.ascontiguousarray(X), (y - self.y_mean_) / self.y_scale_)
        return self

    def takes(self, n: int) -> bool:
        """Whether it can be fitted to n rows."""
        return self.most_rows is None or n <= self.most_rows

    def predict(self, X: Any, return_std: bool = False) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the mean, and with ``return_std`` also the standard deviation, of each row.

        Parameters
        ----------
        X : (n, d) array of finite floats
        return_std : bool, default=False

        Returns
        -------
        mean : (n,) float64, in the unit of y
        std : (n,) float64, >= 0, only with ``return_std``
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        X = np.ascontiguousarray(X)
        mean, std = self._predict(X) if return_std else (self._predict_mean(X), None)
        mean = np.zeros(len(X)) if self.y_constant_ else np.asarray(mean, dtype=np.float64)
        mean = self.y_mean_ + self.y_scale_ * mean
        return mean if std is None else (mean, self.y_scale_ * np.asarray(std, dtype=np.float64))

    def predict_covariance(self, X: Any, noise: bool = True) -> FloatArray:
        """Predict how rows that are taken together vary together.

        Parameters
        ----------
        X : (b, q, d) array of finite floats
            b groups of q rows.
        noise : bool, default=True
            Of measurements as well: the diagonal is the square of ``predict``'s standard deviation. Else of the
            function that is measured, where the predictor tells them apart, as Gaussian processes do.

        Returns
        -------
        (b, q, q) float64, in the square of the unit of y
            Diagonal where the predictor knows no covariances.
        """
        check_is_fitted(self)
        X = np.asarray(X, dtype=np.float64)
        size = max(_CHUNK // max(X.shape[1], 1), 1)
        parts = [self._covariances(X[start : start + size], noise) for start in range(0, len(X), size)]
        return np.concatenate([np.empty((0, *X.shape[1:2] * 2)), *parts]) * self.y_scale_**2

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        raise NotImplementedError

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        raise NotImplementedError

    def _predict_mean(self, X: FloatArray) -> FloatArray:
        """The first of what ``_predict`` returns; a subclass whose standard deviation costs much overrides it."""
        return self._predict(X)[0]

    def _covariances(self, X: FloatArray, noise: bool) -> FloatArray:
        """(b, q, d) -> (b, q, q), for standardised targets; a subclass that knows covariances overrides it."""
        _, std = self._predict(np.ascontiguousarray(X.reshape(-1, X.shape[2])))
        return np.square(std).reshape(X.shape[:2])[:, :, None] * np.eye(X.shape[1])
