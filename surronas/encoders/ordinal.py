"""Ordered genes as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder, FloatArray
from surronas.spaces import Gene
from surronas.spaces.base import IntArray


@register_encoder("ordinal")
class Ordinal(Encoder):
    """One column an ordered gene, from 1 for its first choice to 2 for its last; other genes one-hot.

    Between the ends a choice has the place of its logarithm where all choices are positive numbers (kernel sizes,
    widths, depths), else of its number, else of its index. An inactive gene is 0, so that "skipped" is less than the
    least choice. Where genes have many choices and labels are few this predicts far better than one-hot.

    Examples
    --------
    >>> from surronas.spaces import SearchSpace
    >>> space = SearchSpace([Gene("width", (16, 32, 64), ordered=True), Gene("op", ("conv", "pool"))])
    >>> Ordinal(space=space).fit_transform([[1, 1], [2, 0]])
    array([[1.5, 0. , 1. ],
           [2. , 1. , 0. ]])
    """

    def _fit(self, C: IntArray) -> None:
        self.levels_ = [_levels(gene) for gene in self.space_.genes]

    def _names(self) -> list[str]:
        return [name for gene in self.space_.genes for name in _columns(gene)]

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        active = self.space_.active(C)
        return np.hstack([levels[C[:, i]] * active[:, [i]] for i, levels in enumerate(self.levels_)])


def _is_number(gene: Gene) -> bool:
    return gene.ordered and len(gene.choices) > 1


def _columns(gene: Gene) -> list[str]:
    return [gene.name] if _is_number(gene) else [f"{gene.name}={choice}" for choice in gene.choices]


def _levels(gene: Gene) -> FloatArray:
    """(n_choices, n_columns) what each choice becomes."""
    if not _is_number(gene):
        return np.eye(len(gene.choices))
    numeric = all(isinstance(choice, (int, float)) and np.isfinite(choice) for choice in gene.choices)
    values = np.array(gene.choices if numeric else range(len(gene.choices)), dtype=np.float64)
    if numeric and (values > 0).all():
        values = np.log(values)
    values = np.asarray((values - values[0]) / (values[-1] - values[0]))
    return 1 + values[:, None]
