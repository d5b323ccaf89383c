"""NAS-Bench-201: 15,625 cells on three image data sets: accuracies, zero-cost proxies, size and latency."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.pickles import load_torch
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of, read_by_arch
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
_NETWORKS = {
    "cifar10": {"num_classes": 10, "resolution": 32},
    "cifar100": {"num_classes": 100, "resolution": 32},
    "ImageNet16-120": {"num_classes": 120, "resolution": 16},
}
_PROXY_FILES = {
    "cifar10": "nasbench201/nb201_zc_proxies.csv",
    "ImageNet16-120": "nasbench201/nb201_ImageNet16-120_zc_proxies.csv",
}
_PROXIES = ("epe_nas", "fisher", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "plain", "snip", "synflow", "zen")
_NOT_COMPUTED = -1e8
_DEVICES = {
    "1080ti_1": "NVIDIA GTX 1080 Ti, batches of 1",
    "1080ti_32": "NVIDIA GTX 1080 Ti, batches of 32",
    "1080ti_256": "NVIDIA GTX 1080 Ti, batches of 256",
    "titan_rtx_256": "NVIDIA Titan RTX, batches of 256",
    "silver_4114": "Intel Xeon Silver 4114",
    "silver_4210r": "Intel Xeon Silver 4210R",
    "gold_6226": "Intel Xeon Gold 6226",
    "samsung_a50": "Samsung A50",
    "samsung_s7": "Samsung S7",
    "essential_ph_1": "Essential PH-1",
    "pixel3": "Google Pixel 3",
}


class _Part(NamedTuple):
    """What one kind of file adds to the table."""

    files: list[str]
    columns: dict[str, NDArray[np.float64]]
    described: list[Target]
    notes: str


@register_benchmark("nasbench201")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All cells by official index; files are joined by architecture, latencies by the index they are listed by."""
    dataset = choose_dataset("nasbench201", dataset, tuple(_DATASETS), default="cifar10")
    space = NASBench201()
    archs = space.enumerate()
    official = space.format(archs)
    naslib = [str(tuple(row)) for row in space.to_naslib(archs).tolist()]
    cost = space.cost(archs, **_NETWORKS[dataset]) / 1e6
    parts = [_accuracies(dataset, official, naslib), _sizes(cost), _proxies(dataset, naslib), _latencies(dataset)]
    targets = pd.DataFrame({name: values for part in parts for name, values in part.columns.items()})
    described = [target for part in parts for target in part.described]
    notes = [*(part.notes for part in parts), drop_impossible(targets, described)]
    info = info_of([file for part in parts for file in part.files], " ".join(filter(None, notes)))
    return BenchmarkTable("nasbench201", space, archs, targets, described, info, dataset)


def _accuracies(dataset: str, official: list[str], naslib: list[str]) -> _Part:
    test, val, short = _DATASETS[dataset]
    twelve = {"test_accuracy_12ep": f"{short}-test", "val_accuracy_12ep": f"{short}-val"}
    columns = {
        **_read(_TEST, "ArchitectureString", official, {"test_accuracy": test}),
        **_read(_VAL, "arch", naslib, {"val_accuracy": val}),
        **_read(_SHORT, "cellstr", official, twelve),
    }
    described = [
        Target("test_accuracy", "%", True, "accuracy", f"{dataset} test accuracy after 200 epochs, mean over seeds"),
        Target("val_accuracy", "%", True, "accuracy", f"{dataset} validation accuracy after 200 epochs"),
        Target("test_accuracy_12ep", "%", True, "accuracy", f"{dataset} test accuracy after 12 epochs"),
        Target("val_accuracy_12ep", "%", True, "accuracy", f"{dataset} validation accuracy after 12 epochs"),
    ]
    notes = (
        "Row = official index. Test accuracy: NATS-Bench's topology space. Validation accuracy: NASLib's, which is on "
        "CIFAR-10 from training on half of the training images; on the other two it is no validation but the "
        "test accuracy of one of the runs (seed 888), as NATS-Bench's own files of three architectures show."
    )
    return _Part([_TEST, _VAL, _SHORT], columns, described, notes)


