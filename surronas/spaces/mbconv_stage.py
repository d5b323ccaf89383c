"""A stage of the networks of the space ``mbconv``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from numbers import Integral, Real
from typing import Any

from surronas.exceptions import InvalidInputError

__all__ = ["Stage", "ascending", "positive"]

_DEEPEST = 256  # a file may ask for a billion


@dataclass(frozen=True)
class Stage:
    """A run of blocks on feature maps of one size.

    Parameters
    ----------
    fused : bool
        Blocks of a dense k x k convolution and a 1x1 projection (Tan and Le, 2021, arXiv:2104.00298); else inverted
        bottlenecks, with a depthwise convolution (Sandler et al., 2018, arXiv:1801.04381).
    channels : int
        What the blocks give at width 1.
    stride : {1, 2}
        Of the first block.
    depths, kernels, expands : sequence of int, ascending
        What the genes choose from: how many blocks; sides of the kernels, odd; ratio of a block's inner channels to
        those that it reads.

    Raises
    ------
    InvalidInputError
        Naming the parameter.
    """

    fused: bool
    channels: int
    stride: int
    depths: tuple[int, ...] = (1, 2, 3)
    kernels: tuple[int, ...] = (3, 5)
    expands: tuple[int, ...] = (2, 3, 4)

    def __post_init__(self) -> None:
        if not isinstance(self.fused, bool):
            raise InvalidInputError(f"The 'fused' parameter of a Stage must be a bool. Got {self.fused!r} instead.")
        if self.stride not in (1, 2):
            raise InvalidInputError(f"The 'stride' parameter of a Stage must be 1 or 2. Got {self.stride!r} instead.")
        object.__setattr__(self, "channels", positive(self.channels, "channels", "a Stage"))
        for name in ("depths", "kernels", "expands"):
            object.__setattr__(self, name, ascending(getattr(self, name), name, "a Stage"))
        if self.depths[-1] > _DEEPEST:
            raise InvalidInputError(
                f"The 'depths' parameter of a Stage must be at most {_DEEPEST}. Got {self.depths!r} instead."
            )
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise InvalidInputError(f"The 'kernels' parameter of a Stage must be odd. Got {self.kernels!r} instead.")


def positive(value: Any, name: str, of: str) -> int:
    """A positive int, of any type of int, as Python's."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidInputError(f"The '{name}' parameter of {of} must be a positive int. Got {value!r} instead.")
    return int(value)


def ascending(values: Any, name: str, of: str, kind: type[Integral | Real] = Integral) -> tuple[Any, ...]:
    """What a gene chooses from: positive numbers of that kind in ascending order, as Python's int or float."""
    choices = list(values) if isinstance(values, Iterable) else [values]
    numbers = all(isinstance(choice, kind) and not isinstance(choice, bool) for choice in choices)
    if not choices or not numbers or not all(low < high for low, high in pairwise([0, *choices, inf])):
        what = "ints" if kind is Integral else "numbers"
        raise InvalidInputError(
            f"The '{name}' parameter of {of} must be positive {what} in ascending order. Got {values!r} instead."
        )
    return tuple(int(choice) if kind is Integral else float(choice) for choice in choices)
