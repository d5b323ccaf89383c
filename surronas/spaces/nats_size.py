"""The size space of NATS-Bench: the widths of one network's five blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

WIDTHS = tuple(range(8, 65, 8))
CELL = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_3x3")
BLOCKS = ("cell1", "reduction1", "cell2", "reduction2", "cell3")


@register_space("nats_size")
class NATSSize(SearchSpace):
    """32,768 networks: five widths of 8, 16, ... 64 channels (Dong et al., 2021, arXiv:2009.00437).

    The network is that of NAS-Bench-201 with one cell a stage, always the same: the benchmark's best on CIFAR-100,
    ``|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|``.
    ``parse`` reads the official strings. ``enumerate`` gives the official index order.

    Examples
    --------
    >>> space = NATSSize()
    >>> space.parse(["64:48:16:8:32"])
    array([[7, 5, 1, 0, 3]])
    >>> space.format(space.enumerate()[[0, 1, 284]])
    ['8:8:8:8:8', '8:8:8:8:16', '8:8:40:32:40']
    """

    name = "nats_size"
    genes = tuple(Gene(f"{block}_channels", WIDTHS, ordered=True) for block in BLOCKS)

    def parse_one(self, arch: Any) -> Sequence[int]:
        if not isinstance(arch, str) or not re.fullmatch(r"\d+(:\d+){4}", arch.strip()):
            raise InvalidInputError("five widths of the form 64:48:16:8:32 were expected")
        return self._parse_dict(dict(zip(self.gene_names, map(int, arch.split(":")), strict=True)))

    def format(self, X: Any) -> list[str]:
        return [":".join(str(WIDTHS[code]) for code in row) for row in self.parse(X).tolist()]

    def network_of(  # type: ignore[override]
        self, c: IntArray, num_classes: int = 10, in_channels: int = 3, resolution: int = 32
    ) -> Network:
        from surronas.spaces.networks.resnet_cells import build

        first, second, third, fourth, fifth = (WIDTHS[code] for code in c)
        return build(CELL, [[first], [third], [fifth]], [second, fourth], num_classes, in_channels, resolution)

    def cost(self, X: Any, num_classes: int = 10, resolution: int = 32) -> pd.DataFrame:  # type: ignore[override]
        """Parameters, multiply-adds and published FLOPs.

        Returns
        -------
        DataFrame of int64
            ``params``; ``madds``, those of convolutions and classifier; ``flops``, what NATS-Bench publishes: ``madds``
            and one for each of the classifier's biases.
        """
        c1, r1, c2, r2, c3 = 8 * (self.canonical(X).T + 1)
        area = resolution**2, (resolution // 2) ** 2, (resolution // 4) ** 2

        def cell(c_in: Any, c_out: Any) -> tuple[Any, Any]:
            # the skip connection is a 1x1 convolution where the widths differ
            weights = 18 * c_in * c_out + 27 * c_out**2 + (c_in != c_out) * c_in * c_out
            return weights, 10 * c_out + (c_in != c_out) * 2 * c_out

        def reduction(c_in: Any, c_out: Any) -> tuple[Any, Any]:
            return 10 * c_in * c_out + 9 * c_out**2, 4 * c_out

        parts = [
            (area[0], (27 * c1, 2 * c1)),
            (area[0], cell(c1, c1)),
            (area[1], reduction(c1, r1)),
            (area[1], cell(r1, c2)),
            (area[2], reduction(c2, r2)),
            (area[2], cell(r2, c3)),
        ]
        params = sum(weights + norms for _, (weights, norms) in parts) + 2 * c3 + (c3 + 1) * num_classes
        madds = sum(positions * weights for positions, (weights, _) in parts) + c3 * num_classes
        return pd.DataFrame({"params": params, "madds": madds, "flops": madds + num_classes})
