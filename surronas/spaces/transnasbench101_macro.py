"""TransNAS-Bench-101's macro space: stacks of four to six modules of residual blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import comb
from operator import mul
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces._transnasbench101 import STEM, conv, network_cost, side_after
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

# In the order of the official digits 1 to 4: bit 0 of the index doubles the channels, bit 1 halves the resolution.
MODULES = ("normal", "double_channels", "halve_resolution", "double_channels_halve_resolution")
DEPTHS = (4, 5, 6)
MOST_DOUBLINGS, MOST_HALVINGS = 3, 4


@register_space("transnasbench101_macro")
class TransNASBench101Macro(SearchSpace):
    """3,256 networks of four to six modules of four kinds (Duan et al., 2021, arXiv:2105.11871).

    A module is two residual blocks, the first of which may double the channels, halve the resolution, or both. One
    to three modules double the channels, one to four halve the resolution. ``parse`` reads the official strings and
    NASLib's tuples of six.

    Examples
    --------
    >>> space = TransNASBench101Macro()
    >>> space.parse(["64-1234-basic", "64-144141-basic"])
    array([[0, 0, 1, 2, 3, 0, 0],
           [2, 0, 3, 3, 0, 3, 0]])
    >>> space.size
    3256
    """

    name = "transnasbench101_macro"
    rule = "channels must be doubled one to three times and the resolution halved one to four times"
    genes = (
        Gene("depth", DEPTHS, ordered=True),
        *(Gene(f"module{i}", MODULES) for i in (1, 2, 3, 4)),
        Gene("module5", MODULES, {"depth": (5, 6)}),
        Gene("module6", MODULES, {"depth": (6,)}),
    )

    @property
    def size(self) -> int:
        """How many sequences of modules keep the limits on doublings and halvings."""
        doublings, halvings = (
            [sum(comb(depth, k) for k in range(1, most + 1)) for depth in DEPTHS]
            for most in (MOST_DOUBLINGS, MOST_HALVINGS)
        )
        return sum(map(mul, doublings, halvings))

    def is_valid(self, X: IntArray) -> NDArray[np.bool_]:
        """One to three doublings of channels, one to four halvings of the resolution."""
        doubles, halves = self._changes(X)
        n_doublings, n_halvings = doubles.sum(axis=1), halves.sum(axis=1)
        kept = (n_doublings >= 1) & (n_doublings <= MOST_DOUBLINGS) & (n_halvings >= 1) & (n_halvings <= MOST_HALVINGS)
        return np.asarray(kept)

    def parse_one(self, arch: Any) -> Sequence[int]:
        match = re.fullmatch(r"64-([1-4]{4,6})-basic", arch.strip()) if isinstance(arch, str) else None
        if not match:
            raise InvalidInputError("a string of the form 64-1234-basic was expected, four to six digits 1 to 4")
        return self.parse_codes([int(digit) for digit in match[1]])

    def parse_codes(self, codes: Sequence[int]) -> Sequence[int]:
        """NASLib's tuples: four to six digits 1 to 4, filled up with zeros to six."""
        digits = list(codes)
        while digits and digits[-1] == 0:
            digits.pop()
        if len(codes) > max(DEPTHS) or len(digits) not in DEPTHS or not set(digits) <= {1, 2, 3, 4}:
            raise InvalidInputError("a tuple of four to six digits 1 to 4, filled up with zeros to six, was expected")
        return [DEPTHS.index(len(digits)), *(digit - 1 for digit in digits), *[0] * (max(DEPTHS) - len(digits))]

    def format(self, X: Any) -> list[str]:
        X = self.parse(X)
        return [f"64-{''.join(str(code + 1) for code in row[1 : 1 + DEPTHS[row[0]]])}-basic" for row in X.tolist()]

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The chain of modules."""
        return ArchGraph.chain(C[:, 1:], self.active(C)[:, 1:], MODULES)

    def cost(self, X: Any, num_classes: int = 75, resolution: int = 256) -> pd.DataFrame:  # type: ignore[override]
        """Parameters and multiply-adds (convolutions and classifier) of the network for a classification task.

        The defaults are those of object classification; scenes have 47 classes, and the authors count FLOPs on
        images of 224 x 224.
        """
        C = self.canonical(X)
        doubles, halves = self._changes(C)
        c_out = STEM * 2 ** np.cumsum(doubles, axis=1)
        c_in = np.where(doubles, c_out // 2, c_out)
        area = side_after(resolution, np.cumsum(halves, axis=1)) ** 2
        blocks = conv(c_in, c_out, 3, area) + 3 * conv(c_out, c_out, 3, area)
        blocks += np.where(doubles | halves, conv(c_in, c_out, 1, area), 0)
        backbone = np.where(self.active(C)[:, 1:], blocks, 0).sum(axis=2)
        return network_cost(backbone, c_out[:, -1], num_classes, resolution)

    def _changes(self, X: IntArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n, 6) twice: which module doubles the channels, which halves the resolution."""
        modules = np.where(self.active(X)[:, 1:], X[:, 1:], 0)
        return modules % 2 == 1, modules >= 2
