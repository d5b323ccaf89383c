"""What adaptive switching chooses from: pairs of an encoder and a predictor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from surronas.encoders.base import Blocks
from surronas.exceptions import InvalidInputError
from surronas.predictors import Predictor, get_predictor, predictor_name
from surronas.predictors.base import FloatArray
from surronas.spaces import SearchSpace

__all__ = ["Candidate", "resolve_candidates"]


@dataclass(frozen=True)
class Candidate:
    """An encoder by name and an unfitted predictor."""

    encoder: str
    predictor: Predictor

    @property
    def name(self) -> str:
        """``encoder:predictor``, as ``evaluate`` and ``fit_predictor`` read it."""
        return f"{self.encoder}:{self.predictor_name}"

    @property
    def predictor_name(self) -> str:
        return predictor_name(self.predictor)

    def fit(self, F: FloatArray, z: FloatArray, blocks: Blocks, seed: int) -> Predictor:
        """A fitted copy of the predictor, told of the feature blocks and the seed where it takes them."""
        predictor: Predictor = clone(self.predictor)
        params = predictor.get_params()
        given = {"blocks": blocks, "random_state": seed}
        predictor.set_params(**{k: v for k, v in given.items() if k in params and params[k] is None})
        with single_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return predictor.fit(F, z)


class single_thread:
    """One thread for BLAS, OpenMP and torch: small problems run faster, and results do not depend on the count."""

    def __enter__(self) -> None:
        self._torch = torch.get_num_threads()
        torch.set_num_threads(1)
        self._limits = threadpool_limits(1)

    def __exit__(self, *error: Any) -> None:
        self._limits.restore_original_limits()
        torch.set_num_threads(self._torch)


def resolve_candidates(
    predictor: str | Predictor | Sequence[str | Predictor],
    encoder: str | Sequence[str],
    space: SearchSpace,
) -> list[Candidate]:
    """The candidates that ``fit_predictor``'s parameters mean.

    Parameters
    ----------
    predictor : str, Predictor, or a sequence of them
        ``"auto"``, a registered name, or ``"encoder:predictor"``.
    encoder : str or sequence of str
        ``"auto"`` or registered names; ``+`` joins encoders.
    space : SearchSpace
    """
    predictors = [predictor] if isinstance(predictor, (str, Predictor)) else list(predictor)
    encoders = [encoder] if isinstance(encoder, str) else list(encoder)
    if not predictors or not encoders:
        raise InvalidInputError("The 'predictor' and 'encoder' parameters must each name at least one. Got none.")
    candidates = []
    for choice in predictors:
        its_encoders = encoders
        if isinstance(choice, str) and ":" in choice:
            name, _, choice = choice.rpartition(":")
            its_encoders = [name]
        if isinstance(choice, str) and choice == "auto":
            pairs = _portfolio(space) if its_encoders == ["auto"] else [(e, p) for e in its_encoders for p in _GOOD]
        else:
            pairs = [(e, choice) for e in its_encoders]
        for name, part in pairs:
            model = get_predictor(part) if isinstance(part, str) else part
            if not isinstance(model, Predictor):
                raise InvalidInputError(
                    f"The 'predictor' parameter must be a Predictor or the name of one. "
                    f"Got a {type(model).__name__} instead."
                )
            names = _views(space, model) if name == "auto" else [name]
            candidates += [Candidate(encoder, model) for encoder in names]
    unique = {candidate.name: candidate for candidate in candidates}
    return list(unique.values())


_GOOD = ("gp", "xgboost", "extra_trees")


def _graph_views(space: SearchSpace) -> str:
    """The graph's features, and those of the contracted graph where the space knows identity operations."""
    wired = space.graph(space.sample(1, random_state=0), on=None).identity
    return "graph_features+contracted_features" if wired else "graph_features"


def _portfolio(space: SearchSpace) -> list[tuple[str, str]]:
    """The candidates of ``auto``."""
    if not space.has_graph:
        return [("one_hot", p) for p in (*_GOOD, "linear")]
    graph = _graph_views(space)
    everything = f"{graph}+one_hot"
    return [(graph, "gp"), (everything, "gp"), (graph, "xgboost_rank"), (everything, "xgboost")]


def _views(space: SearchSpace, predictor: Predictor) -> list[str]:
    """The encodings a single predictor is tried on when the encoder is ``auto``."""
    if getattr(predictor, "reads_graphs", False):
        return ["graph"]
    if not space.has_graph:
        return ["one_hot"]
    graph = _graph_views(space)
    return [graph, f"{graph}+one_hot"]
