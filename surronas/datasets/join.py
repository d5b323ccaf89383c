"""Tables of one search space side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets.table import BenchmarkTable, Runs, TableInfo, Target
from surronas.exceptions import InvalidInputError

__all__ = ["join"]


def join(tables: Sequence[BenchmarkTable]) -> BenchmarkTable:
    """One table of all architectures and all targets of several, of one benchmark on different data sets.

    A target is called ``<dataset>_<target>``, but for one that means and holds the same in every table (the number
    of parameters), which keeps its name. An architecture that a table lacks is missing there. Runs go along, and the
    context of the first table that has the architecture.

    Raises
    ------
    InvalidInputError
        When the tables are of different spaces, or have several rows of one genotype.
    """
    first = tables[0]
    if any(table.space != first.space for table in tables):
        raise InvalidInputError(f"Tables to join must be of one space. Got {[t.space.name for t in tables]}.")
    genotypes = [pd.Index(first.space.rank(table.archs)) for table in tables]
    for table, its in zip(tables, genotypes, strict=True):
        if not its.is_unique:
            raise InvalidInputError(
                f"The table {table.name!r} has several rows of one architecture; it joins no other."
            )
    archs = np.concatenate([table.archs for table in tables])
    every, place = np.unique(np.concatenate(genotypes), return_index=True)
    order = np.argsort(place)
    archs = archs[place[order]]
    rows_of = [its.get_indexer(pd.Index(every[order])) for its in genotypes]

    columns: dict[str, NDArray[np.float64]] = {}
    described: list[Target] = []
    runs: dict[str, Runs] = {}
    for table, rows in zip(tables, rows_of, strict=True):
        for name, column in table.targets.items():
            target, values = table.target(str(name)), _at(column.to_numpy(), rows)
            shared = all(str(name) in t.targets and t.target(str(name)) == target for t in tables) and all(
                np.array_equal(_at(t.targets[name].to_numpy(), its), values, equal_nan=True)
                for t, its in zip(tables, rows_of, strict=True)
            )
            title = str(name) if shared else f"{table.dataset}_{name}"
            if title in columns:
                continue
            columns[title] = values
            described.append(replace(target, name=title))
            if name in table.runs:
                kept = table.runs[str(name)]
                runs[title] = Runs(_at(kept.values, rows), kept.axes)
    contexts = [pd.DataFrame(index=range(len(t))) if t.context is None else t.context for t in tables]
    context = pd.concat(contexts, ignore_index=True).iloc[place[order]]
    said = {f.name: "; ".join(dict.fromkeys(getattr(t.info, f.name) for t in tables)) for f in fields(TableInfo)}
    dataset = "+".join(str(table.dataset) for table in tables)
    return BenchmarkTable(
        first.name,
        first.space,
        archs,
        pd.DataFrame(columns),
        described,
        TableInfo(**said),
        dataset,
        runs,
        context if context.shape[1] else None,
    )


def _at(values: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """The rows of (n, ...) values; NaN for row -1."""
    taken: NDArray[np.float64] = values[rows].astype(np.float64)
    taken[rows < 0] = np.nan
    return taken
