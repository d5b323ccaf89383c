"""A benchmark table: architectures of one search space, and what was measured of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces.base import IntArray, RandomState, SearchSpace

__all__ = ["KINDS", "BenchmarkTable", "Runs", "TableInfo", "Target"]

KINDS = ("accuracy", "error", "loss", "latency", "energy", "size", "compute", "proxy", "spread")
_POSITIVE = ("latency", "energy", "size", "compute")


@dataclass(frozen=True)
class Target:
    """What one column of a table means.

    Parameters
    ----------
    name : str
    unit : str
        ``"%"``, ``"ms"``, ``"millions"``; empty for a pure number.
    maximize : bool
        Whether more is better.
    kind : str
        One of ``KINDS``; ``"proxy"`` is a zero-cost score, ``"spread"`` the uncertainty of another target.
    description : str
    """

    name: str
    unit: str
    maximize: bool
    kind: str
    description: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError.of("kind of target", self.kind, KINDS)

    def possible(self, values: Any) -> NDArray[np.bool_]:
        """Which values a measurement of this kind can have: finite, percentages 0 to 100, costs above 0."""
        values = np.asarray(values, dtype=np.float64)
        low = 0.0 if self.unit == "%" or self.kind == "spread" else -np.inf
        high = 100.0 if self.unit == "%" else np.inf
        positive = values > 0 if self.kind in _POSITIVE else True
        return np.asarray(np.isfinite(values) & (values >= low) & (values <= high) & positive)


@dataclass(frozen=True)
class Runs:
    """Every measurement behind one target.

    Parameters
    ----------
    values : (n, ...) float64
        One row an architecture, then one axis for each of ``axes``; NaN where there is no measurement.
    axes : mapping of name to labels
        ``{"seed": (777, 888, 999)}``, ``{"seed": (777, 888), "epoch": (1, 2, 3)}``.
    """

    values: NDArray[np.float64]
    axes: Mapping[str, tuple[Any, ...]]

    def __post_init__(self) -> None:
        lengths = tuple(len(labels) for labels in self.axes.values())
        if self.values.shape[1:] != lengths:
            raise InvalidInputError(
                f"The 'values' of runs must have shape (n, {', '.join(map(str, lengths))}) for the axes "
                f"{', '.join(self.axes)}. Got shape {self.values.shape}."
            )


@dataclass(frozen=True)
class TableInfo:
    """Where a table comes from: all that a report must say of it."""

    source: str
    licence: str
    citation: str
    checksum: str
    notes: str = ""


class BenchmarkTable:
    """Architectures × targets of a search space.

    Parameters
    ----------
    name : str
    space : SearchSpace
    archs : (n, n_genes) int array
        Genotypes as the source has them, not canonical.
    targets : DataFrame
        n rows, one column a target; NaN where a value is missing.
    described : sequence of Target
        One for each column.
    info : TableInfo
    dataset : str, optional
    runs : mapping of target name to Runs, optional
        Where the source keeps single runs or epochs.
    context : DataFrame, optional
        What else a row stands for, where one architecture has several rows: n rows, say the task's number.

    Attributes
    ----------
    archs : (n, n_genes) int64
    targets : DataFrame of float64 with a RangeIndex
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        archs: Any,
        targets: pd.DataFrame,
        described: Sequence[Target],
        info: TableInfo,
        dataset: str | None = None,
        runs: Mapping[str, Runs] | None = None,
        context: pd.DataFrame | None = None,
    ) -> None:
        self.name = name
        self.dataset = dataset
        self.space = space
        self.archs: IntArray = space.parse(archs)
        self.targets = targets.astype(np.float64).reset_index(drop=True)
        self.info = info
        self.runs = dict(runs or {})
        self.context = None if context is None else context.reset_index(drop=True)
        self._described = {target.name: target for target in described}
        if len(self.targets) != len(self.archs):
            raise InvalidInputError(
                f"The 'targets' of a table must have one row an architecture, {len(self.archs)} in all. "
                f"Got {len(self.targets)} rows."
            )
        if list(self.targets.columns) != list(self._described):
            raise InvalidInputError(
                f"The 'described' targets must be the columns {list(self.targets.columns)}. "
                f"Got {list(self._described)}."
            )
        lengths = {name: len(runs.values) for name, runs in self.runs.items()}
        lengths |= {} if self.context is None else {"context": len(self.context)}
        wrong = next((name for name, n in lengths.items() if n != len(self)), None)
        if wrong is not None or not self.runs.keys() <= self._described.keys():
            raise InvalidInputError(
                f"The 'runs' of a table must belong to its targets and, like the 'context', have {len(self)} rows. "
                f"Got {lengths}."
            )

    def __len__(self) -> int:
        return len(self.archs)

    def __repr__(self) -> str:
        title = self.name if self.dataset is None else f"{self.name}, {self.dataset}"
        lines = [f"BenchmarkTable({title}: {len(self)} architectures of the space {self.space.name!r})"]
        width = max((len(name) for name in self._described), default=0)
        for target in self._described.values():
            column = self.targets[target.name]
            values = f"{column.min():.6g} to {column.max():.6g} {target.unit}".rstrip() if column.notna().any() else "-"
            missing = f", {column.isna().sum()} missing" if column.isna().any() else ""
            direction = "maximize" if target.maximize else "minimize"
            lines.append(f"  {target.name:<{width}}  {values} ({target.kind}, {direction}{missing})")
        return "\n".join([*lines, *(wrapped for line in self.info.notes.splitlines() for wrapped in _wrapped(line))])

    def target(self, name: str) -> Target:
        """What the column of that name means.

        Raises
        ------
        UnknownNameError
            Offering the nearest known name.
        """
        if not isinstance(name, str) or name not in self._described:
            raise UnknownNameError.of("target", name, self._described)
        return self._described[name]

    def copy(self) -> BenchmarkTable:
        """A table whose arrays are its own."""
        return self.subset(np.arange(len(self)))

    def subset(self, rows: Any) -> BenchmarkTable:
        """The table of the given rows.

        Parameters
        ----------
        rows : (m,) int or bool array
        """
        rows = np.asarray(rows)
        mask = rows.dtype.kind == "b" and rows.shape == (len(self),)
        within = rows.dtype.kind in "iu" and rows.ndim == 1 and bool(((rows >= 0) & (rows < len(self))).all())
        if not (mask or within):
            raise InvalidInputError(
                f"The 'rows' parameter of subset must be a 1-d array of row numbers from 0 to {len(self) - 1}, "
                f"or a mask of {len(self)}. Got {rows.dtype} of shape {rows.shape}."
            )
        return BenchmarkTable(
            self.name,
            self.space,
            self.archs[rows],
            self.targets.loc[rows].copy(),
            tuple(self._described.values()),
            self.info,
            self.dataset,
            {name: Runs(runs.values[rows], runs.axes) for name, runs in self.runs.items()},
            None if self.context is None else self.context.loc[rows],
        )

    def split(
        self, n_train: int, random_state: RandomState = 0, unique: bool = True, target: str | None = None
    ) -> tuple[IntArray, IntArray]:
        """Draw training rows uniformly without replacement; the rest is for testing.

        Parameters
        ----------
        n_train : int
        random_state : int, RandomState or None, default=0
        unique : bool, default=True
            Only the first row of each isomorphism class takes part, so no class is on both sides.
            Otherwise every row takes part.
        target : str, optional
            Rows where this target is missing do not take part.

        Returns
        -------
        train : (n_train,) int64, in the order drawn (so a longer training set of one seed begins with a shorter one)
        test : (n_test,) int64, ascending

        Raises
        ------
        InvalidInputError
            When no test row would be left.
        """
        rows = np.arange(len(self))
        if target is not None:
            rows = rows[self.targets[self.target(target).name].notna()]
        if unique:
            rows = rows[np.sort(np.unique(self._keys[rows], return_index=True)[1])]
        if not isinstance(n_train, (int, np.integer)) or isinstance(n_train, bool) or not 0 < n_train < len(rows):
            what = "different architectures" if unique else "rows"
            raise InvalidInputError(
                f"The 'n_train' parameter of split must be an int from 1 to {len(rows) - 1}, so that of the "
                f"{len(rows)} {what} at least one is left to test. Got {n_train!r} instead."
            )
        drawn = check_random_state(random_state).permutation(rows)
        return drawn[:n_train], np.sort(drawn[n_train:])

    @cached_property
    def _keys(self) -> NDArray[Any]:
        return self.space.key(self.archs)


def _wrapped(line: str) -> list[str]:
    indent = " " * (2 + len(line) - len(line.lstrip()))
    return textwrap.wrap(line.strip(), 100, initial_indent=indent, subsequent_indent=indent + "  ")
