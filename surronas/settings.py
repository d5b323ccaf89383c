"""Ranges of the settings in a frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real
from operator import ge, gt, le, lt
from typing import Any

from surronas.exceptions import InvalidInputError

__all__ = ["check_settings"]


def check_settings(settings: Any, ranges: Mapping[str, str]) -> None:
    """Give each field Python's own type, which JSON can hold, or say which is out of its range.

    Parameters
    ----------
    settings : dataclass instance
        Its fields are annotated as int, float or bool.
    ranges : mapping of str to str
        Intervals of the numbers, ``"[0, inf)"`` for one.

    Raises
    ------
    InvalidInputError
    """
    for field in fields(settings):
        value = _checked(settings, field.name, str(field.type), ranges)
        object.__setattr__(settings, field.name, value)


def _checked(settings: Any, name: str, kind: str, ranges: Mapping[str, str]) -> bool | int | float:
    value, owner = getattr(settings, name), type(settings).__name__
    if kind == "bool":
        if not isinstance(value, bool):
            raise InvalidInputError(f"The '{name}' of a {owner} must be True or False. Got {value!r}.")
        return value
    text = ranges[name]
    low, high = map(float, text[1:-1].split(", "))
    above = ge if text[0] == "[" else gt
    below = le if text[-1] == "]" else lt
    number = isinstance(value, Integral if kind == "int" else Real) and not isinstance(value, bool)
    if not (number and above(value, low) and below(value, high)):
        noun = "an int" if kind == "int" else "a number"
        raise InvalidInputError(f"The '{name}' of a {owner} must be {noun} in {text}. Got {value!r}.")
    return int(value) if kind == "int" else float(value)
