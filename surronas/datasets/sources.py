"""What the loaders of benchmark tables share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from surronas.datasets.files import data_file
from surronas.datasets.table import TableInfo
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.spaces.base import IntArray

__all__ = ["choose_dataset", "info_of", "rows_of"]


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


def info_of(names: Sequence[str], citation: str, notes: str) -> TableInfo:
    """Provenance of a table made of the registered files of these names."""
    files = [data_file(name) for name in names]
    return TableInfo(
        source="; ".join(dict.fromkeys(file.source for file in files)),
        licence="; ".join(dict.fromkeys(f"{file.licence} ({file.source})" for file in files)),
        citation=citation,
        checksum="; ".join(f"{file.name} sha256:{file.sha256}" for file in files),
        notes=notes,
    )


def rows_of(archs: IntArray, among: IntArray, source: str) -> IntArray:
    """(n,) the row of each architecture in ``among``. Every one must be there, and only once."""
    index, wanted = (pd.MultiIndex.from_arrays(list(X.T)) for X in (among, archs))
    rows = index.get_indexer(wanted)
    if (rows < 0).any() or len(np.unique(rows)) != len(rows):
        raise InvalidFileError(f"{source} has architectures twice, or ones that do not belong there.")
    return np.asarray(rows, dtype=np.int64)
