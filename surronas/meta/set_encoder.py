"""Image sets as vectors: attention among a class's images, then among the classes; no order matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

__all__ = ["SetEncoder", "Sets"]


class Sets(NamedTuple):
    """The features of t sets of images, up to c classes each, up to m images a class.

    Attributes
    ----------
    features : (t, c, m, d) float32
        0 where there is no image.
    present : (t, c, m) bool
        Where there is one; a class that a set does not have has none.
    """

    features: Tensor
    present: Tensor

    @classmethod
    def of(cls, sets: Sequence[Sequence[Any]]) -> Sets:
        """From a (m, d) array or tensor for each class of each set; no class is empty."""
        classes = [torch.as_tensor(images, dtype=torch.float32) for images_of in sets for images in images_of]
        padded = pad_sequence(classes, batch_first=True)
        lengths = torch.tensor([len(images) for images in classes])
        present = torch.arange(padded.shape[1]) < lengths[:, None]
        ends = np.cumsum([len(images_of) for images_of in sets])[:-1].tolist()
        parts = (pad_sequence(list(part.tensor_split(ends)), batch_first=True) for part in (padded, present))
        return cls(*parts)


class SetEncoder(nn.Module):
    """The hierarchical set encoder of MetaD2A (Lee et al., 2021, arXiv:2107.00860), of set transformers' parts
    (Lee et al., 2019, arXiv:1810.00825).

    Per class two set-attention blocks and a pooling by attention make its prototype of the features of its images; the
    same again, with weights of its own, makes the set's vector of the prototypes.

    Parameters
    ----------
    n_features : int, default=512
        Of an image.
    hidden : int, default=128
    heads : int, default=4
        Of attention; ``hidden`` is a multiple of it.
    """

    def __init__(self, n_features: int = 512, hidden: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.project = nn.Linear(n_features, hidden)
        self.images = _Pooling(hidden, heads)
        self.classes = _Pooling(hidden, heads)

    def forward(self, sets: Sets) -> Tensor:
        """t sets -> (t, hidden) float32."""
        has_images = sets.present.any(dim=2)
        images = self.project(sets.features[has_images])
        prototypes = self.images(images, sets.present[has_images])
        classes = prototypes.new_zeros(*has_images.shape, prototypes.shape[1])
        classes[has_images] = prototypes
        return self.classes(classes, has_images)  # type: ignore[no-any-return]


class _Pooling(nn.Module):
    """Two set-attention blocks, then one learnt query that attends to all: SAB, SAB, PMA with one seed."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(1, 1, hidden) * hidden**-0.5)
        self.blocks = nn.ModuleList(_Attention(hidden, heads) for _ in range(3))

    def forward(self, elements: Tensor, present: Tensor) -> Tensor:
        """(b, m, hidden), of which (b, m) are there, at least one a row -> (b, hidden)."""
        first, second, pool = self.blocks
        elements = first(elements, elements, present)
        elements = second(elements, elements, present)
        return pool(self.seed.expand(len(elements), -1, -1), elements, present)[:, 0]  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """Multi-head attention and a feed-forward layer, each added to what it reads and normalised."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.after_attention, self.after_forward = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.feed_forward = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())

    def forward(self, queries: Tensor, elements: Tensor, present: Tensor) -> Tensor:
        found, _ = self.attend(queries, elements, elements, key_padding_mask=~present, need_weights=False)
        found = self.after_attention(queries + found)
        return self.after_forward(found + self.feed_forward(found))  # type: ignore[no-any-return]
