"""One DataFrame from a file or folder of a user's own: CSV, TSV, parquet, JSON."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets.files import sha256_of
from surronas.datasets.hints import format_hint
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError

__all__ = ["Source", "read_source"]

_SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_MISSING = ("", "na", "n/a", "nan", "null", "none")
_PACKED = re.compile(r"(?<=[ct]sv)\.(gz|bz2|xz|zst)$")


@dataclass(frozen=True)
class Source:
    """A frame and where it came from.

    Parameters
    ----------
    frame : DataFrame
        RangeIndex, columns are distinct str.
    name, path, checksum : str
    notes : tuple of str
        What a reader of the table should know of the reading.
    """

    frame: pd.DataFrame
    name: str
    path: str
    checksum: str
    notes: tuple[str, ...] = ()


def read_source(source: Any, split: str | None = None) -> Source:
    """Read a DataFrame, a file, or a folder of parquet files as Hugging Face lays them out.

    Parameters
    ----------
    source : DataFrame or path
        ``.csv``, ``.tsv``, ``.parquet``, ``.jsonl`` / ``.ndjson`` (one record a line) or ``.json`` (a list of
        records), text files also compressed (``.csv.gz``); or a folder with ``*.parquet`` in it or in ``data/``.
    split : str, optional
        Of a folder with several splits (``train-00000-of-00002.parquet``), the one to read; all by default.

    Raises
    ------
    InvalidInputError
        When there is no such file, or it is none of these.
    InvalidFileError
        When it does not read, or a shard is missing.
    """
    if isinstance(source, pd.DataFrame):
        return _source(source.reset_index(drop=True), "table", "a DataFrame", [], ())
    try:
        path = Path(source).expanduser()
    except TypeError as error:
        raise InvalidInputError(
            f"The 'source' parameter of load_table must be a path or a DataFrame. Got a {type(source).__name__}."
        ) from error
    if not path.exists():
        raise InvalidInputError(f"The 'source' parameter of load_table must be a file or folder. There is no {path}.")
    notes: Sequence[str] = ()
    read: Callable[[Path], pd.DataFrame] = _parquet
    if path.is_dir():
        files, notes = _shards(path, split)
    elif split is not None:
        raise InvalidInputError(f"The 'dataset' parameter of load_table names a split of a folder. {path} is a file.")
    else:
        files, read = [path], _reader(path)
    try:
        frames = [read(file) for file in files]
    except InvalidFileError:
        raise
    except Exception as error:  # pandas, pyarrow and half a dozen compressors each have their own
        raise InvalidFileError(f"{path} does not read as {_suffix(files[0])}: {error}") from error
    strange = next((i for i, frame in enumerate(frames) if list(frame.columns) != list(frames[0].columns)), None)
    if strange is not None:
        raise InvalidFileError(
            f"{files[strange]} has the columns {list(frames[strange].columns)}; expected those of {files[0].name}, "
            f"{list(frames[0].columns)}."
        )
    name = path.name.partition(".")[0] if path.is_file() else path.resolve().name
    return _source(pd.concat(frames, ignore_index=True), name, str(path), files, notes)


def _source(frame: pd.DataFrame, name: str, path: str, files: Sequence[Path], notes: Sequence[str]) -> Source:
    frame = frame.rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidInputError(f"The columns of {path} must have distinct names. Got {twice[0]!r} more than once.")
    if frame.empty:
        raise InvalidInputError(f"{path} must have rows and columns. Got a table of shape {frame.shape}.")
    for column in frame.columns[frame.columns.str.fullmatch(r"|Unnamed: 0|__index_level_0__")]:
        if frame[column].dtype.kind in "iuf" and list(frame[column]) == list(range(len(frame))):
            frame = frame.drop(columns=column)
            notes = [*notes, f"Left out the row numbers in the first column, {column!r}."]
    digests = {file.name: sha256_of(file) for file in files}
    if not digests:
        digests = {"as CSV": hashlib.sha256(frame.to_csv(index=False).encode(errors="surrogatepass")).hexdigest()}
    return Source(frame, name, path, "; ".join(f"{k} sha256:{v}" for k, v in digests.items()), tuple(notes))


# -- files -------------------------------------------------------------------------------------


def _suffix(path: Path) -> str:
    return Path(_PACKED.sub("", path.name.lower())).suffix


def _reader(path: Path) -> Callable[[Path], pd.DataFrame]:
    if _suffix(path) not in _READERS:
        raise InvalidInputError(
            f"The 'source' parameter of load_table must be one of {', '.join(_READERS)} or a folder of parquet files. "
            f"Got {path.name!r}.{format_hint(path)}"
        )
    return _READERS[_suffix(path)]


def _csv(path: Path, separator: str = ",") -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        words: pd.DataFrame = pd.read_csv(
            path, sep=separator, encoding="utf-8-sig", index_col=False, dtype=str, keep_default_na=False
        )
    other = next((s for s in (";", "\t", ",") if s != separator and s in str(words.columns[0])), None)
    if words.shape[1] == 1 and other is not None:
        raise InvalidFileError(
            f"{path} seems to be separated by {other!r}, not {separator!r}. "
            f"Pass the frame instead: load_table(pandas.read_csv(path, sep={other!r}), ...)."
        )
    return pd.DataFrame({name: _typed(words[name].to_numpy(dtype=object)) for name in words})


def _typed(words: NDArray[Any]) -> NDArray[Any]:
    """Numbers, exactly as written, where all but the missing words are numbers; else words, missing where blank."""
    known = np.array([word.strip().lower() not in _MISSING for word in words], dtype=bool)
    values = np.full(len(words), np.nan)
    try:
        values[known] = [float(word) for word in words[known]]
    except ValueError:
        known[:] = False
    if not known.any() or any("_" in word for word in words[known]):  # Python reads 1_000 as a number
        return np.array([word or None for word in words], dtype=object)
    whole = known.all() and (np.abs(values) < 2**53).all() and (values == np.round(values)).all()
    return values.astype(np.int64) if whole else values


def _tsv(path: Path) -> pd.DataFrame:
    return _csv(path, "\t")


def _parquet(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_parquet(path)
    return frame.reset_index(drop=True)


def _json_lines(path: Path) -> pd.DataFrame:
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return _records(path, [_record(path, i, line) for i, line in enumerate(lines, start=1) if line.strip()])


def _record(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise InvalidFileError(f"{path} is no JSON in line {number}: {error}.") from error


def _json(path: Path) -> pd.DataFrame:
    return _records(path, json.loads(path.read_text(encoding="utf-8-sig")))


def _records(path: Path, records: Any) -> pd.DataFrame:
    if not isinstance(records, list):
        raise InvalidFileError(
            f"{path} must hold a list of records. Got a {type(records).__name__}.{format_hint(path)}"
        )
    other = next((i for i, record in enumerate(records) if not isinstance(record, dict)), None)
    if other is not None:
        raise InvalidFileError(
            f"{path} must hold records {{column: value}}. Got {records[other]!r:.60} in row {other}."
        )
    frame: pd.DataFrame = pd.DataFrame(records)
    return frame


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
}


# -- folders -----------------------------------------------------------------------------------


def _shards(folder: Path, split: str | None) -> tuple[list[Path], list[str]]:
    """The parquet files of one split, or of all."""
    files = sorted(folder.glob("*.parquet")) or sorted((folder / "data").glob("*.parquet"))
    if not files:
        raise InvalidInputError(
            f"The folder {folder} must have files *.parquet in it or in data/. Got none.{format_hint(folder)}"
        )
    splits: dict[str, list[Path]] = {}
    for file in files:
        shard = _SHARD.fullmatch(file.stem)
        splits.setdefault(shard["split"] if shard else file.stem, []).append(file)
    if split is not None and split not in splits:
        raise UnknownNameError.of(f"split of {folder}", split, splits)
    chosen = {split: splits[split]} if split is not None else splits
    for part in chosen.values():
        last = _SHARD.fullmatch(part[-1].stem)
        if last is not None and len(part) != int(last["count"]):
            raise InvalidFileError(f"{folder} must have {int(last['count'])} files {last['split']}-*. Got {len(part)}.")
    notes = [f"All splits together: {', '.join(chosen)}."] if len(chosen) > 1 else []
    return [file for part in chosen.values() for file in part], notes
