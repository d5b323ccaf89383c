"""Tasks to learn from, in the forms that people have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from surronas.datasets.table import BenchmarkTable, Target
from surronas.encoders.base import FloatArray
from surronas.exceptions import InvalidInputError
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["Task", "multiplicative", "read_tasks"]


class Task(NamedTuple):
    """What was measured on another task.

    Attributes
    ----------
    archs : (n, n_genes) int64
        Genotypes as they are drawn.
    values : (n,) float64
    kind : str or None
        As a table's target has it.
    """

    archs: IntArray
    values: FloatArray
    kind: str | None = None

    def subset(self, rows: Any) -> Task:
        return Task(self.archs[rows], self.values[rows], self.kind)


_QUALITY = ("accuracy", "error", "loss")
_COSTS = ("latency", "energy")
_TASKS = (*_QUALITY, *_COSTS)
_LEAST = 3
_DIFFERENT = 0.2  # of logarithms


def read_tasks(source: Any, space: SearchSpace, target: str | None = None) -> dict[str, Task]:
    """What was measured on other tasks, by the task's name.

    Parameters
    ----------
    source : BenchmarkTable, sequence of BenchmarkTable, or mapping of name to (archs, values)
        The targets of one table are tasks beside each other: those count that are of the kind of its target of the name
        ``target`` (accuracy, error and loss are one kind), without that one itself. Several tables are a task each:
        their targets of that name count. Where there is none of it, all of accuracy, error, loss, latency or energy
        count, which must be of one kind. Of a mapping each counts as it is. Missing values (NaN) are left out.
    space : SearchSpace
    target : str, optional
        What is to be learnt.

    Returns
    -------
    dict of name to Task
        Values of which less is better are negated where of ``target``, else of most of them, more is better, and the
        other way round.

    Raises
    ------
    InvalidInputError
        When it is none of these, of another space, of several kinds, or no task has three values.
    """
    if isinstance(source, Mapping):
        tasks = {str(name): _pair(name, pair, space) for name, pair in source.items()}
    elif isinstance(source, BenchmarkTable):
        tasks = _of_table(source, space, target)
    elif isinstance(source, (list, tuple)) and all(isinstance(table, BenchmarkTable) for table in source):
        tasks = _of_tables(source, space, target)
    else:
        raise InvalidInputError(
            "The 'source' must be a BenchmarkTable, a sequence of them, a mapping of names to (archs, values), or a "
            f"MetaD2A. Got {source!r:.80}."
        )
    tasks = {name: task.subset(np.isfinite(task.values)) for name, task in tasks.items()}
    few = next((name for name, task in tasks.items() if len(task.values) < _LEAST), None)
    if few is not None or not tasks:
        found = f"{len(tasks[few].values)} of {few!r}" if few is not None else "none"
        raise InvalidInputError(f"The 'source' must have at least {_LEAST} values of each task. Got {found}.")
    return tasks


def _pair(name: Any, pair: Any, space: SearchSpace) -> Task:
    try:
        archs, values = pair
        X, y = space.parse(archs), np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'source' task {name!r} must be a pair (archs, values): {error}") from error
    if y.shape != (len(X),) or np.isinf(y).any():
        raise InvalidInputError(
            f"The 'source' task {name!r} must have one finite or missing value an architecture, {len(X)} in all. "
            f"Got shape {y.shape}."
        )
    return Task(X, y)


def multiplicative(tasks: Iterable[Task]) -> bool:
    """Whether tasks differ by factors, as devices do in latency, so that their logarithms are alike.

    So it is where all values are positive and are latencies or energies or, of no known kind, where the means of the
    tasks differ and their spreads grow with them.
    """
    tasks = list(tasks)
    if any(task.values.min() <= 0 for task in tasks):
        return False
    if any(task.kind is not None for task in tasks):
        return all(task.kind in _COSTS for task in tasks)
    means = np.log([task.values.mean() for task in tasks])
    spreads = np.log([task.values.std() + 1e-300 for task in tasks])
    return bool(means.std() > _DIFFERENT and (spreads - means).std() < spreads.std())


def _of_table(table: BenchmarkTable, space: SearchSpace, target: str | None) -> dict[str, Task]:
    """The table's other targets of the target's kind."""
    described = _described(table, space)
    ours = next((it for it in described if it.name == target), None)
    kinds = _TASKS if ours is None else _QUALITY if ours.kind in _QUALITY else (ours.kind,)
    return _oriented([(it.name, table, it) for it in described if it.kind in kinds and it.name != target], ours)


def _of_tables(tables: Sequence[BenchmarkTable], space: SearchSpace, target: str | None) -> dict[str, Task]:
    """Each table's target of that name, or, where none has one, all that are tasks."""
    chosen = [
        (f"{it.name} of {table.dataset or table.name}", table, it)
        for table in tables
        for it in _described(table, space)
        if it.kind in _TASKS
    ]
    named = [part for part in chosen if part[2].name == target]
    return _oriented(named or chosen, named[0][2] if named else None)


def _described(table: BenchmarkTable, space: SearchSpace) -> list[Target]:
    if table.space != space:
        raise InvalidInputError(
            f"The 'source' must be of the space of the architectures, {space.name!r}. Got one of {table.space.name!r}."
        )
    return [table.target(str(name)) for name in table.targets]


def _oriented(chosen: list[tuple[str, BenchmarkTable, Target]], ours: Target | None) -> dict[str, Task]:
    """Tasks by title, those of the other direction negated."""
    kinds = {"accuracy" if it.kind in _QUALITY else it.kind for _, _, it in chosen}
    if len(kinds) > 1:
        raise InvalidInputError(
            f"The 'source' has targets of the kinds {', '.join(sorted(kinds))}. Give 'y' as a Series with the name of "
            "one of them, or a mapping of names to (archs, values)."
        )
    upwards = ours.maximize if ours is not None else 2 * sum(it.maximize for _, _, it in chosen) >= len(chosen)
    return {
        title: Task(table.archs, table.targets[it.name].to_numpy() * (1 if it.maximize == upwards else -1), it.kind)
        for title, table, it in chosen
    }
