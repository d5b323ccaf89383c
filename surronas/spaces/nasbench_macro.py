"""NAS-Bench-Macro: eight layers, each a MobileNetV2 block or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

BLOCKS = ("identity", "mb3_k3", "mb6_k5")
STAGES = (2, 3, 3)
STEM, HEAD = 32, 1280

_IS_FIRST = np.concatenate([np.arange(depth) == 0 for depth in STAGES])
_STAGE = np.repeat(np.arange(len(STAGES)), STAGES)
# What a block is in the first layer of a stage, which halves the resolution and doubles the channels, and elsewhere.
_IN_FIRST, _ELSEWHERE = ("conv1x1_s2", "mb3_k3_s2", "mb6_k5_s2"), ("mb3_k3", "mb6_k5")


@register_space("nasbench_macro")
class NASBenchMacro(SearchSpace):
    """6,561 networks: eight layers of three blocks each (Su et al., 2021, arXiv:2103.11922).

    Three stages of 2, 3 and 3 layers. The first layer of a stage has stride 2 and twice the channels, and its
    "identity" is a 1x1 convolution; in the other layers identity is nothing at all, so that it makes no
    difference where among them it stands. The canonical genotype has it at the stage's end: 3,969 networks.
    ``parse`` reads the benchmark's strings of eight digits.

    Examples
    --------
    >>> space = NASBenchMacro()
    >>> space.canonical(space.parse(["02012100"]))
    array([[0, 2, 0, 1, 2, 1, 0, 0]])
    >>> space.format(space.canonical(space.parse(["02001010"])))
    ['02010010']
    """

    name = "nasbench_macro"
    genes = tuple(
        Gene(f"stage{stage}_layer{layer}", BLOCKS, ordered=True)
        for stage, depth in enumerate(STAGES, start=1)
        for layer in range(1, depth + 1)
    )

    def parse_one(self, arch: Any) -> Sequence[int]:
        if not isinstance(arch, str) or not re.fullmatch("[012]{8}", arch.strip()):
            raise InvalidInputError("a string of eight digits 0 (identity), 1 (mb3_k3) or 2 (mb6_k5) was expected")
        return [int(digit) for digit in arch.strip()]

    def format(self, X: Any) -> list[str]:
        return ["".join(map(str, row)) for row in self.parse(X).tolist()]

    def prune(self, X: IntArray) -> IntArray:
        """Move identities to the end of their stage, past every layer but the first."""
        place = 3 * _STAGE + np.where(_IS_FIRST, 0, np.where(X == 0, 2, 1))
        return np.take_along_axis(X, np.argsort(place, axis=1, kind="stable"), axis=1)

    def graph_of(self, C: IntArray) -> ArchGraph:
        ops = np.where(_IS_FIRST, C, len(_IN_FIRST) + C - 1)
        return ArchGraph.chain(ops, _IS_FIRST | (C != 0), _IN_FIRST + _ELSEWHERE)

    def network_of(  # type: ignore[override]
        self, c: IntArray, num_classes: int = 10, in_channels: int = 3, resolution: int = 32
    ) -> Network:
        from surronas.spaces.networks.nasbench_macro import build

        blocks = iter([BLOCKS[code] for code in c])
        stages = [[next(blocks) for _ in range(depth)] for depth in STAGES]
        return build(stages, STEM, HEAD, num_classes, in_channels, resolution)

    def cost(self, X: Any, num_classes: int = 10, resolution: int = 32) -> pd.DataFrame:  # type: ignore[override]
        """Parameters and multiply-adds of convolutions and classifier: the benchmark's ``params`` and ``flops``."""
        C = self.canonical(X)
        c_out = STEM * 2 ** (_STAGE + 1)
        c_in = np.where(_IS_FIRST, c_out // 2, c_out)
        sides = -(-resolution // 2 ** np.arange(len(STAGES) + 1))
        area_in, area_out = sides[_STAGE + ~_IS_FIRST] ** 2, sides[_STAGE + 1] ** 2
        params = [_IS_FIRST * (c_in * c_out + 2 * c_out)]
        madds = [_IS_FIRST * c_in * c_out * area_out]
        for expand, kernel in ((3, 3), (6, 5)):
            hidden = expand * c_in
            params.append(hidden * (c_in + kernel**2 + c_out) + 4 * hidden + 2 * c_out)
            madds.append(hidden * (c_in * area_in + (kernel**2 + c_out) * area_out))
        layers = np.arange(len(_STAGE))
        rest_params = 27 * STEM + 2 * STEM + (c_out[-1] + 2) * HEAD + (HEAD + 1) * num_classes
        rest_madds = 27 * STEM * resolution**2 + c_out[-1] * HEAD * area_out[-1] + HEAD * num_classes
        return pd.DataFrame(
            {
                "params": np.stack(params)[C, layers].sum(axis=1) + rest_params,
                "madds": np.stack(madds)[C, layers].sum(axis=1) + rest_madds,
            }
        )
