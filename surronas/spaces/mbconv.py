"""Elastic MobileNets for small images: the space of the supernets that surronas trains itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

if TYPE_CHECKING:
    from surronas.spaces.mbconv_network import MBConvNetwork

__all__ = ["MBConv", "Shapes", "Stage"]


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
    stride : int
        Of the first block.
    depths, kernels, expands : tuple of int, ascending
        What the genes choose from: how many blocks; sides of the kernels; ratio of a block's inner channels to those
        that it reads.
    """

    fused: bool
    channels: int
    stride: int
    depths: tuple[int, ...] = (1, 2, 3)
    kernels: tuple[int, ...] = (3, 5)
    expands: tuple[int, ...] = (2, 3, 4)

    def __post_init__(self) -> None:
        for name in ("depths", "kernels", "expands"):
            choices = tuple(getattr(self, name))
            if not choices or list(choices) != sorted(set(choices)) or choices[0] < 1:
                raise InvalidInputError(
                    f"The '{name}' of a Stage must be positive ints in ascending order. Got {choices!r}."
                )
            object.__setattr__(self, name, choices)
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise InvalidInputError(f"The 'kernels' of a Stage must be odd. Got {self.kernels!r}.")


STAGES = (
    Stage(fused=True, channels=48, stride=2, depths=(2, 3), kernels=(3,), expands=(2, 3)),
    Stage(fused=True, channels=80, stride=2, depths=(2, 3), kernels=(3,), expands=(2, 3)),
    Stage(fused=False, channels=96, stride=1, depths=(1, 2), kernels=(3, 5, 7), expands=(2, 3)),
    Stage(fused=False, channels=128, stride=2, depths=(1, 2, 3), kernels=(3, 5), expands=(2, 3, 4)),
)


@dataclass(frozen=True)
class Shapes:
    """What the parts of n networks read and give: arrays (n, blocks), or (n, 1) for what a network has once.

    Blocks that the depth leaves out have shapes too; ``kept`` says which count.
    """

    kept: NDArray[np.bool_]
    fused: NDArray[np.bool_]
    stride: IntArray
    kernel: IntArray
    c_in: IntArray
    middle: IntArray
    c_out: IntArray
    side_in: IntArray
    side_out: IntArray
    resolution: IntArray
    stem: IntArray
    features: IntArray


