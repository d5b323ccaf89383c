"""What a meta predictor thinks of architectures, as a feature that a surrogate of one task learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surronas.encoders.base import Blocks, Encoder
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.meta.graphs import graph_code
from surronas.meta.predictor import MetaPredictor
from surronas.spaces.base import IntArray, SearchSpace
from surronas.threads import single_thread

__all__ = ["MetaPrior"]

_CHUNK = 2048
_LOOKS = "looks"


class MetaPrior(Encoder):
    """One feature: the score that a meta predictor gives an architecture on a task, the mean of several looks at it.

    Parameters
    ----------
    predictor : MetaPredictor
    looks : (n, hidden) float32 tensor
        The set encoder's vectors.
    space : SearchSpace
        That of the predictor.
    """

    def __init__(
        self,
        predictor: MetaPredictor | None = None,
        looks: Tensor | None = None,
        space: SearchSpace | str | None = None,
    ) -> None:
        super().__init__(space)
        self.predictor = predictor
        self.looks = looks

    def to_state(self, space: SearchSpace) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        if self.predictor is None or self.looks is None:
            raise SurronasError("A MetaPrior without a predictor cannot be saved.")
        code, predictor = graph_code(space), self.predictor
        sizes = (code.n_types, code.n_vertices, predictor.sets.project.in_features, predictor.level.in_features)
        arrays = {name: value.numpy() for name, value in predictor.state_dict().items()}
        return {"sizes": sizes}, {**arrays, _LOOKS: self.looks.numpy()}

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], regressors: Mapping[str, Any]
    ) -> MetaPrior:
        tensors = {name: torch.from_numpy(np.array(values, dtype=np.float32)) for name, values in arrays.items()}
        looks = tensors.pop(_LOOKS)
        with torch.device("meta"):  # nothing is drawn or filled that is replaced at once
            predictor = MetaPredictor(*state["sizes"])
        predictor.load_state_dict(tensors, assign=True)
        return cls(predictor.eval(), looks)

    def _names(self) -> list[str]:
        return ["score"]

    def _blocks(self) -> Blocks:
        return (("prior", (1,)),)

    @torch.no_grad()
    def _encode(self, C: IntArray) -> NDArray[Any]:
        if self.predictor is None or self.looks is None:
            raise InvalidInputError("A MetaPrior must have a predictor and looks at a task. Got none.")
        code = graph_code(self.space_)
        with single_thread():
            parts = [
                self.predictor.score_all(code.write(C[start : start + _CHUNK]), self.looks)
                for start in range(0, len(C), _CHUNK)
            ]
        return torch.cat(parts).mean(dim=1, keepdim=True).double().numpy()
