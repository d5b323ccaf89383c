"""NAS-Bench-201: accuracies of 15,625 cells on three image data sets, after 12 and 200 epochs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import data_file, find_file
from surronas.datasets.sources import choose_dataset, info_of, rows_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError
from surronas.spaces.base import IntArray
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
    targets = pd.DataFrame(
        {
            **_read(space, archs, _TEST, "ArchitectureString", {"test_accuracy": test}),
            **_read(space, archs, _VAL, "arch", {"val_accuracy": val}),
            **_read(
                space,
                archs,
                _SHORT,
                "cellstr",
                {"test_accuracy_12ep": f"{short}-test", "val_accuracy_12ep": f"{short}-val"},
            ),
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
    citations = "; ".join(dict.fromkeys(data_file(name).citation for name in (_TEST, _VAL, _SHORT)))
    info = info_of([_TEST, _VAL, _SHORT], citations, notes)
    return BenchmarkTable("nasbench201", space, archs, targets, described, info, dataset)


def _read(space: NASBench201, archs: IntArray, name: str, key: str, columns: dict[str, str]) -> dict[str, pd.Series]:
    """The file's columns under our names, one row for each of ``archs``."""
    try:
        frame = pd.read_csv(find_file(name), usecols=[key, *columns.values()])
        cells = frame[key].tolist()
        read = _from_tuples(space, cells) if cells[0].startswith("(") else space.parse(cells)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
    if len(read) != len(archs):
        raise InvalidFileError(f"{name} must have {len(archs)} architectures. Got {len(read)}.")
    frame = frame.iloc[np.argsort(rows_of(read, archs, name))].reset_index(drop=True)
    return {ours: frame[theirs] for ours, theirs in columns.items()}


def _from_tuples(space: NASBench201, cells: Sequence[str]) -> IntArray:
    """NASLib's tuples as strings; JSON reads all of them at once."""
    return space.from_naslib(json.loads(f"[{','.join(cells)}]".replace("(", "[").replace(")", "]")))
