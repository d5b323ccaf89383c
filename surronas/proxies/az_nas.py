"""AZ-NAS: three views of the features that a network's blocks give, one after the other; the fourth is ``madds``.

Lee and Ham (2024, arXiv:2403.19232). Blocks are what ``blocks.in_blocks`` says.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("az_expressivity")
def az_expressivity(probe: Probe) -> float:
    """Sum over blocks of the entropy of their features' principal components (Lee and Ham, 2024, arXiv:2403.19232)."""
    return float(_entropies(probe).sum())


@register_proxy("az_progressivity")
def az_progressivity(probe: Probe) -> float:
    """Least gain of that entropy from a block to the next (Lee and Ham, 2024, AZ-NAS, arXiv:2403.19232)."""
    return float(np.diff(_entropies(probe)).min())


@register_proxy("az_trainability")
def az_trainability(probe: Probe) -> float:
    """How evenly gradients pass through the blocks (Lee and Ham, 2024, AZ-NAS, arXiv:2403.19232).

    The mean over blocks of 2 - s - 1 / s, where s is the largest singular value of the mean, over places, of products
    of random signs that go in at the block's output and the gradients that come out at its input. A block that passes
    them on unchanged makes it minus infinity in the paper; here it has no score.
    """
    features, rng = _features(probe), np.random.default_rng(probe.seed)
    scores = []
    for start, end in pairwise(features):
        signs = torch.empty_like(end).copy_(torch.from_numpy(rng.integers(2, size=end.shape, dtype=np.int8))) * 2 - 1
        (passed,) = torch.autograd.grad(end, start, signs, retain_graph=True, allow_unused=True)
        if passed is None:
            raise NotApplicable("a block does not depend on the block before it")
        if passed.shape == signs.shape and torch.equal(passed, signs):
            raise NotApplicable("a block passes gradients on unchanged")
        out, back = _rows(signs), _rows(_folded(passed, end))
        largest = float(torch.linalg.svdvals(back.T @ out / len(out))[0])
        scores.append(2 - largest - 1 / (largest + 1e-6))
    return float(np.mean(scores))


def _features(probe: Probe) -> list[Tensor]:
    if len(probe.features) < 2:
        raise NotApplicable("the network has no two blocks that give maps or tokens")
    return probe.features


def _entropies(probe: Probe) -> NDArray[np.float64]:
    return np.array([_entropy(_rows(feature.detach())) for feature in _features(probe)])


def _entropy(rows: Tensor) -> float:
    """Of the variances along the principal components, as shares of their sum."""
    centred = (rows - rows.mean(0)).double()
    variances = torch.linalg.eigvalsh(centred.T @ centred)
    if not variances.sum() > 0:
        raise NotApplicable("a block gives the same features everywhere")
    shares = (variances / variances.sum()).clamp(min=0)
    return float(torch.special.entr(shares).sum())


def _rows(features: Tensor) -> Tensor:
    """Maps (n, c, h, w) or tokens (n, t, c) -> (places, c)."""
    return (features.movedim(1, -1) if features.ndim == 4 else features).flatten(0, -2)


def _folded(maps: Tensor, like: Tensor) -> Tensor:
    """Maps of a higher resolution with their pixels among the channels; others as they are."""
    if maps.ndim == like.ndim == 4 and maps.shape[2:] != like.shape[2:]:
        (height, width), (low, narrow) = maps.shape[2:], like.shape[2:]
        if height % low or height * narrow != width * low:
            raise NotApplicable(f"a block turns maps of {height}x{width} into {low}x{narrow}")
        return F.pixel_unshuffle(maps, height // low)
    if _rows(maps).shape[0] != _rows(like).shape[0]:
        raise NotApplicable("a block changes the number of tokens")
    return maps
