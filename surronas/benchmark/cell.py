"""One cell of a benchmark: fit one predictor on one draw and score it on the test rows."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from surronas.api import fit_predictor
from surronas.benchmark.metrics import kendall_tau
from surronas.benchmark.protocol import Protocol, Split, Splitter
from surronas.benchmark.scores import COVERAGE, SCORES, score
from surronas.datasets.table import BenchmarkTable, Target
from surronas.encoders import list_encoders
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.predictors import Predictor, list_predictors

__all__ = ["COLUMNS", "Method", "Task", "run_cell"]

COLUMNS = (
    *("predictor", "n_train", "repeat", "seed", "n_test"),
    *SCORES,
    *("chosen", "n_duplicates", "size_tau", "warnings", "error"),
)

_GROWS_WORSE = ("error", "loss")
_IS_SIZE = ("size", "compute")
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)  # and given once a process


@dataclass(frozen=True)
class Method:
    """What is compared, under which name, as the arguments of ``fit_predictor``."""

    name: str
    encoder: str
    predictor: str | Predictor

    @property
    def may_use_proxies(self) -> bool:
        return self.encoder == "auto" or "zero_cost" in self.encoder.split("+")

    @classmethod
    def parse(cls, name: str, what: Any) -> Method:
        """Read ``"auto"``, ``"gp"`` or ``"one_hot:gp"`` and see that the parts exist; a Predictor is taken as it is."""
        if isinstance(what, Predictor):
            return cls(name, "auto", what)
        if not isinstance(what, str):
            raise InvalidInputError(
                "The 'predictors' of evaluate must be names, such as 'gp' or 'one_hot:gp', or a mapping of names to "
                f"predictors. Got {what!r}."
            )
        encoder, colon, predictor = what.rpartition(":")
        encoder = encoder if colon else "auto"
        for kind, part, known in (
            ("predictor", predictor, list_predictors()),
            *(("encoder", part, list_encoders()) for part in encoder.split("+")),
        ):
            if part != "auto" and part not in known:
                raise UnknownNameError.of(kind, part, ["auto", *known])
        return cls(name, encoder, predictor)


@dataclass(frozen=True)
class Task:
    """What all cells of a benchmark share.

    Attributes
    ----------
    keys : (n,) isomorphism classes of the table's rows
    sizes : (n,) float64 or None
        How good each architecture should be if more parameters were all that matters.
    proxies : ZeroCost or None
        The scores that those methods get that may use them.
    """

    table: BenchmarkTable
    target: Target
    test_target: Target
    splitter: Splitter
    keys: NDArray[Any]
    sizes: NDArray[np.float64] | None
    proxies: ZeroCost | None = None

    @classmethod
    def of(
        cls,
        table: BenchmarkTable,
        target: str,
        test_target: str,
        protocol: Protocol,
        random_state: int,
        proxies: ZeroCost | None = None,
    ) -> Task:
        described = table.target(target), table.target(test_target)
        table = protocol.restrict(table)
        splitter = Splitter(table, target, test_target, protocol.test_on_training, random_state)
        sizes = _sizes(table, described[1])
        return cls(table, *described, splitter, table.space.key(table.archs), sizes, proxies)


def run_cell(task: Task, method: Method, n_train: int, repeat: int) -> dict[str, Any]:
    """Measure one cell. Whatever goes wrong in fitting and predicting becomes its ``error``.

    One thread, so that neither the scores nor the times depend on what runs beside it.
    """
    split = task.splitter.split(n_train, repeat)
    cell: dict[str, Any] = dict.fromkeys(COLUMNS)
    cell |= {"predictor": method.name, "n_train": n_train, "repeat": repeat, "seed": split.seed}
    cell |= {
        "n_test": len(split.test),
        "n_duplicates": int(np.isin(task.keys[split.test], task.keys[split.train]).sum()),
    }
    cell["size_tau"] = None if task.sizes is None else _size_tau(task, split)
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always")
        try:
            cell |= _measure(task, method, split)
        except Exception as error:  # noqa: BLE001  the text is the result of this cell
            cell["error"] = f"{type(error).__name__}: {error}"
    texts = [f"{w.category.__name__}: {w.message}" for w in caught if not issubclass(w.category, _FOR_DEVELOPERS)]
    cell["warnings"] = "\n".join(dict.fromkeys(texts)) or None
    return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in cell.items()}


def _measure(task: Task, method: Method, split: Split) -> dict[str, Any]:
    table = task.table
    y_train = table.targets[task.target.name].to_numpy()[split.train]
    y_test = table.targets[task.test_target.name].to_numpy()[split.test]

    start = time.perf_counter()
    surrogate = fit_predictor(
        table.archs[split.train],
        y_train,
        space=table.space,
        predictor=method.predictor,
        encoder=method.encoder,
        proxies=task.proxies if method.may_use_proxies else None,
        random_state=split.seed,
        n_jobs=1,
    )
    fitted = time.perf_counter()
    mean, std = surrogate.predict(table.archs[split.test], return_std=True)
    predicted = time.perf_counter()
    low, high = surrogate.predict_interval(table.archs[split.test], coverage=COVERAGE)
    return {
        **score(y_test, mean, std, low, high, maximize=task.test_target.maximize),
        "fit_seconds": fitted - start,
        "predict_seconds": predicted - fitted,
        "chosen": chosen_by(surrogate),
    }


def chosen_by(surrogate: Any) -> str:
    """The candidates that a surrogate's selection chose, best first: ``"graph_features:gp + one_hot:xgboost"``."""
    selection = surrogate.selection_
    chosen = selection[selection["status"] == "chosen"]
    return " + ".join(f"{encoder}:{predictor}" for encoder, predictor in chosen[["encoder", "predictor"]].to_numpy())


def _size_tau(task: Task, split: Split) -> float:
    assert task.sizes is not None
    y = task.table.targets[task.test_target.name].to_numpy()[split.test]
    known = ~np.isnan(task.sizes[split.test])
    return kendall_tau(y[known], task.sizes[split.test][known]) if known.sum() > 1 else float("nan")


def _sizes(table: BenchmarkTable, target: Target) -> NDArray[np.float64] | None:
    if target.kind in _IS_SIZE:
        return None
    if table.space.has_cost:
        params = table.space.cost(table.archs)["params"].to_numpy(dtype=np.float64)
    else:
        columns = [str(name) for name in table.targets if table.target(str(name)).kind == "size"]
        if not columns:
            return None
        params = table.targets[columns[0]].to_numpy()
    return -params if target.kind in _GROWS_WORSE else params
