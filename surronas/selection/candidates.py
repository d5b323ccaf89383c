"""What adaptive switching chooses from: pairs of an encoder and a predictor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from surronas.encoders.base import Blocks
from surronas.exceptions import InvalidInputError
from surronas.predictors import Predictor, get_predictor, predictor_name
from surronas.predictors.base import FloatArray
from surronas.selection.quiet import quietly
from surronas.spaces import SearchSpace

__all__ = ["Candidate", "resolve_candidates"]


@dataclass(frozen=True)
class Candidate:
    """An encoder by name and an unfitted predictor."""

    encoder: str
    predictor: Predictor

    @property
    def name(self) -> str:
        """``encoder:predictor``, as ``fit_predictor`` reads it, with the parameters that are not the default."""
        plain = clone(self.predictor)
        plain.set_params(**{name: None for name in ("blocks", "random_state") if name in plain.get_params()})
        params = repr(plain).removeprefix(type(plain).__name__)
        return f"{self.encoder}:{self.predictor_name}{'' if params == '()' else params}"

    @property
    def predictor_name(self) -> str:
        return predictor_name(self.predictor)

    def fit(self, F: FloatArray, z: FloatArray, blocks: Blocks, seed: int) -> Predictor:
        """A fitted copy of the predictor, told of the feature blocks and the seed where it takes them."""
        predictor: Predictor = clone(self.predictor)
        params = predictor.get_params()
        given = {"blocks": blocks, "random_state": seed}
        predictor.set_params(**{k: v for k, v in given.items() if k in params and params[k] is None})
        with quietly():
            return predictor.fit(F, z)


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
    predictors = _listed(predictor, "predictor", (str, Predictor))
    encoders = _listed(encoder, "encoder", (str,))
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
            names = _views(space, model) if name == "auto" else [name]
            candidates += [Candidate(encoder, model) for encoder in names]
    unique = {candidate.name: candidate for candidate in candidates}
    return list(unique.values())


def _listed(value: Any, parameter: str, kinds: tuple[type, ...]) -> list[Any]:
    """One part or a sequence of them as a list."""
    parts = [value] if isinstance(value, kinds) or not isinstance(value, Iterable) else list(value)
    wrong = [part for part in parts if not isinstance(part, kinds)]
    if wrong or not parts:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise InvalidInputError(
            f"The {parameter!r} parameter must be a {wanted}, or a non-empty sequence of them. "
            f"Got {wrong[0] if wrong else value!r} instead."
        )
    return parts


_GOOD = ("gp", "xgboost", "extra_trees")


def _draws_cells(space: SearchSpace) -> bool:
    """Whether its graphs branch: of a chain of layers the genes say all that the graph says."""
    if not space.has_graph:
        return False
    graph = space.graph(space.sample(min(space.size or 64, 64), random_state=0, unique=False), on=None)
    return bool((graph.adjacency.sum(axis=2) > 1).any())


def _graph_views(space: SearchSpace) -> str:
    """The graph's features, and those of the contracted graph where the space knows identity operations."""
    wired = space.graph(space.sample(1, random_state=0), on=None).identity
    return "graph_features+contracted_features" if wired else "graph_features"


def _gene_views(space: SearchSpace) -> tuple[str, str]:
    """Genes as numbers where they are ordered, and beside that as categories; both with the cost where there is one."""
    cost = _cost_view(space)
    if any(gene.ordered and len(gene.choices) > 2 for gene in space.genes):
        return f"ordinal{cost}", f"ordinal+one_hot{cost}"
    return f"one_hot{cost}", f"one_hot{cost}"


def _cost_view(space: SearchSpace) -> str:
    return "+cost" if space.has_cost else ""


def _portfolio(space: SearchSpace) -> list[tuple[str, str]]:
    """The candidates of ``auto``."""
    if not _draws_cells(space):
        numbers, everything = _gene_views(space)
        return [
            (numbers, "gp"),
            (everything, "gp"),
            (everything, "linear"),
            (numbers, "xgboost"),
            (numbers, "extra_trees"),
        ]
    graph, cost = _graph_views(space), _cost_view(space)
    return [
        (f"{graph}{cost}", "gp"),
        (f"{graph}+one_hot", "gp"),
        (graph, "xgboost_rank"),
        (f"{graph}+one_hot{cost}", "xgboost"),
    ]


def _views(space: SearchSpace, predictor: Predictor) -> list[str]:
    """The encodings a single predictor is tried on when the encoder is ``auto``."""
    if predictor.reads_graphs:
        return ["graph"]
    if not _draws_cells(space):
        return list(dict.fromkeys(_gene_views(space)))
    graph, cost = _graph_views(space), _cost_view(space)
    return [f"{graph}{cost}", f"{graph}+one_hot{cost}"]
