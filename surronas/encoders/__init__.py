"""Encoders: canonical genotypes -> features. ``get_encoder(name, space=...)``, ``list_encoders()``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from surronas.encoders.base import Encoder
from surronas.registry import Registry

__all__ = ["Encoder", "get_encoder", "list_encoders", "register_encoder"]

_encoders: Registry[type[Encoder]] = Registry("encoder", __name__)
register_encoder = _encoders.register
list_encoders = _encoders.names


def encoder_name(encoder: Encoder) -> str:
    """The name an encoder's class is registered under, else the class's."""
    return _encoders.name_of(type(encoder)) or type(encoder).__name__


def get_encoder(name: str, *, given: Mapping[str, Encoder] | None = None, **params: Any) -> Encoder:
    """An unfitted encoder by name; names joined by ``+`` give their union.

    ``given`` are encoders with parameters of their own, copies of which stand for their names.

    Examples
    --------
    >>> get_encoder("one_hot", space="nasbench201")
    OneHot(space='nasbench201')
    >>> get_encoder("graph_features+one_hot", space="nasbench201")
    Union(encoders=('graph_features', 'one_hot'), space='nasbench201')
    """
    given = given or {}
    if isinstance(name, str) and "+" in name:
        parts = tuple(given.get(part, part) for part in name.split("+"))
        return _encoders.get("union")(encoders=parts, **params)  # type: ignore[call-arg]
    if name in given:
        return clone(given[name]).set_params(**params)  # type: ignore[no-any-return]
    return _encoders.get(name)(**params)
