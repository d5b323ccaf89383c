"""Small networks of several kinds, to try proxies on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CLASSES", "SIDE", "networks"]

CLASSES, SIDE = 4, 8


def networks() -> dict[str, nn.Module]:
    """Fresh ones: images (n, 3, 8, 8) -> logits (n, 4), in double precision, initialised by torch's generator."""
    kinds: dict[str, nn.Module] = {
        "residual": _residual(inplace=False),
        "transformer": _Transformer(),
        "without ReLU and norm": nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)
        ),
        "residual, in place": _residual(inplace=True),
    }
    return {name: network.double() for name, network in kinds.items()}


def _residual(inplace: bool) -> nn.Module:
    torch.manual_seed(0)  # both have the same weights
    stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, CLASSES))
    return nn.Sequential(stem, _Residual(6, 6, 1, inplace), _Residual(6, 12, 2, inplace), head)


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int, inplace: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU(inplace)),
            *(nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after)),
        )
        self.shortcut = nn.Conv2d(before, after, 1, stride)
        self.relu = nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.shortcut(x) + self.body(x))
        return out


class _Transformer(nn.Module):
    """Patches, a layer of attention, one of GELU."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = x + self.out(F.scaled_dot_product_attention(*self.qkv(self.first(x)).chunk(3, dim=-1)))
        x = x + self.mlp(self.second(x))
        logits: Tensor = self.classifier(x.mean(1))
        return logits
