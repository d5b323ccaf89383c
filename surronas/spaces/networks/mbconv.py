"""The networks of the space ``mbconv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F

from surronas.spaces.networks.mbconv_layers import ConvNorm

if TYPE_CHECKING:
    from surronas.spaces.mbconv import MBConv, Shapes

__all__ = ["Block", "MBConvNetwork", "head", "stem"]


class MBConvNetwork(nn.Module):
    """Stem, blocks, features, classifier of one genotype.

    Parts have the same names in every network of a space (``stage2_block1.project.conv.weight``), and a smaller
    network's parameters have the shapes of the leading channels of a larger one's. It computes in the dtype of the
    images, whatever that of the weights; the logits are float32.

    Parameters
    ----------
    space : MBConv
    x : (n_genes,) int
    num_classes, in_channels : int
    resolution : int, optional
        Side of the images, where it is not the genotype's own.

    Attributes
    ----------
    resolution : int
        Side of the images it is for.
    """

    def __init__(
        self, space: MBConv, x: Any, num_classes: int = 10, in_channels: int = 3, resolution: int | None = None
    ) -> None:
        super().__init__()
        at = space.shapes([x], resolution)
        self.resolution = int(at.resolution[0, 0])
        width, features = int(at.stem[0, 0]), int(at.features[0, 0])
        self.stem = stem(in_channels, width)
        kept = [(column, name) for column, name in enumerate(space.places) if at.kept[0, column]]
        self.blocks = nn.ModuleDict(
            {f"stage{stage}_block{block}": _block_of(at, column, block > 1) for column, (stage, block) in kept}
        )
        self.features = ConvNorm(int(at.c_out[0, -1]), features, 1, activation=nn.Hardswish)
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, in_channels, r, r) float -> (n, num_classes) float32 logits."""
        return self.classifier(self.embed(images))  # type: ignore[no-any-return]

    def embed(self, images: Tensor) -> Tensor:
        """(n, in_channels, r, r) float -> (n, features) in the classifier's dtype, what it reads."""
        x = self.stem(images)
        for block in self.blocks.values():
            x = block(x)
        return F.adaptive_avg_pool2d(self.features(x), 1).flatten(1).to(self.classifier.weight.dtype)


class Block(nn.Module):
    """A fused block (k x k, 1x1) or an inverted bottleneck (1x1, depthwise, 1x1)."""

    def __init__(
        self, c_in: int, middle: int, c_out: int, kernel: int, stride: int, fused: bool, shortcut: bool
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        if fused:
            self.expand = ConvNorm(c_in, middle, kernel, stride, activation=nn.ReLU)
        else:
            self.expand = ConvNorm(c_in, middle, 1, activation=nn.Hardswish)
            self.depthwise = ConvNorm(middle, middle, kernel, stride, groups=middle, activation=nn.Hardswish)
        self.project = ConvNorm(middle, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for part in self.children():
            inner = part(inner)
        return x + inner if self.shortcut else inner


def stem(c_in: int, c_out: int) -> ConvNorm:
    return ConvNorm(c_in, c_out, 3, activation=nn.ReLU)


def head(c_in: int, features: int, num_classes: int) -> nn.Module:
    """What follows the blocks: the convolution to the features, pooling, the classifier."""
    layers = ConvNorm(c_in, features, 1, activation=nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(features, num_classes))


def _block_of(at: Shapes, column: int, shortcut: bool) -> Block:
    names = ("c_in", "middle", "c_out", "kernel", "stride", "fused")
    c_in, middle, c_out, kernel, stride, fused = (int(getattr(at, name)[0, column]) for name in names)
    return Block(c_in, middle, c_out, kernel, stride, bool(fused), shortcut)
