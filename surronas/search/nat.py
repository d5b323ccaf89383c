"""NAT: surrogates choose what is evaluated, and the supernet adapts to what was found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.parallel import check_n_jobs
from surronas.predictors import Predictor
from surronas.search.archive import Archive
from surronas.search.candidates import ALGORITHMS, evolve
from surronas.search.choice import gain_choice, spread_choice
from surronas.search.evaluators import Evaluator
from surronas.search.objectives import FloatArray
from surronas.search.operators import vary
from surronas.search.run import Event, Run
from surronas.search.search import Proposal, Search
from surronas.search.surrogates import Predictions, Surrogates
from surronas.spaces.base import IntArray

__all__ = ["NAT", "Adaptation"]

_CHOICES = ("gain", "msunas")
_ENUMERATED = 20_000


class Adaptation(Protocol):
    """What trains the supernet between iterations, and so makes labels stale."""

    def start(self, evaluator: Evaluator, folder: Path | None) -> None:
        """Begin with the weights of version 0; the folder is the run's."""
        ...

    def train(self, archive: Archive, iteration: int) -> None:
        """After a batch: train on, and count up the evaluator's version; or leave it, and train later.

        Called again for the same archive, when the run was killed before it was noted.
        """
        ...

    def resume(self, version: int) -> None:
        """Bring the supernet to that version."""
        ...

    def stale(self, archive: Archive, last: bool) -> Any:
        """Rows of the archive to evaluate again before the search goes on; asked until there are none.

        Parameters
        ----------
        archive : Archive
        last : bool
            Whether the search ends here, and all that belongs to the front must be of the latest version.
        """
        ...

    def present(self, archive: Archive) -> Archive:
        """The archive with what each value is thought to be at the latest version."""
        ...


