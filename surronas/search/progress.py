"""What a run shows while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from surronas.benchmark.metrics import kendall_tau
from surronas.search.archive import Archive

__all__ = ["prequential_taus", "progress_values", "shown"]

_WINDOW = 50


def prequential_taus(archive: Archive, window: int = _WINDOW) -> dict[str, float]:
    """Kendall's tau of each target between what was predicted before the first evaluation and what it gave.

    Over the latest ``window`` architectures that were predicted and succeeded; NaN below ten of them. No model has seen
    the architectures that it is judged by. They are chosen ones, alike in what they promise, so that tau is lower than
    over random ones.
    """
    taus = {}
    archive = archive.at_first()
    for target in archive.goals.targets:
        predicted, value = archive.predicted[target].to_numpy(), archive.values[target].to_numpy()
        rows = np.flatnonzero(np.isfinite(predicted) & np.isfinite(value))[-window:]
        enough = len(rows) >= 10 and np.ptp(predicted[rows]) > 0 and np.ptp(value[rows]) > 0
        taus[target] = float(kendall_tau(value[rows], predicted[rows])) if enough else float("nan")
    return taus


def progress_values(archive: Archive) -> dict[str, float]:
    """Evaluations, size of the front, and its hypervolume in boxes from the first step's best to its worst values."""
    values: dict[str, float] = {"evaluations": len(archive), "front": len(archive.front_rows)}
    first = archive.objectives[archive.succeeded & (archive.found == 0)]
    if len(first):
        box = float(np.prod(np.maximum(np.ptp(first, axis=0), 1e-12)))
        values["hypervolume"] = archive.hypervolume(first.max(axis=0)) / box
    return values


@contextmanager
def shown(progress: bool) -> Iterator[Callable[[Any, int], None]]:
    """A bar with evaluations, hypervolume, the predictors and their out-of-sample correlation."""
    if not progress:
        yield lambda search, total: None
        return
    columns = (BarColumn(bar_width=10), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as bar:
        task = bar.add_task("", total=None)

        def show(search: Any, total: int) -> None:
            archive: Archive = search.archive_
            bar.update(task, total=total, completed=len(archive), description=_described(search, archive))

        yield show


def _described(search: Any, archive: Archive) -> str:
    parts = []
    values = progress_values(archive)
    if "hypervolume" in values:
        parts.append(f"hypervolume {values['hypervolume']:.4f}")
    memory = search.decisions_[-1].get("surrogates", {}) if search.decisions_ else {}
    taus = prequential_taus(archive)
    for target, its in memory.items():
        best = max(its["weights"], key=its["weights"].get) if its["weights"] else "mean"
        tau = "" if np.isnan(taus[target]) else f" τ {taus[target]:.2f} out of sample,"
        parts.append(f"{target}{tau} by {best}")
    return " · ".join(parts)
