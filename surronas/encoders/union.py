"""Several encoders side by side."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from surronas.encoders import encoder_name, get_encoder, register_encoder
from surronas.encoders.base import Blocks, Encoder, FloatArray
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray


@register_encoder("union")
class Union(Encoder):
    """The features of several encoders, side by side; ``blocks_`` keeps them apart.

    Parameters
    ----------
    encoders : sequence of str or Encoder, default=("one_hot",)
    space : SearchSpace, str or None, default=None
    """

    def __init__(
        self, encoders: tuple[str | Encoder, ...] = ("one_hot",), space: SearchSpace | str | None = None
    ) -> None:
        super().__init__(space)
        self.encoders = encoders

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return all(encoder.additive for encoder in self.encoders_)

    @property
    def seconds_(self) -> float:
        return float(sum(encoder.seconds_ for encoder in self.encoders_))

    def _fit(self, C: IntArray) -> None:
        unfitted = [get_encoder(e) if isinstance(e, str) else clone(e) for e in self.encoders]
        self.encoders_ = [encoder.set_params(space=self.space_).fit(C) for encoder in unfitted]

    def _names(self) -> list[str]:
        return [
            f"{encoder_name(encoder)}__{feature}"
            for encoder in self.encoders_
            for feature in encoder.get_feature_names_out()
        ]

    def _blocks(self) -> Blocks:
        return tuple(block for encoder in self.encoders_ for block in encoder.blocks_)

    def _encode(self, C: IntArray) -> FloatArray:
        return np.hstack([encoder.transform(C) for encoder in self.encoders_])
