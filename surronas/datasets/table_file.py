"""A benchmark table in one parquet file: genotypes and values in columns, what they mean in the schema's metadata."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets.files import sha256_of
from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.spaces import space_from_spec

__all__ = ["read_table", "write_table"]

_KEY = b"surronas"
_VERSION = 1


def write_table(table: BenchmarkTable, path: str | os.PathLike[str]) -> None:
    """Write a table, so that ``read_table`` gives it back; the file is whole or absent.

    Any reader of parquet finds a column of small ints for each gene, one of floats for each target, and the context's.

    Raises
    ------
    InvalidInputError
        When two columns would have one name, or the table has runs, which there is no place for.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if table.runs:
        raise InvalidInputError(f"A table with runs cannot be written to {path}. Got runs of {', '.join(table.runs)}.")
    codes = np.uint8 if table.space.n_choices.max() <= 256 else np.uint16
    genes = pd.DataFrame(table.archs.astype(codes), columns=table.space.gene_names)
    context = pd.DataFrame(index=genes.index) if table.context is None else table.context
    columns = pd.concat([genes, table.targets, context], axis=1)
    twice = columns.columns[columns.columns.duplicated()]
    if len(twice):
        raise InvalidInputError(f"Genes, targets and context must have distinct names. Got {twice[0]!r} twice.")
    head = {
        "version": _VERSION,
        "name": table.name,
        "dataset": table.dataset,
        "space": table.space.to_spec(),
        "targets": [asdict(table.target(str(name))) for name in table.targets],
        "context": list(context),
        "info": asdict(replace(table.info, checksum="")),
    }
    arrow = pa.Table.from_pandas(columns, preserve_index=False)
    arrow = arrow.replace_schema_metadata({_KEY: json.dumps(head)})
    buffer = io.BytesIO()
    parquet.write_table(arrow, buffer, compression="zstd", compression_level=19, write_page_checksum=True)
    write_atomic(path, buffer.getvalue())


def read_table(path: str | os.PathLike[str]) -> BenchmarkTable:
    """The table of a file that ``write_table`` wrote; ``info.checksum`` is that of the file.

    Raises
    ------
    InvalidFileError
        When the file is damaged, no such table, or of a newer version.
    """
    path = Path(path)
    head, columns = _read(path)
    if not isinstance(head.get("version"), int) or head["version"] > _VERSION:
        raise InvalidFileError(
            f"{path} has format version {head.get('version')!r}; this library reads up to {_VERSION}."
        )
    try:
        space = space_from_spec(head["space"])
        described = [Target(**target) for target in head["targets"]]
        info = replace(TableInfo(**head["info"]), checksum=f"{path.name} sha256:{sha256_of(path)}")
        texts = [*asdict(info).values(), *(part for t in described for part in (t.name, t.unit, t.description))]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("what describes it is no text")
        targets = columns[[target.name for target in described]]
        context = columns[head["context"]] if head["context"] else None
        archs = columns[space.gene_names].to_numpy(np.int64)
        return BenchmarkTable(head["name"], space, archs, targets, described, info, head["dataset"], context=context)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFileError(f"{path} is not laid out as a benchmark table: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """The head and the columns; pages with another checksum than their own are refused."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        arrow = parquet.read_table(path, page_checksum_verification=True)
        head = json.loads((arrow.schema.metadata or {})[_KEY])
        return dict(head), arrow.to_pandas(ignore_metadata=True)
    except KeyError as error:
        raise InvalidFileError(
            f"{path} is not a benchmark table: its schema does not say what its columns are."
        ) from error
    except (pa.ArrowException, OSError, TypeError, ValueError, RecursionError) as error:
        raise InvalidFileError(f"{path} does not read as a benchmark table: {error}") from error
