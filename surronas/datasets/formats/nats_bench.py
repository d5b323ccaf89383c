"""NATS-Bench's 'simple' directories: one bz2 pickle for each architecture of the topology or of the size space."""

from __future__ import annotations

import bz2
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from surronas.datasets.formats import register_format
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import choose_dataset, drop_impossible
from surronas.datasets.table import BenchmarkTable, Runs, TableInfo, Target
from surronas.exceptions import DataNotFoundError, InvalidFileError
from surronas.spaces.base import SearchSpace
from surronas.spaces.nasbench201 import NASBench201
from surronas.spaces.nats_size import NATSSize

_ENDING = ".pickle.pbz2"
# For each data set and split: the runs, and the images they were evaluated on.
_SPLITS = {
    "cifar10": {"val": ("cifar10-valid", "x-valid"), "test": ("cifar10", "ori-test")},
    "cifar100": {"val": ("cifar100", "x-valid"), "test": ("cifar100", "x-test")},
    "ImageNet16-120": {"val": ("ImageNet16-120", "x-valid"), "test": ("ImageNet16-120", "x-test")},
}
_COSTS = (
    Target("params", "millions", False, "size", "Number of parameters"),
    Target("flops", "millions", False, "compute", "Multiply-adds as the authors count them"),
    Target("latency_gpu_ms", "ms", False, "latency", "Latency on the authors' GPU, which the files do not name"),
    Target("train_time_per_epoch_s", "s", False, "compute", "Training time of an epoch of the longest schedule"),
)
_CITATION = (
    "Dong, Liu, Musial and Gabrys, NATS-Bench: Benchmarking NAS algorithms for architecture topology and size, "
    "IEEE TPAMI 2021, arXiv:2009.00437"
)


@dataclass(frozen=True)
class _Measured:
    """What one file holds of one data set: runs by (split, epochs of the schedule), costs; and its checksum."""

    runs: dict[tuple[str, int], Runs]
    costs: tuple[float, ...]
    sha256: str


_NOTHING = Runs(np.empty((1, 0, 0)), {"seed": (), "epoch": ()})


@register_format("nats_bench")
def read(path: Path, dataset: str | None = None) -> BenchmarkTable:
    """A directory ``NATS-tss-v1_0-3ffb9-simple`` or ``NATS-sss-v1_0-50262-simple`` as its authors publish it.

    Parameters
    ----------
    path : Path
        The directory. It must hold ``meta.pickle.pbz2``, and may hold any number of the architectures' files.
    dataset : {"cifar10", "cifar100", "ImageNet16-120"}, default="cifar10"

    Returns
    -------
    BenchmarkTable
        One row a file, by official index. ``val_accuracy`` and ``test_accuracy`` are those after the longest schedule
        (200 epochs, in the size space 90), the same with ``_12ep`` (and ``_1ep``) after the shorter ones. Each is the
        mean over seeds at the last epoch of ``runs``, whose axes are seed and epoch. On CIFAR-10 the validation
        accuracy is of runs on half of the training images, the test accuracy of runs on all of them. Files are read
        in parallel under ``joblib.parallel_config``.

    Raises
    ------
    DataNotFoundError
        When there is no such directory, no meta file or no file of an architecture.
    InvalidFileError
        When a file is damaged, laid out otherwise, under another architecture's name, or holds anything but numbers.
    """
    dataset = choose_dataset("nats_bench", dataset, tuple(_SPLITS), default="cifar10")
    folder = Path(path)
    space, names = _space_of(folder)
    files = _files_of(folder, len(names))
    measured: list[_Measured] = list(Parallel()(delayed(_read)(files[i], i, names[i], dataset) for i in files))
    accuracies = _accuracies([one.runs for one in measured], dataset)
    n_impossible = sum(_drop_impossible_runs(target, runs) for target, runs in accuracies.items())
    described = [*accuracies, *_COSTS]
    columns = {target.name: _mean_at_the_end(runs) for target, runs in accuracies.items()}
    columns |= dict(zip((cost.name for cost in _COSTS), np.array([one.costs for one in measured]).T, strict=True))
    targets = pd.DataFrame(columns)
    notes = (
        f"{len(files)} of the space's {len(names)} architectures, by official index. Accuracies are means over the "
        f"seeds that are there; {n_impossible} impossible accuracies of single runs set to missing."
    )
    info = TableInfo(
        source=str(folder.resolve()),
        licence="MIT (github.com/D-X-Y/NATS-Bench)",
        citation=_CITATION,
        checksum=f"sha256:{hashlib.sha256(''.join(one.sha256 for one in measured).encode()).hexdigest()} of the files'",
        notes=f"{notes} {drop_impossible(targets, described)}".strip(),
    )
    archs = space.parse([names[i] for i in files])
    kept = {target.name: runs for target, runs in accuracies.items()}
    return BenchmarkTable("nats_bench", space, archs, targets, described, info, dataset, runs=kept)


def _space_of(folder: Path) -> tuple[SearchSpace, list[str]]:
    """The space whose architectures the meta file lists, and their names by official index."""
    path = folder / f"meta{_ENDING}"
    if not path.is_file():
        raise DataNotFoundError(
            f"There is no file {path}. NATS-Bench's 'simple' directory holds it beside the architectures' files "
            f"000000{_ENDING} and so on; unpack the whole archive."
        )
    content, _ = _load(path)
    for space in (NASBench201(), NATSSize()):
        names = space.format(space.enumerate())
        if isinstance(content, dict) and content.get("meta_archs") == names:
            return space, names
    raise InvalidFileError(f"{path} lists the architectures of neither space of NATS-Bench in their official order.")


