"""NAS-Bench-Macro: 6,561 networks trained three times on CIFAR-10."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of
from surronas.datasets.table import BenchmarkTable, Runs, Target
from surronas.exceptions import InvalidFileError
from surronas.spaces.nasbench_macro import NASBenchMacro

_FILE = "nasbench_macro/nas-bench-macro_cifar10.json"
_SEEDS = (0, 1, 2)
_NOTES = (
    "Each accuracy is the best of 50 epochs on the test images, so the runs are chosen by the test set. The file has "
    "no validation accuracy. 3,969 networks were trained; the other 2,592 of the 6,561 rows repeat the numbers of an "
    "isomorphic one (split(unique=True) leaves them out). 15 networks with hardly a block are below 70 %."
)


@register_benchmark("nasbench_macro")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All genotypes in the order of ``enumerate``: mean and spread of three runs, parameters, multiply-adds."""
    dataset = choose_dataset("nasbench_macro", dataset, ("cifar10",), default="cifar10")
    space = NASBenchMacro()
    archs = space.enumerate()
    seeds, targets = _read(space.format(archs))
    described = [
        Target("test_accuracy", "%", True, "accuracy", "CIFAR-10 test accuracy, best of 50 epochs, mean of three runs"),
        Target("test_accuracy_std", "%", False, "spread", "Standard deviation (divisor 3) of test_accuracy's runs"),
        Target("params", "millions", False, "size", "Number of parameters"),
        Target("flops", "millions", False, "compute", "Multiply-adds of convolutions and classifier"),
    ]
    notes = f"{_NOTES} {drop_impossible(targets, described)}".strip()
    runs = {"test_accuracy": Runs(seeds, {"seed": _SEEDS})}
    return BenchmarkTable(
        "nasbench_macro", space, archs, targets, described, info_of([_FILE], notes), dataset, runs=runs
    )


def _read(names: list[str]) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """The runs, (n, 3), and the targets of the networks of these names, which are all that the file has."""
    try:
        content = json.loads(find_file(_FILE).read_bytes())
        records = [content[name] for name in names]
        runs = np.array([record["test_acc"] for record in records], dtype=np.float64).reshape(len(names), len(_SEEDS))
        columns = {"mean_acc": "test_accuracy", "std": "test_accuracy_std", "params": "params", "flops": "flops"}
        rows = [[record[name] for name in columns] for record in records]
        targets = pd.DataFrame(rows, columns=list(columns.values()), dtype=np.float64)
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{_FILE} is not laid out as NAS-Bench-Macro: {error!r}.") from error
    if len(content) != len(names) or not np.allclose(runs.mean(axis=1), targets["test_accuracy"], rtol=1e-12):
        raise InvalidFileError(f"{_FILE} must have the {len(names)} networks, each with the mean of its three runs.")
    targets[["params", "flops"]] /= 1e6
    return runs, targets