class NAT(Search):
    """Neural architecture transfer: a many-objective search driven by surrogates.

    Each iteration fits surrogates to the archive, looks for architectures that they think Pareto-optimal, evaluates
    those of greatest expected gain for their price, and, given ``adapt``, trains the supernet on and re-evaluates the
    architectures whose values that made stale.

    Parameters
    ----------
    evaluator : BenchmarkTable, SupernetEvaluator or Evaluator
    objectives : sequence of str, default=("error", "madds")
    constraints : mapping, optional
        As ``Search``. A candidate is kept when it fulfils each bound with probability ``confidence``.
    n_initial : int, default=20
    batch_size : int, default=8
    predictor, encoder : as ``fit_predictor`` takes them
    rule : {"ensemble", "nat"}, default="ensemble"
        Which surrogates adaptive switching chooses.
    candidates : {"auto", "enumerate", "nsga2", "nsga3", "unsga3"}, default="auto"
        ``"enumerate"`` predicts every architecture there is; ``"auto"`` does so below 20,000, else NSGA-III.
    population, generations : int
        Of the candidates' evolution.
    choice : {"gain", "msunas"}, default="gain"
        Expected gain of hypervolume for the price; or MSuNAS's even spread along the last objective.
    exploration : float, default=0.5
        What the surrogates' standard deviations are multiplied by where gains are expected. With all of it, batches on
        NAS-Bench-201 went to what is merely uncertain and gained nothing.
    confidence : float, default=0.8
    adapt : Adaptation, optional
        ``SupernetAdaptation`` trains a supernet between the batches of ``run``.
    warm_start : architectures in any form the space reads, optional
        Evaluated first, in their order, ``n_initial`` with those of the space-filling design that fill up: what
        ``MetaD2A.design`` thinks good for the images, say.
    random_state : int, default=0
    n_jobs : int, optional
        Surrogates are fitted in parallel through joblib.

    References
    ----------
    Lu et al. (2021), Neural Architecture Transfer, TPAMI, arXiv:2005.05859.

    Examples
    --------
    >>> import surronas as sn
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> search = NAT(table, objectives=["baseline_accuracy", "analog_accuracy"], n_initial=10, batch_size=5)
    >>> archs = search.ask()
    >>> archs.shape
    (10, 6)
    >>> search.tell(archs, search.evaluator_.evaluate(archs))
    >>> len(search.result().archive)
    10
    """

    def __init__(
        self,
        evaluator: Any,
        objectives: Sequence[str] = ("error", "madds"),
        constraints: Mapping[str, Any] | None = None,
        *,
        n_initial: int = 20,
        batch_size: int = 8,
        predictor: str | Predictor | Sequence[str | Predictor] = "auto",
        encoder: str | Sequence[str] = "auto",
        rule: str = "ensemble",
        candidates: str = "auto",
        population: int = 100,
        generations: int = 30,
        choice: str = "gain",
        exploration: float = 0.5,
        confidence: float = 0.8,
        adapt: Adaptation | None = None,
        warm_start: Any = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            evaluator,
            objectives,
            constraints,
            n_initial=n_initial,
            batch_size=batch_size,
            random_state=random_state,
        )
        self.predictor = predictor
        self.encoder = encoder
        self.rule = rule
        self.candidates = candidates
        self.population = population
        self.generations = generations
        self.choice = choice
        self.exploration = exploration
        self.confidence = confidence
        self.adapt = adapt
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _start(self, anew: bool = False) -> None:
        super()._start(anew)
        check_n_jobs(self.n_jobs)
        if self.choice not in _CHOICES:
            raise UnknownNameError.of("choice", self.choice, _CHOICES)
        if self.candidates not in ("auto", "enumerate", *ALGORITHMS):
            raise UnknownNameError.of("kind of candidates", self.candidates, ("auto", "enumerate", *ALGORITHMS))
        if not self.exploration >= 0:
            raise InvalidInputError(f"The 'exploration' must be at least 0. Got {self.exploration!r} instead.")
        if not 0 < self.confidence < 1:
            raise InvalidInputError(f"The 'confidence' must be between 0 and 1. Got {self.confidence!r} instead.")

    def _first(self, n: int, rng: np.random.Generator) -> Proposal:
        design = super()._first(n, rng)
        if self.warm_start is None:
            return design
        given = self.space_.canonical(self.space_.parse(self.warm_start))
        if self.evaluator_.pool is not None:
            given = given[np.isin(self.space_.key(given), self.space_.key(self.evaluator_.pool))]
        return Proposal(self.unseen(np.concatenate([given, design.archs]))[:n], None, {"by": "warm start"})

    def _propose(self, n: int, rng: np.random.Generator) -> Proposal:
        archive = self.archive_ if self.adapt is None else self.adapt.present(self.archive_)
        surrogates = Surrogates(
            self.evaluator_,
            archive,
            predictor=self.predictor,
            encoder=self.encoder,
            rule=self.rule,
            memory=self._memory,
            random_state=int(rng.integers(2**31)),
            n_jobs=self.n_jobs,
        )
        archs = self._candidates(surrogates, archive, n, rng)
        if not len(archs):
            return Proposal(archs, None, {"by": "nothing left"})
        predictions = surrogates.predict(archs)
        excess = np.maximum(self._excess(predictions), 0)
        # Where too few are feasible, those that break the constraints least, each measured by its spread.
        broken = (excess / np.maximum(excess.std(axis=0), 1e-12)).sum(axis=1)
        rows = np.argsort(broken, kind="stable")[: max(int((broken == 0).sum()), n)]
        archs, predictions = archs[rows], predictions.take(rows)
        chosen = self._choose(archs, predictions, archive, n, rng)
        why = {"by": self.choice, "candidates": len(archs), "surrogates": surrogates.memory}
        return Proposal(archs[chosen], predictions.take(chosen).quantile(0.5), why)

    @property
    def _memory(self) -> dict[str, Any] | None:
        return next((why["surrogates"] for why in reversed(self.decisions_) if "surrogates" in why), None)

    def _candidates(self, surrogates: Surrogates, archive: Archive, n: int, rng: np.random.Generator) -> IntArray:
        """Canonical genotypes that may be chosen."""
        space, pool = self.space_, self.evaluator_.pool
        size = len(pool) if pool is not None else space.size
        if self.candidates == "enumerate" or (self.candidates == "auto" and size is not None and size <= _ENUMERATED):
            return self.unseen(space.canonical(space.enumerate()) if pool is None else pool)

        def assess(C: IntArray) -> tuple[FloatArray, FloatArray]:
            predictions = surrogates.predict(C)
            return self.goals_.values(predictions.quantile(0.5)), self._excess(predictions)

        start = np.concatenate([archive.archs[archive.front_rows], archive.archs[rng.permutation(len(archive))]])
        final, met = evolve(
            space,
            assess,
            space.unique(start),
            rng,
            algorithm="nsga3" if self.candidates == "auto" else self.candidates,
            population=self.population,
            generations=self.generations,
            pool=pool,
        )
        found = self.unseen(final if self.choice == "msunas" else met)
        if len(found) < n:  # the evolution has ended in what is known: its neighbourhood, then anything
            around = vary(space, np.repeat(final, 4, axis=0), rng)
            anything = space.sample(min(4 * n, size or 4 * n), int(rng.integers(2**31)), unique=False)
            more = space.canonical(np.concatenate([around, anything])) if pool is None else rng.permutation(pool)
            found = self.unseen(np.concatenate([found, more]))
        return found

    def _excess(self, predictions: Predictions) -> FloatArray:
        """(n, c) how far each bound is broken by what a target is at worst, with probability ``confidence``."""
        return self.goals_.excess(predictions.quantile(1 - self.confidence), predictions.quantile(self.confidence))

    def _choose(
        self, archs: IntArray, predictions: Predictions, archive: Archive, n: int, rng: np.random.Generator
    ) -> IntArray:
        front = archive.objectives[archive.front_rows]
        if self.choice == "msunas":
            cost = self.goals_.values(predictions.quantile(0.5))[:, -1]
            return spread_choice(cost, front[:, -1], n)
        done = archive.objectives[archive.succeeded]
        return gain_choice(
            archs,
            predictions,
            self.goals_,
            front,
            done.min(axis=0),
            done.max(axis=0),
            self.evaluator_.price(archs),
            n,
            rng,
            self.exploration,
        )

    # -- adaptation ----------------------------------------------------------------------------

    def _expect(self, proposal: Proposal) -> None:
        super()._expect(proposal)
        self._adapted = False

    def _follow_up(self, run: Run, n_evaluations: int) -> IntArray | None:
        """After the evaluation of a batch: adapt, and say what to evaluate again."""
        if self.adapt is None or len(self.archive_) < self.n_initial:
            return None
        if not self._adapted:
            version, start = self.evaluator_.version, time.perf_counter()
            self.adapt.train(self.archive_, self.iteration_)
            self._adapted = True
            if self.evaluator_.version != version:
                spent = time.perf_counter() - start
                self._spend("adapting", spent)
                run.note(Event.ADAPTED, version=self.evaluator_.version, seconds=spent)
        rows = np.asarray(self.adapt.stale(self.archive_, len(self.archive_) >= n_evaluations), dtype=np.int64)
        if not len(rows):
            return None
        archs = self.archive_.archs[rows]
        run.note(Event.STALE, archs=archs.tolist())
        return archs

    def _take(self, event: Event, record: Mapping[str, Any]) -> IntArray | None:
        if event is Event.ADAPTED:
            self.evaluator_.version, self._adapted = record["version"], True
            self._spend("adapting", record["seconds"])
            return None
        if event is Event.STALE:
            return self._genotypes(record["archs"])
        return super()._take(event, record)

    def _replay(self, run: Run) -> IntArray | None:
        self._adapted = True  # to nothing, so far
        if self.adapt is None:
            return super()._replay(run)
        self.adapt.start(self.evaluator_, run.folder)
        due = super()._replay(run)
        self.adapt.resume(self.evaluator_.version)
        return due
