"""MetaD2A's meta-database: NAS-Bench-201 cells trained on thousands of small image classification tasks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces.nasbench201 import NASBench201

_ROWS, _TASKS = "metad2a/nb201_meta_train.csv", "metad2a/task_classes.json"
_COLUMNS = {"task": np.int64, "str": str, "acc": np.float64, "latency": np.float64, "classes": str}
_N_ROWS, _N_FIRST, _N_CLASSES = 4630, 4152, 20
_NOTES = (
    "One row a (task, architecture) pair that was trained; a task is 20 of 600 ImageNet classes, at 32 x 32 "
    "pixels, in context as task (its number) and classes (the 20 class numbers, from 1). The file has two parts on "
    "different scales, hence two targets, each missing where the other is known: 4,152 rows of whole tenths of a "
    "point, mean 73.3 %, then 478 of hundredths, mean 56.7 %; two pairs are in both and differ by 19 and 25 points. "
    "The source does not say how the second was measured. Parameters and FLOPs are computed; the file's own are "
    "1e-5 plus the share of the way from the space's smallest to its largest unpruned network. Its latency is on a "
    "scale up to 1, device and unit unknown."
)


@register_benchmark("metad2a")
def load(dataset: str | None = None) -> BenchmarkTable:
    """The rows in the order of the file; ``context`` has the columns ``task`` and ``classes`` (tuples of 20)."""
    dataset = choose_dataset("metad2a", dataset, ("imagenet32-tasks",), default="imagenet32-tasks")
    space = NASBench201()
    frame = _read()
    try:
        archs = space.parse(frame["str"].tolist())
    except InvalidInputError as error:
        raise InvalidFileError(f"{_ROWS} has a cell that is none of NAS-Bench-201. {error}") from error
    cost = space.cost(archs, num_classes=_N_CLASSES) / 1e6
    first = np.arange(len(frame)) < _N_FIRST
    targets = pd.DataFrame(
        {
            "val_accuracy": frame["acc"].where(first),
            "val_accuracy_second_part": frame["acc"].where(~first),
            "params": cost["params"],
            "flops": cost["flops"],
            "latency_relative": frame["latency"],
        }
    )
    described = [
        Target("val_accuracy", "%", True, "accuracy", "Accuracy on held-out images of the task, rows 1 to 4,152"),
        Target("val_accuracy_second_part", "%", True, "accuracy", "The same of the last 478 rows, on another scale"),
        Target("params", "millions", False, "size", "Parameters of the network of pruned cells, computed"),
        Target("flops", "millions", False, "compute", "FLOPs as NAS-Bench-Suite-Zero counts them, computed"),
        Target("latency_relative", "", False, "latency", "Latency on a scale up to 1, as the file has it"),
    ]
    notes = f"{_NOTES} {drop_impossible(targets, described)}".strip()
    context = frame[["task", "classes"]]
    info = info_of([_ROWS, _TASKS], notes)
    return BenchmarkTable("metad2a", space, archs, targets, described, info, dataset, context=context)


def _read() -> pd.DataFrame:
    """The rows, their classes as tuples, which the two files must agree on."""
    try:
        frame = pd.read_csv(find_file(_ROWS), usecols=list(_COLUMNS), dtype=_COLUMNS)
        frame["classes"] = [tuple(map(int, classes.split())) for classes in frame["classes"]]
        tasks = json.loads(find_file(_TASKS).read_bytes())
        agree = [tuple(tasks[task]) == classes for task, classes in zip(frame["task"], frame["classes"], strict=True)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InvalidFileError(f"{_ROWS} or {_TASKS} is not laid out as expected: {error!r}.") from error
    if len(frame) != _N_ROWS or not all(agree):
        raise InvalidFileError(
            f"{_ROWS} must have {_N_ROWS} rows, each with the classes that {_TASKS} gives its task. "
            f"Got {len(frame)} rows, {len(agree) - sum(agree)} with other classes."
        )
    return frame
