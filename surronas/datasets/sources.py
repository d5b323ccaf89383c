"""What the loaders of benchmark tables share."""

from __future__ import annotations

from collections.abc import Sequence

from surronas.datasets.files import data_file
from surronas.datasets.table import TableInfo
from surronas.exceptions import InvalidInputError, UnknownNameError

__all__ = ["choose_dataset", "info_of"]


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
