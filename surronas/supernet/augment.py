"""Random crops and flips of whole batches."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

__all__ = ["crop_and_flip"]


def crop_and_flip(images: Tensor, generator: Generator, flip: bool = True) -> Tensor:
    """Each image shifted by up to an eighth of its sides, black beyond its edges, and every other one mirrored.

    Parameters
    ----------
    images : (n, c, h, w) uint8
    generator : torch.Generator
    flip : bool, default=True

    Returns
    -------
    (n, c, h, w) uint8, channels last in memory
    """
    n, _, height, width = images.shape
    pad_y, pad_x = height // 8, width // 8
    padded = F.pad(images, (pad_x, pad_x, pad_y, pad_y)).permute(0, 2, 3, 1)
    top = torch.randint(2 * pad_y + 1, (n, 1), generator=generator)
    left = torch.randint(2 * pad_x + 1, (n, 1), generator=generator)
    mirrored = (torch.rand((n, 1), generator=generator) < 0.5) & flip
    rows = top + torch.arange(height)
    columns = left + torch.where(mirrored, torch.arange(width - 1, -1, -1), torch.arange(width))
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
