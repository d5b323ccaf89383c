"""What a meta-database teaches: standardised accuracies of architectures on tasks, and the tasks' images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from surronas.exceptions import InvalidInputError
from surronas.meta.database import MetaDatabase
from surronas.meta.features import N_PER_CLASS, ClassFeatures, draw_sets
from surronas.meta.graphs import Graphs, graph_code
from surronas.meta.set_encoder import Sets
from surronas.spaces.base import IntArray

__all__ = ["Lessons"]

_KEPT_OUT = 10  # one view of so many is for early stopping
_LEAST_WEIGHT = 0.05


@dataclass(frozen=True, eq=False)
class Lessons:
    """The numbers of a meta-database as training takes them; r rows, t tasks, n different architectures.

    Attributes
    ----------
    archs : (n, n_genes) int64
    graphs : n graphs
    arch, task : (r,) int64
        Of each row; rows that failed are left out.
    z : (r,) float32
        Accuracies, standardised within their task.
    levels : (t, 2) float64
        Mean and deviation of a task's accuracies, in %.
    weights : (t,) float32
        How far a task's accuracies can be believed: what share of their variance is not the draw of images, estimated
        from the two halves (Spearman and Brown). At least 0.05, with mean 1.
    view : (t,) int64
    features : sequence of ClassFeatures
        Of each task.
    """

    archs: IntArray
    graphs: Graphs
    arch: IntArray
    task: IntArray
    z: NDArray[np.float32]
    levels: NDArray[np.float64]
    weights: NDArray[np.float32]
    view: IntArray
    features: Sequence[ClassFeatures]

    @classmethod
    def of(cls, database: MetaDatabase, features: Sequence[ClassFeatures]) -> Lessons:
        """Those of a database; ``features`` as ``image_features`` gives them, of each task."""
        if len({episode.view for episode in database.tasks}) < 2:
            raise InvalidInputError("A meta-database to learn from must have two views, one of them kept out. Got one.")
        known = database.frame["val_accuracy"].notna().to_numpy()
        archs, arch = np.unique(database.X[known], axis=0, return_inverse=True)
        rows = database.frame[known]
        by_task = rows.groupby("task")["val_accuracy"]
        levels = np.full((len(database.tasks), 2), np.nan)
        levels[by_task.mean().index] = np.column_stack([by_task.mean(), by_task.std(ddof=0).clip(lower=1e-3)])
        task = rows["task"].to_numpy()
        z = (rows["val_accuracy"].to_numpy() - levels[task, 0]) / levels[task, 1]
        halves = database.reliability().fillna(0).clip(lower=0).to_numpy()
        whole = np.maximum(2 * halves / (1 + halves), _LEAST_WEIGHT)
        return cls(
            archs,
            graph_code(database.space).write(archs),
            arch.reshape(-1),
            task,
            z.astype(np.float32),
            levels,
            (whole / whole.mean()).astype(np.float32),
            np.array([episode.view for episode in database.tasks]),
            features,
        )

    @property
    def kept_out(self) -> IntArray:
        """Tasks for early stopping: those of one view in ten, whose variation and architectures nothing learns from."""
        return np.flatnonzero(np.isin(self.view, self._views[-1::-_KEPT_OUT]))

    @property
    def learnt(self) -> IntArray:
        """The other tasks."""
        return np.setdiff1d(np.arange(len(self.view)), self.kept_out)

    def draw_tasks(self, n_views: int, rng: np.random.RandomState) -> IntArray:
        """All learnt tasks of some views, which share their architectures."""
        views = np.unique(self.view[self.learnt])
        return np.flatnonzero(np.isin(self.view, rng.permutation(views)[:n_views]))

    def sets(self, tasks: IntArray, rng: np.random.RandomState) -> Sets:
        """A look at each task: some images of each class."""
        return Sets.of([next(draw_sets(self.features[task], 1, N_PER_CLASS, rng)) for task in tasks])

    def rows(self, tasks: IntArray) -> IntArray:
        """Rows of these tasks."""
        return np.flatnonzero(np.isin(self.task, tasks))

    def agreement(self, tasks: IntArray, predicted: torch.Tensor) -> float:
        """Mean over tasks, by their weights, of Spearman's correlation; ``predicted`` of ``rows(tasks)``."""
        rows = self.rows(tasks)
        found, weights = [], []
        for task in tasks:
            own = self.task[rows] == task
            pair = predicted.numpy()[own], self.z[rows[own]]
            found.append(0.0 if min(map(np.ptp, pair)) == 0 else float(spearmanr(*pair).statistic))
            weights.append(self.weights[task])
        return float(np.average(found, weights=weights))

    @property
    def _views(self) -> IntArray:
        return np.unique(self.view)
