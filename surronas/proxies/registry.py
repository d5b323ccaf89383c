"""Proxies by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surronas.registry import Registry

if TYPE_CHECKING:
    from surronas.proxies.probe import Probe

__all__ = ["Measure", "Proxy", "get_proxy", "list_proxies", "register_proxy"]

Measure = Callable[["Probe"], "float"]


@dataclass(frozen=True)
class Proxy:
    """A score of an untrained network.

    Attributes
    ----------
    name : str
    measure : callable
        Probe -> float; raises ``NotApplicable`` where the network has no such score.
    maximize : bool
        Whether better networks are expected to score more.
    second_order : bool
        Whether it differentiates the loss's gradient.
    """

    name: str
    measure: Measure
    maximize: bool = True
    second_order: bool = False

    @property
    def description(self) -> str:
        """The first sentence of the measure's text, with its paper."""
        return " ".join((inspect.getdoc(self.measure) or "").split("\n\n")[0].split())


_proxies: Registry[Proxy] = Registry("proxy", "surronas.proxies")
list_proxies = _proxies.names
get_proxy = _proxies.get


def register_proxy(name: str, *, maximize: bool = True, second_order: bool = False) -> Callable[[Measure], Measure]:
    """Decorator of a measure."""

    def register(measure: Measure) -> Measure:
        _proxies.register(name)(Proxy(name, measure, maximize, second_order))
        return measure

    return register
