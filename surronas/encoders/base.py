"""What every encoder shares: validation, names, blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import IntArray

__all__ = ["Blocks", "Encoder"]

FloatArray = NDArray[np.float64]
Blocks = tuple[tuple[str, tuple[int, ...]], ...]


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Canonical genotypes (n, n_genes) -> float64 features (n, d).

    A subclass writes ``_names`` (the feature names, and with them d) and ``_encode``. What it needs to
    know of the space it takes from ``self.space_``; features never depend on the training sample.

    Parameters
    ----------
    space : SearchSpace, str or None, default=None
        None reads a plain categorical space off the integer array at ``fit``.

    Attributes
    ----------
    space_ : SearchSpace
    blocks_ : tuple of (name, shape)
        The features in groups, in column order; a predictor that treats groups differently (a lengthscale
        each, a graph to rebuild) takes it as its ``blocks`` parameter.
    """

    space_: SearchSpace
    additive = True
    """Whether the mean of two rows of features describes both; an encoder of graphs sets it to False."""

    def __init__(self, space: SearchSpace | str | None = None) -> None:
        self.space = space

    def fit(self, X: Any, y: Any = None) -> Encoder:
        """Learn the space's features.

        Parameters
        ----------
        X : (n, n_genes) int array of canonical genotypes
        y : ignored

        Raises
        ------
        InvalidInputError
            For a wrong gene count or a gene out of range.
        """
        X = self._read(X, reset=True)
        self.space_ = resolve_space(self.space, X)
        C = self.space_.parse(X)
        self._fit(C)
        self._feature_names = np.asarray(self._names(), dtype=object)
        return self

    def transform(self, X: Any) -> FloatArray:
        """(n, n_genes) int canonical genotypes -> (n, d) float64 features."""
        check_is_fitted(self, "space_")
        X = self._read(X, reset=False)
        return np.ascontiguousarray(self._encode(self.space_.parse(X)), dtype=np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """(d,) the names of the features; ``input_features`` is ignored, the space names its genes."""
        check_is_fitted(self, "space_")
        return self._feature_names

    @property
    def seconds_(self) -> float:
        """What a new architecture takes, where that is much; else 0."""
        return 0.0

    @property
    def blocks_(self) -> Blocks:
        check_is_fitted(self, "space_")
        return self._blocks()

    def to_state(self, space: SearchSpace) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What ``from_state`` makes an equal unfitted encoder of: JSON-able settings, and arrays.

        For encoders with parameters besides the space.
        """
        raise SurronasError(f"The encoder {self!r} cannot be saved.")

    def regressors(self) -> dict[str, Any]:
        """Fitted predictors among its parameters, by name, which a file keeps as well."""
        return {}

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], regressors: Mapping[str, Any]
    ) -> Encoder:
        """The inverse of ``to_state`` and ``regressors``."""
        raise InvalidFileError(f"{cls.__name__} has no parameters that a file could hold.")

    def _read(self, X: Any, reset: bool) -> NDArray[Any]:
        X = validate_data(self, X, dtype="numeric", reset=reset)
        negative = np.argwhere(X < 0)
        if len(negative):
            row, gene = negative[0]
            raise InvalidInputError(
                f"Negative values in data: the 'X' parameter must hold genotypes. "
                f"Got {X[row, gene]} in row {row}, gene {gene}."
            )
        return np.asarray(X)

    def _fit(self, C: IntArray) -> None:
        """Learn from the space (``self.space_``); most encoders need nothing."""

    def _blocks(self) -> Blocks:
        return ((type(self).__name__, (len(self._feature_names),)),)

    def _names(self) -> list[str]:
        raise NotImplementedError

    def _encode(self, C: IntArray) -> NDArray[Any]:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        return tags
