"""What a search asks for values: a benchmark table, a supernet's evaluator, or a function of one's own."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from queue import Empty, Queue
from threading import Thread
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from joblib import Parallel

from surronas.datasets.table import BenchmarkTable
from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.parallel import alone, check_n_jobs
from surronas.search.objectives import FloatArray
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import IntArray
from surronas.supernet.weights import fingerprint

__all__ = ["Evaluator", "FunctionEvaluator", "SubnetEvaluator", "TableEvaluator", "as_evaluator"]


@runtime_checkable
class Evaluator(Protocol):
    """What a search needs.

    Attributes
    ----------
    space : SearchSpace
    targets : mapping of name to whether more is better
    pool : (n, n_genes) int64 or None
        The only architectures that can be evaluated; None: all of the space.
    version : int
        Of what is measured: a supernet that has learnt further gives other values.
    info : dict
        JSON-able: what a journal notes, so that no run goes on with another evaluator.
    """

    version: int

    @property
    def space(self) -> SearchSpace: ...
    @property
    def targets(self) -> Mapping[str, bool]: ...
    @property
    def pool(self) -> IntArray | None: ...
    @property
    def info(self) -> dict[str, Any]: ...

    def evaluate(self, archs: IntArray) -> pd.DataFrame:
        """(n, n_genes) genotypes -> n rows, one column a target; NaN where it failed.

        ``attrs["failures"]`` may list {"row", "reason"}, ``attrs["seconds"]`` what each row took.
        """
        ...

    def cost(self, archs: IntArray) -> pd.DataFrame:
        """n rows, one column for each target that is known without measuring."""
        ...

    def price(self, archs: IntArray) -> FloatArray:
        """(n,) what an evaluation is expected to cost, in any unit; the same for the same architecture."""
        ...


class TableEvaluator:
    """Looks up a benchmark table.

    Of isomorphic rows the first one counts, so that an architecture has one value. A column that the space computes
    (parameters, multiply-adds) is known of every architecture without being evaluated.

    Parameters
    ----------
    table : BenchmarkTable
    known : sequence of str, optional
        Targets that count as known beforehand; by default those that the space's ``cost`` gives, in ones or millions.

    Raises
    ------
    UnknownNameError
    """

    version = 0

    def __init__(self, table: BenchmarkTable, known: Sequence[str] | None = None) -> None:
        self.table, self.space = table, table.space
        self.targets = {str(name): table.target(str(name)).maximize for name in table.targets.columns}
        keys, first = np.unique(table.space.key(table.archs), return_index=True)
        self._keys, self._rows = keys, first
        self.pool: IntArray | None = table.space.canonical(table.archs[np.sort(first)])
        self.known = _analytic(table) if known is None else [table.target(name).name for name in known]
        self.info = {"table": table.name, "dataset": table.dataset, "n": len(table), "known": self.known}

    def evaluate(self, archs: IntArray) -> pd.DataFrame:
        rows = self._find(archs)
        frame = self.table.targets.iloc[np.maximum(rows, 0)].reset_index(drop=True)
        frame.loc[rows < 0] = np.nan
        frame.attrs["failures"] = [
            {"row": int(row), "reason": f"not in the table {self.table.name!r}"} for row in np.flatnonzero(rows < 0)
        ]
        return frame

    def cost(self, archs: IntArray) -> pd.DataFrame:
        frame = self.table.targets[self.known].iloc[self._found(archs)]
        return frame.reset_index(drop=True)

    def price(self, archs: IntArray) -> FloatArray:
        return np.ones(len(archs))

    def _found(self, archs: IntArray) -> IntArray:
        rows = self._find(archs)
        if (rows < 0).any():
            raise InvalidInputError(
                f"The 'archs' must be in the table {self.table.name!r}. Row {int(np.argmin(rows))} is not."
            )
        return rows

    def _find(self, archs: IntArray) -> IntArray:
        """(n,) rows of the table; -1 where there is none."""
        keys = self.space.key(archs)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._rows[place], -1)


def _analytic(table: BenchmarkTable) -> list[str]:
    if not table.space.has_cost:
        return []
    computed = table.space.cost(table.archs)
    return [
        str(name)
        for name, column in table.targets.items()
        if any(np.allclose(column, computed[c] / unit, rtol=1e-6) for c in computed for unit in (1.0, 1e6))
    ]


class SubnetEvaluator:
    """The subnets of a supernet, by its ``SupernetEvaluator``; parameters and multiply-adds are known beforehand.

    Parameters
    ----------
    evaluator : SupernetEvaluator
        Stays as it is.

    Attributes
    ----------
    version : int
        Of the supernet's weights; ``renew`` tells of others.
    options : dict
        Of the networks, as ``space.cost`` takes them.
    """

    pool = None
    _FIXED = 60e6
    """What recalibrating and timing overheads cost, in multiply-adds an image."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator, self.version = copy(evaluator), 0  # a copy: other weights shall not become the caller's
        self.space: SearchSpace = evaluator.supernet.space
        self.targets = {name: "accuracy" in name for name in evaluator.columns}
        self._first = evaluator.supernet
        weights = fingerprint(self._first)
        self.info = {"targets": list(evaluator.targets), "weights": weights, **evaluator.info}
        self.options = {"num_classes": evaluator.n_classes, "in_channels": evaluator.supernet.in_channels}

    def evaluate(self, archs: IntArray) -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SurronasWarning)  # a failure is in the frame's attrs, with its reason
            frame: pd.DataFrame = self.evaluator.evaluate(archs)
        return frame

    @property
    def supernet(self) -> Any:
        """Whose subnets are measured."""
        return self.evaluator.supernet

    def restart(self) -> None:
        """Measure the weights again that there were at first."""
        self.renew(self._first, 0)

    def renew(self, supernet: Any, version: int) -> None:
        """Measure these weights from now on, which are that version."""
        self.evaluator.supernet, self.version = supernet, version

    def cost(self, archs: IntArray) -> pd.DataFrame:
        cost = self.space.cost(archs, **self.options)
        return cost[[name for name in cost if name in self.targets]].astype(np.float64)

    def madds(self, archs: IntArray) -> FloatArray:
        """(n,) multiply-adds of each network for one image."""
        return self.space.cost(archs, **self.options)["madds"].to_numpy(dtype=np.float64)

    def price(self, archs: IntArray) -> FloatArray:
        return self._FIXED + self.madds(archs)


