"""How the values of architectures move while the weights of their supernet change."""

from __future__ import annotations

import numpy as np
import pandas as pd
from moocore import hv_contributions, hypervolume

from surronas.predictors import get_predictor
from surronas.search.archive import Archive
from surronas.search.objectives import FloatArray
from surronas.spaces.base import IntArray

__all__ = ["Drift"]

_DRAWS = 32


class Drift:
    """What every value of an archive would be at the latest version, by those that were measured again.

    Bayesian ridge regression, one for each target, of the changes between two measurements of an architecture: a
    change is a sum over the versions crossed, of one term each, common to all architectures, and one that grows with
    the genes and with the value that there was. A target that never changed, as multiply-adds, does not.

    Parameters
    ----------
    archive : Archive
        With architectures that were measured again.
    version : int
        The latest; values of this version are what they are.

    Attributes
    ----------
    mean, std : (n, t) float64
        The values at the latest version, as far as they can be known; NaN where the evaluation failed.
    """

    def __init__(self, archive: Archive, version: int) -> None:
        self.archive, self.version = archive, version
        values = archive.values.to_numpy()
        self.mean, self.std = values.copy(), np.zeros_like(values)
        old = np.flatnonzero(archive.succeeded & (archive.version < version))
        before, after = _pairs(archive)
        if not len(old) or len(before) < 2:
            self.std[old] = np.inf
            return
        now = archive.records.loc[old].assign(row=old)
        for j, target in enumerate(archive.goals.targets):
            changes = after[target].to_numpy() - before[target].to_numpy()
            if changes.any():
                X = _features(archive, before, after["version"].to_numpy(), target)
                model = get_predictor("linear").fit(X, changes)
                mean, std = model.predict(_features(archive, now, np.full(len(old), version), target), return_std=True)
                self.mean[old, j] += mean
                self.std[old, j] = std

    def doubt(self, rng: np.random.Generator) -> FloatArray:
        """How much it matters what an architecture's values really are.

        Returns
        -------
        (n,) float64
            The standard deviation, over draws of all values, of what the architecture alone adds to the hypervolume,
            as a share of the whole; 0 where the values are known, infinite where nothing is.
        """
        goals, rows = self.archive.goals, np.flatnonzero(self.archive.succeeded)
        mean, std = self.mean[rows], self.std[rows]
        doubt = np.zeros(len(self.archive))
        if not std.any() or not np.isfinite(std).all():
            doubt[rows] = np.where(np.isfinite(std).all(axis=1), 0.0, np.inf)
            return doubt
        objectives = goals.values(mean)
        low, high = objectives.min(axis=0), objectives.max(axis=0)
        added, whole = np.zeros((_DRAWS, len(rows))), np.zeros(_DRAWS)
        for i, draw in enumerate(added):
            values = mean + std * rng.standard_normal(mean.shape)
            kept = np.flatnonzero((goals.excess(values, values) <= 0).all(axis=1))
            points = (goals.values(values[kept]) - low) / np.where(high > low, high - low, 1.0)
            if len(kept):
                draw[kept] = hv_contributions(points, ref=np.ones(len(low)), ignore_dominated=False)
                whole[i] = hypervolume(points, ref=np.ones(len(low)))
        doubt[rows] = np.where(std.any(axis=1), added.std(axis=0) / max(whole.mean(), 1e-12), 0.0)
        return doubt


def _pairs(archive: Archive) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every measurement of an architecture but its last, and the next one, where both succeeded."""
    records = pd.concat([archive.replaced, archive.records.assign(row=np.arange(len(archive)))], ignore_index=True)
    records = records.sort_values(["row", "version"], kind="stable").reset_index(drop=True)
    first = np.flatnonzero(records["row"].to_numpy()[:-1] == records["row"].to_numpy()[1:])
    values = records[archive.goals.targets].to_numpy()
    versions = records["version"].to_numpy()
    good = np.isfinite(values[first] + values[first + 1]).all(axis=1) & (versions[first] < versions[first + 1])
    return records.loc[first[good]], records.loc[first[good] + 1]


def _features(archive: Archive, before: pd.DataFrame, after: IntArray, target: str) -> FloatArray:
    """(k, d): which versions are crossed, and, times their number, the genes and the value before."""
    start, rows = before["version"].to_numpy(), before["row"].to_numpy()
    steps = np.arange(int(archive.version.max(initial=0)))
    crossed = (start[:, None] <= steps) & (steps < after[:, None])
    genes = archive.archs[rows] / np.maximum(archive.space.n_choices - 1, 1)
    values = archive.values[target]
    value = (before[target].to_numpy() - values.mean()) / max(float(values.std(ddof=0)), 1e-12)
    return np.column_stack([crossed, (after - start)[:, None] * np.column_stack([genes, value])]).astype(np.float64)
