"""Once-for-all MobileNetV3: five stages of inverted residual blocks of elastic depth, kernel and expansion."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace

STAGES, LAYERS = 5, 4
DEPTHS, KERNELS, EXPANSIONS = (2, 3, 4), (3, 5, 7), (3, 4, 6)
RESOLUTIONS, WIDTHS = tuple(range(128, 257, 4)), (1.0, 1.2)
LAYER_OPS = tuple(f"mb{e}_k{k}" for e in EXPANSIONS for k in KERNELS)

# Columns of a genotype: a stage is depth, then kernel and expansion of each of its layers.
DEPTH = 9 * np.arange(STAGES)
KERNEL = DEPTH[:, None] + 1 + 2 * np.arange(LAYERS)
EXPAND = KERNEL + 1
RESOLUTION, WIDTH = 9 * STAGES, 9 * STAGES + 1

# MSuNAS and NAT number the resolutions from 192 on.
_FROM_192 = RESOLUTIONS.index(192)
_MSUNAS = np.hstack([DEPTH[:, None], KERNEL, EXPAND]).ravel()
_N_MSUNAS, _N_NAT = len(_MSUNAS) + 1, 2 + STAGES * LAYERS


def _genes() -> tuple[Gene, ...]:
    genes = []
    for stage in range(1, STAGES + 1):
        depth = f"stage{stage}_depth"
        genes.append(Gene(depth, DEPTHS, ordered=True))
        for layer in range(1, LAYERS + 1):
            active_if = {depth: tuple(d for d in DEPTHS if d >= layer)} if layer > min(DEPTHS) else {}
            genes.append(Gene(f"stage{stage}_layer{layer}_kernel", KERNELS, active_if, ordered=True))
            genes.append(Gene(f"stage{stage}_layer{layer}_expand", EXPANSIONS, active_if, ordered=True))
    return (*genes, Gene("resolution", RESOLUTIONS, ordered=True), Gene("width", WIDTHS, ordered=True))


@register_space("ofa_mbv3")
class OFAMobileNetV3(SearchSpace):
    """Subnets of the once-for-all MobileNetV3 supernets of width 1.0 and 1.2 (Cai et al., 2020, arXiv:1908.09791).

    Five stages of two to four blocks, kernel 3, 5 or 7 and expansion 3, 4 or 6 a block, images of 128 to 256
    pixels. ``parse`` reads OFA's dicts, as Python text too: ``ks`` and ``e`` of all 20 layers or of the active
    ones, ``d``, ``r`` (a number or a list of one; default 224), ``w`` or ``wid`` (default 1.0).

    Examples
    --------
    >>> space = OFAMobileNetV3()
    >>> X = space.parse([{"ks": [3] * 20, "e": [4] * 20, "d": [2, 2, 3, 2, 2], "r": [224], "wid": None}])
    >>> X.shape
    (1, 47)
    """

    name = "ofa_mbv3"
    genes = _genes()

    def parse_one(self, arch: Any) -> Sequence[int]:
        if isinstance(arch, str) and arch.lstrip().startswith("{"):
            return self._parse_dict(ast.literal_eval(arch.strip()))
        return super().parse_one(arch)

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        return _from_ofa(arch) if "ks" in arch else super()._parse_dict(arch)


def _from_ofa(arch: Mapping[Any, Any]) -> list[int]:
    foreign = [key for key in arch if key not in ("ks", "e", "d", "r", "w", "wid")]
    if foreign:
        raise InvalidInputError(f"there is no key {foreign[0]!r}; OFA's keys are ks, e, d, r, w or wid")
    depths, kernels, expansions = (list(arch[key]) for key in ("d", "ks", "e"))
    if len(depths) != STAGES:
        raise InvalidInputError(f"'d' must have {STAGES} depths, not {len(depths)}")
    resolution, width = arch.get("r", 224), arch.get("w", arch.get("wid"))
    if isinstance(resolution, (list, tuple)):
        (resolution,) = resolution
    x = np.zeros(9 * STAGES + 2, dtype=np.int64)
    x[DEPTH] = [_code("d", depth, DEPTHS) for depth in depths]
    expressed = np.arange(LAYERS) < np.array(depths)[:, None]
    for key, values, choices, columns in (("ks", kernels, KERNELS, KERNEL), ("e", expansions, EXPANSIONS, EXPAND)):
        if len(values) == STAGES * LAYERS:
            x[columns] = np.reshape([_code(key, v, choices) for v in values], (STAGES, LAYERS))
        elif len(values) == sum(depths):
            x[columns[expressed]] = [_code(key, v, choices) for v in values]
        else:
            raise InvalidInputError(
                f"{key!r} must have {STAGES * LAYERS} entries, or the {sum(depths)} of the layers that 'd' keeps, "
                f"not {len(values)}"
            )
    x[RESOLUTION] = _code("r", resolution, RESOLUTIONS)
    x[WIDTH] = _code("w", 1.0 if width is None else width, WIDTHS)
    return [int(code) for code in x]


def _code(key: str, value: Any, choices: tuple[Any, ...]) -> int:
    if value not in choices:
        raise InvalidInputError(f"{key!r} must hold {choices[0]}, {choices[1]}, ... {choices[-1]}, not {value!r}")
    return choices.index(value)
