"""NAS-Bench-Suite-Zero's columns: what they mean, what stands for a failure, and its samples of 500 architectures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from surronas.datasets.files import find_file
from surronas.datasets.sources import drop_impossible
from surronas.datasets.table import Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces.base import IntArray, SearchSpace

__all__ = ["described_as", "drop_failed", "read_sample"]

_SAMPLED = ("snip", "jacov", "grad_norm", "plain", "epe_nas", "fisher", "grasp", "l2_norm", "synflow")
_NOT_COMPUTED = -1e8
_COSTS = {
    "params": Target("params", "millions", False, "size", "Trainable parameters"),
    "flops": Target(
        "flops",
        "millions",
        False,
        "compute",
        "Multiply-adds, one for each output of a ReLU, two of a batch norm, the window's area of a pooling",
    ),
}


def described_as(columns: Iterable[str], accuracy: Target) -> list[Target]:
    """What each column is: the accuracy, ``params``, ``flops``, or else a zero-cost proxy."""
    known = {accuracy.name: accuracy, **_COSTS}
    return [
        known.get(name, Target(name, "", True, "proxy", f"{name} of the untrained network, as published"))
        for name in columns
    ]


def drop_failed(targets: pd.DataFrame, described: Iterable[Target]) -> str:
    """Set the suite's -1e8 and impossible values to NaN, in place; says how many of what."""
    failed = targets == _NOT_COMPUTED
    targets[failed] = np.nan
    counts = [f"{n} of {name}" for name, n in failed.sum().items() if n]
    said = [f"Proxies that failed (-1e8), set to missing: {', '.join(counts)}."] if counts else []
    impossible = drop_impossible(targets, list(described))
    return " ".join([*said, *([impossible] if impossible else [])])


def read_sample(name: str, space: SearchSpace) -> tuple[IntArray, pd.DataFrame]:
    """The architectures and the numbers of one of the suite's samples, converted to CSV.

    Raises
    ------
    InvalidFileError
        When the file is laid out otherwise or an architecture is not of the space.
    """
    numbers = ["val_accuracy", "params", "flops", *_SAMPLED]
    try:
        floats = dict.fromkeys(numbers, np.float64)
        frame = pd.read_csv(find_file(name), usecols=["arch", *numbers], dtype=floats)
        return space.parse(frame["arch"]), frame[numbers]
    except InvalidInputError as error:
        raise InvalidFileError(f"{name} holds what is no architecture. {error}") from error
    except ValueError as error:
        raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
