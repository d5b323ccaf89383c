"""Columns of a user's own table as genes: choices by their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import Gene
from surronas.spaces.base import IntArray

__all__ = ["distinct", "encode", "first_row", "infer_gene"]

_MOST_CHOICES = 4096
_MOST_UNDECLARED = 100
_LIST_GENES = " If it is something else, list the genes alone in 'genes'; if it is a gene, list it among them."
_FALSE_TRUE = {"False": False, "false": False, "FALSE": False, "True": True, "true": True, "TRUE": True}


def infer_gene(column: pd.Series[Any], declared: bool) -> tuple[Gene | None, str]:
    """The gene a column spans, and how it was read; None for a column of one value.

    Booleans (also the words True and False) give the choices (False, True); numbers an ordered gene of the
    distinct values, whole ones as int; anything else a categorical gene of the distinct values. A blank
    becomes the choice None, the last one, and takes the order away; a column with the word None has it already.

    Parameters
    ----------
    column : Series
    declared : bool
        Whether the user named the column as a gene; otherwise one that looks measured or numbered is refused.

    Raises
    ------
    InvalidInputError
        Naming column and row.
    """
    values, which = distinct(column)
    for k, value in enumerate(values):
        if not isinstance(value, (bool, int, float, str)) or value in (np.inf, -np.inf):
            raise InvalidInputError(
                f"The column {column.name!r} must hold numbers, booleans or words to be a gene. "
                f"Got {value!r:.80} in row {first_row(which, k)}.{'' if declared else _LIST_GENES}"
            )
    present, blank = set(values), bool((which < 0).any())
    if len(present) + blank < 2:
        return None, f"{next(iter(present), 'blank')!s} throughout"
    numeric = not any(isinstance(value, (bool, str)) for value in present)
    _refuse_many(column, present, numeric, declared)
    choices: list[Any]
    if present <= {False, True} and all(isinstance(value, bool) for value in present):
        choices, kind = [False, True], "booleans"
    elif numeric:
        choices, kind = sorted(present), "numbers, in this order"
    else:
        choices, kind = sorted(present, key=lambda value: (type(value).__name__, value)), "words"
    if blank:
        choices = choices if "None" in present else [*choices, None]  # the word and a blank mean the same
        kind = f"{kind.partition(',')[0]}, None where the column is blank"
    gene = Gene(str(column.name), tuple(choices), ordered=numeric and not blank)
    shown = ", ".join(map(str, choices if len(choices) <= 9 else [*choices[:4], "...", *choices[-2:]]))
    return gene, f"{shown} ({len(choices)} {kind})"


def _refuse_many(column: pd.Series[Any], present: set[Any], numeric: bool, declared: bool) -> None:
    measured = numeric and any(value != int(value) for value in present) and len(present) > max(2, len(column) / 2)
    most = _MOST_CHOICES if declared else _MOST_UNDECLARED
    if len(present) <= most and (declared or not measured):
        return
    if declared:
        remedy = " Bin it, or name it in 'targets'."
    elif numeric:
        remedy = f" If it was measured, name it in 'targets' ({{{column.name!r}: 'minimize'}}).{_LIST_GENES}"
    else:
        remedy = f" If it holds architectures of a known space, name that in 'space'.{_LIST_GENES}"
    raise InvalidInputError(
        f"The column {column.name!r} must have at most {most} different values to be a gene"
        f"{'' if declared else ' without being declared, and not mostly fractions that differ'}. "
        f"Got {len(present)} in {len(column)} rows.{remedy}"
    )


def encode(column: pd.Series[Any], gene: Gene) -> tuple[IntArray, NDArray[np.bool_]]:
    """Codes of a column's values, (n,) int64, and where it is blank, (n,) bool; a blank that is no choice is code 0.

    Choices are found by value, else by how they are written, so that Gene("kernel", ("3", "5")) reads 3 and 5.
    """
    codes: dict[Any, int] = {str(choice): code for code, choice in enumerate(gene.choices)}
    codes |= {word: codes[str(value)] for word, value in _FALSE_TRUE.items() if any(c is value for c in gene.choices)}
    codes |= {choice: code for code, choice in enumerate(gene.choices)}
    values, which = distinct(column)
    found = [codes.get(value, codes.get(str(value))) for value in values]
    if None in found:
        k = found.index(None)
        raise InvalidInputError(
            f"The column {column.name!r} must hold choices of its gene, {gene.choices!r:.300}. "
            f"Got {values[k]!r:.80} in row {first_row(which, k)}."
        )
    blank = codes.get(None, codes.get("None"))
    table = np.array([*found, blank or 0], dtype=np.int64)  # the last one is for blanks, whose index is -1
    return table[which], (which < 0) & (blank is None)


def distinct(column: pd.Series[Any]) -> tuple[list[Any], IntArray]:
    """The different values of a column by appearance, as Python's own, and which of them each row has (-1: blank).

    Whole numbers come as int, the words True and False as bool in a column of nothing else.
    """
    try:
        which, found = pd.factorize(column)
    except TypeError as error:
        row = next(row for row, value in enumerate(column) if not _is_hashable(value))
        raise InvalidInputError(
            f"The column {column.name!r} must hold numbers, booleans or words. "
            f"Got {column.iloc[row]!r:.80} in row {row}."
        ) from error
    values = [value.item() if isinstance(value, np.generic) else value for value in found.tolist()]
    if all(isinstance(value, float) and value.is_integer() for value in values):
        values = [int(value) for value in values]
    elif all(isinstance(value, str) and value in _FALSE_TRUE for value in values):
        values = [_FALSE_TRUE[value] for value in values]
    return values, which.astype(np.int64)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def first_row(which: IntArray, k: int) -> int:
    """The first row that has the k-th distinct value."""
    return int(np.argmax(which == k))
