"""Scores as a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.proxies.registry import Aggregate, get_proxy

if TYPE_CHECKING:
    from surronas.proxies.measure import Measured

__all__ = ["frame_of", "measured_of"]


def measured_of(proxies: Sequence[str]) -> tuple[str, ...]:
    """The proxies that are to be measured: an aggregate's parts instead of itself, each once."""
    return tuple(dict.fromkeys(part for name in proxies for part in _parts_of(name)))


def _parts_of(name: str) -> tuple[str, ...]:
    proxy = get_proxy(name)
    return proxy.parts if isinstance(proxy, Aggregate) else (name,)


def frame_of(
    proxies: Sequence[str], found: Sequence[Measured], row_of: NDArray[np.intp], info: dict[str, Any]
) -> pd.DataFrame:
    """The frame that ``score`` returns.

    Parameters
    ----------
    proxies : sequence of str
        Its columns.
    found : sequence of Measured
        Of each class.
    row_of : (n,) int
        The class of each row.
    info : dict
    """
    measured = measured_of(proxies)
    values = [[one.scores.get(name, np.nan) for name in measured] for one in found]
    parts = pd.DataFrame(np.reshape(values, (-1, len(measured)))[row_of], columns=list(measured), dtype=np.float64)
    frame = pd.DataFrame({name: _column(name, parts) for name in proxies}, dtype=np.float64)
    reasons = [{name: _reason(name, one) for name in proxies} for one in found]
    frame.attrs = {
        "failures": [
            {"row": row, "proxy": name, "reason": reason}
            for row, one in enumerate(row_of.tolist())
            for name, reason in reasons[one].items()
            if reason
        ],
        "seconds": _mean([sum(one.seconds.values()) for one in found]),
        "seconds_of": {
            name: _mean([one.seconds[name] for one in found if name in one.seconds]) for name in ("build", *measured)
        },
        "info": info,
    }
    return frame


def _column(name: str, parts: pd.DataFrame) -> pd.Series[float]:
    proxy = get_proxy(name)
    return proxy.combine(parts) if isinstance(proxy, Aggregate) else parts[name]


def _reason(name: str, one: Measured) -> str:
    """Why a proxy has no score; empty where it has one."""
    lacking = [part for part in _parts_of(name) if part not in one.scores]
    if not lacking:
        return ""
    reason = one.reasons[lacking[0]]
    return reason if lacking == [name] else f"its part {lacking[0]}: {reason}"


def _mean(seconds: list[float]) -> float:
    return float(np.mean(seconds)) if seconds else 0.0
