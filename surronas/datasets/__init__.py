"""Benchmark tables: architectures of a search space with measured targets.

``load_benchmark(name, dataset)``, ``list_benchmarks()``; ``load_table(path)`` for one's own;
``load_latency_table(device)`` for latency by look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from surronas.datasets.join import join
from surronas.datasets.latency_table import LatencyTable, load_latency_table
from surronas.datasets.own import load_table
from surronas.datasets.table import BenchmarkTable, Runs, TableInfo, Target
from surronas.exceptions import InvalidInputError
from surronas.registry import Registry

__all__ = [
    "BenchmarkTable",
    "LatencyTable",
    "Runs",
    "TableInfo",
    "Target",
    "list_benchmarks",
    "load_benchmark",
    "load_latency_table",
    "load_table",
    "register_benchmark",
]

_benchmarks: Registry[Callable[[str | None], BenchmarkTable]] = Registry("benchmark", __name__)
register_benchmark = _benchmarks.register
list_benchmarks = _benchmarks.names


def load_benchmark(name: str, dataset: str | Sequence[str] | None = None) -> BenchmarkTable:
    """A benchmark table by name.

    Parameters
    ----------
    name : str
        One of ``list_benchmarks()``.
    dataset : str or sequence of str, optional
        For benchmarks of several data sets, the one whose targets to load; of several, one table with columns
        such as ``cifar10_val_accuracy``.

    Returns
    -------
    BenchmarkTable
        The caller's own copy; a file is read once a process.

    Raises
    ------
    UnknownNameError
        When there is no such benchmark or data set; the text offers the nearest known name.
    DataNotFoundError
        When a file of the benchmark is nowhere to be found; the text says where to put which file.
    InvalidFileError
        When a file is damaged.

    Examples
    --------
    >>> table = load_benchmark("nasbench_graph", dataset="cora")
    >>> len(table)
    26206
    >>> table.target("test_accuracy").unit
    '%'
    """
    several = [dataset] if isinstance(dataset, str) or dataset is None else dataset
    listed = isinstance(several, (list, tuple)) and len(several) > 0
    if not listed or (dataset is not None and not all(isinstance(each, str) for each in several)):
        raise InvalidInputError(
            "The 'dataset' parameter of load_benchmark must be a str, a list of them, or None. "
            f"Got {dataset!r} instead."
        )
    _benchmarks.get(name)  # before the cache, which would trip over a name that is no str
    tables = [_load(name, each).copy() for each in dict.fromkeys(several)]
    return tables[0] if len(tables) == 1 else join(tables)


@lru_cache(maxsize=8)
def _load(name: str, dataset: str | None) -> BenchmarkTable:
    return _benchmarks.get(name)(dataset)
