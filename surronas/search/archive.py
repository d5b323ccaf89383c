"""What a search has evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from moocore import hypervolume, is_nondominated
from numpy.typing import NDArray

from surronas.search.objectives import FloatArray, Goals
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["Archive"]

_MARKS = {"seconds": np.float64, "version": np.int64, "iteration": np.int64, "reason": object}


class Archive:
    """The architectures that a search has evaluated, each once, with their latest values.

    It is never changed: ``add`` gives another one. Where a supernet has learnt meanwhile, values of its latest version
    alone compare with each other, and only architectures that have such are on the front.

    Parameters
    ----------
    space : SearchSpace
    goals : Goals
    archs : (n, n_genes) int64 canonical genotypes
    records : DataFrame of n rows
        The columns of ``columns(goals)``.
    replaced : DataFrame
        Records that a later evaluation has replaced, oldest first, with the number of their ``row``.

    Attributes
    ----------
    values : DataFrame
        n rows, one column a target; NaN where the evaluation failed: a failure is never a number.
    predicted : DataFrame
        What the surrogates said of the targets before the architecture was evaluated; NaN where they did not.
    seconds, version, iteration, reason : (n,) arrays
        What the evaluation took, the version of the supernet that gave the values, the step, and why it failed ("").
    """

    def __init__(
        self,
        space: SearchSpace,
        goals: Goals,
        archs: IntArray | None = None,
        records: pd.DataFrame | None = None,
        replaced: pd.DataFrame | None = None,
    ) -> None:
        self.space, self.goals = space, goals
        self.archs: IntArray = np.empty((0, space.n_genes), dtype=np.int64) if archs is None else archs
        self.records = pd.DataFrame(columns=columns(goals)).astype(_types(goals)) if records is None else records
        nothing = self.records.iloc[:0].assign(row=np.empty(0, dtype=np.int64))
        self.replaced = nothing if replaced is None else replaced

    def __len__(self) -> int:
        return len(self.archs)

    def __repr__(self) -> str:
        return f"<Archive of {len(self)} architectures, {len(self.front_rows)} of them Pareto-optimal>"

    @cached_property
    def keys(self) -> NDArray[Any]:
        """(n,) keys of the phenotypes, all different."""
        return self.space.key(self.archs) if len(self) else np.empty(0, dtype=np.int64)

    @property
    def values(self) -> pd.DataFrame:
        return self.records[self.goals.targets]

    @property
    def predicted(self) -> pd.DataFrame:
        return self.records[[f"{name}_predicted" for name in self.goals.targets]].set_axis(self.goals.targets, axis=1)

    @property
    def seconds(self) -> FloatArray:
        return self.records["seconds"].to_numpy()

    @property
    def version(self) -> IntArray:
        return self.records["version"].to_numpy()

    @property
    def iteration(self) -> IntArray:
        return self.records["iteration"].to_numpy()

    @property
    def found(self) -> IntArray:
        """(n,) the step at which each was evaluated for the first time."""
        steps = self.iteration.copy()
        np.minimum.at(steps, self.replaced["row"].to_numpy(), self.replaced["iteration"].to_numpy())
        return steps

    @property
    def reason(self) -> NDArray[Any]:
        return self.records["reason"].to_numpy()

    @cached_property
    def objectives(self) -> FloatArray:
        """(n, m) values of the objectives, to be minimised; NaN where the evaluation failed."""
        return self.goals.values(self.values.to_numpy())

    @cached_property
    def succeeded(self) -> NDArray[np.bool_]:
        """(n,) bool: every target has a value."""
        return np.asarray(np.isfinite(self.values.to_numpy()).all(axis=1))

    @cached_property
    def feasible(self) -> NDArray[np.bool_]:
        """(n,) bool: succeeded, and no constraint is broken."""
        values = self.values.to_numpy()
        return self.succeeded & (self.goals.excess(values, values) <= 0).all(axis=1)

    @cached_property
    def front_rows(self) -> IntArray:
        """Rows of the Pareto-optimal feasible architectures, by the first objective; of equal ones the first."""
        latest = self.version == self.version.max(initial=0)
        rows = np.flatnonzero(self.feasible & latest)
        best = rows[is_nondominated(self.objectives[rows])] if len(rows) else rows
        return np.asarray(best[np.argsort(self.objectives[best, 0], kind="stable")])

    def front(self) -> Archive:
        """The Pareto-optimal feasible architectures, by the first objective."""
        return self.take(self.front_rows)

    def take(self, rows: Any) -> Archive:
        """The archive of these rows (numbers or a mask)."""
        return Archive(self.space, self.goals, self.archs[rows], self.records.loc[rows].reset_index(drop=True))

    def as_of(self, step: int) -> Archive:
        """What the archive was after that step."""
        return self._of(self._history[self._history["iteration"] <= step].drop_duplicates("row", keep="last"))

    def at_first(self) -> Archive:
        """All architectures with the values of their first evaluation."""
        return self._of(self._history.drop_duplicates("row"))

    @property
    def _history(self) -> pd.DataFrame:
        now = self.records.assign(row=np.arange(len(self)))
        return pd.concat([self.replaced, now], ignore_index=True) if len(self.replaced) else now

    def _of(self, records: pd.DataFrame) -> Archive:
        records = records.sort_values("row")
        archs = self.archs[records["row"].to_numpy()]
        return Archive(self.space, self.goals, archs, records.drop(columns="row").reset_index(drop=True))

    def moved(self, values: FloatArray, version: int) -> Archive:
        """The archive with these values (n, t) of the targets, as if all were of that version."""
        targets = self.goals.targets
        records = self.records.assign(version=np.int64(version), **dict(zip(targets, values.T, strict=True)))
        return Archive(self.space, self.goals, self.archs, records, self.replaced)

    def hypervolume(self, reference: Any) -> float:
        """The volume that the front dominates up to the reference point (m,), in minimised units."""
        front = self.objectives[self.front_rows]
        return float(hypervolume(front, ref=np.asarray(reference, dtype=np.float64))) if len(front) else 0.0

    def contains(self, archs: IntArray) -> NDArray[np.bool_]:
        """(k,) bool: an isomorphic architecture is in it."""
        return np.isin(self.space.key(archs), self.keys) if len(archs) else np.zeros(0, dtype=bool)

    def add(
        self,
        archs: IntArray,
        values: pd.DataFrame,
        *,
        seconds: Sequence[float],
        version: int,
        iteration: int,
        reasons: Sequence[str],
        predicted: FloatArray | None = None,
    ) -> Archive:
        """The archive with these evaluations.

        An architecture that is in it already is re-evaluated: its values are replaced, what was predicted of it stays.

        Parameters
        ----------
        archs : (k, n_genes) int64 canonical genotypes
        values : DataFrame of k rows
            With the goals' targets.
        predicted : (k, t) float64, optional
        """
        goals = self.goals
        records = values[goals.targets].astype(np.float64).reset_index(drop=True)
        failed = ~np.isfinite(records.to_numpy()).all(axis=1)
        before = np.full((len(archs), len(goals.targets)), np.nan) if predicted is None else predicted
        records[[f"{name}_predicted" for name in goals.targets]] = before
        records["seconds"], records["version"], records["iteration"] = list(seconds), version, iteration
        records["reason"] = pd.Series(list(reasons), dtype=object)
        records.loc[failed, goals.targets] = np.nan
        records = records[columns(goals)].astype(_types(goals))

        keys = self.space.key(archs)
        place = {key: row for row, key in enumerate(self.keys.tolist())}
        rows = np.array([place.get(key, -1) for key in keys.tolist()], dtype=np.int64)
        known = rows >= 0
        merged = self.records.copy()
        old = merged.loc[rows[known]].assign(row=rows[known])
        replaced = pd.concat([self.replaced, old], ignore_index=True) if known.any() else self.replaced
        kept = [*goals.targets, *_MARKS]
        merged.loc[rows[known], kept] = records.loc[known, kept].to_numpy()
        _, first = np.unique(keys, return_index=True)
        new = np.intersect1d(np.flatnonzero(~known), first)
        parts = [part for part in (merged, records.loc[new]) if len(part)]
        merged = pd.concat(parts, ignore_index=True).astype(_types(goals)) if parts else merged
        return Archive(self.space, goals, np.concatenate([self.archs, archs[new]]), merged, replaced)


def columns(goals: Goals) -> list[str]:
    return [*goals.targets, *(f"{name}_predicted" for name in goals.targets), *_MARKS]


def _types(goals: Goals) -> dict[str, Any]:
    return {name: _MARKS.get(name, np.float64) for name in columns(goals)}
