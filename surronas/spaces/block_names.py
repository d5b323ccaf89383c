"""Names of the blocks that networks consist of: what a latency look-up table has prices for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from surronas.exceptions import InvalidInputError
from surronas.spaces.reading import IntArray

__all__ = ["Kind", "name_blocks", "read_block"]

Kind = tuple[str, Any, Sequence[Any]]
"""A form to be filled with numbers; which of m places in n networks have such a block, (n, m) bool; the numbers, each
of a shape that broadcasts to (n, m)."""


def name_blocks(kinds: Sequence[Kind]) -> tuple[list[str], IntArray]:
    """The blocks of n networks.

    Returns
    -------
    names : list of str
        The different ones.
    index : (n, places of all kinds) int64
        -1 where a network has none.
    """
    names: list[str] = []
    columns = []
    for form, has, numbers in kinds:
        index = np.full(has.shape, -1, dtype=np.int64)
        rows = np.stack([np.broadcast_to(each, has.shape)[has].astype(np.int64) for each in numbers])
        codes = np.ravel_multi_index(tuple(rows), tuple(rows.max(axis=1, initial=0) + 1))
        _, first, place = np.unique(codes, return_index=True, return_inverse=True)
        index[has] = place + len(names)
        names += [form.format(*row) for row in rows[:, first].T.tolist()]
        columns.append(index)
    return names, np.hstack(columns)


def read_block(name: str, forms: Sequence[str]) -> tuple[str, list[int]]:
    """The one of the forms that a name is of, and the numbers in it.

    Raises
    ------
    InvalidInputError
    """
    for form in forms:
        match = re.fullmatch(re.sub(r"\{\}", r"(\\d+)", form), name)
        if match:
            return form, [int(number) for number in match.groups()]
    raise InvalidInputError(f"The block {name!r} is none of the forms {', '.join(forms)}.")
