"""The surrogates of a search: one for each target that must be measured, kept warm between iterations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from surronas.predictors.base import FloatArray, Predictor
from surronas.search.archive import Archive
from surronas.search.evaluators import Evaluator
from surronas.selection import AdaptiveSwitching, resolve_candidates
from surronas.spaces.base import IntArray

__all__ = ["Normal", "Predictions", "Surrogates"]


@dataclass(frozen=True)
class Normal:
    """Normal scores of one target, and the increasing map from them to its values."""

    mean: FloatArray
    std: FloatArray
    inverse: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Predictions:
    """What is thought of n architectures: of each target a known value, or a distribution.

    Parameters
    ----------
    parts : sequence
        One a target.
    """

    parts: Sequence[FloatArray | Normal]

    def at(self, normals: FloatArray) -> FloatArray:
        """(s, n or 1, t) deviations, in standard normal units -> (s, n, t) values."""
        columns = []
        for j, part in enumerate(self.parts):
            if isinstance(part, Normal):
                scores = part.mean + part.std * normals[:, :, j]
                columns.append(part.inverse(scores.ravel()).reshape(scores.shape))
            else:
                columns.append(np.broadcast_to(part, (len(normals), len(part))))
        return np.stack(columns, axis=-1)

    def quantile(self, probability: float) -> FloatArray:
        """(n, t): what each target is below with that probability; 0.5 gives the median, which is the prediction."""
        return np.asarray(self.at(np.full((1, 1, len(self.parts)), ndtri(probability)))[0])

    def take(self, rows: Any) -> Predictions:
        """Those of some architectures."""
        return Predictions(
            [
                Normal(part.mean[rows], part.std[rows], part.inverse) if isinstance(part, Normal) else part[rows]
                for part in self.parts
            ]
        )


class Surrogates:
    """Adaptive switching for each target that the evaluator does not know beforehand.

    All candidates are cross-validated when the archive has grown by half since the last time; in between, those chosen
    are fitted to all rows with the weights and the calibration that they have. A rule that takes a single winner keeps
    the old one unless the new one is better by more than the standard error of its folds.

    Parameters
    ----------
    evaluator : Evaluator
    archive : Archive
        What to learn from; failed rows are left out.
    predictor : str, Predictor or sequence of them
        As ``fit_predictor`` takes it.
    encoder : str or sequence of str
    rule : {"ensemble", "nat"}
    memory : mapping of target to dict, optional
        What the last ``memory`` attribute said.
    growth : float
        How much larger an archive is cross-validated anew.
    random_state : int
    n_jobs : int, optional

    Attributes
    ----------
    memory : dict of target to dict
        JSON-able: weights of the chosen candidates by name, the calibration, taus, and at how many rows that was found.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        archive: Archive,
        *,
        predictor: str | Predictor | Sequence[str | Predictor] = "auto",
        encoder: str | Sequence[str] = "auto",
        rule: str = "ensemble",
        memory: Mapping[str, dict[str, Any]] | None = None,
        growth: float = 1.5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.evaluator, self.space, self.targets = evaluator, archive.space, archive.goals.targets
        self.memory: dict[str, dict[str, Any]] = {}
        self._models: dict[str, AdaptiveSwitching] = {}
        X = self.space.canonical(archive.archs[archive.succeeded])
        known = set(evaluator.cost(X[:1]).columns)
        candidates = resolve_candidates(predictor, encoder, self.space)
        for target in self.targets:
            if target in known:
                continue
            y = archive.values[target].to_numpy()[archive.succeeded]
            old = (memory or {}).get(target)
            model = AdaptiveSwitching(
                candidates, self.space, rule, n_folds=_n_folds(len(y)), random_state=random_state, n_jobs=n_jobs
            )
            if old is None or len(y) >= growth * old["n"]:
                model.fit(X, y)
                memory_of = _remember(model, len(y))
                if old is not None and rule == "nat" and not _overtaken(model, old, memory_of):
                    memory_of = {**memory_of, "weights": old["weights"]}
                    model.refit(X, y, old["weights"], memory_of["scale"])
            else:
                memory_of = old
                model.refit(X, y, old["weights"], old["scale"])
            self.memory[target], self._models[target] = memory_of, model

    def predict(self, archs: IntArray) -> Predictions:
        """Predict architectures.

        Parameters
        ----------
        archs : (n, n_genes) int64 canonical genotypes
        """
        known = self.evaluator.cost(archs)
        parts: list[FloatArray | Normal] = []
        for target in self.targets:
            if target in self._models:
                model = self._models[target]
                parts.append(Normal(*model.predict_scores(archs), model.targets_.inverse))
            else:
                parts.append(known[target].to_numpy(dtype=np.float64))
        return Predictions(parts)


def _n_folds(n: int) -> int:
    """Fewer folds of more rows: what cross-validation costs grows faster than what it adds."""
    return 5 if n < 100 else 3 if n < 200 else 2


def _remember(model: AdaptiveSwitching, n: int) -> dict[str, Any]:
    chosen = {candidate.name: weight for candidate, _, weight in model.members_}
    record = model.selection_
    names = record["encoder"] + ":" + record["predictor"]
    # One that was dropped ranked part of the rows, or a fold not at all: its tau compares with none.
    tried = record["status"].isin(["chosen", "kept"]).to_numpy() & record["tau"].notna().to_numpy()
    taus = {
        name: round(float(tau), 4) if whole else None
        for name, tau, whole in zip(names, record["tau"].to_numpy(dtype=np.float64), tried, strict=True)
    }
    return {"weights": chosen, "scale": model.conformal_.scale, "taus": taus, "n": n}


def _overtaken(model: AdaptiveSwitching, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the winner beats the old one by more than the standard error of its taus over the folds."""
    incumbent = old["taus"].keys() & new["taus"].keys() & old["weights"].keys()
    taus = [new["taus"][name] for name in incumbent if new["taus"][name] is not None]
    if not taus:
        return True
    best = model.selection_.iloc[0]
    error = best["tau_std"] / np.sqrt(max(model.n_folds, 1))
    return bool(best["tau"] - max(taus) > (error if np.isfinite(error) else 0.0))
