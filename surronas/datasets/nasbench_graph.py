"""NAS-Bench-Graph: 26,206 graph neural networks on nine graphs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import data_file, find_file
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import choose_dataset, info_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError
from surronas.spaces.nasbench_graph import NASBenchGraph

_DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
_COLUMNS = {"valid_perf": "val_accuracy", "perf": "test_accuracy", "latency": "latency", "para": "params"}


@register_benchmark("nasbench_graph")
def load(dataset: str | None = None) -> BenchmarkTable:
    """The canonical architectures by ascending hash, with accuracy, latency and size on one graph."""
    dataset = choose_dataset("nasbench_graph", dataset, _DATASETS)
    name = f"nas_bench_graph/{dataset}.bench"
    space = NASBenchGraph()
    archs = space.enumerate()
    hashes, targets = _read(name)
    rows = pd.Index(space.key(archs)).get_indexer(pd.Index(hashes))
    if (rows < 0).any():
        raise InvalidFileError(f"{name} has an architecture {hashes[np.argmin(rows)]} that is not of the space.")
    by_hash = np.argsort(rows)
    targets = targets.iloc[by_hash].reset_index(drop=True)
    targets[["val_accuracy", "test_accuracy"]] *= 100
    info = info_of([name], data_file(name).citation, _notes(dataset))
    return BenchmarkTable("nasbench_graph", space, archs[rows[by_hash]], targets, _targets(dataset), info, dataset)


def _read(name: str) -> tuple[list[int], pd.DataFrame]:
    try:
        content = load_pickle(find_file(name))
        columns = {new: [record[old] for record in content.values()] for old, new in _COLUMNS.items()}
        return list(content), pd.DataFrame(columns, dtype=np.float64)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{name} is not laid out as nas-bench-graph 1.4.0: {error!r}.") from error


def _targets(dataset: str) -> list[Target]:
    metric = "ROC-AUC" if dataset == "proteins" else "Node classification accuracy"
    return [
        Target("val_accuracy", "%", True, "accuracy", f"{metric} on the validation nodes of {dataset}"),
        Target("test_accuracy", "%", True, "accuracy", f"{metric} on the test nodes of {dataset}"),
        Target("latency", "s", False, "latency", f"Latency on {dataset}; the unit is inferred, the source states none"),
        Target("params", "millions", False, "size", "Number of parameters"),
    ]


def _notes(dataset: str) -> str:
    notes = "Final values as the distribution has them; the latency's unit is inferred from its size."
    if dataset == "proteins":
        notes += " Accuracies are ROC-AUC in %. Only the 2,021 architectures of gcn, sage, arma, fc and skip."
    return notes
