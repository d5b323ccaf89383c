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
from surronas.spaces import SearchSpace
from surronas.threads import quietly

__all__ = ["SOURCE", "Candidate", "auto_view", "full_view", "resolve_candidates"]

SOURCE = "prior"
"""The encoder of what is known from other tasks."""


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
    def transfers(self) -> bool:
        """Whether it learns from other tasks."""
        return SOURCE in self.encoder.split("+")

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
    zero_cost: bool = False,
    prior: str | None = None,
    n: int | None = None,
) -> list[Candidate]:
    """The candidates that ``fit_predictor``'s parameters mean.

    Parameters
    ----------
    predictor : str, Predictor, or a sequence of them
        ``"auto"``, a registered name, or ``"encoder:predictor"``.
    encoder : str or sequence of str
        ``"auto"`` or registered names; ``+`` joins encoders.
    space : SearchSpace
    zero_cost : bool, default=False
        Whether ``"auto"`` also tries encodings with zero-cost proxies.
    prior : str, optional
        The encoder of what is thought before the first label. Of other tasks (``SOURCE``) ``"auto"`` learns by the
        predictor ``transfer`` and, from 32 labels on, with it as a feature beside others; all that it tries without a
        prior it tries as well. Of untrained networks every candidate learns: by itself, corrected, and as a feature.
    n : int, optional
        The number of labels; None for many.
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
            pairs = (
                _portfolio(space, zero_cost, prior, n)
                if its_encoders == ["auto"]
                else [(e, p) for e in its_encoders for p in _GOOD]
            )
        else:
            pairs = [(e, choice) for e in its_encoders]
        for name, part in pairs:
            model = get_predictor(part) if isinstance(part, str) else part
            names = _views(space, model, zero_cost, prior) if name == "auto" else [name]
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
_MANY = 32  # labels, below which those that are free to make what they like of other tasks only dilute the blend


def _graph_view(space: SearchSpace) -> str | None:
    """The graph's features, with those of the contracted graph where the space knows identity operations.

    None where graphs are no more than chains, or all wired in the same way: the genes say all that they say.
    """
    if not space.has_graph:
        return None
    graph = space.graph(space.sample(min(space.size or 64, 64), random_state=0, unique=False), on=None)
    branches = (graph.adjacency.sum(axis=2) > 1).any()
    if not (branches and (graph.adjacency != graph.adjacency[0]).any()):
        return None
    return "graph_features+contracted_features" if graph.identity else "graph_features"


def _gene_view(space: SearchSpace) -> str:
    """Genes as numbers where some of them are ordered."""
    ordered = any(gene.ordered and len(gene.choices) > 2 for gene in space.genes)
    return "ordinal" if ordered else "one_hot"


def auto_view(space: SearchSpace) -> str:
    """The encoding that suits the space."""
    return _auto_views(space, _graph_view(space))[0]


def full_view(space: SearchSpace) -> str:
    """The encoding that says all there is to say."""
    return _auto_views(space, _graph_view(space))[1]


def _auto_views(space: SearchSpace, graph: str | None) -> tuple[str, str]:
    """The encoding that suits the space, and the one that says all there is to say."""
    genes, cost = _gene_view(space), "+cost" if space.has_cost else ""
    if graph is not None:
        return f"{graph}{cost}", f"{graph}+{genes}{cost}"
    return f"{genes}{cost}", f"ordinal+one_hot{cost}" if genes == "ordinal" else f"{genes}{cost}"


def _portfolio(space: SearchSpace, zero_cost: bool, prior: str | None, n: int | None) -> list[tuple[str, str]]:
    """The candidates of ``auto``."""
    graph = _graph_view(space)
    view, everything = _auto_views(space, graph)
    if graph is not None:
        pairs = [(view, "gp"), (f"{graph}+{_gene_view(space)}", "gp"), (graph, "xgboost_rank"), (everything, "xgboost")]
    else:
        pairs = [(view, "gp"), (view, "additive_gp"), (everything, "gp"), (everything, "linear")]
        pairs += [(view, "xgboost"), (view, "extra_trees")]
    if zero_cost:
        scored = [(f"{encoder}+zero_cost", predictor) for encoder, predictor in pairs]
        pairs, view = (scored, f"{view}+zero_cost") if prior else (pairs + scored, view)
    if prior == SOURCE:
        counted = f"{prior}+op_counts" if space.has_graph else prior
        with_source = [(counted, "transfer"), (f"{counted}+{view}", "transfer")]
        if n is None or n >= _MANY:
            with_source += [(f"{prior}+{view}", "gp"), (f"{prior}+{everything}", "xgboost")]
        return with_source + pairs
    if prior:  # to every one of them: those without it would dilute what ten labels cannot yet tell is better
        pairs = [(f"{prior}+{encoder}", predictor) for encoder, predictor in pairs]
        pairs = [(prior, "linear"), (f"{prior}+{view}", "residual"), *pairs]
    return pairs


def _views(space: SearchSpace, predictor: Predictor, zero_cost: bool, prior: str | None) -> list[str]:
    """The encodings a single predictor is tried on when the encoder is ``auto``."""
    if predictor.reads_graphs:
        return ["graph"]
    views = list(dict.fromkeys(_auto_views(space, _graph_view(space))))
    views += [f"{view}+zero_cost" for view in views if zero_cost]
    return [f"{prior}+{view}" for view in views] if prior else views
