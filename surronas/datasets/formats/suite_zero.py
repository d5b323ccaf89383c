"""NAS-Bench-Suite-Zero's JSON files: zero-cost proxies and accuracies by data set and architecture."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from surronas.datasets.formats import register_format
from surronas.datasets.sources import choose_dataset
from surronas.datasets.suite_zero import described_as, drop_failed
from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.base import IntArray, SearchSpace


def _macro_string(codes: str) -> str:
    """The authors' string of six codes, of which 0 stands for no module."""
    return f"64-{re.sub('[^1-9]', '', codes)}-basic"


# The suite's name of each space, as it is in file names; ours; and how we spell an architecture.
_SPACES: dict[str, tuple[str, Callable[[str], str]]] = {
    "nasbench101": ("nasbench101", str),
    "nasbench201": ("nasbench201", str),
    "nasbench301": ("darts", str),
    "transbench101_micro": ("transnasbench101_micro", str),
    "transbench101_macro": ("transnasbench101_macro", _macro_string),
}
_METRICS = {
    "autoencoder": Target("val_ssim", "", True, "accuracy", "Structural similarity on the validation images"),
    "normal": Target("val_ssim", "", True, "accuracy", "Structural similarity on the validation images"),
    "room_layout": Target("val_loss", "", False, "loss", "Loss on the validation images, which the file has negated"),
}
_CITATION = (
    "Krishnakumar, White, Zela, Tu, Safari and Hutter, NAS-Bench-Suite-Zero: Accelerating research on zero cost "
    "proxies, NeurIPS 2022 Datasets and Benchmarks, arXiv:2210.03230"
)
# Rank correlation of published parameters, which count dead operations too, with ours, which do not: 0.80 over all of
# TransNAS-Bench-101 micro, 0.86 over NAS-Bench-201, 1 elsewhere; 0.53 at most with NAS-Bench-101's codes exchanged.
_LEAST_AGREEMENT, _LEAST_ROWS = 0.65, 100


@register_format("suite_zero")
def read(path: Path, dataset: str | None = None) -> BenchmarkTable:
    """A file such as ``zc_nasbench201.json`` or ``zc_transbench101_micro.json``.

    Either layout is read: ``{dataset: {architecture: {proxy: {"score": ..., "time": ...}, "val_accuracy": ...}}}`` of
    the suite, and ``{space: {dataset: {architecture: {proxy: score}}}}`` of NASLib's samples.

    Parameters
    ----------
    path : Path
    dataset : str, optional
        Default: the only one of the file, else cifar10.

    Returns
    -------
    BenchmarkTable
        One row an architecture in the file's order. Targets: ``val_accuracy`` (of TransNAS-Bench-101's tasks also
        ``val_ssim`` or ``val_loss``), ``params``, ``flops`` and the proxies. A proxy of -1e8, which stands for a
        failure, is missing. The seconds that each proxy took are left out: they tell of the authors' machine.

    Raises
    ------
    InvalidFileError
        When the file is damaged or laid out otherwise, when neither its name (``zc_nasbench101...``), nor its
        first key, nor the form of its architectures says of which space it is, or when the published numbers of
        parameters contradict the architectures as they are read.
    UnknownNameError
        When it has no such data set.
    """
    content = path.read_bytes()
    named, by_dataset = _open(path, content)
    sole = next(iter(by_dataset)) if len(by_dataset) == 1 else None
    dataset = choose_dataset(
        path.name, dataset, tuple(by_dataset), default=sole or ("cifar10" if "cifar10" in by_dataset else None)
    )
    try:
        names = list(by_dataset[dataset])
        targets = pd.DataFrame([_scores(record) for record in by_dataset[dataset].values()], dtype=np.float64)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFileError(f"{path} is not laid out as NAS-Bench-Suite-Zero: {error!r}.") from error
    if targets.empty:
        raise InvalidFileError(f"{path} has no numbers for {dataset}.")
    space, archs = _parse(path, named or _space_of(path, names), names)
    metric = _METRICS.get(dataset) or Target(
        "val_accuracy", "%", True, "accuracy", f"{dataset} validation accuracy as NASLib has it"
    )
    targets = targets.rename(columns={"val_accuracy": metric.name})
    if metric.kind == "loss" and metric.name in targets:
        targets[metric.name] *= -1
    first = [name for name in (metric.name, "params", "flops") if name in targets]
    targets = targets[[*first, *sorted(set(map(str, targets)) - set(first))]]
    described = described_as(targets.columns, metric)
    failed = drop_failed(targets, described)
    _check_sizes(path, space, archs, targets)
    notes = f"{failed} The seconds that each proxy took are left out.".strip()
    checksum = f"{path.name} sha256:{hashlib.sha256(content).hexdigest()}"
    info = TableInfo(str(path), "not stated in the file", _CITATION, checksum, notes)
    return BenchmarkTable(path.stem, space, archs, targets, described, info, dataset)


def _open(path: Path, content: bytes) -> tuple[str | None, Mapping[str, Any]]:
    """The space that the first key names, if it does, and the records by data set."""
    try:
        by_dataset = json.loads(content)
        named = next((key for key in by_dataset if key in _SPACES), None)
        by_dataset = by_dataset if named is None else by_dataset[named]
        if not by_dataset or not all(isinstance(records, dict) and records for records in by_dataset.values()):
            raise ValueError("it must have architectures by data set")
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise InvalidFileError(f"{path} is not laid out as NAS-Bench-Suite-Zero: {error}.") from error
    return named, by_dataset


def _scores(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one architecture; a proxy's score without its time."""
    scores = {name: value["score"] if isinstance(value, dict) else value for name, value in record.items()}
    return {name: value for name, value in scores.items() if not isinstance(value, (str, list))}


def _space_of(path: Path, names: list[str]) -> str:
    """The suite's name of the space, by the file's name, else by what only that space's architectures look like."""
    stem = path.stem.lower().replace("transnas", "trans")
    named = next((name for name in _SPACES if name in stem), None)
    if named is None:
        try:
            arch = ast.literal_eval(names[0])
            flat = all(isinstance(code, int) for code in arch)
            named = "nasbench301" if not flat else "nasbench101" if len(arch) > 6 else None
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            named = None
    if named is None:
        raise InvalidFileError(
            f"{path} does not say of which space it is: architectures such as {names[0]} may be of several. "
            f"Have one of {', '.join(_SPACES)} in the file's name."
        )
    return named


def _parse(path: Path, named: str, names: list[str]) -> tuple[SearchSpace, IntArray]:
    ours, spell = _SPACES[named]
    space = get_space(ours)
    try:
        return space, space.parse([spell(name) for name in names])
    except InvalidInputError as error:
        raise InvalidFileError(f"{path} holds what is no architecture. {error}") from error


def _check_sizes(path: Path, space: SearchSpace, archs: IntArray, targets: pd.DataFrame) -> None:
    """Operation codes of another order would go unnoticed, were it not for the parameters."""
    if not space.has_cost or "params" not in targets or targets["params"].count() < _LEAST_ROWS:
        return
    ours = space.cost(archs)["params"]
    agreement = spearmanr(ours, targets["params"], nan_policy="omit").statistic
    if not agreement >= _LEAST_AGREEMENT:
        raise InvalidFileError(
            f"{path} numbers operations otherwise than NASLib: its parameters correlate by {agreement:.2f} only with "
            f"those of the architectures of the space {space.name!r}."
        )
