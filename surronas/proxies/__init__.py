"""Zero-cost proxies: scores of untrained networks. ``score(archs, space)``, ``list_proxies()``, ``get_proxy(name)``."""

from __future__ import annotations

from surronas.proxies.registry import (
    Aggregate,
    Measure,
    Proxy,
    Rule,
    get_proxy,
    list_proxies,
    register_aggregate,
    register_proxy,
)
from surronas.proxies.scorer import Scorer, score

__all__ = [
    "Aggregate",
    "Measure",
    "Proxy",
    "Rule",
    "Scorer",
    "get_proxy",
    "list_proxies",
    "register_aggregate",
    "register_proxy",
    "score",
]