@register_space("mbconv")
class MBConv(SearchSpace):
    """Subnets of an elastic MobileNet for images of 16 to 32 pixels: resolution, width, depths, kernels, expansions.

    A 3x3 stem, two stages of fused blocks, two of inverted bottlenecks, a 1x1 convolution to the
    features, pooling, a linear classifier. The first block of a stage changes the channels, the others have a
    shortcut. Early blocks are dense because that is what CPUs compute fastest.

    Parameters
    ----------
    stages : sequence of Stage
    resolutions : sequence of int, ascending
        Sides of the square images, in pixels.
    widths : sequence of float, ascending
        Multipliers of all channels, which are rounded to multiples of 8.
    stem, features : int
        Channels of the stem and of the features, at width 1.

    Examples
    --------
    >>> space = MBConv()
    >>> space.cost([space.smallest(), space.largest()])
        params     madds
    0   254570   5153136
    1  1205762  87068672
    """

    name = "mbconv"

    def __init__(
        self,
        stages: Sequence[Stage] = STAGES,
        resolutions: Sequence[int] = (16, 20, 24, 28, 32),
        widths: Sequence[float] = (0.8, 0.9, 1.0),
        stem: int = 24,
        features: int = 512,
    ) -> None:
        self.stages = tuple(stage if isinstance(stage, Stage) else Stage(**stage) for stage in stages)
        self.resolutions, self.widths = tuple(resolutions), tuple(widths)
        self.stem, self.features = stem, features
        super().__init__(self._genes())

    def _genes(self) -> list[Gene]:
        """A decision with one choice is none, and has no gene."""
        genes = [Gene("resolution", self.resolutions, ordered=True), Gene("width", self.widths, ordered=True)]
        for number, stage in enumerate(self.stages, start=1):
            depth = f"stage{number}_depth"
            genes.append(Gene(depth, stage.depths, ordered=True))
            for block in range(1, stage.depths[-1] + 1):
                deep = {depth: tuple(d for d in stage.depths if d >= block)} if block > stage.depths[0] else {}
                genes.append(Gene(f"stage{number}_block{block}_kernel", stage.kernels, deep, ordered=True))
                genes.append(Gene(f"stage{number}_block{block}_expand", stage.expands, deep, ordered=True))
        return [gene for gene in genes if len(gene.choices) > 1]

    def to_spec(self) -> dict[str, Any]:
        """The name and the parameters."""
        parameters = {
            "stages": [asdict(stage) for stage in self.stages],
            "resolutions": self.resolutions,
            "widths": self.widths,
            "stem": self.stem,
            "features": self.features,
        }
        return {"name": self.name, "parameters": parameters}

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(stage, block) of every block there can be, both from 1, in order."""
        return [(s, b) for s, stage in enumerate(self.stages, start=1) for b in range(1, stage.depths[-1] + 1)]

    def kernels(self) -> dict[str, tuple[int, ...]]:
        """Name of each block, as its network has it -> the sides of kernel that it can have."""
        return {f"stage{stage}_block{block}": self.stages[stage - 1].kernels for stage, block in self.blocks}

    def shapes(self, X: Any) -> Shapes:
        """Shapes of the parts of n networks; column j belongs to ``blocks[j]``."""
        C = self.canonical(self.parse(X))
        place = {name: column for column, name in enumerate(self.gene_names)}

        def chosen(name: str, choices: Sequence[Any]) -> NDArray[Any]:
            codes = C[:, place[name]] if name in place else np.zeros(len(C), dtype=np.int64)
            return np.array(choices)[codes][:, None]

        def by_block(values: Sequence[Any]) -> NDArray[Any]:
            return np.hstack([np.broadcast_to(value, (len(C), 1)) for value in values])

        stages = [self.stages[stage - 1] for stage, _ in self.blocks]
        width, resolution = chosen("width", self.widths), chosen("resolution", self.resolutions)
        first = [block == 1 for _, block in self.blocks]
        stem = _divisible(self.stem * width)
        side = resolution
        c_out = by_block([_divisible(stage.channels * width) for stage in stages])
        c_before = np.hstack([stem, c_out[:, :-1]])
        sides_out, sides_in = [], []
        for stage, is_first in zip(stages, first, strict=True):
            sides_in.append(side)
            side = -(-side // stage.stride) if is_first else side
            sides_out.append(side)
        numbered = list(zip(self.blocks, stages, strict=True))
        expand = by_block([chosen(f"stage{s}_block{b}_expand", stage.expands) for (s, b), stage in numbered])
        return Shapes(
            kept=by_block([chosen(f"stage{s}_depth", stage.depths) >= b for (s, b), stage in numbered]),
            fused=by_block([stage.fused for stage in stages]),
            stride=by_block([stage.stride if is_first else 1 for stage, is_first in zip(stages, first, strict=True)]),
            kernel=by_block([chosen(f"stage{s}_block{b}_kernel", stage.kernels) for (s, b), stage in numbered]),
            c_in=c_before,
            middle=c_before * expand,
            c_out=c_out,
            side_in=np.hstack(sides_in),
            side_out=np.hstack(sides_out),
            resolution=resolution,
            stem=stem,
            features=_divisible(self.features * width),
        )

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The chain of the blocks, each labelled with its kind, expansion and kernel."""
        at = self.shapes(C)
        kinds = sorted({(s.fused, e, k) for s in self.stages for e in s.expands for k in s.kernels})
        names = [f"{'fused' if fused else 'mb'}{e}_k{k}" for fused, e, k in kinds]
        ops = np.zeros(at.kept.shape, dtype=np.int64)
        for label, (fused, e, k) in enumerate(kinds):
            ops[(at.fused == fused) & (at.middle == e * at.c_in) & (at.kernel == k)] = label
        return ArchGraph.chain(ops, at.kept, names)

    def cost(self, X: Any, num_classes: int = 10, in_channels: int = 3) -> pd.DataFrame:  # type: ignore[override]
        """Parameters, and multiply-adds of convolutions and classifier at the genotype's own resolution.

        Parameters
        ----------
        X : (n, n_genes) int array
        num_classes, in_channels : int

        Returns
        -------
        DataFrame with the int64 columns params and madds
        """
        at = self.shapes(X)
        m, area_in, area_out = at.middle, at.side_in**2, at.side_out**2
        dense = m * at.c_in * at.kernel**2
        depthwise, expansion = m * at.kernel**2, m * at.c_in
        params = np.where(at.fused, dense, expansion + 2 * m + depthwise)
        params += 2 * m + m * at.c_out + 2 * at.c_out
        madds = np.where(at.fused, dense * area_out, expansion * area_in + depthwise * area_out)
        madds += m * at.c_out * area_out
        stem, area = 9 * in_channels * at.stem, at.resolution**2
        to_features = at.c_out[:, -1:] * at.features
        head = at.features * num_classes
        return pd.DataFrame(
            {
                "params": (params * at.kept).sum(axis=1)
                + (stem + 2 * at.stem + to_features + 2 * at.features + head + num_classes)[:, 0],
                "madds": (madds * at.kept).sum(axis=1)
                + (stem * area + to_features * at.side_out[:, -1:] ** 2 + head)[:, 0],
            }
        )

    def build(self, x: Any, num_classes: int = 10, in_channels: int = 3) -> MBConvNetwork:  # type: ignore[override]
        """The network of one genotype, freshly initialised; it takes images of the genotype's resolution.

        Returns
        -------
        torch.nn.Module
            (n, in_channels, r, r) float -> (n, num_classes) logits.
        """
        from surronas.spaces.mbconv_network import MBConvNetwork

        return MBConvNetwork(self, x, num_classes, in_channels)


def _divisible(channels: NDArray[Any]) -> IntArray:
    """Channels rounded to multiples of 8, at least 8."""
    return np.maximum(8, np.floor(channels / 8 + 0.5).astype(np.int64) * 8)
