"""Columns of a user's own table as targets: unit, direction and kind by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.datasets.gene_columns import distinct, first_row
from surronas.datasets.table import Target
from surronas.exceptions import InvalidInputError, UnknownNameError

__all__ = ["infer_target", "resolve_targets"]

# Words in a column's name -> (maximize, kind). A spread ("test_acc_std") comes first, for it names its target too.
_SPREADS = ("std", "stddev", "stderr", "sem")
_WORDS: dict[str, tuple[bool, str]] = {
    **dict.fromkeys(
        ("acc", "accuracy", "top1", "top5", "auc", "auroc", "iou", "miou", "map", "f1"), (True, "accuracy")
    ),
    **dict.fromkeys(("nwot", "naswot", "synflow", "snip", "grasp", "fisher", "jacov", "zen", "zico"), (True, "proxy")),
    **dict.fromkeys(("error", "err"), (False, "error")),
    **dict.fromkeys(("loss", "perplexity", "ppl", "mse", "rmse", "mae"), (False, "loss")),
    **dict.fromkeys(("latency", "runtime", "time"), (False, "latency")),
    "energy": (False, "energy"),
    **dict.fromkeys(("params", "parameters", "size", "memory"), (False, "size")),
    **dict.fromkeys(("flops", "mflops", "gflops", "macs", "madds"), (False, "compute")),
}
_SHARES = ("accuracy", "error")  # what is a fraction or a percentage
_UNITS = {
    **{unit: unit for unit in ("ms", "us", "s", "%")},
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("sec", "seconds"), "s"),
    "mj": "mJ",
    "mb": "MB",
    "mflops": "millions",
    "gflops": "billions",
}
_DIRECTIONS = {"maximize": True, "minimize": False}


def resolve_targets(frame: pd.DataFrame, targets: Any, genes: Sequence[str]) -> dict[str, Any]:
    """Column -> what the user says of it, or None."""
    if targets is None:
        numeric = [str(name) for name in frame if frame[name].dtype.kind in "iuf" and name not in genes]
        named: dict[str, Any] = {name: None for name in numeric if _meaning_of(name) is not None}
        if not named:
            raise InvalidInputError(
                "The 'targets' parameter of load_table must say what was measured, for no column's name does: "
                f"{{{(numeric or ['column'])[0]!r}: 'maximize'}}. Columns of numbers: {', '.join(numeric) or 'none'}."
            )
        return named
    if isinstance(targets, (str, Target)) or not isinstance(targets, (Mapping, Sequence)) or not targets:
        raise InvalidInputError(
            "The 'targets' parameter of load_table must be a mapping of columns to what they mean, or a list of "
            f"columns. Got {targets!r}."
        )
    stated = dict(targets) if isinstance(targets, Mapping) else dict.fromkeys(targets)
    for column in stated:
        if column not in frame.columns:
            raise UnknownNameError.of("column in 'targets'", column, frame.columns)
        if column in genes:
            raise InvalidInputError(f"The column {column!r} must be a gene or a target. It is named as both.")
    return stated


def infer_target(column: pd.Series[Any], stated: Any = None) -> tuple[Target, NDArray[np.float64], str]:
    """What a column of measurements means, its values, and what of that was inferred.

    Parameters
    ----------
    column : Series of numbers
    stated : Target, {"maximize", "minimize"}, mapping with some of unit, maximize, kind, description, or None
        What is not stated comes from the column's name; the unit of a share from its values too: ``"%"`` where
        the median is above 1. Negative shares become -inf, a value that no target can have.

    Raises
    ------
    InvalidInputError
        For values that are no numbers, or a name that does not say which way is better.
    """
    name, values = str(column.name), _numbers(column)
    if isinstance(stated, Target):
        if stated.name != name:
            raise InvalidInputError(
                f"The 'targets' must map a column to a Target of its name, {name!r}. Got {stated!r}."
            )
        return stated, values, "as declared"
    told = _told(name, stated)
    meaning = _meaning_of(name)
    if "maximize" not in told and meaning is None:
        raise InvalidInputError(
            f"The 'targets' must say which way {name!r} is better, for its name does not: "
            f"{{{name!r}: 'maximize'}} or {{{name!r}: 'minimize'}}."
        )
    maximize = bool(told.get("maximize", meaning[0] if meaning else None))
    kind = meaning[1] if meaning and meaning[0] == maximize else "accuracy" if maximize else "loss"
    kind = told.get("kind", kind)
    unit = told.get("unit", _unit_of(name))
    said = [] if "maximize" in told else [f"{'maximize' if maximize else 'minimize'} by its name"]
    if meaning and kind in _SHARES and "unit" not in told:
        usual = values[np.isfinite(values) & (values >= 0)]
        if not unit and len(usual) and np.median(usual) > 1 and np.median(usual) <= 100:
            unit = "%"
            said.append("% by its values")
        elif not unit and len(usual) and usual.max() <= 1:
            said.append("a fraction by its values")
        values = np.where(values < 0, -np.inf, values)
    target = Target(name, unit, maximize, kind, told.get("description", ""))
    return target, values, ", ".join(said) or "as declared"


def _told(name: str, stated: Any) -> dict[str, Any]:
    known = {field.name for field in fields(Target)} - {"name"}
    if stated is None:
        return {}
    if isinstance(stated, str) and stated in _DIRECTIONS:
        return {"maximize": _DIRECTIONS[stated]}
    if isinstance(stated, Mapping):
        for key in stated:
            if key not in known:
                raise UnknownNameError.of(f"property of target {name!r}", key, known)
        told = dict(stated)
        if isinstance(told.get("maximize", True), bool):
            return told
    raise InvalidInputError(
        f"The 'targets' must map {name!r} to 'maximize', 'minimize', a Target, or a dict such as "
        f"{{'maximize': True, 'unit': 'ms', 'kind': 'latency'}}. Got {stated!r}."
    )


def _words_of(name: str) -> Sequence[str]:
    """``"valAcc"``, ``"latency[ms]"``, ``"top-1"`` -> words in lower case."""
    plain = re.findall(r"[^\W_]+|%", re.sub(r"top[-_ ]", "top", name.lower()))
    return [*plain, *(word.lower() for word in re.findall(r"[A-Z][a-z]+", name))]


def _meaning_of(name: str) -> tuple[bool, str] | None:
    words = _words_of(name)
    if any(word in _SPREADS for word in words):
        return False, "spread"
    meanings = [_WORDS[word] for word in words if word in _WORDS]
    return meanings[0] if len({maximize for maximize, _ in meanings}) == 1 else None


def _unit_of(name: str) -> str:
    return next((_UNITS[word] for word in _words_of(name) if word in _UNITS), "")


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    values, which = distinct(column)
    table = np.full(len(values) + 1, np.nan)  # the last one is for blanks, whose index is -1
    for k, value in enumerate(values):
        try:
            table[k] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise InvalidInputError(
                f"The column {column.name!r} must hold numbers to be a target. "
                f"Got {value!r:.80} in row {first_row(which, k)}."
            ) from None
    numbers = table[which]
    if np.isnan(numbers).all():
        raise InvalidInputError(f"The column {column.name!r} must hold numbers to be a target. Got nothing but blanks.")
    return numbers
