"""Offline comparison of predictors on benchmark tables: ``evaluate`` and the ``Report`` it returns."""

from __future__ import annotations

from surronas.benchmark import metrics
from surronas.benchmark.evaluate import evaluate
from surronas.benchmark.protocol import PROTOCOLS, Protocol
from surronas.benchmark.report import Report

__all__ = ["PROTOCOLS", "Protocol", "Report", "evaluate", "metrics"]
