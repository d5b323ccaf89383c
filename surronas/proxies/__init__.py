"""Zero-cost proxies: scores of untrained networks. ``list_proxies()``, ``get_proxy(name)``."""

from __future__ import annotations

from surronas.proxies.registry import Measure, Proxy, get_proxy, list_proxies, register_proxy

__all__ = ["Measure", "Proxy", "get_proxy", "list_proxies", "register_proxy"]
