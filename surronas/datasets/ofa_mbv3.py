"""Subnets of the once-for-all MobileNetV3 supernet measured on ImageNet by five searches."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.latency_table import load_latency_table
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of
from surronas.datasets.table import BenchmarkTable, Runs, Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces.ofa_mbv3 import OFAMobileNetV3

_SEARCHES = ("evoga_acc", "evonsga2_acc_macs", "evounsga3_acc_macs_params", "linasga_acc", "linasnsga2_acc_macs")
_FILES = tuple(f"ofa_mbv3/mbnv3w10_{search}.csv" for search in _SEARCHES)
_LOOK_UP = "ofa_mbv3/i7-8700K_lut.yaml"
_COLUMNS = {"Top-1 Acc (%)": "val_accuracy", "Model Parameters": "params", "MACs": "madds"}
_TARGETS = (
    Target(
        "val_accuracy",
        "%",
        True,
        "accuracy",
        "ImageNet top-1 on the 50,000 validation images at 224 pixels; weights of the supernet of width 1.0 as they "
        "are, batch norm recalibrated on training images; mean of the searches that measured the subnet",
    ),
    Target("params", "millions", False, "size", "Number of parameters"),
    Target("madds", "millions", False, "compute", "Multiply-adds of convolutions and linear layers at 224 pixels"),
    Target(
        "latency_i7_8700K_ms",
        "ms",
        False,
        "latency",
        "Estimate, not a measurement of the whole network: the sum of its blocks in MSuNAS's look-up table of an Intel "
        "Core i7-8700K, at 224 pixels",
    ),
)


@register_benchmark("ofa_mbv3")
def load(dataset: str | None = None) -> BenchmarkTable:
    """The different architectures in the order in which the files name them, with every search's measurement."""
    dataset = choose_dataset("ofa_mbv3", dataset, ("imagenet",), default="imagenet")
    space = OFAMobileNetV3()
    rows = _read(space)
    by_arch = rows.groupby("arch", sort=False)
    sizes = by_arch[["params", "madds"]]
    if (sizes.nunique() > 1).any(axis=None):
        raise InvalidFileError("ofa_mbv3: the files give one architecture several sizes.")
    runs = rows.pivot_table("val_accuracy", "arch", "search", observed=False)
    runs = runs.reindex(index=pd.unique(rows["arch"]), columns=_SEARCHES)
    archs = space.parse(by_arch["subnet"].first())
    latency = load_latency_table("i7-8700K").latency(archs)
    targets = pd.concat([runs.mean(axis=1).rename("val_accuracy"), sizes.first() / 1e6], axis=1)
    targets = targets.assign(latency_i7_8700K_ms=latency).reset_index(drop=True)
    notes = f"{_notes(rows, runs)} {drop_impossible(targets, _TARGETS)}".strip()
    kept = {"val_accuracy": Runs(runs.to_numpy(np.float64), {"run": _SEARCHES})}
    info = info_of([*_FILES, _LOOK_UP], notes)
    return BenchmarkTable("ofa_mbv3", space, archs, targets, _TARGETS, info, dataset, kept)


def _read(space: OFAMobileNetV3) -> pd.DataFrame:
    """Every row of the files, with its search and the key of its architecture."""
    frames = []
    for search, name in zip(_SEARCHES, _FILES, strict=True):
        try:
            columns = ["Sub-network", "Latency (ms)", *_COLUMNS]
            frame = pd.read_csv(find_file(name), usecols=columns, dtype=dict.fromkeys(columns[1:], np.float64))
            frame["arch"] = space.key(space.parse(frame["Sub-network"]))
        except (InvalidInputError, ValueError) as error:
            raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
        if frame["Latency (ms)"].any():
            raise InvalidFileError(f"{name} has latencies; they are expected to be 0, which means not measured.")
        frames.append(frame.rename(columns={"Sub-network": "subnet", **_COLUMNS}).assign(search=search))
    return pd.concat(frames, ignore_index=True)


def _notes(rows: pd.DataFrame, runs: pd.DataFrame) -> str:
    n_runs = runs.notna().sum(axis=1)
    repeated = runs[n_runs > 1]
    deviation = np.sqrt(repeated.var(axis=1).mean())
    widest = (repeated.max(axis=1) - repeated.min(axis=1)).max()
    return (
        f"Five searches measured {rows['subnet'].nunique()} descriptions, which are {len(runs)} architectures: the "
        f"others differ in layers that the depth leaves out. {len(repeated)} architectures were measured by several "
        f"searches (standard deviation {deviation:.3f} points, at most {widest:.3f} apart); measured again by the same "
        f"search, {len(rows) - int(n_runs.sum())} times, they have the same value. All searches maximise accuracy, "
        "three minimise multiply-adds as well, one of these parameters too: the sample lies near the Pareto front and "
        f"is no random one. All of width 1.0 and resolution 224. The files' latency is 0 in all {len(rows)} rows, "
        "which means not measured; it is left out."
    )
