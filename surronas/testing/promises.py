"""Assertions that say which promise is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surronas.exceptions import InvalidInputError

__all__ = ["close", "refuses", "require", "same"]


def require(kept: bool, promise: str) -> None:
    if not kept:
        raise AssertionError(f"Broken promise: {promise}.")


def same(a: Any, b: Any, promise: str) -> None:
    require(np.array_equal(a, b), promise)


def close(a: Any, b: Any, promise: str) -> None:
    scale = max(float(np.abs(a).max()), 1e-12)
    require(a.shape == b.shape and bool((np.abs(a - b) <= 1e-6 * scale).all()), promise)


def refuses(call: Callable[[], Any], word: str, what: str) -> None:
    try:
        call()
    except InvalidInputError as error:
        require(word in str(error), f"the error for {what} contains {word!r}; it reads: {error}")
    else:
        raise AssertionError(f"Broken promise: {what} raises an InvalidInputError.")
