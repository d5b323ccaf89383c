"""Proxies by name: those of one network, and aggregates that rank a population by several of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from surronas.registry import Registry

if TYPE_CHECKING:
    from surronas.proxies.probe import Probe

__all__ = ["Aggregate", "Measure", "Proxy", "Rule", "get_proxy", "list_proxies", "register_aggregate", "register_proxy"]

Measure = Callable[["Probe"], "float"]
Rule = Callable[[pd.DataFrame], pd.Series]


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
    costly : bool
        Whether it takes longer than all others together, and so is not among ``"all"``.
    """

    name: str
    measure: Measure
    maximize: bool = True
    costly: bool = False

    @property
    def description(self) -> str:
        """The first sentence of the measure's text, with its paper."""
        return _first_sentence(self.measure)


@dataclass(frozen=True)
class Aggregate:
    """A score of a network among others, from the ranks that proxies give them. More is better.

    Attributes
    ----------
    name : str
    parts : tuple of str
        The proxies whose ranks it needs.
    rule : callable
        (m, parts) DataFrame of ranks / m, from 1 / m for the worst to 1 for the best -> (m,) Series.
    """

    name: str
    parts: tuple[str, ...]
    rule: Rule
    maximize = True
    costly = False

    @property
    def description(self) -> str:
        """The first sentence of the rule's text, with its paper."""
        return _first_sentence(self.rule)

    def combine(self, frame: pd.DataFrame) -> pd.Series:
        """The score of each row among the m rows that have all parts.

        Parameters
        ----------
        frame : (n, at least the parts) DataFrame of float64

        Returns
        -------
        (n,) Series of float64
            NaN where a part is missing.
        """
        better = {part: frame[part] if get_proxy(part).maximize else -frame[part] for part in self.parts}
        values = pd.DataFrame(better).reset_index(drop=True)
        scores = self.rule(values.dropna().rank(pct=True)).reindex(values.index)
        return scores.set_axis(frame.index).rename(self.name)


def _first_sentence(function: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


_proxies: Registry[Proxy | Aggregate] = Registry("proxy", "surronas.proxies")
list_proxies = _proxies.names
get_proxy = _proxies.get


def register_proxy(name: str, *, maximize: bool = True, costly: bool = False) -> Callable[[Measure], Measure]:
    """Decorator of a measure."""

    def register(measure: Measure) -> Measure:
        _proxies.register(name)(Proxy(name, measure, maximize, costly))
        return measure

    return register


def register_aggregate(name: str, parts: Sequence[str]) -> Callable[[Rule], Rule]:
    """Decorator of a rule over the parts' ranks."""

    def register(rule: Rule) -> Rule:
        _proxies.register(name)(Aggregate(name, tuple(parts), rule))
        return rule

    return register