class FunctionEvaluator:
    """A function of one's own.

    Parameters
    ----------
    function : callable
        (k, n_genes) int64 genotypes -> DataFrame, dict of columns, or array, of k rows and a column a target. What it
        raises, a value that is not finite, and a row too few is a failure, recorded with its reason.
    space : SearchSpace, str
    targets : mapping of name to whether more is better
        In the order of the columns of an array.
    cost : callable, optional
        Likewise, of targets that are known without measuring.
    price : callable, optional
        (k, n_genes) -> (k,) what an evaluation is expected to cost.
    retries : int, default=0
        How often to try again.
    timeout : float, optional
        Seconds after which a call counts as failed. It is left alone, not killed.
    chunk : int, default=1
        How many architectures a call gets.
    n_jobs : int, optional
        Calls at once, through joblib: ``joblib.parallel_config`` may send them elsewhere.
    pool : (n, n_genes) int array, optional
        The only architectures that can be evaluated.

    Examples
    --------
    >>> evaluator = FunctionEvaluator(lambda X: {"sum": X.sum(axis=1)}, "nasbench_macro", {"sum": True})
    >>> evaluator.evaluate(np.array([[0, 0, 0, 0, 0, 1, 2, 2]]))["sum"].tolist()
    [5.0]
    """

    def __init__(
        self,
        function: Callable[[IntArray], Any],
        space: SearchSpace | str,
        targets: Mapping[str, bool],
        *,
        cost: Callable[[IntArray], Any] | None = None,
        price: Callable[[IntArray], Any] | None = None,
        retries: int = 0,
        timeout: float | None = None,
        chunk: int = 1,
        n_jobs: int | None = None,
        pool: Any = None,
        version: int = 0,
    ) -> None:
        check_n_jobs(n_jobs)
        self.function, self.space, self.targets = function, resolve_space(space, None), dict(targets)
        self._cost, self._price = cost, price
        self.retries, self.timeout, self.chunk, self.n_jobs = retries, timeout, chunk, n_jobs
        self.pool = None if pool is None else self.space.canonical(self.space.parse(pool))
        self.version = version
        self.info = {"function": getattr(function, "__qualname__", type(function).__name__), "targets": self.targets}
        if retries < 0 or chunk < 1 or (timeout is not None and timeout <= 0) or not self.targets:
            raise InvalidInputError(
                "A FunctionEvaluator needs targets, retries >= 0, chunk >= 1 and a timeout above 0. "
                f"Got {self.targets!r}, {retries!r}, {chunk!r} and {timeout!r}."
            )

    def evaluate(self, archs: IntArray) -> pd.DataFrame:
        parts = [archs[i : i + self.chunk] for i in range(0, len(archs), self.chunk)]
        names = list(self.targets)
        outcomes = Parallel(n_jobs=self.n_jobs)(
            alone(_attempt)(self.function, part, names, self.retries, self.timeout) for part in parts
        )
        frame = pd.DataFrame(np.concatenate([values for values, _, _ in outcomes] or [np.empty((0, len(names)))]))
        frame.columns = pd.Index(names)
        reasons = [reason for _, its, _ in outcomes for reason in its]
        frame.attrs["failures"] = [{"row": i, "reason": reason} for i, reason in enumerate(reasons) if reason]
        frame.attrs["seconds"] = [seconds / len(its) for _, its, seconds in outcomes for _ in its]
        return frame

    def cost(self, archs: IntArray) -> pd.DataFrame:
        if self._cost is None:
            return pd.DataFrame(index=range(len(archs)))
        return pd.DataFrame(self._cost(archs)).astype(np.float64)

    def price(self, archs: IntArray) -> FloatArray:
        return np.ones(len(archs)) if self._price is None else np.asarray(self._price(archs), dtype=np.float64)


