"""Zero-cost proxies: scores of untrained networks. ``list_proxies()``, ``get_proxy(name)``."""

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

__all__ = [
    "Aggregate",
    "Measure",
    "Proxy",
    "Rule",
    "get_proxy",
    "list_proxies",
    "register_aggregate",
    "register_proxy",
]
