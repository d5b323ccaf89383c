"""What a benchmark table promises."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd

from surronas.datasets import BenchmarkTable, Target, _benchmarks, load_benchmark
from surronas.testing.promises import refuses, require, same

__all__ = ["check_benchmark"]

_MAXIMIZED = {"accuracy": True, "error": False, "loss": False, "latency": False, "energy": False, "size": False}
_MAXIMIZED |= {"compute": False, "spread": False}  # the sign of a proxy is its own
_SPLIT = 50


def check_benchmark(benchmark: BenchmarkTable | str, dataset: str | None = None) -> None:
    """Assert that a benchmark table keeps its contract, and, given by name, its loader.

    A table names its source, licence and citation; its architectures are of its space; every target is described, has
    values, only possible ones (the others are missing), a direction that goes with its kind, and is no fraction where
    it is said to be a percentage; a split leaves no isomorphism class on both sides; it survives the way to a worker.
    A loader gives the same table each time, under its registered name, and refuses a data set that it does not have.

    Parameters
    ----------
    benchmark : BenchmarkTable or str
        A name of ``list_benchmarks()``, or a table.
    dataset : str, optional
        For a name: the data set to load, where the benchmark has several and no default.
    """
    if isinstance(benchmark, str):
        table = load_benchmark(benchmark, dataset)
        _check_loader(benchmark, dataset, table)
    else:
        table = benchmark
    for what in ("source", "licence", "citation"):
        require(bool(getattr(table.info, what).strip()), f"info.{what} says something")
    require(len(table) > 2, "a table has more than two rows")
    C = table.space.canonical(table.archs)
    same(C, table.space.parse(C), "canonical forms of the architectures are in the space")
    require(len(table.targets.columns) > 0, "a table has targets")
    require(table.targets.columns.is_unique, "names of targets are distinct")
    for name, values in table.targets.items():
        _check_target(table.target(str(name)), values)
    _check_split(table)
    _check_copies(table)


def _check_loader(name: str, dataset: str | None, table: BenchmarkTable) -> None:
    load = _benchmarks.get(name)
    require(isinstance(table, BenchmarkTable), f"the loader of {name!r} gives a BenchmarkTable")
    require(table.name == name, f"the table's name is the registered one, {name!r}; it is {table.name!r}")
    require(dataset is None or table.dataset == dataset, f"the table is of the data set {dataset!r}")
    _check_same(table, load(dataset), "loaded again, the table is the same")
    if table.dataset is not None and dataset is None:
        _check_same(table, load(table.dataset), "without a data set, it is that of the data set it names")
    refuses(lambda: load("no such data set"), "no such data set", "an unknown data set")


def _check_target(target: Target, values: pd.Series) -> None:
    name, known = target.name, values.dropna().to_numpy()
    require(bool(target.description.strip()), f"target {name!r} has a description")
    require(len(known) > 0, f"target {name!r} has values")
    require(bool(target.possible(known).all()), f"target {name!r} has only possible values; others are missing")
    right = _MAXIMIZED.get(target.kind, target.maximize)
    require(target.maximize == right, f"target {name!r} of the kind {target.kind} has maximize={right}")
    if target.unit == "%" and target.kind == "accuracy":
        require(bool(known.max() > 1), f"target {name!r} is in %, no fraction of 1")


def _check_split(table: BenchmarkTable) -> None:
    keys = table.space.key(table.archs)
    n_train = min(_SPLIT, len(np.unique(keys)) // 2)
    train, test = table.split(n_train, random_state=0)
    same(train, table.split(n_train, random_state=0)[0], "split with the same random_state gives the same rows")
    require(not np.isin(keys[train], keys[test]).any(), "a split has no isomorphism class on both sides")
    require(len(train) == n_train, "a split has n_train training rows")


def _check_copies(table: BenchmarkTable) -> None:
    rows = np.arange(len(table))[-_SPLIT:]
    part = table.subset(rows)
    same(part.archs, table.archs[rows], "subset keeps the architectures of the rows")
    part.targets.iloc[:] = np.nan
    require(bool(table.targets.iloc[rows].notna().any(axis=None)), "a subset's values are its own")
    _check_same(table, pickle.loads(pickle.dumps(table)), "a worker gets the same table, space and all")


def _check_same(table: BenchmarkTable, other: BenchmarkTable, promise: str) -> None:
    require(table.space == other.space, promise)
    same(table.archs, other.archs, promise)
    require(table.targets.equals(other.targets), promise)