def _attempt(
    function: Callable[[IntArray], Any], archs: IntArray, names: list[str], retries: int, timeout: float | None
) -> tuple[FloatArray, list[str], float]:
    """(values (k, t), reasons (k,), seconds) of one call and its repetitions."""
    start = time.perf_counter()
    values = np.full((len(archs), len(names)), np.nan)
    reason = ""
    for _ in range(retries + 1):
        try:
            values = _values(_within(timeout, function, archs), names, len(archs))
        except TimeoutError:
            reason = f"no answer within {timeout} s"
        except Exception as error:  # noqa: BLE001  a user's function may fail in any way; the search goes on
            reason = f"{type(error).__name__}: {error}"
        else:
            reason = "not a finite number"
        if np.isfinite(values).all():
            break
    failed = ~np.isfinite(values).all(axis=1)
    return values, [reason if bad else "" for bad in failed], time.perf_counter() - start


def _within(timeout: float | None, function: Callable[[IntArray], Any], archs: IntArray) -> Any:
    if timeout is None:
        return function(archs)
    answers: Queue[tuple[bool, Any]] = Queue()

    def call() -> None:
        try:
            answers.put((True, function(archs)))
        except Exception as error:  # noqa: BLE001  raised again where the answer is read
            answers.put((False, error))

    # A daemon: a call that never ends must not keep the program from ending.
    Thread(target=call, daemon=True).start()
    try:
        good, answer = answers.get(timeout=timeout)
    except Empty:
        raise TimeoutError from None
    if not good:
        raise answer
    return answer


def _values(outcome: Any, names: list[str], n: int) -> FloatArray:
    if isinstance(outcome, Mapping):
        outcome = pd.DataFrame({name: np.ravel(column) for name, column in outcome.items()})
    if isinstance(outcome, pd.DataFrame):
        outcome = outcome[names]
    values = np.asarray(outcome, dtype=np.float64).reshape(n, -1)
    if values.shape[1] != len(names):
        raise InvalidInputError(f"{len(names)} values an architecture were expected, {values.shape[1]} came")
    return values


def as_evaluator(evaluator: Any) -> Evaluator:
    """The evaluator that a benchmark table, a ``SupernetEvaluator`` or an evaluator means.

    A function needs more to be said of it: see ``FunctionEvaluator``.
    """
    if isinstance(evaluator, BenchmarkTable):
        return TableEvaluator(evaluator)
    if hasattr(evaluator, "supernet") and hasattr(evaluator, "columns"):
        return SubnetEvaluator(evaluator)
    if not isinstance(evaluator, Evaluator):
        raise InvalidInputError(
            "The 'evaluator' must be a BenchmarkTable, a SupernetEvaluator, or have "
            "space, targets, pool, version, info, evaluate, cost and price (see FunctionEvaluator for functions). "
            f"Got a {type(evaluator).__name__}."
        )
    return evaluator