def _files_of(folder: Path, n_archs: int) -> dict[int, Path]:
    """The architectures' files by ascending index."""
    files = {}
    for path in sorted(folder.glob(f"*{_ENDING}")):
        stem = path.name.removesuffix(_ENDING)
        if stem == "meta":
            continue
        if not re.fullmatch(r"\d{6}", stem) or int(stem) >= n_archs:
            raise InvalidFileError(f"{path} is not named after an index from 000000 to {n_archs - 1:06d}.")
        files[int(stem)] = path
    if not files:
        raise DataNotFoundError(f"The directory {folder} has no file of an architecture, such as 000000{_ENDING}.")
    return files


def _load(path: Path) -> tuple[Any, str]:
    """What a compressed pickle holds, and the file's sha256."""
    data = path.read_bytes()
    try:
        return load_pickle(bz2.decompress(data)), hashlib.sha256(data).hexdigest()
    except (OSError, ValueError) as error:  # InvalidFileError is one of them
        raise InvalidFileError(f"{path} is damaged or not to be trusted: {error}") from error


def _read(path: Path, index: int, name: str, dataset: str) -> _Measured:
    content, sha256 = _load(path)
    try:
        runs = {}
        for schedule, record in content.items():
            if record["arch_index"] != index or record["arch_str"] != name:
                raise InvalidFileError(
                    f"{path} must hold architecture {index}, {name}. "
                    f"Got {record['arch_index']}, {record['arch_str']}: has the file been renamed?"
                )
            for split, (trained, images) in _SPLITS[dataset].items():
                curves = [
                    (seed, int(key.partition("@")[2]) + 1, float(value))
                    for (what, seed), run in record["all_results"].items()
                    if what == trained
                    for key, value in run["eval_acc1es"].items()
                    if key.startswith(f"{images}@")
                ]
                runs[split, int(schedule)] = _grid(curves)
        record = content[max(content, key=int)]
        trained = _SPLITS[dataset]["test"][0]
        costs = [_costs_of(run) for (what, _), run in record["all_results"].items() if what == trained]
        if not costs:
            raise LookupError(f"no run of {trained}")
        return _Measured(runs, tuple(np.mean(costs, axis=0).tolist()), sha256)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InvalidFileError):
            raise
        raise InvalidFileError(f"{path} is not laid out as NATS-Bench's 'simple' files: {error!r}.") from error


def _costs_of(run: dict[str, Any]) -> list[float]:
    """The values of ``_COSTS``."""
    latencies, times = run["latency"], list(run["train_times"].values())
    return [
        float(run["params"]),
        float(run["flop"]),
        1000 * float(np.mean(latencies)) if latencies else np.nan,
        float(np.mean(times)),
    ]


def _accuracies(files: Sequence[dict[tuple[str, int], Runs]], dataset: str) -> dict[Target, Runs]:
    """All files' runs by what they measure, the longest schedule first."""
    schedules = sorted({epochs for runs in files for _, epochs in runs}, reverse=True)
    accuracies = {}
    for epochs in schedules:
        for split, images in (("val", "validation"), ("test", "test")):
            name = f"{split}_accuracy" if epochs == schedules[0] else f"{split}_accuracy_{epochs}ep"
            what = f"{dataset} {images} accuracy after {epochs} epochs, mean over seeds"
            runs = _stacked([runs.get((split, epochs), _NOTHING) for runs in files])
            accuracies[Target(name, "%", True, "accuracy", what)] = runs
    return accuracies


def _drop_impossible_runs(target: Target, runs: Runs) -> int:
    """Set impossible values to NaN, in place; how many there were."""
    impossible = ~np.isnan(runs.values) & ~target.possible(runs.values)
    runs.values[impossible] = np.nan
    return int(impossible.sum())


def _grid(points: Sequence[tuple[int, int, float]]) -> Runs:
    """(seed, epoch, accuracy) as an array (1, seeds, epochs)."""
    seeds, epochs = ({label: i for i, label in enumerate(sorted({p[axis] for p in points}))} for axis in (0, 1))
    values = np.full((1, len(seeds), len(epochs)), np.nan)
    for seed, epoch, accuracy in points:
        values[0, seeds[seed], epochs[epoch]] = accuracy
    return Runs(values, {"seed": tuple(seeds), "epoch": tuple(epochs)})


def _stacked(files: Sequence[Runs]) -> Runs:
    """The runs of one file each as one array (file, seed, epoch), NaN where a file has none."""
    seeds, epochs = (sorted({label for one in files for label in one.axes[axis]}) for axis in ("seed", "epoch"))
    values = np.full((len(files), len(seeds), len(epochs)), np.nan)
    for row, one in zip(values, files, strict=True):
        row[np.ix_(np.searchsorted(seeds, one.axes["seed"]), np.searchsorted(epochs, one.axes["epoch"]))] = one.values[
            0
        ]
    return Runs(values, {"seed": tuple(seeds), "epoch": tuple(epochs)})


def _mean_at_the_end(runs: Runs) -> NDArray[np.float64]:
    """(n,) mean over seeds at the last epoch, of the seeds that are there."""
    last = runs.values[:, :, -1:].reshape(len(runs.values), -1)
    known = ~np.isnan(last)
    n_known = known.sum(axis=1)
    return np.asarray(np.where(known, last, 0).sum(axis=1) / np.where(n_known, n_known, np.nan))
