"""FBNet: 22 layers, each one of nine blocks, as HW-NAS-Bench numbers them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

# Kernel, expansion and groups of the 1x1 convolutions.
BLOCKS = {
    "k3_e1": (3, 1, 1),
    "k3_e1_g2": (3, 1, 2),
    "k3_e3": (3, 3, 1),
    "k3_e6": (3, 6, 1),
    "k5_e1": (5, 1, 1),
    "k5_e1_g2": (5, 1, 2),
    "k5_e3": (5, 3, 1),
    "k5_e6": (5, 6, 1),
}
OPS = (*BLOCKS, "skip")
SKIP = OPS.index("skip")
STAGES = np.repeat(np.arange(7), (1, 4, 4, 4, 4, 4, 1))  # of each layer
CHANNELS = np.array([16, 24, 32, 64, 112, 184, 352])
STEM = 16
C_OUT = CHANNELS[STAGES]
C_IN = np.r_[STEM, C_OUT[:-1]]
# No network has a stride where the channels stay, so the others are identities.
CHANGES = C_IN != C_OUT


@dataclass(frozen=True)
class Network:
    """What HW-NAS-Bench's two networks of one genotype differ in."""

    resolution: int
    stem_stride: int
    stage_strides: tuple[int, ...]
    features: int
    num_classes: int

    @property
    def strides(self) -> IntArray:
        """(22,) stride of each layer."""
        return np.where(CHANGES, np.array(self.stage_strides)[STAGES], 1)

    @property
    def sides(self) -> IntArray:
        """(23,) side of the square feature maps before each layer and after the last."""
        return np.asarray(self.resolution // np.cumprod(np.r_[self.stem_stride, self.strides]))


NETWORKS = {
    "ImageNet": Network(224, 2, (1, 2, 2, 2, 1, 2, 1), 1984, 1000),
    "cifar100": Network(32, 1, (1, 1, 2, 2, 1, 2, 1), 1504, 100),
}


@register_space("fbnet")
class FBNet(SearchSpace):
    """22 layers of nine candidate blocks (Wu et al., 2019, arXiv:1812.03443; Li et al., 2021, arXiv:2103.10584).

    A block is a 1x1 convolution that expands the channels 1, 3 or 6 times, a depthwise one of kernel 3 or 5, and a
    1x1 convolution back; ``g2``: the 1x1 convolutions in two groups. ``skip`` is the identity, but where the number
    of channels changes, in the first layer of all stages but the first, it is a strided 1x1 convolution with batch
    norm and ReLU. So the skips of a stage's later layers may stand anywhere among these: the canonical form has them
    last, and such architectures are one.

    ``parse`` reads lists of 22 indices or names, text of either separated by commas or spaces, FBNet's own names
    (``ir_k3_e6``, ``ir_k5_s2``) and HW-NAS-Bench's dicts (``op_idx_list``).

    Examples
    --------
    >>> space = FBNet()
    >>> X = space.parse([["k3_e1"] * 21 + ["skip"], "3 8 0" + " 8" * 19])
    >>> X[1, :6]
    array([3, 8, 0, 8, 8, 8])
    >>> space.cost(X)
        params      madds
    0  3138848  116631064
    1  2790944  103082368
    """

    name = "fbnet"
    genes = tuple(Gene(f"layer{i}", OPS) for i in range(1, 23))

    def parse_one(self, arch: Any) -> Sequence[int]:
        words = re.findall(r"\w+", arch) if isinstance(arch, str) else list(arch)
        if len(words) != self.n_genes:
            raise InvalidInputError(f"{self.n_genes} blocks were expected, {len(words)} came")
        return [_code(word) for word in words]

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        return self.parse_one(arch["op_idx_list"]) if "op_idx_list" in arch else super()._parse_dict(arch)

    def format(self, X: Any) -> list[str]:
        return [",".join(OPS[op] for op in row) for row in self.parse(X).tolist()]

    def prune(self, X: IntArray) -> IntArray:
        """Move a stage's identities behind its other layers, the first excepted."""
        X = X.copy()
        later = X[:, 1:21].reshape(len(X), 5, 4)[:, :, 1:]
        order = np.argsort(later == SKIP, axis=2, kind="stable")
        X[:, 1:21].reshape(len(X), 5, 4)[:, :, 1:] = np.take_along_axis(later, order, axis=2)
        return X

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The chain of the layers; identities are left out, a skip that is a convolution is called ``skip_conv``."""
        return ArchGraph.chain(C, (C != SKIP) | CHANGES, (*BLOCKS, "skip_conv"))

    def layer_cost(self, X: Any, dataset: str = "ImageNet") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Parameters and multiply-adds of each layer, (n, 22) float64 each; 0 for identities."""
        C, layers = self.canonical(self.parse(X)), np.arange(self.n_genes)
        params, madds = _costs(dataset)
        return params[layers, C], madds[layers, C]

    def cost(self, X: Any, dataset: str = "ImageNet") -> pd.DataFrame:  # type: ignore[override]
        """Parameters and multiply-adds (convolutions and classifier) of HW-NAS-Bench's networks.

        Parameters
        ----------
        X : n architectures
        dataset : {"ImageNet", "cifar100"}
            224 pixels, 1,984 features, 1,000 classes, FBNet's own network; or 32 pixels, 1,504 features, 100
            classes, no stride in stem and second stage.
        """
        network = _network(dataset)
        params, madds = (cost.sum(axis=1).astype(np.int64) for cost in self.layer_cost(X, dataset))
        stem, last = 27 * STEM, int(CHANNELS[-1]) * network.features
        classifier = network.features * network.num_classes
        norms = 2 * STEM + 2 * network.features
        sides = network.sides**2
        return pd.DataFrame(
            {
                "params": params + stem + last + classifier + norms + network.num_classes,
                "madds": madds + stem * sides[0] + last * sides[-1] + classifier,
            }
        )

    def blocks(self, X: Any, dataset: str = "ImageNet") -> tuple[list[str], IntArray]:
        """What a latency look-up table adds up: the parts of each network by HW-NAS-Bench's names.

        Returns
        -------
        names : list of str
        index : (n, 26) int64
            Layers, stem, head, pooling and classifier of each network.
        """
        C, network = self.canonical(self.parse(X)), _network(dataset)
        table = [[_block_name(network, layer, op) for op in range(len(OPS))] for layer in range(self.n_genes)]
        side, features = network.sides[-1], network.features
        stem = f"H{network.resolution}_W{network.resolution}_Cin3_Cout{STEM}_kernel3_stride{network.stem_stride}"
        ends = [
            f"ConvNorm_{stem}_group1",
            f"ConvNorm_H{side}_W{side}_Cin{CHANNELS[-1]}_Cout{features}_kernel1_stride1_group1",
            f"AvgP_H{side}_W{side}_Cin{features}_Cout{features}_kernel{side}_stride1",
            f"FC_Cin{features}_Cout{network.num_classes}",
        ]
        place = {name: i for i, name in enumerate(dict.fromkeys([*ends, *(name for row in table for name in row)]))}
        layers = np.array([[place[name] for name in row] for row in table])[np.arange(self.n_genes), C]
        return list(place), np.hstack([layers, np.tile([place[name] for name in ends], (len(C), 1))])


def _code(word: Any) -> int:
    if isinstance(word, (int, np.integer)) or str(word).isdigit():
        if 0 <= int(word) < len(OPS):
            return int(word)
    else:
        name = str(word).removeprefix("ir_").replace("_s2", "_e1_g2")
        if name in OPS:
            return OPS.index(name)
    raise InvalidInputError(f"{word!r} is none of the blocks {', '.join(OPS)} (0 to {len(OPS) - 1})")


def _network(dataset: str) -> Network:
    if dataset not in NETWORKS:
        raise UnknownNameError.of("dataset of fbnet", dataset, NETWORKS)
    return NETWORKS[dataset]


@cache
def _costs(dataset: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(22, 9) parameters and multiply-adds of each block in each layer."""
    sides = _network(dataset).sides
    before, after = (np.asarray(side, dtype=np.float64)[:, None] ** 2 for side in (sides[:-1], sides[1:]))
    kernel, expand, groups = np.array(list(BLOCKS.values())).T
    c_in, c_out = C_IN[:, None], C_OUT[:, None]
    middle = c_in * expand
    first, depthwise, last = c_in * middle / groups, kernel**2 * middle, middle * c_out / groups
    skip, skip_norms = np.where(CHANGES, [C_IN * C_OUT, 2 * C_OUT], 0)[:, :, None]
    params = np.hstack([first + depthwise + last + 4 * middle + 2 * c_out, skip + skip_norms])
    madds = np.hstack([first * before + (depthwise + last) * after, skip * after])
    return params, madds


def _block_name(network: Network, layer: int, op: int) -> str:
    side, stride = network.sides[layer], network.strides[layer]
    shape = f"H{side}_W{side}_Cin{C_IN[layer]}_Cout{C_OUT[layer]}"
    if op == SKIP:
        return f"Skip_{shape}_stride{stride}"
    kernel, expand, groups = BLOCKS[OPS[op]]
    return f"ConvBlock_{shape}_exp{expand}_kernel{kernel}_stride{stride}_group{groups}"
