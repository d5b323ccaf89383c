"""One column a choice of each gene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.spaces.base import IntArray


@register_encoder("one_hot")
class OneHot(Encoder):
    """One-hot encoding; the columns of an inactive gene are all 0, so that it is not mistaken for choice 0.

    Examples
    --------
    >>> OneHot(space="nasbench201").fit_transform([[3, 0, 0, 1, 0, 4]]).sum()
    np.float64(6.0)
    """

    def _names(self) -> list[str]:
        return [f"{gene.name}={choice}" for gene in self.space_.genes for choice in gene.choices]

    def _encode(self, C: IntArray) -> NDArray[np.bool_]:
        genes = np.repeat(np.arange(self.space_.n_genes), self.space_.n_choices)
        choices = np.concatenate([np.arange(n) for n in self.space_.n_choices])
        return np.asarray((C[:, genes] == choices) & self.space_.active(C)[:, genes])
