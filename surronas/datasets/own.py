"""A table of one's own: ``load_table`` reads it and says what it took each column for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets.formats import get_format
from surronas.datasets.frames import read_source
from surronas.datasets.gene_columns import encode, infer_gene
from surronas.datasets.sources import drop_impossible
from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.datasets.target_columns import infer_target, resolve_targets
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces import Gene, SearchSpace, resolve_space
from surronas.spaces.base import IntArray

__all__ = ["load_table"]

_ARCH_COLUMNS = ("arch", "architecture", "arch_str", "genotype", "net", "network", "cell", "config")


def load_table(
    source: Any,
    *,
    space: SearchSpace | str | None = None,
    genes: Sequence[str | Gene] | None = None,
    targets: Mapping[str, Any] | Sequence[str] | None = None,
    format: str | None = None,
    dataset: str | None = None,
    name: str | None = None,
) -> BenchmarkTable:
    """Read a table of one's own: architectures and what was measured of them, one a row.

    What was inferred stands in ``table.info.notes`` and in what ``print(table)`` shows.

    Parameters
    ----------
    source : path or DataFrame
        A CSV, TSV, parquet, JSON-lines or JSON file, a folder of parquet files as Hugging Face lays them out,
        or, with ``format``, what that format is kept in.
    space : SearchSpace or str, optional
        The search space. Its architectures are in one column a gene where the columns have its genes' names,
        else in one column that ``space.parse`` reads: the one called arch, architecture, arch_str, genotype,
        net, network, cell or config, else the only one that is not of numbers, else the only one of those
        whose first row the space reads.
    genes : sequence of str or Gene, optional
        The columns that are genes; default: all that are no targets. A name's choices are inferred: numbers
        give an ordered gene, booleans (False, True), words a categorical one, blanks the choice None. A
        ``Gene`` has its own choices and conditions; blanks are allowed where it is inactive. With a space:
        the one column of its architectures, or one column a gene in the space's order.
    targets : mapping, or sequence of str, optional
        ``{"top1": "maximize", "delay": {"maximize": False, "unit": "ms", "kind": "latency"}}``, also with
        ``Target`` objects as values; or names that say themselves which way is better (accuracy, error,
        latency, params, ...). Default: every column of numbers, other than a gene, with such a name.
    format : str, optional
        One of ``surronas.datasets.formats.list_formats()``: files in a benchmark's own layout.
    dataset : str, optional
        With a format, the data set whose targets to load; of a folder with several splits, the one to read.
    name : str, optional
        The table's name; default: the file's.

    Returns
    -------
    BenchmarkTable
        Rows in the file's order, repeats included; columns that are neither gene nor target in ``context``;
        values that no such measurement can have (a latency of -1) are missing, and ``info.notes`` counts them.

    Raises
    ------
    InvalidInputError
        Naming column and row, or what is wrong with an argument.
    InvalidFileError
        When the file does not read.

    Examples
    --------
    >>> frame = pd.DataFrame({"depth": [2, 3, 4, 2], "act": ["relu", "gelu", "relu", "gelu"], "top1": [71, 73, 74, 72]})
    >>> table = load_table(frame)
    >>> table.space
    <SearchSpace 'categorical': 2 genes, size=6>
    >>> table.archs.tolist()
    [[0, 1], [1, 0], [2, 1], [0, 0]]
    >>> table.target("top1").unit
    '%'
    """
    if format is not None:
        return _load_format(format, source, dataset, name, {"space": space, "genes": genes, "targets": targets})
    read = read_source(source, dataset)
    frame = read.frame
    notes = [f"{len(frame)} rows and {frame.shape[1]} columns.", *read.notes]
    known = None if space is None else resolve_space(space)
    listed = _listed_genes(frame, genes)
    stated = resolve_targets(frame, targets, [*listed, *([] if known is None else known.gene_names)])
    values, described, said = _targets(frame, stated)
    notes.append("Targets: " + "; ".join(said) + ".")
    rest = frame.drop(columns=list(stated))
    if known is not None:
        archs, used, said = _archs_of(rest, known, listed)
    else:
        known, archs, said = _own_space(rest, listed)
        used = known.gene_names
    notes += said
    context = rest.drop(columns=used)
    if context.shape[1]:
        notes.append(f"Neither gene nor target, kept as context: {', '.join(context.columns)}.")
    impossible = drop_impossible(values, described)
    notes += [impossible] if impossible else []
    repeats = len(archs) - len(np.unique(known.key(known.parse(archs))))
    if repeats:
        notes.append(f"Rows that repeat the architecture of an earlier row, all kept: {repeats}.")
    info = TableInfo(read.path, "not stated", "not stated", read.checksum, "\n".join(notes))
    return BenchmarkTable(
        name or read.name, known, archs, values, described, info, dataset, context=context if context.shape[1] else None
    )


def _load_format(
    format: str, source: Any, dataset: str | None, name: str | None, others: Mapping[str, Any]
) -> BenchmarkTable:
    read = get_format(format)
    given = [argument for argument, value in others.items() if value is not None]
    if given:
        raise InvalidInputError(f"The format {format!r} knows its {given[0]}: leave out the parameter {given[0]!r}.")
    try:
        path = Path(source).expanduser()
    except TypeError:
        raise InvalidInputError(
            f"The 'source' parameter of load_table must be a path for the format {format!r}. "
            f"Got a {type(source).__name__}."
        ) from None
    if not path.exists():
        raise InvalidInputError(f"The 'source' parameter of load_table must be a file or folder. There is no {path}.")
    table = read(path, dataset)
    table.name = name or table.name
    return table


def _targets(frame: pd.DataFrame, stated: Mapping[str, Any]) -> tuple[pd.DataFrame, list[Target], list[str]]:
    columns, described, said = {}, [], []
    for name, what in stated.items():
        target, columns[name], how = infer_target(frame[name], what)
        described.append(target)
        said.append(f"{name} ({how})")
    return pd.DataFrame(columns), described, said


# -- architectures -----------------------------------------------------------------------------


def _listed_genes(frame: pd.DataFrame, genes: Any) -> dict[str, Gene | None]:
    """Column -> the declared gene, or None where its choices are to be inferred."""
    if genes is None:
        return {}
    if isinstance(genes, (str, Gene)) or not isinstance(genes, Sequence) or not genes:
        raise InvalidInputError(
            f"The 'genes' parameter of load_table must be a list of column names and Gene objects. Got {genes!r}."
        )
    listed: dict[str, Gene | None] = {}
    for gene in genes:
        column = gene.name if isinstance(gene, Gene) else gene
        if column not in frame.columns:
            raise UnknownNameError.of("column in 'genes'", column, frame.columns)
        if column in listed:
            raise InvalidInputError(f"The 'genes' parameter of load_table names the column {column!r} twice.")
        listed[column] = gene if isinstance(gene, Gene) else None
    return listed


def _own_space(rest: pd.DataFrame, listed: Mapping[str, Gene | None]) -> tuple[SearchSpace, IntArray, list[str]]:
    """The plain space that the columns span."""
    genes, said, constant = [], [], []
    for column in listed or rest.columns:
        gene, how = listed.get(column), "declared"
        if gene is None:
            gene, how = infer_gene(rest[column], declared=column in listed)
        if gene is None:
            constant.append(f"{column} ({how})")
        else:
            genes.append(gene)
            said.append(f"  {column}: {how}")
    if not genes:
        raise InvalidInputError(
            "The table must have a column of at least two different values that is no target, to be a gene. "
            f"Got {', '.join(constant) or 'no other column'}."
        )
    notes = ["Genes (genes=[Gene(...)] declares them otherwise):", *said]
    if constant:
        notes.append(f"No genes, for they do not vary: {', '.join(constant)}.")
    space = SearchSpace(genes)
    return space, _encode(rest, space), notes


def _archs_of(
    rest: pd.DataFrame, space: SearchSpace, listed: Mapping[str, Gene | None]
) -> tuple[IntArray, list[str], list[str]]:
    """The architectures of a known space, the columns they are in, and a word on that."""
    declared = next((column for column, gene in listed.items() if gene is not None), None)
    if declared is not None:
        raise InvalidInputError(
            f"The 'genes' parameter of load_table must name columns when a space is given. Got a Gene, {declared!r}."
        )
    columns = list(listed) or space.gene_names
    if len(columns) == space.n_genes and set(columns) <= set(rest.columns):
        renamed = rest[columns].set_axis(space.gene_names, axis=1)
        return _encode(renamed, space), columns, [f"Architectures: one column a gene, {', '.join(columns)}."]
    column = _arch_column(rest, space, list(listed))
    blank = np.flatnonzero(rest[column].isna())
    if len(blank):
        raise InvalidInputError(
            f"The column {column!r} must hold an architecture in every row. Got none in row {blank[0]}."
        )
    try:
        archs = space.parse(rest[column].tolist())
    except InvalidInputError as error:
        raise InvalidInputError(f"The column {column!r}: {error}") from error
    return archs, [column], [f"Architectures: the column {column!r}."]


def _arch_column(rest: pd.DataFrame, space: SearchSpace, listed: Sequence[str]) -> str:
    named = [name for name in rest.columns if name.lower() in _ARCH_COLUMNS]
    other = [name for name in rest.columns if rest[name].dtype.kind not in "biuf"]
    read = [name for name in other if _reads(space, rest[name].iloc[0])]
    for choice in (listed,) if listed else (named, other, read):
        if len(choice) == 1:
            return choice[0]
    raise InvalidInputError(
        f"The architectures of the space {space.name!r} must be in one column, or in {space.n_genes}, one a gene "
        f"({', '.join(space.gene_names[:3])}, ...). Name the column: genes=['...']. "
        f"Got {', '.join(listed or rest.columns)}."
    )


def _reads(space: SearchSpace, arch: Any) -> bool:
    try:
        space.parse([arch])
    except InvalidInputError:
        return False
    return True


def _encode(frame: pd.DataFrame, space: SearchSpace) -> IntArray:
    coded = [encode(frame[gene.name], gene) for gene in space.genes]
    archs = np.stack([codes for codes, _ in coded], axis=1)
    missing = np.argwhere(np.stack([blank for _, blank in coded], axis=1) & space.active(archs))
    if len(missing):
        row, gene = missing[0]
        raise InvalidInputError(
            f"The column {space.gene_names[gene]!r} must hold one of {space.genes[gene].choices!r}. "
            f"It is blank in row {row}."
        )
    return archs
