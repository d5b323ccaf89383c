"""What is learnt from other tasks, for ``fit_predictor(source=...)``."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import Any, Protocol

import joblib
import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from surronas.encoders.base import Encoder
from surronas.encoders.features import encode
from surronas.encoders.prior import Prior, TaskModel
from surronas.exceptions import InvalidInputError
from surronas.predictors import get_predictor
from surronas.selection.candidates import Candidate, full_view
from surronas.selection.targets import LogScores, TargetScores
from surronas.spaces import SearchSpace, as_drawn
from surronas.transfer.tasks import Task, multiplicative, read_tasks

__all__ = ["Source", "SourceTasks", "as_source"]

_MAX_ROWS = 1000
_REMEMBERED = 64
_CLEARLY = 0.9
_fitted: OrderedDict[str, TaskModel] = OrderedDict()


class Source(Protocol):
    """What has learnt on other tasks: ``SourceTasks``, ``MetaD2A``, ``MetaDatabase``.

    Attributes
    ----------
    space : SearchSpace
        Of the architectures that it tells apart.
    log : bool
        Whether targets are to be seen on a logarithmic scale.
    """

    @property
    def space(self) -> SearchSpace: ...
    @property
    def log(self) -> bool: ...
    def prior(self, images: Any) -> Encoder:
        """What it thinks of architectures, as an encoder whose feature block is named ``prior``.

        Larger means more of the target; of a mean of 0 and a deviation of 1 over the space, about.

        Parameters
        ----------
        images : ImageData or None
            Of the task.
        """
        ...


def as_source(source: Any, space: SearchSpace, target: str | None = None) -> Source:
    """What ``fit_predictor`` was given as its ``source``; tables and mappings become ``SourceTasks``."""
    if not hasattr(source, "prior"):
        source = SourceTasks(source, space, target)
    if source.space not in (space, as_drawn(space)):
        raise InvalidInputError(
            f"The 'source' must be of the space of the architectures, {space.name!r}. Got one of {source.space.name!r}."
        )
    return source  # type: ignore[no-any-return]


class SourceTasks:
    """Measurements of a space's architectures on other tasks, and a model of each.

    A Gaussian process of each task, fitted once in a process, stands for it, at the measured architectures too: between
    them it takes out noise that is not the target's. So no two tasks need the same architectures.

    Parameters
    ----------
    source : BenchmarkTable, sequence of BenchmarkTable, or mapping of name to (archs, values)
        As ``read_tasks`` reads it.
    space : SearchSpace
    target : str, optional
        Name of what is to be learnt.

    Attributes
    ----------
    tasks : dict of name to Task
        At most a thousand architectures of each, drawn at random.
    space : SearchSpace
        That of the drawings (``as_drawn``) where they predict the tasks better than canonical forms do, as they do
        latencies of networks that execute dead parts.
    log : bool
        Whether the tasks are seen on a logarithmic scale (``multiplicative``).
    """

    def __init__(self, source: Any, space: SearchSpace, target: str | None = None) -> None:
        self.tasks = {name: _some(task) for name, task in read_tasks(source, space, target).items()}
        self.space = _space_of(list(self.tasks.values()), space)
        self.log = multiplicative(self.tasks.values())

    def __repr__(self) -> str:
        return f"SourceTasks({', '.join(self.tasks)}; {self.space!r})"

    @cached_property
    def models(self) -> dict[str, TaskModel]:
        """A model of each task, of the features that ``prior`` names."""
        return {name: self._model(task) for name, task in self.tasks.items()}

    def prior(self, images: Any = None) -> Prior:
        """What the tasks' models predict, as an encoder: what ``fit_predictor(source=...)`` takes."""
        if images is not None:
            raise InvalidInputError("The 'images' have no use with a 'source' of measured tasks.")
        return Prior(self.models, self._view)

    @cached_property
    def _view(self) -> str:
        """What the models are fitted to; counts of operations are what latencies are nearly linear in."""
        return full_view(self.space) + ("+op_counts" if self.space.has_graph else "")

    def _model(self, task: Task) -> TaskModel:
        C = self.space.canonical(task.archs)
        z = (LogScores if self.log else TargetScores)(task.values).scores
        key = joblib.hash((self.space.to_spec(), C, z))
        if key not in _fitted:
            encoder, F = encode(self.space, [self._view], C)[self._view]
            _fitted[key] = TaskModel(Candidate(self._view, get_predictor("gp")).fit(F, z, encoder.blocks_, 0))
            if len(_fitted) > _REMEMBERED:
                _fitted.popitem(last=False)
        return _fitted[key]


def _some(task: Task) -> Task:
    """As many rows as a Gaussian process is fitted to in seconds; more would teach it little of a task."""
    n = len(task.values)
    return task if n <= _MAX_ROWS else task.subset(np.random.RandomState(0).permutation(n)[:_MAX_ROWS])


def _space_of(tasks: list[Task], space: SearchSpace) -> SearchSpace:
    """The space of drawings if what tells them apart makes up for what their models then do not share."""
    spaces = [space, as_drawn(space)]
    if spaces[1] is space:
        return space
    errors = [sum(_error(task, each) for task in tasks) for each in spaces]
    return spaces[int(errors[1] < _CLEARLY * errors[0])]


def _error(task: Task, space: SearchSpace) -> float:
    """The mean squared error of a cross-validated ridge regression on the space's features, of scores."""
    view = full_view(space)
    _, F = encode(space, [view], space.canonical(task.archs))[view]
    z = TargetScores(task.values).scores
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
    return float(np.mean((z - cross_val_predict(model, F, z, cv=KFold(3, shuffle=True, random_state=0))) ** 2))