def _sizes(cost: pd.DataFrame) -> _Part:
    described = [
        Target("params", "millions", False, "size", "Parameters of the network of pruned cells, computed"),
        Target("flops", "millions", False, "compute", "FLOPs as NAS-Bench-Suite-Zero counts them, computed"),
    ]
    notes = "Parameters and FLOPs equal the published ones of the 9,445 cells without unreachable operations."
    return _Part([], {target.name: cost[target.name].to_numpy() for target in described}, described, notes)


def _proxies(dataset: str, naslib: list[str]) -> _Part:
    if dataset not in _PROXY_FILES:
        return _Part([], {}, [], "No proxies are published for this data set; those of another one do not serve.")
    name = _PROXY_FILES[dataset]
    what = "of the untrained network, as NAS-Bench-Suite-Zero publishes it"
    described = [Target(proxy, "", True, "proxy", f"{proxy} {what}") for proxy in _PROXIES]
    notes = (
        "Proxies are published for those 9,445 cells and missing for the others; so is the -1e8 that stands for "
        "epe_nas, jacov, nwot and zen of the empty cell."
    )
    return _Part([name], _read_proxies(name, naslib), described, notes)


def _latencies(dataset: str) -> _Part:
    if dataset != "cifar10":
        return _Part([], {}, [], "")
    files = {f"latency_{device}_ms": f"nasbench201/latency_help/{device}.pt" for device in _DEVICES}
    columns = {target: _read_latency(name) for target, name in files.items()}
    described = [
        Target(target, "ms", False, "latency", f"Latency on {device}")
        for target, device in zip(files, _DEVICES.values(), strict=True)
    ]
    notes = (
        "Latencies are HELP's (Lee et al., 2021), of networks that run unreachable operations too; its files name "
        "no data set, but pixel3 is HW-NAS-Bench's measurement on CIFAR-10. The phones other than the Pixel 3 were "
        "read in whole milliseconds. On the Pixel 3, 283 cells that no path crosses take less than 1 ms: the "
        "compiler makes a constant of them."
    )
    return _Part(list(files.values()), columns, described, notes)


def _read(name: str, key: str, cells: list[str], columns: dict[str, str]) -> dict[str, NDArray[np.float64]]:
    """The file's columns under our names, in the order of ``cells``."""
    frame = read_by_arch(name, key, cells, list(columns.values()))
    return {ours: frame[theirs].to_numpy() for ours, theirs in columns.items()}


def _read_proxies(name: str, cells: list[str]) -> dict[str, NDArray[np.float64]]:
    """The published proxies in the order of ``cells``, NaN for those that the file leaves out."""
    path = find_file(name)
    try:
        floats = dict.fromkeys(_PROXIES, np.float64)
        frame = pd.read_csv(path, usecols=["net", *_PROXIES], index_col="net", dtype=floats)
    except ValueError as error:
        raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
    if not frame.index.is_unique or not frame.index.isin(cells).all():
        raise InvalidFileError(f"{name} must have cells of NAS-Bench-201, each once. Got {len(frame)} rows.")
    frame = frame.mask(frame == _NOT_COMPUTED).reindex(cells)
    return {proxy: frame[proxy].to_numpy() for proxy in _PROXIES}


def _read_latency(name: str) -> NDArray[np.float64]:
    """A plain list of milliseconds by official index."""
    values = load_torch(find_file(name))
    if not isinstance(values, list) or len(values) != 15625 or not all(isinstance(v, (int, float)) for v in values):
        raise InvalidFileError(f"{name} is not laid out as expected: it must be a list of 15625 numbers.")
    return np.array(values, dtype=np.float64)
