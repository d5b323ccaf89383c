"""What every search shares: ask and tell, a run that survives being killed, the result."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.search.archive import Archive
from surronas.search.evaluators import Evaluator, as_evaluator
from surronas.search.objectives import FloatArray, Goals, resolve_goals
from surronas.search.operators import initial_design
from surronas.search.progress import shown
from surronas.search.result import Result
from surronas.search.run import Event, Run
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["Proposal", "Search"]


@dataclass(frozen=True)
class Proposal:
    """What a search wants to have evaluated.

    Parameters
    ----------
    archs : (n, n_genes) int64 canonical genotypes
    predicted : (n, t) float64, optional
        What the surrogates say of the goals' targets.
    why : dict
        JSON-able: how it was decided.
    """

    archs: IntArray
    predicted: FloatArray | None
    why: dict[str, Any]


class Search(BaseEstimator):  # type: ignore[misc]
    """A search by asking and telling; a child says what to ask for.

    What a step draws follows from ``random_state``, the number of the step and what was told, so that a run is resumed
    by reading its journal.

    Parameters
    ----------
    evaluator : BenchmarkTable, SupernetEvaluator or Evaluator
    objectives : sequence of str, default=("error", "madds")
        Targets of the evaluator, or ``"error"``.
    constraints : mapping, optional
        ``{"madds": 5e7}`` for at most, ``{"val_accuracy": (80, None)}`` for (low, high).
    n_initial : int
        Architectures before anything is learnt from them: smallest, largest, and a space-filling design.
    batch_size : int
    random_state : int, default=0

    Attributes
    ----------
    archive_ : Archive
    decisions_ : list of dict
    seconds_ : dict
        What ``run`` has spent on choosing, and a child on more, evaluations aside.
    """

    evaluator_: Evaluator
    space_: SearchSpace
    goals_: Goals
    archive_: Archive
    decisions_: list[dict[str, Any]]
    seconds_: dict[str, float]
    iteration_: int
    _asked: dict[Any, FloatArray]
    _unknown: FloatArray

    def __init__(
        self,
        evaluator: Any,
        objectives: Sequence[str] = ("error", "madds"),
        constraints: Mapping[str, Any] | None = None,
        *,
        n_initial: int = 20,
        batch_size: int = 8,
        random_state: int = 0,
    ) -> None:
        self.evaluator = evaluator
        self.objectives = objectives
        self.constraints = constraints
        self.n_initial = n_initial
        self.batch_size = batch_size
        self.random_state = random_state

    # -- ask and tell --------------------------------------------------------------------------

    def ask(self, n: int | None = None) -> IntArray:
        """Architectures to evaluate next.

        Parameters
        ----------
        n : int, optional
            How many; by default ``n_initial`` at first, then ``batch_size``.

        Returns
        -------
        (at most n, n_genes) int64 canonical genotypes
            None that was told of, or asked for and not told of yet; fewer than n where there are no more.
        """
        self._start()
        missing = self.n_initial - len(self.archive_)
        size = (missing if missing > 0 else self.batch_size) if n is None else n
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise InvalidInputError(f"The 'n' parameter of ask must be a positive int. Got {n!r} instead.")
        rng = np.random.default_rng((self.random_state, self.iteration_, len(self._asked)))
        # Without two values there is nothing to learn from, whatever was tried.
        early = missing > 0 or self.archive_.succeeded.sum() < 2
        proposal = self._first(size, rng) if early else self._propose(size, rng)
        self._expect(proposal)
        return proposal.archs

    def tell(self, archs: Any, values: Any, *, seconds: Any = None, reasons: Sequence[str] | None = None) -> None:
        """Take in evaluations, asked for or not.

        Parameters
        ----------
        archs : n architectures in any form the space reads
        values : DataFrame or mapping of n rows with the goals' targets, or (n, t) array in their order
            NaN is a failed evaluation. An architecture told of before is re-evaluated: these values replace the old.
        seconds : (n,) float, optional
            What each evaluation took.
        reasons : sequence of str, optional
            Why those failed that did.
        """
        self._start()
        X = self.space_.canonical(self.space_.parse(archs))
        frame = self._frame(values, len(X))
        seconds = [float("nan")] * len(X) if seconds is None else [np.nan if s is None else float(s) for s in seconds]
        failed = ~np.isfinite(frame.to_numpy(dtype=np.float64)).all(axis=1)
        default = ["no value" if bad else "" for bad in failed]
        reasons = default if reasons is None else [r or d for r, d in zip(reasons, default, strict=True)]
        keys = self.space_.key(X).tolist()
        predicted = np.array([self._asked.get(key, self._unknown) for key in keys]).reshape(len(X), -1)
        self.archive_ = self.archive_.add(
            X,
            frame,
            seconds=seconds,
            version=self.evaluator_.version,
            iteration=self.iteration_,
            reasons=reasons,
            predicted=predicted,
        )
        self._asked = {key: value for key, value in self._asked.items() if key not in set(keys)}
        self.iteration_ += 1

    def result(self) -> Result:
        """What was found so far."""
        self._start()
        return Result(self.archive_, self.decisions_, dict(self.seconds_), self.evaluator_, self._header())

    # -- a run ---------------------------------------------------------------------------------

    def run(
        self, folder: str | os.PathLike[str] | None = None, n_evaluations: int = 300, progress: bool = False
    ) -> Result:
        """Search until so many architectures have been evaluated.

        Parameters
        ----------
        folder : path-like, optional
            Of this run: the journal of every decision and evaluation. When it has one of the same search, the run goes
            on from there, whatever ended it; an interrupted run ends as an uninterrupted one. By default nothing is
            written.
        n_evaluations : int
            Architectures in the archive, failed ones too; re-evaluations do not count.
        progress : bool, default=False

        Raises
        ------
        InvalidInputError
            When the folder is of another search, or another process is running it.
        InvalidFileError
            When the journal is damaged elsewhere than in its last line.
        """
        self._start(anew=True)
        if isinstance(n_evaluations, bool) or not isinstance(n_evaluations, (int, np.integer)) or n_evaluations < 1:
            raise InvalidInputError(f"The 'n_evaluations' must be a positive int. Got {n_evaluations!r} instead.")
        with Run(None if folder is None else Path(folder), self._header()) as run:
            due = self._replay(run)
            with shown(progress) as show:
                while True:
                    show(self, n_evaluations)
                    for source in (self._follow_up, self._next):
                        due = source(run, n_evaluations) if due is None else due
                    if due is None:
                        return self.result()
                    self._evaluate(run, due)
                    due = None

    def _next(self, run: Run, n_evaluations: int) -> IntArray | None:
        """Ask, and note what was asked; None when nothing is left to do."""
        left = n_evaluations - len(self.archive_)
        if left <= 0:
            return None
        missing = self.n_initial - len(self.archive_)
        start = time.perf_counter()
        archs = self.ask(min(missing if missing > 0 else self.batch_size, left))
        if not len(archs):
            return None
        spent = time.perf_counter() - start
        self._spend("choosing", spent)
        predicted = [self._asked[key].tolist() for key in self.space_.key(archs).tolist()]
        run.note(Event.ASKED, archs=archs.tolist(), predicted=predicted, why=self.decisions_[-1], seconds=spent)
        return archs

    def _evaluate(self, run: Run, archs: IntArray) -> None:
        start = time.perf_counter()
        frame = self.evaluator_.evaluate(archs)
        spent = (time.perf_counter() - start) / len(archs)
        reasons = [""] * len(archs)
        for failure in frame.attrs.get("failures", ()):
            reasons[failure["row"]] = str(failure["reason"])
        seconds = list(frame.attrs.get("seconds", [spent] * len(archs)))
        values = self._frame(frame, len(archs))
        run.note(
            Event.TOLD,
            archs=archs.tolist(),
            values=values.to_numpy().tolist(),
            seconds=seconds,
            version=self.evaluator_.version,
            reasons=reasons,
        )
        self.tell(archs, values, seconds=seconds, reasons=reasons)

    def _follow_up(self, run: Run, n_evaluations: int) -> IntArray | None:
        """What has to be evaluated again after a batch; a child that trains a supernet overrides it."""
        return None

    def _replay(self, run: Run) -> IntArray | None:
        """Take in what the journal says; returns what was asked for and not told of."""
        due = None
        for event, record in run.events:
            try:
                due = self._take(event, record)
            except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
                raise InvalidFileError(f"The journal of {run.folder} has a record that is none: {error!r}.") from error
        return due

    def _take(self, event: Event, record: Mapping[str, Any]) -> IntArray | None:
        if event is Event.ASKED:
            archs = self._genotypes(record["archs"])
            predicted = np.array(record["predicted"], dtype=np.float64).reshape(len(archs), len(self._unknown))
            self._expect(Proposal(archs, predicted, dict(record["why"])))
            self._spend("choosing", record["seconds"])
            return archs
        if event is Event.TOLD:
            self.evaluator_.version = record["version"]
            values = np.array(record["values"], dtype=np.float64).reshape(len(record["archs"]), -1)
            self.tell(self._genotypes(record["archs"]), values, seconds=record["seconds"], reasons=record["reasons"])
        return None

    # -- parts ---------------------------------------------------------------------------------

    def _propose(self, n: int, rng: np.random.Generator) -> Proposal:
        """What to evaluate, from the archive."""
        raise NotImplementedError

    def _first(self, n: int, rng: np.random.Generator) -> Proposal:
        """From a design of ``n_initial``, what is not in the archive; more of the like, where that is too little."""
        rng = np.random.default_rng((self.random_state, 0)) if not len(self.archive_) else rng
        pool = self.evaluator_.pool
        size = max(self.n_initial, n) + len(self.archive_)
        design = initial_design(self.space_, size, rng, pool, self.evaluator_.cost)
        return Proposal(self.unseen(design)[:n], None, {"by": "initial design"})

    def unseen(self, archs: IntArray) -> IntArray:
        """Of these canonical genotypes those that were neither told of nor asked for, each architecture once."""
        keys = self.space_.key(archs)
        _, first = np.unique(keys, return_index=True)
        taken = np.isin(keys, self.archive_.keys) | np.array([key in self._asked for key in keys.tolist()], dtype=bool)
        return archs[[row for row in np.sort(first) if not taken[row]]]

    def _expect(self, proposal: Proposal) -> None:
        self.decisions_.append(proposal.why)
        predicted = proposal.predicted
        for row, key in enumerate(self.space_.key(proposal.archs).tolist()):
            self._asked[key] = self._unknown if predicted is None else predicted[row]

    def _spend(self, on: str, seconds: float) -> None:
        self.seconds_[on] = self.seconds_.get(on, 0.0) + seconds

    def _start(self, anew: bool = False) -> None:
        if hasattr(self, "archive_") and not anew:
            return
        if isinstance(self.random_state, bool) or not isinstance(self.random_state, (int, np.integer)):
            raise InvalidInputError(f"The 'random_state' of a search must be an int. Got {self.random_state!r}.")
        for name in ("n_initial", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InvalidInputError(f"The {name!r} of a search must be a positive int. Got {value!r} instead.")
        self.evaluator_ = as_evaluator(self.evaluator)
        self.space_ = self.evaluator_.space
        self.goals_ = resolve_goals(self.objectives, self.constraints, self.evaluator_.targets)
        self.archive_ = Archive(self.space_, self.goals_)
        self.decisions_ = []
        self.seconds_ = {}
        self.iteration_ = 0
        self._asked = {}
        self._unknown = np.full(len(self.goals_.targets), np.nan)

    def _genotypes(self, archs: Any) -> IntArray:
        return np.array(archs, dtype=np.int64).reshape(-1, self.space_.n_genes)

    def _frame(self, values: Any, n: int) -> pd.DataFrame:
        targets = self.goals_.targets
        if isinstance(values, Mapping):
            values = pd.DataFrame(values)
        if isinstance(values, pd.DataFrame):
            missing = [name for name in targets if name not in values]
            if missing:
                raise InvalidInputError(f"The 'values' must have the columns {targets}. {missing[0]!r} is missing.")
            values = values[targets]
        array = np.asarray(values, dtype=np.float64)
        array = array.reshape(n, -1) if array.ndim < 2 and len(targets) == 1 else array
        if array.shape != (n, len(targets)):
            raise InvalidInputError(
                f"The 'values' must have shape ({n}, {len(targets)}), one column for each of {targets}. "
                f"Got {array.shape}."
            )
        return pd.DataFrame(array, columns=targets)

    def _header(self) -> dict[str, Any]:
        settings = {
            name: value if _is_plain(value) else re.sub(r" at 0x[0-9a-f]+", "", repr(value))
            for name, value in self.get_params(deep=False).items()
            if name not in ("evaluator", "n_jobs")
        }
        return {
            "search": type(self).__name__,
            "settings": settings,
            "space": self.space_.to_spec(),
            "evaluator": self.evaluator_.info,
        }


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(v) for key, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, (str, int, float, bool))
