"""Predictors: regressors with ``predict(X, return_std=False)``. ``get_predictor(name)``, ``list_predictors()``."""

from __future__ import annotations

from typing import Any

from surronas.predictors.base import Predictor
from surronas.registry import Registry

__all__ = [
    "Predictor",
    "get_predictor",
    "list_predictors",
    "predictor_class",
    "predictor_name",
    "register_predictor",
]

_predictors: Registry[type[Predictor]] = Registry("predictor", __name__)
register_predictor = _predictors.register
list_predictors = _predictors.names
predictor_class = _predictors.get


def get_predictor(name: str, **params: Any) -> Predictor:
    """An unfitted predictor by name.

    Examples
    --------
    >>> get_predictor("mean")
    Mean()
    """
    return _predictors.get(name)(**params)


def predictor_name(predictor: Predictor) -> str:
    """The name a predictor's class is registered under, else the class's own."""
    return _predictors.name_of(type(predictor)) or type(predictor).__name__
