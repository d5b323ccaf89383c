"""Once-for-all MobileNetV3: five stages of inverted residual blocks of elastic depth, kernel and expansion."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import ofa_cost as network
from surronas.spaces import ofa_notations as notations
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace, as_integers
from surronas.spaces.graph import ArchGraph
from surronas.spaces.ofa_notations import (
    DEPTHS,
    EXPAND,
    EXPANSIONS,
    KERNEL,
    KERNELS,
    LAYERS,
    RESOLUTIONS,
    STAGES,
    WIDTHS,
)

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

OPS = tuple(f"mb{e}_k{k}" for e in EXPANSIONS for k in KERNELS)


def _genes() -> tuple[Gene, ...]:
    genes = []
    for stage in range(1, STAGES + 1):
        depth = f"stage{stage}_depth"
        genes.append(Gene(depth, DEPTHS, ordered=True))
        for layer in range(1, LAYERS + 1):
            active_if = {depth: tuple(d for d in DEPTHS if d >= layer)} if layer > DEPTHS[0] else {}
            genes.append(Gene(f"stage{stage}_layer{layer}_kernel", KERNELS, active_if, ordered=True))
            genes.append(Gene(f"stage{stage}_layer{layer}_expand", EXPANSIONS, active_if, ordered=True))
    return (*genes, Gene("resolution", RESOLUTIONS, ordered=True), Gene("width", WIDTHS, ordered=True))


@register_space("ofa_mbv3")
class OFAMobileNetV3(SearchSpace):
    """Subnets of the once-for-all MobileNetV3 supernets of width 1.0 and 1.2 (Cai et al., 2020, arXiv:1908.09791).

    Five stages of two to four blocks, kernel 3, 5 or 7 and expansion 3, 4 or 6 a block, images of 128 to 256
    pixels. ``parse`` reads

    - OFA's dicts, as Python or JSON text too: ``ks`` and ``e`` of all 20 layers, of those that the depths
      ``d`` keep, or one number for all, ``r`` (a number or a list of one; 224 where it is missing), ``w`` or
      ``wid`` (1.0 where it is missing or None);
    - MSuNAS's 46 integers (Lu et al., 2020, arXiv:2007.10396), taken as of width 1.0;
    - NAT's codes (Lu et al., 2021, arXiv:2005.05859), 22 integers or 23 characters.

    A two-dimensional array holds genotypes only, so that one with a column missing is never taken for codes;
    arrays of codes come by ``from_msunas`` and ``from_nat``.

    ``format`` writes the dicts of NAT's files, the layers that the depths keep only, as JSON text. MSuNAS and
    NAT know no resolution below 192.

    Examples
    --------
    >>> space = OFAMobileNetV3()
    >>> nat_m1 = space.parse(["08 0 1100 1440 5510 5220 8877"])
    >>> space.format(nat_m1)[0][:50]
    '{"ks": [3, 3, 3, 3, 3, 5, 5, 3, 5, 5, 5, 5, 5, 3, '
    >>> space.cost(nat_m1)["madds"].tolist()
    [222557600]
    """

    name = "ofa_mbv3"
    genes = _genes()

    def parse_one(self, arch: Any) -> Sequence[int]:
        if isinstance(arch, str) and arch.lstrip().startswith("{"):
            return self._parse_dict(ast.literal_eval(re.sub(r"\bnull\b", "None", arch.strip())))
        if isinstance(arch, str) and (digits := "".join(arch.split())).isdecimal():
            if len(digits) != notations.N_NAT + 1:
                raise InvalidInputError(
                    f"NAT's codes have {notations.N_NAT + 1} characters, two for the resolution, {len(digits)} came"
                )
            return self.parse_codes([int(digits[:2]), *map(int, digits[2:])])
        return super().parse_one(arch)

    def parse_codes(self, codes: Sequence[int]) -> Sequence[int]:
        if len(codes) == notations.N_MSUNAS:
            return list(notations.from_msunas(np.array([codes]))[0].tolist())
        if len(codes) == notations.N_NAT:
            return list(notations.from_nat(np.array([codes]))[0].tolist())
        raise InvalidInputError(
            f"{self.n_genes} genes, MSuNAS's 46 integers or NAT's 22 were expected, {len(codes)} integers came"
        )

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        return notations.from_ofa(arch) if "ks" in arch else super()._parse_dict(arch)

    def format(self, X: Any) -> list[str]:
        X = self.parse(X)
        kept = notations.expressed(X).reshape(len(X), 20)
        short = [
            arch | {key: np.array(arch[key])[on].tolist() for key in ("ks", "e")}
            for arch, on in zip(notations.to_ofa(X), kept, strict=True)
        ]
        return [json.dumps(arch) for arch in short]

    def to_ofa(self, X: Any) -> list[dict[str, Any]]:
        """Dicts ks, e, d, r, w of all 20 layers, as OFA's supernets take them; unexpressed layers are the smallest."""
        return notations.to_ofa(self.parse(X))

    def to_msunas(self, X: Any, width: float = 1.0) -> IntArray:
        """(n, 46) MSuNAS's integers, unexpressed ones 0.

        They do not hold the width, which is that of the supernet in use.

        Raises
        ------
        InvalidInputError
            Where an architecture has another width, or a resolution below 192.
        """
        return notations.to_msunas(self.canonical(self.parse(X)), width)

    def from_msunas(self, codes: Any, width: float = 1.0) -> IntArray:
        """MSuNAS's integers, (n, 46), of a supernet of that width -> genotypes, unexpressed genes kept."""
        return notations.from_msunas(as_integers(codes), width)

    def from_nat(self, codes: Any) -> IntArray:
        """NAT's codes, (n, 22), -> genotypes."""
        return notations.from_nat(as_integers(codes))

    def to_nat(self, X: Any) -> IntArray:
        """(n, 22) NAT's codes: resolution, width, 20 layers; a resolution below 192 is refused."""
        return notations.to_nat(self.parse(X))

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The chain of the stages' blocks, each labelled with expansion and kernel."""
        blocks = 3 * C[:, EXPAND] + C[:, KERNEL]
        return ArchGraph.chain(blocks.reshape(len(C), 20), notations.expressed(C).reshape(len(C), 20), OPS)

    def layer_cost(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cost of each block of the five stages.

        Returns
        -------
        params, madds : (n, 20) float64
            Layer l of stage s (both from 0) at column 4 s + l; 0 where the depth leaves the layer out. What is
            missing from ``cost`` is stem, first block and head, which depend on resolution and width alone.
        """
        return network.layer_cost(self.canonical(self.parse(X)))

    def network_of(  # type: ignore[override]
        self, c: IntArray, num_classes: int = 1000, in_channels: int = 3, resolution: int | None = None
    ) -> Network:
        from surronas.spaces.networks.ofa_mbv3 import build

        return build(c, num_classes, in_channels, resolution)

    def cost(self, X: Any, num_classes: int = 1000) -> pd.DataFrame:  # type: ignore[override]
        """Parameters and multiply-adds (convolutions and linear layers) at the genotype's resolution and width.

        The network: a 3x3 stem of stride 2, a 3x3 depthwise separable block, the five stages (strides 2, 2, 2, 1,
        2; squeeze-and-excitation in stages 2, 4 and 5), a 1x1 expansion, pooling, a 1x1 mixing of features
        without batch norm, a linear layer.
        """
        return network.network_cost(self.canonical(self.parse(X)), num_classes)

    def blocks(self, X: Any, num_classes: int = 1000) -> tuple[list[str], IntArray]:
        """What a latency look-up table adds up: the parts of each network by name.

        Returns
        -------
        names : list of str
            The different parts of all the networks, named as in the tables of ProxylessNAS, OFA and MSuNAS.
        index : (n, 25) int64
            The parts of each network; -1 where its depth leaves one out.
        """
        return network.blocks(self.canonical(self.parse(X)), num_classes)
