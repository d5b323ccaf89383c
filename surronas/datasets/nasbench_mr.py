"""NAS-Bench-MR: 2,507 multi-resolution networks on image classification, segmentation and video recognition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces.base import IntArray
from surronas.spaces.nasbench_mr import NASBenchMR

_TOP = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}
_SEGMENTATION = {"mIoU": "Mean intersection over union", "mAcc": "Mean accuracy of classes", "aAcc": "Pixel accuracy"}
_SETTINGS = {
    "cls-50-1000": ("50 classes of ImageNet, 1,000 training images each", _TOP),
    "cls-50-100": ("50 classes of ImageNet, 100 training images each", _TOP),
    "cls-10-1000": ("10 classes of ImageNet, 1,000 training images each", _TOP),
    "seg": ("Cityscapes", _SEGMENTATION),
    "video": ("HMDB51", _TOP),
}
_NOTES = (
    "Rows in the order of the files, which list the same networks. One training run each. Parameters and FLOPs are "
    "those of the classification network of 50 classes at 128 x 128 pixels whatever the setting. cls-10-1000 is "
    "known to 0.2 points only (58 different values), cls-50-100 and cls-50-1000 to 0.04. No value is a sentinel; the "
    "far lowest ones (cls-50-1000 and seg) are those of the smallest network and are kept."
)


@register_benchmark("nasbench_mr")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All settings side by side, ``cls_50_1000_top1`` to ``video_top5``; ``dataset`` picks the targets of one."""
    settings = tuple(_SETTINGS) if dataset is None else (choose_dataset("nasbench_mr", dataset, tuple(_SETTINGS)),)
    space = NASBenchMR()
    frames = {setting: _read(space, setting) for setting in settings}
    archs, _ = frames[settings[0]]
    place = pd.Index(space.rank(archs))
    columns, described = {}, []
    for setting, (its_archs, frame) in frames.items():
        rows = place.get_indexer(pd.Index(space.rank(its_archs)))
        if len(its_archs) != len(archs) or not np.array_equal(np.sort(rows), np.arange(len(archs))):
            raise InvalidFileError(f"{_file(setting)} must have the {len(archs)} networks of {_file(settings[0])}.")
        order = np.argsort(rows)
        what, metrics = _SETTINGS[setting]
        for metric, meaning in metrics.items():
            name = f"{setting.replace('-', '_')}_{metric}"
            columns[name] = frame[metric].to_numpy()[order]
            described.append(Target(name, "%", True, "accuracy", f"{meaning} on {what}"))
    cost = space.cost(archs)
    columns |= {name: cost[name].to_numpy() / 1e6 for name in ("params", "flops")}
    described += [
        Target("params", "millions", False, "size", "Number of parameters"),
        Target("flops", "millions", False, "compute", "Multiply-adds, batch normalisations counted too"),
    ]
    targets = pd.DataFrame(columns)
    notes = f"{_NOTES} {drop_impossible(targets, described)}".strip()
    info = info_of([_file(setting) for setting in settings], notes)
    return BenchmarkTable("nasbench_mr", space, archs, targets, described, info, dataset)


def _file(setting: str) -> str:
    return f"nasbench_mr/{setting}.pkl"


def _read(space: NASBenchMR, setting: str) -> tuple[IntArray, pd.DataFrame]:
    """The networks of a setting's file and their metrics; its sizes must be those of the networks."""
    name = _file(setting)
    content: Any = load_pickle(find_file(name))
    try:
        archs = space.from_embedding([record["embedding"] for record in content])
        columns = [*_SETTINGS[setting][1], "params", "flops"]
        frame = pd.DataFrame([[record[c] for c in columns] for record in content], columns=columns, dtype=np.float64)
    except (InvalidInputError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{name} is not laid out as NAS-Bench-MR: {error!r}.") from error
    cost = space.cost(archs)
    if not np.allclose(cost["params"], frame["params"] * 1e6) or not np.allclose(cost["flops"], frame["flops"] * 1e9):
        raise InvalidFileError(f"{name} has networks whose parameters or FLOPs are not those of their embedding.")
    return archs, frame
