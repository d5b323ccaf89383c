"""What a search is for: objectives by the evaluator's targets, and constraints on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError, UnknownNameError

__all__ = ["Constraint", "FloatArray", "Goals", "Objective", "resolve_goals"]

FloatArray = NDArray[np.float64]

_ERROR_OF = "val_accuracy"


@dataclass(frozen=True)
class Objective:
    """A target to minimise, or to maximise.

    Parameters
    ----------
    name : str
        As the user says it.
    target : str
        The evaluator's.
    maximize : bool
    """

    name: str
    target: str
    maximize: bool

    def minimised(self, values: FloatArray) -> FloatArray:
        """Values of the target -> values to minimise; the error is 100 minus the accuracy."""
        return (100.0 if self.name == "error" else 0.0) - values if self.maximize else values


@dataclass(frozen=True)
class Constraint:
    """``low <= target <= high``; None is no bound."""

    target: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Goals:
    """Objectives and constraints.

    Parameters
    ----------
    objectives : tuple of Objective
    constraints : tuple of Constraint
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    @property
    def targets(self) -> list[str]:
        """Names of the targets that they speak of, each once."""
        return list(dict.fromkeys([*(o.target for o in self.objectives), *(c.target for c in self.constraints)]))

    @property
    def names(self) -> list[str]:
        return [objective.name for objective in self.objectives]

    def values(self, targets: FloatArray) -> FloatArray:
        """(..., t) values of ``targets`` -> (..., m) values of the objectives, to be minimised."""
        place = self.targets.index
        return np.stack([o.minimised(targets[..., place(o.target)]) for o in self.objectives], axis=-1)

    def excess(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """By how much constraints are broken.

        Parameters
        ----------
        low, high : (n, t) float64
            Between what the targets are: the same twice, where they are known.

        Returns
        -------
        (n, c) float64, one column a bound; at most 0 where it is kept.
        """
        columns = []
        for constraint in self.constraints:
            place = self.targets.index(constraint.target)
            if constraint.low is not None:
                columns.append(constraint.low - low[:, place])
            if constraint.high is not None:
                columns.append(high[:, place] - constraint.high)
        return np.stack(columns, axis=1) if columns else np.empty((len(low), 0))

    def frame(self, targets: FloatArray) -> pd.DataFrame:
        """(n, t) values of ``targets`` -> the objectives as a user reads them: not negated, one column each."""
        place = self.targets.index
        return pd.DataFrame(
            {
                o.name: o.minimised(targets[:, place(o.target)]) if o.name == "error" else targets[:, place(o.target)]
                for o in self.objectives
            }
        )


def resolve_goals(
    objectives: Sequence[str],
    constraints: Mapping[str, float | tuple[float | None, float | None]] | None,
    targets: Mapping[str, bool],
) -> Goals:
    """The goals that a user's names mean.

    Parameters
    ----------
    objectives : sequence of str
        Targets of the evaluator; ``"error"`` is 100 minus ``val_accuracy``, never minus a test accuracy.
    constraints : mapping of target to bounds, optional
        A number is the most that the target may be; a pair is (low, high), either None.
    targets : mapping of name to whether more is better
        The evaluator's.

    Raises
    ------
    InvalidInputError
    UnknownNameError

    Examples
    --------
    >>> goals = resolve_goals(["error", "madds"], {"madds": 5e7}, {"val_accuracy": True, "madds": False})
    >>> goals.targets, goals.values(np.array([[93.0, 4e7]])).tolist()
    (['val_accuracy', 'madds'], [[7.0, 40000000.0]])
    """
    if isinstance(objectives, str) or not len(objectives) or len(set(objectives)) < len(objectives):
        raise InvalidInputError(f"The 'objectives' must be a sequence of different names. Got {objectives!r}.")
    found = []
    for name in objectives:
        if name == "error" and name not in targets:
            if not targets.get(_ERROR_OF):
                raise InvalidInputError(
                    f"The objective 'error' needs the target {_ERROR_OF!r}, which the evaluator does not have. "
                    f"Name one of its targets instead: {', '.join(targets)}."
                )
            found.append(Objective(name, _ERROR_OF, True))
        elif name not in targets:
            raise UnknownNameError.of("objective", name, [*targets, "error"])
        else:
            found.append(Objective(name, name, targets[name]))
    if len({objective.target for objective in found}) < len(found):
        raise InvalidInputError(f"The 'objectives' must speak of different targets. Got {list(objectives)!r}.")
    bounds = [_constraint(name, bound, targets) for name, bound in (constraints or {}).items()]
    return Goals(tuple(found), tuple(bounds))


def _constraint(name: str, bound: Any, targets: Mapping[str, bool]) -> Constraint:
    if name not in targets:
        raise UnknownNameError.of("target in 'constraints'", name, targets)
    low, high = bound if isinstance(bound, (tuple, list)) and len(bound) == 2 else (None, bound)
    numbers = [value for value in (low, high) if value is not None]
    good = all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) and v == v for v in numbers)
    if not numbers or not good or (len(numbers) == 2 and low > high):
        raise InvalidInputError(
            f"The 'constraints' must be numbers (at most) or pairs (low, high). Got {bound!r} for {name!r}."
        )
    return Constraint(name, *(None if value is None else float(value) for value in (low, high)))
