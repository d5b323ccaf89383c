"""What callers may pass for a number or a size."""

from __future__ import annotations

from typing import Any

import numpy as np

from surronas.exceptions import InvalidInputError

__all__ = ["Size", "check_int", "check_size"]

Size = int | tuple[int, int]

_LARGEST = 8192


def check_size(size: Any) -> tuple[int, int]:
    """Height and width of what the user calls a size."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    ints = all(isinstance(side, (int, np.integer)) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not ints or not all(0 < side <= _LARGEST for side in sides):
        raise InvalidInputError(
            f"The 'size' parameter must be a positive int or (height, width), in pixels, of at most {_LARGEST:,}. "
            f"Got {size!r} instead."
        )
    return int(sides[0]), int(sides[1])


def check_int(name: str, value: Any, low: int, high: int | None) -> None:
    """Refuse what is no int from ``low`` to ``high``, both included; None for no upper end."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        wanted = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise InvalidInputError(f"The '{name}' parameter must be an int {wanted}. Got {value!r} instead.")
