"""Searches for architectures: NAT, MSuNAS, and those to compare them with."""

from __future__ import annotations

from surronas.search.adaptation import SupernetAdaptation
from surronas.search.archive import Archive
from surronas.search.cascade import cascade
from surronas.search.evaluators import FunctionEvaluator, SubnetEvaluator, TableEvaluator, as_evaluator
from surronas.search.msunas import MSuNAS
from surronas.search.nat import NAT
from surronas.search.references import NSGA2, RandomSearch, RegularizedEvolution
from surronas.search.result import Result
from surronas.search.search import Search

__all__ = [
    "NAT",
    "NSGA2",
    "Archive",
    "FunctionEvaluator",
    "MSuNAS",
    "RandomSearch",
    "RegularizedEvolution",
    "Result",
    "Search",
    "SubnetEvaluator",
    "SupernetAdaptation",
    "TableEvaluator",
    "as_evaluator",
    "cascade",
]
