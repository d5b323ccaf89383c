"""One candidate's way through cross-validation."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from surronas.encoders.base import Blocks, Encoder
from surronas.predictors import Predictor
from surronas.predictors.base import FloatArray
from surronas.selection.candidates import Candidate
from surronas.selection.rules import OutOfFold, tau

__all__ = ["Trial", "one_fold"]

_LEAST = 4  # of as many, each fold has two to rank


class Trial:
    """One candidate's way through cross-validation.

    Attributes
    ----------
    mean, std : (n,) float64
        NaN in rows of folds that were not tried.
    taus : list of float
        Of the folds tried that have different targets.
    status : {"kept", "chosen", "dropped", "untried", "failed"}
    """

    def __init__(self, candidate: Candidate, seed: int, encoder: Encoder, features: FloatArray) -> None:
        self.candidate, self.seed, self.encoder, self.features = candidate, seed, encoder, features
        self.mean = np.full(len(features), np.nan)
        self.std = np.full(len(features), np.nan)
        self.taus: list[float] = []
        self.n_tried, self.seconds = 0, 0.0
        self.status, self.reason, self.weight = "kept", "", 0.0
        predictor = candidate.predictor
        if not predictor.takes(len(features)):  # told before its folds are, which may have less
            self.status, self.reason = "failed", f"{len(features):,} rows, it takes at most {predictor.most_rows:,}"

    def take(self, rows: Any, z: FloatArray, mean: Any, std: Any, seconds: float, error: str) -> None:
        """What ``one_fold`` said of the fold's rows."""
        self.n_tried += 1
        self.seconds += seconds
        if error:
            self.status, self.reason = "failed", error
            return
        self.mean[rows], self.std[rows] = mean, std
        if np.ptp(z[rows]) > 0:  # equal targets cannot be ranked, and that is no fault of the candidate
            self.taus.append(tau(z[rows], mean))

    @property
    def ranks(self) -> bool:
        """Whether nothing so far rules it out."""
        return self.status == "kept" and not np.isnan(self.taus).any()

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
        """Its row of ``selection_``."""
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


def one_fold(
    candidate: Candidate, F: FloatArray, blocks: Blocks, seed: int, z: FloatArray, held_out: Any
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
