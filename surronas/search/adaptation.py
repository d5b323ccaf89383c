"""NAT's adaptation: between batches the supernet learns on, and what that made stale is measured again."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from moocore import pareto_rank

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.io import remove_unfinished
from surronas.search.archive import Archive
from surronas.search.drift import Drift
from surronas.search.evaluators import SubnetEvaluator
from surronas.spaces.base import IntArray, SearchSpace
from surronas.supernet.checkpoint import Checkpoint
from surronas.supernet.distributions import Distribution, OneAStep, Taught, dependency_tree, gene_counts, members
from surronas.supernet.images import prepare_images
from surronas.supernet.machine import keep_freed_memory
from surronas.supernet.recipe import ADAPTATION, Recipe
from surronas.supernet.training import Trainer
from surronas.supernet.weights import fingerprint

__all__ = ["SupernetAdaptation"]

DISTRIBUTIONS: dict[str, Callable[[SearchSpace, IntArray], Distribution]] = {
    "counts": gene_counts,
    "members": members,
    "tree": dependency_tree,
}

_AT_THE_END = 0.1


@dataclass
class SupernetAdaptation:
    """Trains a search's supernet on its images, with the subnets that the search has come to like.

    One training, under one learning-rate schedule, goes through the whole search in portions. A portion's subnets are
    drawn from the distribution of the best of the archive. Then all labels are stale. Some architectures are measured
    again, to learn how values moved (``Drift``); of the others, only those whose true values may matter to the front.
    The search goes on with measured values where they are new, and with moved ones elsewhere.

    The run's folder gets ``adaptation.pt``, all that the rest of the training depends on.

    Parameters
    ----------
    images : ImageData
        As the evaluator's; only the training split is used.
    recipe : Recipe
        Of the whole training: when its epochs are over, the supernet stays as it is. No warm-up.
    steps : int
        Of a portion.
    every : int
        New architectures between two portions, or more, as batches are whole.
    distribution : {"counts", "members", "tree"}
        Genes one by one, as NAT does it; members themselves; or a tree of genes (``dependency_tree``).
    n_best : int
        How many of the archive it is fitted to, by Pareto rank.
    teacher : bool
        The largest subnet learns the labels, the smallest and a drawn one its outputs; otherwise a drawn one alone
        learns the labels, as in NAT.
    n_probes : int
        Measured again after each portion: half of them of the front, the others drawn.
    tolerance : float
        An architecture whose contribution to the front's hypervolume is uncertain by more than this share of it is
        measured again; at the end of the search, by more than a tenth of that.

    Raises
    ------
    InvalidInputError
        For a parameter that cannot be, when the search starts.

    References
    ----------
    Lu et al. (2021), Neural Architecture Transfer, TPAMI, arXiv:2005.05859.
    """

    images: ImageData = field(repr=False)
    recipe: Recipe = ADAPTATION
    steps: int = 50
    every: int = 8
    distribution: str = "counts"
    n_best: int = 24
    teacher: bool = True
    n_probes: int = 12
    tolerance: float = 0.02

    def start(self, evaluator: Any, folder: Path | None) -> None:
        self._check(evaluator)
        keep_freed_memory()
        self.evaluator_: SubnetEvaluator = evaluator
        evaluator.restart()
        images = prepare_images(self.images, evaluator.space)
        self.trainer_ = Trainer(deepcopy(evaluator.supernet), images, self.recipe)
        self._checkpoint = None
        if folder is not None:
            path, origin = folder / "adaptation.pt", fingerprint(evaluator.supernet)
            remove_unfinished(path)
            self._checkpoint = Checkpoint(path, self.trainer_, images, origin)
            self._checkpoint.restore()

    def train(self, archive: Archive, iteration: int) -> None:
        trainer, version = self.trainer_, self.evaluator_.version
        end = self._end(version + 1)
        new = ~np.isin(np.arange(len(archive)), archive.replaced["row"]) & (archive.version == version)
        if end == self._end(version) or new.sum() < self.every or not archive.succeeded.any():
            return
        space = archive.space
        draw = DISTRIBUTIONS[self.distribution](space, archive.archs[self._best(self.present(archive))])
        seed = self.recipe.seed
        ends = [space.largest(), space.smallest()]
        trainer.subnets = Taught(ends, draw, 1, seed) if self.teacher else OneAStep(draw, seed)
        while trainer.step < end:
            trainer.run_step()
        if self._checkpoint is not None:
            self._checkpoint.save()
        self.evaluator_.renew(trainer.result(), version + 1)

    def resume(self, version: int) -> None:
        step, end = self.trainer_.step, self._end(version)
        if step == end and version:
            self.evaluator_.renew(self.trainer_.result(), version)
        elif step not in (end, self._end(version + 1)):  # killed after a portion, before it was noted
            where = "missing" if self._checkpoint is None or not step else f"at step {step}"
            raise InvalidFileError(
                f"The journal of this run knows version {version} of the supernet, after {end} steps, but its "
                f"adaptation.pt is {where}. Put back the file that belongs to the journal, or begin anew."
            )

    def stale(self, archive: Archive, last: bool) -> IntArray:
        version = self.evaluator_.version
        old = archive.succeeded & (archive.version < version)
        rng = np.random.default_rng((self.recipe.seed, version, len(archive)))
        left = self.n_probes - int((archive.version == version).sum())
        if old.any() and left > 0:
            return self._probes(archive, np.flatnonzero(old), left, rng)
        drift = Drift(archive, version)
        doubt = np.where(old, drift.doubt(rng), 0.0)
        rows = np.argsort(-doubt, kind="stable")[: self.n_probes]
        rows = rows[doubt[rows] > self.tolerance * (_AT_THE_END if last else 1)]
        if last and not len(rows):
            front = archive.moved(drift.mean, version).front_rows
            rows = front[old[front]]
        return np.sort(rows)

    def present(self, archive: Archive) -> Archive:
        version = int(archive.version.max(initial=0))
        if (archive.version == version).all():
            return archive
        return archive.moved(Drift(archive, version).mean, version)

    def _end(self, version: int) -> int:
        """The training's step at which that version is reached."""
        return min(version * self.steps, self.trainer_.n_steps)

    def _best(self, archive: Archive) -> IntArray:
        """Rows of those of lowest Pareto rank, the feasible first."""
        rows = np.flatnonzero(archive.succeeded)
        ranks = pareto_rank(archive.objectives[rows]) + len(rows) * ~archive.feasible[rows]
        return np.asarray(rows[np.argsort(ranks, kind="stable")[: self.n_best]])

    def _probes(self, archive: Archive, old: IntArray, n: int, rng: np.random.Generator) -> IntArray:
        """Of the old rows n at most: half of the best, as far as they were known, the others drawn."""
        before = archive.take(old)
        front = old[before.moved(before.values.to_numpy(), 0).front_rows]
        some = front[np.unique(np.linspace(0, len(front) - 1, (n + 1) // 2).astype(int))] if len(front) else front
        others = rng.permutation(np.setdiff1d(old, some))
        return np.sort(np.concatenate([some, others])[:n])

    def _check(self, evaluator: Any) -> None:
        if not isinstance(evaluator, SubnetEvaluator):
            raise InvalidInputError(
                f"A SupernetAdaptation needs a search whose evaluator is a SupernetEvaluator. Got {evaluator!r}."
            )
        if self.distribution not in DISTRIBUTIONS:
            raise UnknownNameError.of("distribution", self.distribution, DISTRIBUTIONS)
        if self.recipe.warmup_epochs:
            raise InvalidInputError(
                f"The 'recipe' of a SupernetAdaptation must have no warm-up epochs. Got {self.recipe.warmup_epochs}."
            )
        for name, least in (("steps", 1), ("every", 1), ("n_best", 1), ("n_probes", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise InvalidInputError(
                    f"The {name!r} of a SupernetAdaptation must be an int of at least {least}. Got {value!r}."
                )
        if not self.tolerance >= 0:
            raise InvalidInputError(
                f"The 'tolerance' of a SupernetAdaptation must be at least 0. Got {self.tolerance!r}."
            )
