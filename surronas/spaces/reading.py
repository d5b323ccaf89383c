"""Reading what users write: integers, and assignments of choices to genes."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces.gene import Gene

__all__ = ["IntArray", "as_integers", "assignment", "from_assignments", "short"]

IntArray = NDArray[np.int64]


def as_integers(X: Any) -> IntArray:
    """X as int64; whole-valued floats and objects are fine, anything else names its row."""
    try:
        array: NDArray[Any] = np.asarray(X)
    except ValueError as error:
        raise InvalidInputError(f"The 'archs' must be rows of one length. Got {short(X)}.") from error
    if array.dtype.kind == "O" and all(isinstance(v, (int, float, np.number)) for v in array.ravel()):
        try:
            array = array.astype(np.float64)
        except OverflowError as error:
            raise InvalidInputError(f"The 'archs' must be small integers. Got {short(X)}.") from error
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"The 'archs' must be integers. Got an array of {array.dtype}.")
    if array.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(array) | (array != np.round(array)))
        if len(bad):
            where = tuple(int(i) for i in bad[0])
            row = f" in row {where[0]}" if where else ""
            raise InvalidInputError(f"The 'archs' must be integers. Got {array[where]}{row}.")
        array = array.clip(-(2.0**62), 2.0**62)  # outside every space, and inside int64
    return array.astype(np.int64)


def from_assignments(text: str, genes: Iterable[Gene]) -> dict[str, Hashable]:
    """``kernel=5 'stem=sep conv'`` -> {"kernel": 5, "stem": "sep conv"}; the inverse of ``assignment``."""
    choices = {gene.name: {str(choice): choice for choice in gene.choices} for gene in genes}
    arch: dict[str, Hashable] = {}
    for part in shlex.split(text):
        ends = [i for i, sign in enumerate(part) if sign == "=" and part[:i] in choices]
        if not ends:
            raise InvalidInputError(f"{part!r} is not of the form gene=choice with a known gene")
        name, value = max(((part[:i], part[i + 1 :]) for i in ends), key=lambda pair: pair[1] in choices[pair[0]])
        if value not in choices[name]:
            raise InvalidInputError(f"the gene {name!r} has no choice {value!r}")
        arch[name] = choices[name][value]
    return arch


def assignment(gene: Gene, code: int) -> str:
    """``kernel=5``, in quotes where a space or the like is in it."""
    return shlex.quote(f"{gene.name}={gene.choices[code]}")


def short(value: Any, width: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 3] + "..."
