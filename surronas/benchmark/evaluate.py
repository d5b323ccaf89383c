"""Compare predictors on a benchmark table: the same draws for all, everything recorded, nothing lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)
from sklearn.base import clone

from surronas.api import proxy_encoder
from surronas.benchmark.cell import COLUMNS, Method, Task, run_cell
from surronas.benchmark.protocol import Protocol, get_protocol
from surronas.benchmark.provenance import provenance_of
from surronas.benchmark.report import Report
from surronas.datasets.table import BenchmarkTable
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.journal import Journal
from surronas.parallel import check_n_jobs, stream
from surronas.predictors import Predictor
from surronas.proxies.scorer import Scorer

__all__ = ["evaluate"]

Key = tuple[str, int, int]
_TEXT = ("predictor", "chosen", "warnings", "error")
_WHOLE = ("n_train", "repeat", "seed", "n_test", "n_duplicates")


def evaluate(
    predictors: Sequence[str] | Mapping[str, str | Predictor],
    table: BenchmarkTable,
    target: str = "val_accuracy",
    n_train: Sequence[int] = (16, 32, 64, 128),
    n_repeats: int = 10,
    random_state: int = 0,
    *,
    test_target: str | None = None,
    protocol: str | Protocol = "rest",
    proxies: str | Sequence[str] | pd.DataFrame | Scorer | None = None,
    out: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Report:
    """Measure predictors on a benchmark table.

    Each cell (predictor, number of training architectures, repeat) is a fit and a prediction of all test
    rows, on one thread, so that the numbers are the same for every ``n_jobs``. All predictors see the same
    rows. A predictor that fails in a cell leaves the error's text there and the run goes on.

    Parameters
    ----------
    predictors : sequence of str, or mapping of name to str or Predictor
        ``"auto"``, a predictor (``"gp"``; it gets the encoder that suits it), or an encoder and a predictor
        (``"one_hot:xgboost"``, ``"graph_features+one_hot:gp"``). A mapping gives names of one's own, also to
        unfitted predictors: ``{"mine": MyPredictor(depth=3)}``.
    table : BenchmarkTable
    target : str, default="val_accuracy"
        Trained on.
    n_train : sequence of int, default=(16, 32, 64, 128)
    n_repeats : int, default=10
        Independent draws of each size.
    random_state : int, default=0
    test_target : str, optional
        Tested on; ``target`` by default.
    protocol : {"rest", "canonical", "unique", "all"} or Protocol, default="rest"
        Train on rows of the table and test on the rest of them; the same with canonical genotypes only, or
        with one row an isomorphism class; or test on the whole table, training rows included.
    proxies : str, sequence of str, DataFrame or Scorer, optional
        Zero-cost proxies as ``fit_predictor`` takes them, for predictors whose encoder is ``"auto"`` or has
        ``zero_cost`` in it. Scores that are to be computed are computed once, for all rows that take part, before the
        first cell and on nobody's account.
    out : path, optional
        A folder for the journal, ``results.parquet`` and ``results.csv``. The same call on a folder with a
        journal goes on where that one stopped and repeats the cells that failed; more predictors, sizes or
        repeats may be asked for.
    n_jobs : int, optional
        Cells at a time; None takes it from ``joblib.parallel_config``, else 1.
    progress : bool, default=False
        Show a progress bar.

    Returns
    -------
    Report

    Raises
    ------
    InvalidInputError
        For a bad argument, or a journal of another measurement.
    UnknownNameError
        For a target, predictor, encoder or protocol that does not exist.
    """
    protocol = get_protocol(protocol)
    check_n_jobs(n_jobs)
    chosen = predictors if isinstance(predictors, Mapping) else {str(p): p for p in _some("predictors", predictors)}
    methods = {name: Method.parse(name, chosen[name]) for name in _some("predictors", chosen)}
    random_state = _at_least(0, "random_state", random_state)
    repeats = range(_at_least(1, "n_repeats", n_repeats))
    given = None if proxies is None else _proxies(proxies, table, methods, n_jobs)
    task = Task.of(table, target, test_target or target, protocol, random_state, given)
    sizes = [task.splitter.check(n) for n in dict.fromkeys(_some("n_train", n_train))]

    started = time.perf_counter()
    provenance = provenance_of(task.table, task.target, task.test_target, protocol, random_state, given)
    journal = Journal(Path(out) / "journal.jsonl", provenance["measurement"]) if out is not None else None
    cells: dict[Key, dict[str, Any]] = {} if journal is None else _finished(journal)
    wanted = [(name, n, repeat) for repeat, n, name in product(repeats, sizes, methods)]
    missing = [key for key in wanted if key not in cells]
    if missing and given is not None and isinstance(given.proxies, Scorer):
        space, archs = task.table.space, task.table.archs
        given.proxies.score(archs, space, progress=track if progress else None)
        clone(given).set_params(space=space).fit_transform(space.canonical(archs))  # what stands for missing ones
    with _progress(len(wanted) - len(missing), len(wanted), progress) as advance:
        calls = (delayed(run_cell)(task, methods[name], n, repeat) for name, n, repeat in missing)
        for cell in stream(calls, n_jobs):
            if journal:
                journal.append(cell)
            cells[_key(cell)] = cell
            advance()

    frame = _frame([cells[key] for key in product(methods, sizes, repeats)])
    if out is not None:
        write_atomic(Path(out) / "results.parquet", frame.to_parquet(index=False))
        write_atomic(Path(out) / "results.csv", frame.to_csv(index=False).encode())
    provenance["protocol"] = protocol.describe(len(task.table), task.target.name, task.test_target.name)
    provenance["run"]["seconds"] = round(time.perf_counter() - started, 1)
    return Report(frame, task.target, task.test_target, protocol, provenance)


def _proxies(proxies: Any, table: BenchmarkTable, methods: Mapping[str, Method], n_jobs: int | None) -> ZeroCost:
    encoder = proxy_encoder(proxies, table.space, n_jobs)
    if not isinstance(encoder, ZeroCost):
        raise InvalidInputError(f"The 'proxies' of evaluate must be names, a Scorer or a DataFrame. Got {encoder!r}.")
    if not any(method.may_use_proxies for method in methods.values()):
        raise InvalidInputError(f"The 'proxies' have no use: 'zero_cost' is in no encoder of {list(methods)}.")
    return encoder


@contextmanager
def _progress(done: int, total: int, show: bool) -> Iterator[Callable[[], None]]:
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not show) as bar:
        cells = bar.add_task("fits", total=total, completed=done)
        yield lambda: bar.advance(cells)


def _frame(cells: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(cells, columns=list(COLUMNS))
    types = {column: "string" if column in _TEXT else "int64" if column in _WHOLE else "float64" for column in COLUMNS}
    return frame.astype(types)


def _finished(journal: Journal) -> dict[Key, dict[str, Any]]:
    try:
        cells = {_key(cell): cell for cell in journal.cells if cell["error"] is None}
        _frame(list(cells.values()))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidFileError(f"The journal {journal.path} has a line that is no cell: {error!r}.") from error
    return cells


def _key(cell: dict[str, Any]) -> Key:
    return cell["predictor"], cell["n_train"], cell["repeat"]


def _some(name: str, values: Any) -> list[Any]:
    several: list[Any] = [values] if isinstance(values, (str, int)) else list(values)
    if not several:
        raise InvalidInputError(f"The '{name}' parameter of evaluate must name at least one. Got none.")
    return several


def _at_least(least: int, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < 2**32:
        kind = f"{'a positive' if least else 'a non-negative'} int below 2^32"
        raise InvalidInputError(f"The '{name}' parameter of evaluate must be {kind}. Got {value!r} instead.")
    return int(value)
