"""Adaptive switching: cross-validate candidates, drop the weak early, keep the best blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from surronas.encoders.base import Encoder
from surronas.encoders.features import distinct_forms, encode, features_of_all
from surronas.exceptions import FitError, InvalidInputError, SurronasError
from surronas.parallel import alone, check_n_jobs
from surronas.predictors import Predictor
from surronas.predictors.base import FloatArray
from surronas.predictors.mean import Mean
from surronas.selection.budget import TimeBudget
from surronas.selection.candidates import Candidate
from surronas.selection.chance import safe_factor
from surronas.selection.conformal import Conformal
from surronas.selection.cross_validation import cross_validate, split_folds
from surronas.selection.rules import RULES
from surronas.selection.targets import LogScores, TargetScores
from surronas.selection.trials import Trial
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray, RandomState
from surronas.threads import quietly

__all__ = ["AdaptiveSwitching", "HeldOut"]

_EXPONENT = 0.35
_STATUSES = ("chosen", "kept", "dropped", "untried", "failed")  # as ``selection_`` sorts them

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
    time_budget : float or None, default=None
        Seconds that ``fit`` may take: its end is predicted, and no candidate begun that would put it off beyond.
        Candidates are tried one after another, those first that took least time on an eighth of the rows, and the
        quickest one that can rank is tried in any case, so that a small budget may be exceeded. What is chosen then
        depends on the speed of the machine: only without a budget does the seed settle it.

    Attributes
    ----------
    selection_ : DataFrame
        A row a candidate, best first: encoder, predictor, tau (Kendall's, over all its out-of-fold
        predictions), tau_std (over folds), seconds, arch_seconds (what the encoder takes for a new architecture,
        where it scores networks; NaN for given scores of unknown price), weight, status (``chosen``, ``kept``,
        ``dropped``, ``untried``, ``failed``) and reason.
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
        time_budget: float | None = None,
    ) -> None:
        self.candidates = candidates
        self.space = space
        self.rule = rule
        self.n_folds = n_folds
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.encoders = encoders
        self.log = log
        self.time_budget = time_budget

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
        fold = split_folds(self.space, X, self.n_folds, rng)
        n_folds = len(np.unique(fold))
        budget = None if self.time_budget is None else TimeBudget(self.time_budget, n_folds, self.n_jobs)
        encoded = encode(self.space, [c.encoder for c in self.candidates], X, self.encoders)
        seeds = rng.randint(2**31 - 1, size=len(self.candidates))
        trials = [Trial(c, int(seed), *encoded[c.encoder]) for c, seed in zip(self.candidates, seeds, strict=True)]

        with Parallel(n_jobs=self.n_jobs) as parallel:
            cross_validate(parallel, trials, fold, z, budget)
            kept = {t.candidate.name: t for t in trials if t.status == "kept"}
            tried = {name: t.out_of_fold() for name, t in kept.items()}
            transfers = {name for name, t in kept.items() if t.candidate.transfers}
            weights = RULES[self.rule](z, tried, transfers)
            chosen = [kept[name] for name in weights] or [self._fallback(trials, X)]
            fitted = parallel(alone(t.candidate.fit)(t.features, z, t.encoder.blocks_, t.seed) for t in chosen)

        for name, oof in tried.items():
            if not oof.usable and kept[name] not in chosen:
                kept[name].status, kept[name].reason = "dropped", kept[name].defect()
        for trial in chosen:
            trial.status, trial.weight = "chosen", weights.get(trial.candidate.name, 1.0)
        self.members_ = [(t.candidate, model, t.weight) for t, model in zip(chosen, fitted, strict=True)]
        self.encoders_ = {t.candidate.encoder: t.encoder for t in chosen}
        mean, std = _blend([(t.mean, t.std, t.weight) for t in chosen])
        self.held_out_: HeldOut | None = HeldOut(X, fold, mean, std)
        self.conformal_ = self._calibration(self.held_out_)
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
            alone(c.fit)(encoded[c.encoder][1], self.targets_.scores, encoded[c.encoder][0].blocks_, int(seed))
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
        inverse = self.targets_.inverse
        if not return_std:
            return inverse(self._means(X))
        mean, spread = self.predict_scores(X)
        return inverse(mean), (inverse(mean + spread) - inverse(mean - spread)) / 2

    def predict_scores(self, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """(mean, std), each (n,), of calibrated normal scores; ``targets_.inverse`` makes targets of them."""
        mean, std = self._scores(X)
        return mean, std * self.conformal_.scale

    def predict_interval(self, X: IntArray, coverage: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """(low, high), each (n,), that hold the target of a new architecture with probability ``coverage``."""
        mean, std = self._scores(X)
        half = self.conformal_.factors(coverage, mean)
        return self.targets_.ends(mean - half * std), self.targets_.ends(mean + half * std)

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
        switching.held_out_ = held_out
        switching.conformal_ = switching._calibration(held_out) if held_out else Conformal(conformal_scores)
        switching.members_, switching.encoders_, switching.selection_ = members, encoders, selection
        return switching

    def _calibration(self, held_out: HeldOut) -> Conformal:
        z, mean = self.targets_.scores, held_out.mean
        residuals = np.abs(z - mean) / held_out.std
        return Conformal(residuals * _learning(z, mean, len(np.unique(held_out.fold))), mean)

    def _scores_of(self, y: FloatArray) -> LogScores | TargetScores:
        return LogScores(y) if self.log and y.min() > 0 else TargetScores(y)

    def _scores(self, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Blended scores and their std."""
        check_is_fitted(self, "members_")
        if not len(X):
            return np.empty(0), np.empty(0)
        encoded, form_of = self._encode(X)
        with quietly():
            parts = [(*model.predict(encoded[c.encoder], return_std=True), w) for c, model, w in self.members_]
        mean, std = _blend(parts)
        return mean[form_of], std[form_of]

    def _means(self, X: IntArray) -> FloatArray:
        """Blended scores alone: of a Gaussian process the std takes most of the time."""
        check_is_fitted(self, "members_")
        if not len(X):
            return np.empty(0)
        encoded, form_of = self._encode(X)
        with quietly():
            return _mixed([(model.predict(encoded[c.encoder]), w) for c, model, w in self.members_])[form_of]

    def _encode(self, X: IntArray) -> tuple[dict[str, FloatArray], IntArray]:
        """Features of the different architectures by encoder, and which of them each row is."""
        forms, form_of = distinct_forms(self.space, X)
        return features_of_all(self.encoders_, forms), form_of

    def _fallback(self, trials: Sequence[Trial], X: IntArray) -> Trial:
        """Other tasks or the training mean, where no candidate could rank; an error where none could even be fitted."""
        if all(t.status == "failed" for t in trials):
            raise FitError("Every candidate failed. " + " ".join(f"{t.candidate.name}: {t.reason}." for t in trials))
        for trial in trials:
            if trial.status == "kept" and trial.candidate.transfers and np.isfinite(trial.mean).all():
                trial.reason = f"{trial.defect()}: other tasks are believed"
                return trial
        trial = Trial(Candidate("one_hot", Mean()), 0, *encode(self.space, ["one_hot"], X)["one_hot"])
        trial.mean, trial.std = np.zeros(len(X)), np.ones(len(X))
        trial.reason = "no candidate could rank the architectures"
        trials.append(trial)  # type: ignore[attr-defined]
        return trial

    def _record(self, trials: Sequence[Trial], z: FloatArray) -> pd.DataFrame:
        frame = pd.DataFrame([t.record(z) for t in trials]).astype(RECORD)
        order = frame.assign(rank=frame["status"].map(_STATUSES.index))
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


def _blend(parts: Sequence[tuple[FloatArray, FloatArray, float]]) -> tuple[FloatArray, FloatArray]:
    """Mean and std of the mixture."""
    mean = _mixed([(mean, weight) for mean, _, weight in parts])
    square = _mixed([(std**2 + mean**2, weight) for mean, std, weight in parts])
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))


def _mixed(parts: Sequence[tuple[FloatArray, float]]) -> FloatArray:
    total = sum(weight for _, weight in parts)
    return np.asarray(sum(weight / total * values for values, weight in parts))
