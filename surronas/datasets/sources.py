"""What the loaders of benchmark tables share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from surronas.datasets.files import data_file, find_file
from surronas.datasets.table import TableInfo, Target
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError

__all__ = ["choose_dataset", "drop_impossible", "info_of", "read_by_arch"]


def choose_dataset(benchmark: str, dataset: str | None, known: Sequence[str], default: str | None = None) -> str:
    """The data set meant, or an error that lists the known ones."""
    dataset = default if dataset is None else dataset
    if dataset is None:
        raise InvalidInputError(
            f"The 'dataset' parameter of load_benchmark({benchmark!r}) must be one of {', '.join(known)}. "
            "Got None instead."
        )
    if dataset not in known:
        raise UnknownNameError.of(f"dataset of {benchmark}", dataset, known)
    return dataset


def info_of(names: Sequence[str], notes: str) -> TableInfo:
    """Provenance of a table made of the registered files of these names."""
    files = [data_file(name) for name in names]
    return TableInfo(
        source="; ".join(dict.fromkeys(file.source for file in files)),
        licence="; ".join(dict.fromkeys(f"{file.licence} ({file.source})" for file in files)),
        citation="; ".join(dict.fromkeys(file.citation for file in files)),
        checksum="; ".join(f"{file.name} sha256:{file.sha256}" for file in files),
        notes=notes,
    )


def drop_impossible(targets: pd.DataFrame, described: Sequence[Target]) -> str:
    """Set values that no measurement can have to NaN, in place; says how many of which target, or nothing."""
    said = []
    for target in described:
        column = targets[target.name]
        impossible = column.notna().to_numpy() & ~target.possible(column)
        if impossible.any():
            targets.loc[impossible, target.name] = np.nan
            said.append(f"{impossible.sum()} of {target.name}")
    return f"Impossible values set to missing: {', '.join(said)}." if said else ""


def read_by_arch(name: str, key: str, archs: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Numbers of a registered CSV file in the order of ``archs``, which its column ``key`` holds once each.

    Raises
    ------
    InvalidFileError
        When the file lacks a column, holds what is no number, or has other architectures.
    """
    path = find_file(name)
    try:
        floats = dict.fromkeys(columns, np.float64)
        frame = pd.read_csv(path, usecols=[key, *columns], index_col=key, dtype=floats)
    except ValueError as error:
        raise InvalidFileError(f"{name} is not laid out as expected: {error}") from error
    if not frame.index.is_unique or set(frame.index) != set(archs):
        raise InvalidFileError(f"{name} must have each of the {len(archs)} cells once. Got {len(frame)} rows.")
    return frame.loc[list(archs), list(columns)].reset_index(drop=True)
