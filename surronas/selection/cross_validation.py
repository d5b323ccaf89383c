"""Cross-validation of candidates: the weak are dropped early, and those for which there is no time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from joblib import Parallel

from surronas.parallel import alone
from surronas.predictors.base import FloatArray
from surronas.selection.budget import TimeBudget
from surronas.selection.trials import Trial, one_fold
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["cross_validate", "predict_folds", "split_folds"]

_FIRST_ROUND = 2


def split_folds(space: SearchSpace, X: IntArray, n_folds: int, rng: np.random.RandomState) -> IntArray:
    """(n,) fold of each canonical genotype, ``n_folds`` at most; isomorphic ones share one."""
    _, group = np.unique(space.rank(space.representatives(X)), return_inverse=True)
    distinct = int(group.max()) + 1
    # A fold of one architecture ranks nothing; of three, there is no other that leaves two to learn from.
    n_folds = 3 if distinct == 3 else max(min(n_folds, distinct // 2), 2)
    return np.asarray((rng.permutation(distinct) % n_folds)[group])


def cross_validate(
    parallel: Parallel, trials: Sequence[Trial], fold: IntArray, z: FloatArray, budget: TimeBudget | None = None
) -> None:
    """Try all on two folds, drop those that are behind, and try the others on the rest of the folds.

    With a budget they are tried one after another, as long as there is time, the quickest first.
    """
    folds = [k for k in np.unique(fold) if (fold != k).sum() >= 2]
    trials = [trial for trial in trials if trial.status == "kept"]
    trials = trials if budget is None else budget.rehearse(trials, z)
    _round(parallel, trials, folds[:_FIRST_ROUND], fold, z, budget)
    _drop(trials, fold, z)
    _round(parallel, trials, folds[_FIRST_ROUND:], fold, z, budget)


def _round(
    parallel: Parallel,
    trials: Sequence[Trial],
    folds: Sequence[int],
    fold: IntArray,
    z: FloatArray,
    budget: TimeBudget | None,
) -> None:
    kept = [trial for trial in trials if trial.status == "kept"]
    if budget is None:
        predict_folds(parallel, kept, folds, fold, z)
        return
    for i, trial in enumerate(kept):
        trial.reason = budget.refusal(trial, [earlier for earlier in kept[:i] if earlier.ranks])
        if trial.reason:
            trial.status = "dropped" if trial.n_tried else "untried"
        else:
            predict_folds(parallel, [trial], folds, fold, z)


def predict_folds(
    parallel: Parallel, trials: Sequence[Trial], folds: Sequence[int], fold: IntArray, z: FloatArray
) -> None:
    """Let each trial predict each of the folds from the others."""
    tasks = [(trial, k) for trial in trials for k in folds]
    call = alone(one_fold)
    outcomes = parallel(call(t.candidate, t.features, t.encoder.blocks_, t.seed, z, fold == k) for t, k in tasks)
    for (trial, k), outcome in zip(tasks, outcomes, strict=True):
        trial.take(fold == k, z, *outcome)


def _drop(trials: Sequence[Trial], fold: IntArray, z: FloatArray) -> None:
    """Drop candidates that cannot rank, or are behind the best by two standard errors of a difference of taus."""
    for trial in trials:
        if trial.status == "kept" and np.isnan(trial.taus).any():
            trial.status, trial.reason = "dropped", trial.defect()
    scores = {t: t.score(z) for t in trials if t.status == "kept" and np.isfinite(t.score(z))}
    if not scores:
        return
    best = max(scores.values())
    m = int((fold < _FIRST_ROUND).sum())
    margin = 2 * np.sqrt(2 * (2 * m + 5) / (9 * m * (m - 1))) * np.sqrt(1 - best**2) if m >= 20 else np.inf
    for trial, score in scores.items():
        if score < best - max(margin, 0.02):
            trial.status = "dropped"
            trial.reason = f"tau {score:.3f} after {_FIRST_ROUND} folds, the best had {best:.3f}"
