"""MSuNAS (NSGANetV2): the ancestor of NAT, from the same parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surronas.search.nat import NAT

__all__ = ["MSuNAS"]


class MSuNAS(NAT):
    """NSGA-II on surrogates, an even spread along the last objective, no adaptation of a supernet.

    The public code's numbers: 100 architectures to start with, eight a step, a population of 40 for 20 generations, and
    the predictor that is best by Kendall's tau among radial basis functions, a Gaussian process and bagged trees on
    one-hot genes.

    Parameters
    ----------
    evaluator, objectives, constraints, n_initial, batch_size, random_state, n_jobs
        As ``NAT``.

    References
    ----------
    Lu et al. (2020), NSGANetV2: evolutionary multi-objective surrogate-assisted neural architecture search, ECCV,
    arXiv:2007.10396.
    """

    def __init__(
        self,
        evaluator: Any,
        objectives: Sequence[str] = ("error", "madds"),
        constraints: Mapping[str, Any] | None = None,
        *,
        n_initial: int = 100,
        batch_size: int = 8,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            evaluator,
            objectives,
            constraints,
            n_initial=n_initial,
            batch_size=batch_size,
            predictor=("rbf", "gp", "cart"),
            encoder="one_hot",
            rule="nat",
            candidates="nsga2",
            population=40,
            generations=20,
            choice="msunas",
            confidence=0.5,
            random_state=random_state,
            n_jobs=n_jobs,
        )
