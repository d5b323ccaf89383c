"""Which architectures to measure on something new."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import check_random_state

from surronas.encoders.base import FloatArray
from surronas.encoders.features import encode
from surronas.exceptions import InvalidInputError
from surronas.selection.candidates import auto_view
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import IntArray, RandomState

__all__ = ["suggest_reference_architectures"]

_N_DRAWN, _LEAST_EACH = 600, 10
_LEAST = 3


def suggest_reference_architectures(space: SearchSpace | str, k: int, random_state: RandomState = 0) -> IntArray:
    """Architectures that stand for a space, to be measured on a new device or data set.

    Of 600 architectures drawn from the space (ten for each of k, where that is more; all, where it has fewer), the
    features that ``fit_predictor`` would take are standardised, each block of them scaled to count the same, and parted
    by k-means; from each part comes the architecture nearest to its mean. So every architecture has a measured one
    nearby, and none is a freak: farthest points and those of greatest variance were worse than random ones.

    Parameters
    ----------
    space : SearchSpace or str
    k : int
        At least 3.
    random_state : int, RandomState or None, default=0
        Of the draw and of k-means; an int gives the same architectures each time.

    Returns
    -------
    (k, n_genes) int64
        Canonical genotypes, no two isomorphic, cheapest first where the space has costs.

    Raises
    ------
    InvalidInputError
        For k below 3, or above the number of different architectures drawn.

    Examples
    --------
    >>> import surronas as sn
    >>> space = sn.get_space("nats_size")
    >>> suggest_reference_architectures(space, 5).shape
    (5, 5)
    """
    space = resolve_space(space)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < _LEAST:
        raise InvalidInputError(f"The 'k' parameter must be an int of at least {_LEAST}. Got {k!r} instead.")
    rng = check_random_state(random_state)
    n = max(_N_DRAWN, _LEAST_EACH * int(k))
    few = space.size is not None and space.size <= n
    drawn = space.enumerate() if few else space.sample(n, rng, unique=False)
    archs = np.unique(space.representatives(space.canonical(drawn)), axis=0)
    if k > len(archs):
        raise InvalidInputError(
            f"The 'k' parameter must be at most {len(archs)}, the different architectures that were drawn. Got {k}."
        )
    view = auto_view(space)
    encoder, F = encode(space, [view], archs)[view]
    widths = [int(np.prod(shape)) for _, shape in encoder.blocks_]
    spread = F.std(axis=0)
    F = (F - F.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0) / np.repeat(np.sqrt(widths), widths)
    means = KMeans(k, n_init=4, random_state=rng).fit(F).cluster_centers_
    chosen = archs[_nearest(means, F)]
    return chosen[np.argsort(space.cost(chosen)["madds"], kind="stable")] if space.has_cost else chosen


def _nearest(means: FloatArray, F: FloatArray) -> list[int]:
    """The row nearest to each mean; none twice, where rows coincide."""
    left, rows = np.arange(len(F)), []
    for mean in means:
        best = int(pairwise_distances_argmin(mean[None], F[left])[0])
        rows.append(int(left[best]))
        left = np.delete(left, best)
    return rows
