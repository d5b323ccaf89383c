"""NAS-Bench-201: accuracies of 15,625 cells on three image data sets, after 12 and 200 epochs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.sources import choose_dataset, info_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError
from surronas.spaces.nasbench201 import NASBench201

_TEST, _VAL, _SHORT = (f"nasbench201/{name}.csv" for name in ("nats_bench", "val_accuracy_200ep", "accuracy_12ep"))

# How each file calls the data set.
_DATASETS = {
    "cifar10": ("CIFAR10TestAccuracy200Epochs", "cifar10", "cifar10"),
    "cifar100": ("CIFAR100TestAccuracy200Epochs", "cifar100", "cifar100"),
    "ImageNet16-120": ("ImageNetTestAccuracy200Epochs", "ImageNet16-120", "imagenet"),
}


@register_benchmark("nasbench201")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All cells by official index; the three files are joined by architecture, never by row."""
    dataset = choose_dataset("nasbench201", dataset, tuple(_DATASETS), default="cifar10")
    test, val, short = _DATASETS[dataset]
    space = NASBench201()
    archs = space.enumerate()
    official = space.format(archs)
    naslib = [str(tuple(row)) for row in space.to_naslib(archs).tolist()]
    twelve = {"test_accuracy_12ep": f"{short}-test", "val_accuracy_12ep": f"{short}-val"}
    targets = pd.DataFrame(
        {
            **_read(_TEST, "ArchitectureString", official, {"test_accuracy": test}),
            **_read(_VAL, "arch", naslib, {"val_accuracy": val}),
            **_read(_SHORT, "cellstr", official, twelve),
        }
    )
    described = [
        Target("test_accuracy", "%", True, "accuracy", f"{dataset} test accuracy after 200 epochs, mean over seeds"),
        Target("val_accuracy", "%", True, "accuracy", f"{dataset} validation accuracy after 200 epochs"),
        Target("test_accuracy_12ep", "%", True, "accuracy", f"{dataset} test accuracy after 12 epochs"),
        Target("val_accuracy_12ep", "%", True, "accuracy", f"{dataset} validation accuracy after 12 epochs"),
    ]
    notes = (
        "Row = official index. Test accuracy is that of NATS-Bench's topology space; validation accuracy on "
        "CIFAR-10 comes from training on half of the training images."
    )
    info = info_of([_TEST, _VAL, _SHORT], notes)
    return BenchmarkTable("nasbench201", space, archs, targets, described, info, dataset)


def _read(name: str, key: str, cells: list[str], columns: dict[str, str]) -> dict[str, NDArray[np.float64]]:
    """The file's columns under our names, in the order of ``cells``, which its column ``key`` holds once each."""
    path = find_file(name)
    try:
        floats = dict.fromkeys(columns.values(), np.float64)
        frame = pd.read_csv(path, usecols=[key, *floats], index_col=key, dtype=floats)
    except ValueError as error:
        raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
    if not frame.index.is_unique or set(frame.index) != set(cells):
        raise InvalidFileError(f"{name} must have each of the {len(cells)} cells once. Got {len(frame)} rows.")
    frame = frame.loc[cells]
    return {ours: frame[theirs].to_numpy() for ours, theirs in columns.items()}
