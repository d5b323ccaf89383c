"""NAS-Bench-Graph: 26,206 graph neural networks on nine graphs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
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
    content = load_pickle(find_file(name))
    archs = space.enumerate()
    keys = space.key(archs)
    try:
        there = np.isin(keys, list(content))
        records = [content[key] for key in keys[there].tolist()]
        columns = {ours: [record[theirs] for record in records] for theirs, ours in _COLUMNS.items()}
        targets = pd.DataFrame(columns, dtype=np.float64)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{name} is not laid out as nas-bench-graph 1.4.0: {error!r}.") from error
    if len(targets) != len(content):
        raise InvalidFileError(f"{name} has {len(content) - len(targets)} architectures that are not of the space.")
    targets[["val_accuracy", "test_accuracy"]] *= 100
    info = info_of([name], _notes(dataset))
    return BenchmarkTable("nasbench_graph", space, archs[there], targets, _targets(dataset), info, dataset)


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
