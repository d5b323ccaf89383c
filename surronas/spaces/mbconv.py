"""Elastic MobileNets for small images: the space of the supernets that surronas trains itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.block_names import name_blocks, read_block
from surronas.spaces.graph import ArchGraph
from surronas.spaces.mbconv_stage import Stage, ascending, positive

if TYPE_CHECKING:
    from surronas.spaces.networks.mbconv import MBConvNetwork

__all__ = ["MBConv", "Shapes", "Stage"]


STAGES = (
    Stage(fused=True, channels=48, stride=2, depths=(2, 3), kernels=(3,), expands=(2, 3)),
    Stage(fused=True, channels=80, stride=2, depths=(2, 3), kernels=(3,), expands=(2, 3)),
    Stage(fused=False, channels=96, stride=1, depths=(1, 2), kernels=(3, 5, 7), expands=(2, 3)),
    Stage(fused=False, channels=128, stride=2, depths=(1, 2, 3), kernels=(3, 5), expands=(2, 3, 4)),
)

_STEM = "stem-side:{}-in:{}-out:{}"
_BLOCK = "block-side:{}-in:{}-middle:{}-out:{}-kernel:{}-stride:{}-fused:{}-shortcut:{}"
_HEAD = "head-side:{}-in:{}-features:{}-classes:{}"


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

    What has one choice only is no gene.

    Parameters
    ----------
    stages : sequence of Stage
        Or of mappings of a Stage's parameters, as ``to_spec`` has them.
    resolutions : sequence of int, ascending
        Sides of the square images, in pixels.
    widths : sequence of float, ascending
        Multipliers of all channels, which are rounded to multiples of 8.
    stem, features : int
        Channels of the stem and of the features, at width 1.

    Raises
    ------
    InvalidInputError
        Naming the parameter.

    Examples
    --------
    >>> space = MBConv()
    >>> space.cost([space.smallest(), space.largest()])
        params     madds  activations
    0   254570   5153136        32384
    1  1205762  87068672       366592
    """

    name = "mbconv"

    def __init__(
        self,
        stages: Sequence[Stage | Mapping[str, Any]] = STAGES,
        resolutions: Sequence[int] = (16, 20, 24, 28, 32),
        widths: Sequence[float] = (0.8, 0.9, 1.0),
        stem: int = 24,
        features: int = 512,
    ) -> None:
        if not stages or not all(isinstance(stage, (Stage, Mapping)) for stage in stages):
            raise InvalidInputError(
                f"The 'stages' parameter of MBConv must be one or more Stages. Got {stages!r} instead."
            )
        self.stages = tuple(stage if isinstance(stage, Stage) else Stage(**stage) for stage in stages)
        self.resolutions = ascending(resolutions, "resolutions", "MBConv")
        self.widths = ascending(widths, "widths", "MBConv", Real)
        self.stem, self.features = positive(stem, "stem", "MBConv"), positive(features, "features", "MBConv")
        self._check_resolution(self.resolutions[0])
        self._every = self._decisions()
        super().__init__([gene for gene in self._every if len(gene.choices) > 1])

    def _decisions(self) -> list[Gene]:
        """The genes, and what has one choice only."""
        decisions = [Gene("resolution", self.resolutions, ordered=True), Gene("width", self.widths, ordered=True)]
        for number, stage in enumerate(self.stages, start=1):
            depth = f"stage{number}_depth"
            decisions.append(Gene(depth, stage.depths, ordered=True))
            for block in range(1, stage.depths[-1] + 1):
                deep = {depth: tuple(d for d in stage.depths if d >= block)} if block > stage.depths[0] else {}
                decisions.append(Gene(f"stage{number}_block{block}_kernel", stage.kernels, deep, ordered=True))
                decisions.append(Gene(f"stage{number}_block{block}_expand", stage.expands, deep, ordered=True))
        return decisions

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
    def places(self) -> list[tuple[int, int]]:
        """(stage, block) of every block there can be, both from 1, in order."""
        return [(s, b) for s, stage in enumerate(self.stages, start=1) for b in range(1, stage.depths[-1] + 1)]

    def kernels(self) -> dict[str, tuple[int, ...]]:
        """Name of each block, as its network has it -> the sides of kernel that it can have."""
        return {f"stage{stage}_block{block}": self.stages[stage - 1].kernels for stage, block in self.places}

    def shapes(self, X: Any, resolution: int | None = None) -> Shapes:
        """Shapes of the parts of n networks; column j belongs to ``places[j]``.

        Parameters
        ----------
        X : (n, n_genes) int array
        resolution : int, optional
            Side of the images, where it is not the genotype's own.
        """
        C = self.canonical(self.parse(X))
        chosen = self._chosen(C)
        if resolution is not None:
            chosen["resolution"] = np.full((len(C), 1), self._check_resolution(resolution))
        side, width = chosen["resolution"], chosen["width"]
        c_in = stem = _divisible(self.stem * width)
        columns = []
        for number, block in self.places:
            stage = self.stages[number - 1]
            stride = stage.stride if block == 1 else 1
            c_out, side_out = _divisible(stage.channels * width), -(-side // stride)
            column = {
                "kept": chosen[f"stage{number}_depth"] >= block,
                "fused": stage.fused,
                "stride": stride,
                "kernel": chosen[f"stage{number}_block{block}_kernel"],
                "c_in": c_in,
                "middle": c_in * chosen[f"stage{number}_block{block}_expand"],
                "c_out": c_out,
                "side_in": side,
                "side_out": side_out,
            }
            columns.append(column)
            c_in, side = c_out, side_out
        by_block = {
            name: np.hstack([np.broadcast_to(column[name], (len(C), 1)) for column in columns]) for name in columns[0]
        }
        features = _divisible(self.features * width)
        return Shapes(**by_block, resolution=chosen["resolution"], stem=stem, features=features)

    def _chosen(self, C: IntArray) -> dict[str, NDArray[Any]]:
        """Name of each decision -> (n, 1) what n networks have."""
        columns = {gene.name: C[:, [j]] for j, gene in enumerate(self.genes)}
        only = np.zeros((len(C), 1), dtype=np.int64)
        return {gene.name: np.array(gene.choices)[columns.get(gene.name, only)] for gene in self._every}

    def _check_resolution(self, resolution: int) -> int:
        """Refuse images of which a stage would halve a single pixel; oneDNN's bfloat16 gradients are wrong there."""
        side = resolution = positive(resolution, "resolution", "MBConv")
        for number, stage in enumerate(self.stages, start=1):
            if side < stage.stride:
                raise InvalidInputError(
                    f"The resolution of MBConv must leave stage {number} more than one pixel to halve. "
                    f"Got {resolution}."
                )
            side = -(-side // stage.stride)
        return resolution

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The chain of resolution and width, where these are genes, and the blocks, by kind, expansion and kernel."""
        at = self.shapes(C)
        names: list[str] = []
        columns = []
        for j, gene in enumerate(self.genes):
            if gene.name in ("resolution", "width"):
                columns.append(len(names) + C[:, j])
                names += [f"{gene.name}={choice}" for choice in gene.choices]
        blocks = np.zeros(at.kept.shape, dtype=np.int64)
        for fused, e, k in sorted({(s.fused, e, k) for s in self.stages for e in s.expands for k in s.kernels}):
            blocks[(at.fused == fused) & (at.middle == e * at.c_in) & (at.kernel == k)] = len(names)
            names.append(f"{'fused' if fused else 'mb'}{e}_k{k}")
        ops = np.column_stack([*columns, blocks])
        present = np.column_stack([*(np.ones(len(C), dtype=bool) for _ in columns), at.kept])
        return ArchGraph.chain(ops, present, names)

    def cost(  # type: ignore[override]
        self, X: Any, num_classes: int = 10, in_channels: int = 3, resolution: int | None = None
    ) -> pd.DataFrame:
        """Parameters, multiply-adds of convolutions and classifier, and activations: values that convolutions put out.

        Activations tell more of latency than multiply-adds do where memory is what limits (Radosavovic et al., 2020,
        arXiv:2003.13678).

        Parameters
        ----------
        X : (n, n_genes) int array
        num_classes, in_channels : int
        resolution : int, optional
            Side of the images, where it is not the genotype's own.

        Returns
        -------
        DataFrame with the int64 columns params, madds and activations
        """
        at = self.shapes(X, resolution)
        area_in, area_out = at.side_in**2, at.side_out**2
        # the weights of a block's convolutions: in a fused one (k x k, 1x1), else (1x1, depthwise, 1x1)
        first = at.middle * at.c_in * np.where(at.fused, at.kernel**2, 1)
        depthwise = np.where(at.fused, 0, at.middle * at.kernel**2)
        project = at.middle * at.c_out
        norms = 2 * (at.middle * np.where(at.fused, 1, 2) + at.c_out)
        params = (at.kept * (first + depthwise + project + norms)).sum(axis=1)
        madds = first * np.where(at.fused, area_out, area_in) + (depthwise + project) * area_out
        madds = (at.kept * madds).sum(axis=1)
        num_classes = positive(num_classes, "num_classes", "cost")
        stem = 9 * positive(in_channels, "in_channels", "cost") * at.stem
        features = at.c_out[:, -1:] * at.features
        head = at.features * num_classes
        params += (stem + 2 * at.stem + features + 2 * at.features + head + num_classes)[:, 0]
        madds += (stem * at.resolution**2 + features * area_out[:, -1:] + head)[:, 0]
        activations = at.middle * np.where(at.fused, area_out, area_in + area_out) + at.c_out * area_out
        activations = (at.kept * activations).sum(axis=1)
        activations += (at.stem * at.resolution**2 + at.features * area_out[:, -1:])[:, 0]
        return pd.DataFrame({"params": params, "madds": madds, "activations": activations})

    def blocks(self, X: Any, num_classes: int = 10, in_channels: int = 3) -> tuple[list[str], IntArray]:
        """What a latency look-up table adds up: the parts of each network by name, as ``block`` builds them.

        Returns
        -------
        names : list of str
            The different parts of all the networks.
        index : (n, 2 + len(places)) int64
            Stem, blocks, and the head with its pooling of each network; -1 where its depth leaves a block out.
        """
        at = self.shapes(X)
        once = np.ones((len(at.kept), 1), dtype=bool)
        inner = (at.side_in, at.c_in, at.middle, at.c_out, at.kernel, at.stride, at.fused, self._shortcuts)
        head = (at.side_out[:, -1:], at.c_out[:, -1:], at.features, positive(num_classes, "num_classes", "blocks"))
        stem = (at.resolution, positive(in_channels, "in_channels", "blocks"), at.stem)
        return name_blocks([(_STEM, once, stem), (_BLOCK, at.kept, inner), (_HEAD, once, head)])

    @property
    def _shortcuts(self) -> NDArray[np.bool_]:
        return np.array([block > 1 for _, block in self.places])

    @staticmethod
    def block(name: str) -> tuple[Any, tuple[int, int, int]]:
        """(torch.nn.Module, (channels, height, width) of what it reads): the part of that name, freshly initialised."""
        from surronas.spaces.networks.mbconv import Block, head, stem

        form, numbers = read_block(name, (_STEM, _BLOCK, _HEAD))
        side, c_in, *others = numbers
        part: Any = {_STEM: stem, _BLOCK: Block, _HEAD: head}[form]
        return part(c_in, *others), (c_in, side, side)

    def build(  # type: ignore[override]
        self, x: Any, num_classes: int = 10, in_channels: int = 3, resolution: int | None = None
    ) -> MBConvNetwork:
        """The network of one genotype, freshly initialised.

        Parameters
        ----------
        x : (n_genes,) int, or what else ``parse`` reads
        num_classes, in_channels : int
        resolution : int, optional
            Side of the images, where it is not the genotype's own.

        Returns
        -------
        torch.nn.Module
            (n, in_channels, r, r) float -> (n, num_classes) logits, with r its ``resolution``.
        """
        from surronas.spaces.networks.mbconv import MBConvNetwork

        num_classes = positive(num_classes, "num_classes", "build")
        return MBConvNetwork(self, x, num_classes, positive(in_channels, "in_channels", "build"), resolution)


def _divisible(channels: NDArray[Any]) -> IntArray:
    """Channels rounded to multiples of 8, at least 8."""
    return np.maximum(8, np.floor(channels / 8 + 0.5).astype(np.int64) * 8)
