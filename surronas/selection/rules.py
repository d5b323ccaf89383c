"""Rules that turn out-of-fold predictions into a choice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import expit
from scipy.stats import kendalltau

from surronas.predictors.base import FloatArray

__all__ = ["RULES", "OutOfFold", "ensemble_rule", "nat_rule"]


@dataclass(frozen=True)
class OutOfFold:
    """What one candidate predicted for rows it was not fitted on.

    Attributes
    ----------
    mean, std : (n,) float64
        NaN in the folds the candidate was not tried on.
    taus : (n_folds,) float64
        Kendall's tau in each fold, signed; NaN where it is undefined (a constant prediction).
    """

    mean: FloatArray
    std: FloatArray
    taus: FloatArray

    @property
    def usable(self) -> bool:
        """Whether it ranked every fold: a candidate with an undefined tau is never chosen."""
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.taus).all())


def tau(z: FloatArray, mean: FloatArray) -> float:
    """Kendall's tau-b, NaN where either side is constant or not finite."""
    if not np.isfinite(mean).all() or np.ptp(mean) == 0 or np.ptp(z) == 0:
        return float("nan")
    return float(kendalltau(z, mean).statistic)


def nat_rule(z: FloatArray, tried: Mapping[str, OutOfFold], transfers: Collection[str] = ()) -> dict[str, float]:
    """The single candidate of greatest mean tau - std tau over the folds.

    References
    ----------
    Lu et al. (2020), NSGANetV2, ECCV, arXiv:2007.10396, adaptive switching.
    """
    usable = {name: oof for name, oof in tried.items() if oof.usable}
    scores = {name: oof.taus.mean() - oof.taus.std() for name, oof in usable.items()}
    return {max(scores, key=lambda name: scores[name]): 1.0} if scores else {}


def ensemble_rule(z: FloatArray, tried: Mapping[str, OutOfFold], transfers: Collection[str] = ()) -> dict[str, float]:
    """Non-negative weights that fit the out-of-fold predictions to the targets, shrunk towards equal ones.

    Where some of the candidates learn from other tasks (``transfers``), the weights that others are shrunk to are equal
    among these and among the rest. What the rest have together is small unless their mean out-of-fold prediction is
    thirty times as likely, with normal errors as large as they were, and the penalty is worth fifty rows: a handful of
    labels is not yet evidence that other tasks mislead, many are.

    Ridge-penalised non-negative least squares. The penalty is worth twenty rows of the best candidate's mean squared
    error: few noisy labels give the plain average, which no noise can mislead, many give the best blend. And where one
    candidate is nearly exact, as for a latency that is a sum of parts, few suffice: equal weights would let the others
    spoil it.

    References
    ----------
    Breiman (1996), Stacked regressions; Yao et al. (2018), Using stacking to average Bayesian predictive distributions
    (pseudo-BMA: the likelihood of held-out targets); Jeffreys (1961), Theory of Probability, appendix B.
    """
    names = [name for name, oof in tried.items() if oof.usable]
    if not names:
        return {}
    predicted = np.stack([tried[name].mean for name in names], axis=1)
    equal = _equal(z, predicted, np.array([name in transfers for name in names]))
    noise = max(float(((z[:, None] - predicted) ** 2).mean(axis=0).min()), 1e-9)
    root = np.sqrt((_WITH_TASKS if transfers else _PENALTY_ROWS) * noise)
    weights, _ = nnls(np.vstack([predicted, root * np.eye(len(names))]), np.concatenate([z, root * equal]))
    weights = weights if weights.sum() > 0 else equal
    weights = np.where(weights >= _LEAST_SHARE * weights.sum(), weights, 0)
    return {name: float(w / weights.sum()) for name, w in zip(names, weights, strict=True) if w > 0}


def _equal(z: FloatArray, predicted: FloatArray, transfers: NDArray[np.bool_]) -> FloatArray:
    """(candidates,) weights, equal among those that learn from other tasks and among the rest."""
    if transfers.all() or not transfers.any():
        return np.full(len(transfers), 1 / len(transfers))
    errors = [np.mean((z - predicted[:, kind].mean(axis=1)) ** 2) for kind in (transfers, ~transfers)]
    with_tasks, without = np.maximum(errors, 1e-12)
    share = expit(len(z) / 2 * np.log(without / with_tasks) + np.log(_ODDS))
    return np.asarray(np.where(transfers, share / transfers.sum(), (1 - share) / (~transfers).sum()))


Rule = Callable[[FloatArray, Mapping[str, OutOfFold], Collection[str]], dict[str, float]]
RULES: dict[str, Rule] = {"ensemble": ensemble_rule, "nat": nat_rule}

_PENALTY_ROWS, _WITH_TASKS = 20.0, 50.0
_ODDS = 30.0  # very strong evidence, on Jeffreys' scale
_LEAST_SHARE = 0.02
