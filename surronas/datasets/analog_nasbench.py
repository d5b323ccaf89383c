"""AnalogNAS-Bench: NAS-Bench-201 cells on simulated analog in-memory hardware."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.datasets import register_benchmark
from surronas.datasets.files import find_file
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import choose_dataset, info_of
from surronas.datasets.table import BenchmarkTable, Target
from surronas.exceptions import InvalidFileError
from surronas.spaces.nasbench201 import NASBench201

_FILE = "analog_nasbench/data.anb"
_RECORDS = ("analognasbench.data.Architecture", "analognasbench.data.DriftMeasurement")
_ACCURACIES = {
    "baseline_accuracy": "digital, full precision",
    "ptq_accuracy": "digital, 8-bit post-training quantisation",
    "qat_accuracy": "digital, 8-bit quantisation-aware training",
    "noisy_accuracy": "digitally trained weights on the analog device",
    "analog_accuracy": "hardware-aware trained weights on the analog device",
}
_TRAINED = {"baseline": "digitally trained weights", "analog": "hardware-aware trained weights"}
_SECONDS = {60: "1 minute", 3600: "1 hour", 86400: "1 day", 2592000: "30 days"}
_DRIFTS = {
    f"{weights}_drift_{seconds}": f"{trained} on the analog device after {time} of conductance drift"
    for weights, trained in _TRAINED.items()
    for seconds, time in _SECONDS.items()
}
# Elsewhere noise raises a network's accuracy by 0.84 points at most; the one value above it is 26.7 points higher.
_MOST_GAINED = 5.0


@register_benchmark("analog_nasbench")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All 15,625 cells of NAS-Bench-201 trained on CIFAR-10, by official index."""
    dataset = choose_dataset("analog_nasbench", dataset, ("cifar10",), default="cifar10")
    space = NASBench201()
    archs = space.enumerate()
    targets = _read([tuple(row) for row in space.to_naslib(archs).tolist()])
    n_impossible = _drop_impossible(targets)
    notes = (
        "CIFAR-10 test accuracy, one training run each; the published training script evaluates on randomly "
        "cropped and flipped test images, mean of 25 passes. "
        f"{n_impossible} impossible value(s) (more than {_MOST_GAINED:g} points above the network's own digital "
        "accuracy) set to missing."
    )
    info = info_of([_FILE], notes)
    return BenchmarkTable("analog_nasbench", space, archs, targets, _targets(), info, dataset)


def _targets() -> list[Target]:
    measured = "CIFAR-10 test accuracy,"
    described = [Target(name, "%", True, "accuracy", f"{measured} {how}") for name, how in _ACCURACIES.items()]
    for name, how in _DRIFTS.items():
        described.append(Target(name, "%", True, "accuracy", f"{measured} {how}, mean of 25 simulations"))
        described.append(Target(f"{name}_std", "%", False, "spread", f"Standard deviation of {name}"))
    return described


def _read(cells: list[tuple[int, ...]]) -> pd.DataFrame:
    """The targets of the cells, which the file calls by NASLib's op tuples."""
    content = load_pickle(find_file(_FILE), records=_RECORDS)
    try:
        states = [content[cell].state for cell in cells]
        columns = {name: [state[name] for state in states] for name in _ACCURACIES}
        for name in _DRIFTS:
            drifts = [state[name].state for state in states]
            columns[name] = [drift["value"] for drift in drifts]
            columns[f"{name}_std"] = [drift["uncertainty"] for drift in drifts]
        return pd.DataFrame(columns, dtype=np.float64)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{_FILE} is not laid out as analog-nasbench 0.1.3: {error!r}.") from error


def _drop_impossible(targets: pd.DataFrame) -> int:
    """Set impossible accuracies and their spread to NaN, in place; how many accuracies there were."""
    names = [*_ACCURACIES, *_DRIFTS]
    values = targets[names].to_numpy()
    gained = values - targets[["baseline_accuracy"]].to_numpy()
    impossible = ~((values >= 0) & (values <= 100) & (gained <= _MOST_GAINED))
    for column in np.flatnonzero(impossible.any(axis=0)):
        spread = [f"{names[column]}_std"] if names[column] in _DRIFTS else []
        targets.loc[impossible[:, column], [names[column], *spread]] = np.nan
    return int(impossible.sum())
