"""Encoders: canonical genotypes -> features. ``get_encoder(name, space=...)``, ``list_encoders()``."""

from __future__ import annotations

from typing import Any

from surronas.encoders.base import Encoder
from surronas.registry import Registry

__all__ = ["Encoder", "get_encoder", "list_encoders", "register_encoder"]

_encoders: Registry[type[Encoder]] = Registry("encoder", __name__)
register_encoder = _encoders.register
list_encoders = _encoders.names


def get_encoder(name: str, **params: Any) -> Encoder:
    """An unfitted encoder by name; names joined by ``+`` give their union.

    Examples
    --------
    >>> get_encoder("one_hot", space="nasbench201")
    OneHot(space='nasbench201')
    >>> get_encoder("graph_features+one_hot", space="nasbench201")
    Union(encoders=('graph_features', 'one_hot'), space='nasbench201')
    """
    if isinstance(name, str) and "+" in name:
        return _encoders.get("union")(encoders=tuple(name.split("+")), **params)  # type: ignore[call-arg]
    return _encoders.get(name)(**params)
