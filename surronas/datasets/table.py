"""A benchmark table: architectures of one search space, and what was measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces.base import IntArray, RandomState, SearchSpace

__all__ = ["KINDS", "BenchmarkTable", "TableInfo", "Target"]

KINDS = ("accuracy", "error", "loss", "latency", "energy", "size", "compute", "spread")


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
        One of ``KINDS``; ``"spread"`` is the uncertainty of another target.
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
    ) -> None:
        self.name = name
        self.dataset = dataset
        self.space = space
        self.archs: IntArray = space.parse(archs)
        self.targets = targets.astype(np.float64).reset_index(drop=True)
        self.info = info
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
        return "\n".join(lines)

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
        targets = self.targets.loc[rows].copy()
        described = tuple(self._described.values())
        return BenchmarkTable(self.name, self.space, self.archs[rows], targets, described, self.info, self.dataset)

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
