"""Adaptive switching: cross-validate candidates, drop the weak early, keep the best blend."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from surronas.encoders.base import Encoder
from surronas.encoders.features import distinct_forms, encode, features
from surronas.exceptions import FitError, InvalidInputError, SurronasError
from surronas.parallel import Alone, check_n_jobs
from surronas.predictors import Predictor
from surronas.predictors.base import FloatArray
from surronas.predictors.mean import Mean
from surronas.selection.candidates import Candidate
from surronas.selection.chance import safe_factor
from surronas.selection.conformal import Conformal
from surronas.selection.rules import RULES, OutOfFold, tau
from surronas.selection.targets import LogScores, TargetScores
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray, RandomState
from surronas.threads import quietly

__all__ = ["AdaptiveSwitching", "HeldOut"]

_FIRST_ROUND = 2
_LEAST = 4  # of as many, each fold has two to rank
_EXPONENT = 0.35

# The columns of ``selection_``, so that a saved record gets its types back.
RECORD = {
    "encoder": str,
    "predictor": str,
    "tau": float,
    "tau_std": float,
    "seconds": float,
    "arch_seconds": float,
    "weight": float,
    "status": str,
    "reason": str,
}


@dataclass(frozen=True)
class HeldOut:
    """What the chosen blend said of the labelled architectures, by models that had not seen them.

    Attributes
    ----------
    archs : (n, n_genes) int64 canonical genotypes
    fold : (n,) int64
        Rows of one fold were held out together.
    mean, std : (n,) float64
        Scores of the targets, not calibrated.
    """

    archs: IntArray
    fold: IntArray
    mean: FloatArray
    std: FloatArray


class AdaptiveSwitching(BaseEstimator):  # type: ignore[misc]
    """The best blend of (encoder, predictor) candidates by cross-validation.

    Targets become scores, halfway between ranks and values. Every candidate predicts each fold from the others; after
    two folds those clearly behind the best are dropped. The rule then weighs the rest by their out-of-fold
    predictions alone, the members are fitted to all rows, and the blend's out-of-fold residuals scale its
    intervals. Isomorphic rows share a fold.

    Parameters
    ----------
    candidates : sequence of Candidate
    space : SearchSpace
    rule : {"ensemble", "nat"}, default="ensemble"
    n_folds : int, default=5
        At most; a fold holds at least two architectures.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Candidates and folds run in parallel through joblib; the result does not depend on it.
    encoders : mapping of str to Encoder, optional
        Unfitted encoders with parameters of their own, which candidates mean by these names.
    log : bool, default=False
        Whether scores are logarithms, where all targets are positive.

    Attributes
    ----------
    selection_ : DataFrame
        A row a candidate, best first: encoder, predictor, tau (Kendall's, over all its out-of-fold
        predictions), tau_std (over folds), seconds, arch_seconds (what the encoder takes for a new architecture,
        where it scores networks; NaN for given scores of unknown price), weight, status (``chosen``, ``kept``,
        ``dropped``, ``failed``) and reason.
    members_ : list of (Candidate, Predictor, float)
        The chosen candidates, fitted to all rows, with their weights.
    held_out_ : HeldOut or None
        None after ``refit``, which holds nothing out, and in files that earlier versions wrote.

    References
    ----------
    Lu et al. (2020), NSGANetV2, ECCV, arXiv:2007.10396.
    Breiman (1996), Stacked regressions.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        space: SearchSpace,
        rule: str = "ensemble",
        n_folds: int = 5,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        encoders: Mapping[str, Encoder] | None = None,
        log: bool = False,
    ) -> None:
        self.candidates = candidates
        self.space = space
        self.rule = rule
        self.n_folds = n_folds
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.encoders = encoders
        self.log = log

    def fit(self, X: IntArray, y: FloatArray) -> AdaptiveSwitching:
        """Try, choose and refit.

        Parameters
        ----------
        X : (n, n_genes) int64 canonical genotypes, n >= 2
        y : (n,) float64, finite

        Raises
        ------
        FitError
            When every candidate failed; the text says how.
        """
        if self.rule not in RULES:
            raise InvalidInputError(f"The 'rule' parameter must be one of {sorted(RULES)}. Got {self.rule!r} instead.")
        try:
            rng = check_random_state(self.random_state)
        except ValueError as error:
            raise InvalidInputError(
                f"The 'random_state' must be an int, a RandomState or None. Got {self.random_state!r} instead."
            ) from error
        check_n_jobs(self.n_jobs)
        self.y_, self.targets_ = y, self._scores_of(y)
        z = self.targets_.scores
        fold = self._folds(X, rng)
        encoded = encode(self.space, [c.encoder for c in self.candidates], X, self.encoders)
        seeds = rng.randint(2**31 - 1, size=len(self.candidates))
        trials = [_Trial(c, int(seed), *encoded[c.encoder]) for c, seed in zip(self.candidates, seeds, strict=True)]

        folds = np.unique(fold)
        with Parallel(n_jobs=self.n_jobs) as parallel:
            self._try(parallel, trials, folds[:_FIRST_ROUND], fold, z)
            self._drop(trials, fold, z)
            self._try(parallel, [t for t in trials if t.status == "kept"], folds[_FIRST_ROUND:], fold, z)
            kept = {t.candidate.name: t for t in trials if t.status == "kept"}
            tried = {name: t.out_of_fold() for name, t in kept.items()}
            transfers = {name for name, t in kept.items() if t.candidate.transfers}
            weights = RULES[self.rule](z, tried, transfers)
            chosen = [kept[name] for name in weights] or [self._fallback(trials, X)]
            fitted = parallel(delayed(Alone(t.candidate.fit))(t.features, z, t.encoder.blocks_, t.seed) for t in chosen)

        for name, oof in tried.items():
            if not oof.usable and kept[name] not in chosen:
                kept[name].status, kept[name].reason = "dropped", kept[name].defect()
        for trial in chosen:
            trial.status, trial.weight = "chosen", weights.get(trial.candidate.name, 1.0)
        self.members_ = [(t.candidate, model, t.weight) for t, model in zip(chosen, fitted, strict=True)]
        self.encoders_ = {t.candidate.encoder: t.encoder for t in chosen}
        mean, std = _blend([(t.mean, t.std, t.weight) for t in chosen])
        self.held_out_: HeldOut | None = HeldOut(X, fold, mean, std)
        self.conformal_ = Conformal(np.abs(z - mean) / std * _learning(z, mean, len(folds)))
        self.selection_ = self._record(trials, z)
        return self

    def refit(self, X: IntArray, y: FloatArray, weights: Mapping[str, float], scale: float) -> AdaptiveSwitching:
        """Fit what was chosen before, without trying anything.

        Parameters
        ----------
        X : (n, n_genes) int64 canonical genotypes, n >= 2
        y : (n,) float64, finite
        weights : mapping of a candidate's name to its weight
        scale : float
            The calibration found then: ``conformal_.scale``.
        """
        self.y_, self.targets_ = y, self._scores_of(y)
        rng = check_random_state(self.random_state)
        chosen = [candidate for candidate in self.candidates if candidate.name in weights]
        chosen = chosen or [Candidate("one_hot", Mean())]
        encoded = encode(self.space, [c.encoder for c in chosen], X, self.encoders)
        seeds = rng.randint(2**31 - 1, size=len(chosen))
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(Alone(c.fit))(encoded[c.encoder][1], self.targets_.scores, encoded[c.encoder][0].blocks_, int(seed))
            for c, seed in zip(chosen, seeds, strict=True)
        )
        self.members_ = [(c, model, weights.get(c.name, 1.0)) for c, model in zip(chosen, fitted, strict=True)]
        self.encoders_ = {name: encoder for name, (encoder, _) in encoded.items()}
        self.conformal_ = Conformal(np.array([scale]))
        self.held_out_ = None
        self.selection_ = pd.DataFrame(columns=list(RECORD)).astype(RECORD)
        return self

    def predict(self, X: IntArray, return_std: bool = False) -> Any:
        """(n, n_genes) canonical genotypes -> mean (n,), and with ``return_std`` also std (n,), in the unit of y."""
        mean, spread = self.predict_scores(X)
        inverse = self.targets_.inverse
        if not return_std:
            return inverse(mean)
        return inverse(mean), (inverse(mean + spread) - inverse(mean - spread)) / 2

    def predict_scores(self, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """(mean, std), each (n,), of calibrated normal scores; ``targets_.inverse`` makes targets of them."""
        mean, std = self._scores(X)
        return mean, std * self.conformal_.scale

    def predict_interval(self, X: IntArray, coverage: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """(low, high), each (n,), that hold the target of a new architecture with probability ``coverage``."""
        half = self.conformal_.factor(coverage)
        mean, std = self._scores(X)
        return self.targets_.inverse(mean - half * std), self.targets_.inverse(mean + half * std)

    def satisfies(self, X: IntArray, limit: float, sign: int, confidence: float) -> Any:
        """(n,) bool: whether the target stays below the limit (``sign`` 1) or above it (-1), safely."""
        held_out = self.known_held_out()
        residuals = sign * (self.targets_.scores - held_out.mean) / held_out.std
        keeping = sign * self.targets_.inverse(held_out.mean) <= sign * limit
        factor = safe_factor(residuals, sign * held_out.mean, int(keeping.sum()), confidence)
        mean, std = self._scores(X)
        return sign * self.targets_.inverse(mean + sign * factor * std) <= sign * limit

    def known_held_out(self) -> HeldOut:
        """``held_out_``, or an error that says why there is none."""
        if self.held_out_ is None:
            raise SurronasError(
                "Predictions of held-out architectures are not known: the surrogate was refitted without "
                "cross-validation, or its file was written by an earlier version. Fit it anew."
            )
        return self.held_out_

    @classmethod
    def restore(
        cls,
        space: SearchSpace,
        y: FloatArray,
        conformal_scores: FloatArray,
        members: list[tuple[Candidate, Predictor, float]],
        encoders: dict[str, Encoder],
        selection: pd.DataFrame,
        given: Mapping[str, Encoder],
        held_out: HeldOut | None = None,
        log: bool = False,
    ) -> AdaptiveSwitching:
        """A fitted instance from its saved state."""
        switching = cls([candidate for candidate, _, _ in members], space, encoders=given, log=log)
        switching.y_, switching.targets_ = y, switching._scores_of(y)
        switching.conformal_, switching.held_out_ = Conformal(conformal_scores), held_out
        switching.members_, switching.encoders_, switching.selection_ = members, encoders, selection
        return switching

    def _scores_of(self, y: FloatArray) -> LogScores | TargetScores:
        return LogScores(y) if self.log and y.min() > 0 else TargetScores(y)

    def _scores(self, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Blended scores and their std."""
        check_is_fitted(self, "members_")
        if not len(X):
            return np.empty(0), np.empty(0)
        forms, form_of = distinct_forms(self.space, X)
        encoded = {name: features(encoder, forms) for name, encoder in self.encoders_.items()}
        with quietly():
            parts = [(*model.predict(encoded[c.encoder], return_std=True), w) for c, model, w in self.members_]
        mean, std = _blend(parts)
        return mean[form_of], std[form_of]

    def _folds(self, X: IntArray, rng: np.random.RandomState) -> IntArray:
        """(n,) fold of each row; isomorphic rows share one."""
        _, group = np.unique(self.space.rank(self.space.representatives(X)), return_inverse=True)
        distinct = int(group.max()) + 1
        # A fold of one architecture ranks nothing; of three, there is no other that leaves two to learn from.
        n_folds = 3 if distinct == 3 else max(min(self.n_folds, distinct // 2), 2)
        return np.asarray((rng.permutation(distinct) % n_folds)[group])

    def _try(
        self, parallel: Parallel, trials: Sequence[_Trial], folds: IntArray, fold: IntArray, z: FloatArray
    ) -> None:
        tasks = [(trial, k) for trial in trials for k in folds if (fold != k).sum() >= 2]
        one_fold = delayed(Alone(_one_fold))
        outcomes = parallel(
            one_fold(t.candidate, t.features, t.encoder.blocks_, t.seed, z, fold == k) for t, k in tasks
        )
        for (trial, k), outcome in zip(tasks, outcomes, strict=True):
            trial.take(fold == k, z, *outcome)

    def _drop(self, trials: Sequence[_Trial], fold: IntArray, z: FloatArray) -> None:
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

    def _fallback(self, trials: Sequence[_Trial], X: IntArray) -> _Trial:
        """Other tasks or the training mean, where no candidate could rank; an error where none could even be fitted."""
        if all(t.status == "failed" for t in trials):
            raise FitError("Every candidate failed. " + " ".join(f"{t.candidate.name}: {t.reason}." for t in trials))
        for trial in trials:
            if trial.status == "kept" and trial.candidate.transfers and np.isfinite(trial.mean).all():
                trial.reason = f"{trial.defect()}: other tasks are believed"
                return trial
        trial = _Trial(Candidate("one_hot", Mean()), 0, *encode(self.space, ["one_hot"], X)["one_hot"])
        trial.mean, trial.std = np.zeros(len(X)), np.ones(len(X))
        trial.reason = "no candidate could rank the architectures"
        trials.append(trial)  # type: ignore[attr-defined]
        return trial

    def _record(self, trials: Sequence[_Trial], z: FloatArray) -> pd.DataFrame:
        frame = pd.DataFrame([t.record(z) for t in trials]).astype(RECORD)
        order = frame.assign(rank=frame["status"].map({"chosen": 0, "kept": 1, "dropped": 2, "failed": 3}))
        order = order.sort_values(["rank", "weight", "tau"], ascending=[True, False, False], kind="stable")
        return order.drop(columns="rank").reset_index(drop=True)


def _learning(z: FloatArray, mean: FloatArray, n_folds: int) -> float:
    """How much smaller the residuals of models fitted to all rows are than those of models without one fold.

    Errors fall with a power of the number of rows that is the greater the more of the targets is explained;
    the exponent was chosen on tables that the benchmarks do not report on.
    """
    if np.ptp(mean) == 0 or np.ptp(z) == 0:
        return 1.0
    explained = float(np.corrcoef(z, mean)[0, 1]) ** 2
    return float((1 - 1 / n_folds) ** (_EXPONENT * explained))


class _Trial:
    """One candidate's way through cross-validation."""

    def __init__(self, candidate: Candidate, seed: int, encoder: Any, features: FloatArray) -> None:
        self.candidate, self.seed, self.encoder, self.features = candidate, seed, encoder, features
        self.mean = np.full(len(features), np.nan)
        self.std = np.full(len(features), np.nan)
        self.taus: list[float] = []
        self.seconds = 0.0
        self.status, self.reason, self.weight = "kept", "", 0.0

    def take(self, rows: Any, z: FloatArray, mean: Any, std: Any, seconds: float, error: str) -> None:
        self.seconds += seconds
        if error:
            self.status, self.reason = "failed", error
            return
        self.mean[rows], self.std[rows] = mean, std
        if np.ptp(z[rows]) > 0:  # equal targets cannot be ranked, and that is no fault of the candidate
            self.taus.append(tau(z[rows], mean))

    def score(self, z: FloatArray) -> float:
        """Tau over all rows predicted so far."""
        done = np.isfinite(self.mean)
        return tau(z[done], self.mean[done]) if done.sum() > 1 else float("nan")

    def out_of_fold(self) -> OutOfFold:
        return OutOfFold(self.mean, self.std, np.array(self.taus or [np.nan]))

    def defect(self) -> str:
        """Why its out-of-fold predictions rank nothing."""
        if np.isnan(self.taus).any():
            return "constant predictions in a fold"
        return (
            "too few architectures to cross-validate"
            if np.isnan(self.mean).any() or len(self.mean) < _LEAST
            else "no fold has two different targets"
        )

    def record(self, z: FloatArray) -> dict[str, Any]:
        taus = np.array(self.taus)
        return {
            "encoder": self.candidate.encoder,
            "predictor": self.candidate.predictor_name,
            "tau": self.score(z),
            "tau_std": float(taus.std()) if len(taus) else float("nan"),
            "seconds": self.seconds,
            "arch_seconds": self.encoder.seconds_,
            "weight": self.weight,
            "status": self.status,
            "reason": self.reason,
        }


def _one_fold(
    candidate: Candidate, F: FloatArray, blocks: Any, seed: int, z: FloatArray, held_out: Any
) -> tuple[Any, Any, float, str]:
    """(mean, std, seconds, error) of the held-out rows."""
    start = time.perf_counter()
    try:
        model: Predictor = candidate.fit(F[~held_out], z[~held_out], blocks, seed)
        mean, std = model.predict(F[held_out], return_std=True)
    except Exception as error:  # noqa: BLE001  a candidate may fail in any way; the others go on and the record says how
        return None, None, time.perf_counter() - start, f"{type(error).__name__}: {error}"
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        return None, None, time.perf_counter() - start, "predictions are not finite"
    return mean, std, time.perf_counter() - start, ""


def _blend(parts: Sequence[tuple[FloatArray, FloatArray, float]]) -> tuple[FloatArray, FloatArray]:
    """Mean and std of the mixture."""
    total = sum(weight for _, _, weight in parts)
    mean = sum(weight / total * mean for mean, _, weight in parts)
    square = sum(weight / total * (std**2 + mean_**2) for mean_, std, weight in parts)
    return np.asarray(mean), np.sqrt(np.maximum(np.asarray(square) - np.asarray(mean) ** 2, 1e-12))
