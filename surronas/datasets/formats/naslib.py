"""NASLib's dictionaries of NAS-Bench-201: learning curves and costs by architecture and data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets.files import sha256_of
from surronas.datasets.formats import register_format
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import drop_impossible
from surronas.datasets.table import BenchmarkTable, Runs, TableInfo, Target
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError, UnknownNameError
from surronas.spaces.nasbench201 import NASBench201

# NASLib's name -> ours, with what it is multiplied by.
_CURVES = {
    "eval_acc1es": Target("val_accuracy", "%", True, "accuracy", "Evaluation accuracy at the last epoch"),
    "train_acc1es": Target("train_accuracy", "%", True, "accuracy", "Training accuracy at the last epoch"),
    "eval_losses": Target("val_loss", "", False, "loss", "Evaluation loss at the last epoch"),
    "train_losses": Target("train_loss", "", False, "loss", "Training loss at the last epoch"),
}
_COSTS = {
    "params": (1, Target("params", "millions", False, "size", "Number of parameters")),
    "flops": (1, Target("flops", "millions", False, "compute", "Multiply-adds as NAS-Bench-201 counts them")),
    "latency": (1000, Target("latency_gpu_ms", "ms", False, "latency", "Latency on NAS-Bench-201's GPU")),
    "train_time": (1, Target("train_time_s", "s", False, "compute", "Training time as the file has it")),
}
_CITATION = "Dong and Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326; NASLib, github.com/automl/NASLib"


@register_format("naslib")
def read(path: Path, dataset: str | None = None) -> BenchmarkTable:
    """``nb201_cifar10_full_training.pickle``, its siblings of other data sets, or ``nb201_all.pickle``.

    Parameters
    ----------
    path : Path
        ``{architecture string: {data set: {"eval_acc1es": [...], ..., "cost_info": {...}}}}``; in ``nb201_all`` the
        entries are numbers, and the costs stand beside them.
    dataset : str, optional
        One of the file's; "cifar10" means its "cifar10-valid" where it has no "cifar10". Default: the only one
        there is, or CIFAR-10.

    Returns
    -------
    BenchmarkTable
        The architectures that the file has on the data set, in its order. Targets are the curves' last values and
        the costs, as far as the file has them; ``runs`` keeps the curves by epoch, counted from 1.

    Raises
    ------
    DataNotFoundError
        When there is no such file.
    UnknownNameError
        When the file lacks the data set.
    InvalidFileError
        When it is no such dictionary, or holds anything but numbers and strings.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f"There is no file {path}; NASLib's readme says where to get its pickles.")
    content = load_pickle(path)
    space = NASBench201()
    if not isinstance(content, Mapping) or not all(isinstance(record, Mapping) for record in content.values()):
        raise InvalidFileError(f"{path} is no dictionary of dictionaries, as NASLib's files of NAS-Bench-201 are.")
    name = _choose(dataset, sorted({str(found) for record in content.values() for found in record}))
    records = {arch: record[name] for arch, record in content.items() if name in record}
    try:
        archs = space.parse([str(arch) for arch in records])
        columns, described, runs, n_impossible = _curves(records)
        for key, (factor, target) in _COSTS.items():
            costs = [_cost(record, key) for record in records.values()]
            if any(cost is not None for cost in costs):
                columns[target.name] = factor * np.array(costs, dtype=np.float64)
                described.append(target)
        targets = pd.DataFrame(columns, index=range(len(archs)))
    except (InvalidInputError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFileError(f"{path} is not laid out as NASLib's files of NAS-Bench-201: {error!r}.") from error
    dropped = [f"{n} values of {name}'s curves set to missing." for name, n in n_impossible.items() if n]
    notes = (
        f"{len(archs)} architectures in the order of the file, data set {name}. NASLib takes one curve for validation "
        f"and test alike: on cifar10-valid it is validation, on cifar100 and ImageNet16-120 one run's test. "
        f"{' '.join(dropped)} {drop_impossible(targets, described)}"
    )
    info = TableInfo(
        source=str(path),
        licence="MIT (NAS-Bench-201's values); the file's own is unstated",
        citation=_CITATION,
        checksum=f"sha256:{sha256_of(path)}",
        notes=" ".join(notes.split()),
    )
    return BenchmarkTable("naslib", space, archs, targets, described, info, name, runs=runs)


def _choose(dataset: str | None, found: list[str]) -> str:
    wanted = found[0] if dataset is None and len(found) == 1 else dataset or "cifar10"
    for name in (wanted, f"{wanted}-valid"):
        if name in found:
            return name
    raise UnknownNameError.of("data set of the file", wanted, found)


def _curves(
    records: Mapping[Any, Any],
) -> tuple[dict[str, Any], list[Target], dict[str, Runs], dict[str, int]]:
    """Last values, what they are, the curves that are more than one value, how many values were impossible."""
    columns: dict[str, Any] = {}
    described, runs, n_impossible = [], {}, {}
    for key, target in _CURVES.items():
        if not any(key in record for record in records.values()):
            continue
        curves = [np.atleast_1d(np.asarray(record[key], dtype=np.float64)) for record in records.values()]
        lengths = {curve.shape for curve in curves}
        if len(lengths) != 1 or lengths == {(0,)}:
            raise ValueError(f"the curves {key!r} must have one length, not {sorted(lengths)}")
        values = np.stack(curves)
        impossible = ~np.isnan(values) & ~target.possible(values)
        values[impossible] = np.nan
        n_impossible[target.name] = int(impossible.sum())
        columns[target.name] = values[:, -1]
        described.append(target)
        if values.shape[1] > 1:
            runs[target.name] = Runs(values, {"epoch": tuple(range(1, values.shape[1] + 1))})
    if not described:
        raise LookupError(f"none of {', '.join(_CURVES)}")
    return columns, described, runs, n_impossible


def _cost(record: Mapping[str, Any], key: str) -> float | None:
    """A cost that stands in ``cost_info`` or beside the curves, where flops may be called flop."""
    costs = {**record, **record.get("cost_info", {})}
    found = costs.get(key, costs.get("flop") if key == "flops" else None)
    return None if found is None else float(found)
