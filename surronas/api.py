"""The front door."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.predictors import Predictor
from surronas.predictors.base import FloatArray
from surronas.selection import AdaptiveSwitching, resolve_candidates
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import RandomState
from surronas.surrogate import Surrogate

__all__ = ["fit_predictor"]


def fit_predictor(
    archs: Any,
    y: Any,
    *,
    space: SearchSpace | str | None = None,
    predictor: str | Predictor | Sequence[str | Predictor] = "auto",
    encoder: str | Sequence[str] = "auto",
    random_state: RandomState = None,
    n_jobs: int | None = None,
) -> Surrogate:
    """Fit the best surrogate for a search space.

    Parameters
    ----------
    archs : n architectures in any form the space reads
        Genotypes (n, n_genes), strings, dicts, ...; n >= 2.
    y : (n,) array of finite numbers
        What was measured: accuracy, latency, anything. Larger need not be better.
    space : SearchSpace, str or None, default=None
        A space, the name of one, or None for the plain categorical space that an integer array spans.
    predictor : str, Predictor or sequence of them, default="auto"
        ``"auto"`` tries a portfolio; several are tried against each other; ``"encoder:predictor"`` fixes both.
    encoder : str or sequence of str, default="auto"
        Names from ``list_encoders()``; ``+`` joins several side by side.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Candidates are tried in parallel through joblib; the result does not depend on it.

    Returns
    -------
    Surrogate

    Raises
    ------
    InvalidInputError
        For an architecture that is none of the space, targets that are not finite, lengths that differ,
        fewer than two architectures.

    Examples
    --------
    >>> import surronas as sn
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> train, test = table.split(n_train=50, random_state=0)
    >>> y = table.targets["baseline_accuracy"].to_numpy()
    >>> model = sn.fit_predictor(table.archs[train], y[train], space=table.space, random_state=0)
    >>> mean, std = model.predict(table.archs[test], return_std=True)
    >>> bool(sn.metrics.kendall_tau(y[test], mean) > 0.6)
    True
    """
    space = resolve_space(space, archs)
    genotypes = space.parse(archs)
    targets = check_targets(y, n=len(genotypes))
    repeated = len(genotypes) - len(np.unique(space.key(genotypes)))
    if repeated:
        warnings.warn(
            f"{repeated} of the {len(genotypes)} architectures in 'archs' repeat another one (isomorphic); "
            f"they share a fold in cross-validation.",
            SurronasWarning,
            stacklevel=2,
        )
    candidates = resolve_candidates(predictor, encoder, space)
    switching = AdaptiveSwitching(candidates, space, random_state=random_state, n_jobs=n_jobs)
    return Surrogate(space, switching.fit(space.canonical(genotypes), targets))


def check_targets(y: Any, n: int) -> FloatArray:
    """The targets of n architectures as float64; errors name the row."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'y' must be an array of numbers. Got {_first_other(y)}.") from error
    if values.ndim != 1 or len(values) != n:
        raise InvalidInputError(
            f"The 'y' must have shape ({n},), one number an architecture in 'archs'. Got shape {values.shape}."
        )
    if n < 2:
        raise InvalidInputError(f"The 'archs' must be at least two architectures. Got {n}.")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InvalidInputError(f"The 'y' must be finite. Got {values[bad[0]]} in row {bad[0]} ({len(bad)} such rows).")
    if np.ptp(values) == 0:
        warnings.warn(
            f"All {n} targets in 'y' are {values[0]:g}: there is nothing to learn, every prediction is that value.",
            SurronasWarning,
            stacklevel=3,
        )
    return values


def _first_other(y: Any) -> str:
    """What in y is no number, for an error's text."""
    for row, value in enumerate(y if isinstance(y, Iterable) else ()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f"{value!r} in row {row}"
    return f"a {type(y).__name__}"
