"""What ``fit_predictor`` returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray
from surronas.selection import AdaptiveSwitching, Diagnosis, Untrained, diagnose
from surronas.spaces import SearchSpace
from surronas.spaces.base import RandomState
from surronas.surrogate_file import read_surrogate, write_surrogate

__all__ = ["Surrogate", "load_predictor"]

_ROWS = 16_384


class Surrogate:
    """A fitted surrogate: a space, the chosen encoders and predictors, calibration, and how they were chosen.

    Attributes
    ----------
    space : SearchSpace
    target : str or None
        The name of what was measured, where the targets had one.
    selection_ : DataFrame
        Every candidate: encoder, predictor, out-of-fold tau, cost in seconds, weight, status, reason.
    """

    def __init__(self, space: SearchSpace, switching: AdaptiveSwitching | Untrained, target: str | None = None) -> None:
        self.space = space
        self.switching: Any = switching
        self.target = target

    @property
    def selection_(self) -> pd.DataFrame:
        record: pd.DataFrame = self.switching.selection_
        return record.copy()

    def predict(self, archs: Any, return_std: bool = False) -> Any:
        """Predict the target of architectures.

        Parameters
        ----------
        archs : n architectures in any form the space reads
        return_std : bool, default=False

        Returns
        -------
        mean : (n,) float64, in the unit of the training targets
            Of an untrained surrogate without a unit: more is expected to be better.
        std : (n,) float64, only with ``return_std``

        Raises
        ------
        InvalidInputError
            Naming the row that is no architecture of the space; for ``return_std`` of an untrained surrogate.
        """
        return self._in_parts(partial(self.switching.predict, return_std=return_std), archs)

    def predict_interval(self, archs: Any, coverage: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """(low, high), each (n,): intervals that hold the true target with probability ``coverage``.

        Conformal, from out-of-fold residuals: the promise holds for architectures drawn like the training
        ones, on average over them. Each is at least as wide as the residuals of the twenty labels ask for whose
        held-out predictions are nearest, so that it also holds, nearly, for the best of many. An untrained surrogate
        refuses: it knows no scale.
        """
        low, high = self._in_parts(partial(self.switching.predict_interval, coverage=coverage), archs)
        return low, high

    def satisfies(
        self,
        archs: Any,
        target: str | None = None,
        *,
        max: float | None = None,
        min: float | None = None,
        confidence: float = 0.9,
    ) -> NDArray[np.bool_]:
        """Which architectures keep a limit, so that of those accepted no more than ``1 - confidence`` break it.

        An architecture is accepted if the one-sided conformal end of its predictive distribution keeps the limit, by
        the residuals of all held-out labels and by those of the labels that are themselves predicted to keep it: those
        that are accepted are picked, and may be predicted worse than others. Where few labels are predicted to keep it,
        every large residual is taken to be theirs. It does not depend on which other architectures are asked about. The
        promise is one of the average over architectures drawn like the training ones, and from few labels it rests on
        the predicted spread.

        Parameters
        ----------
        archs : n architectures in any form the space reads
        target : str, optional
            What the limit is one of. A surrogate has one target: where that has a name (``y`` was a Series), another
            name is an error.
        max, min : float
            The greatest or the least target that is let pass, in its unit; one of them.
        confidence : float, default=0.9
            Between 0 and 1.

        Returns
        -------
        (n,) bool

        Raises
        ------
        InvalidInputError
            For another target, none or two limits, a confidence out of range, an untrained surrogate.
        SurronasError
            For a surrogate whose file was written by an earlier version.

        Examples
        --------
        >>> import surronas as sn
        >>> table = sn.load_benchmark("analog_nasbench")
        >>> train, test = table.split(n_train=60, random_state=0)
        >>> y = table.targets["baseline_accuracy"]
        >>> model = sn.fit_predictor(
        ...     table.archs[train], y.iloc[train], space=table.space, predictor="linear", random_state=0
        ... )
        >>> good = model.satisfies(table.archs[test], "baseline_accuracy", min=90, confidence=0.9)
        >>> bool((y.iloc[test][good] >= 90).mean() >= 0.9)
        True
        """
        if target is not None and self.target is not None and target != self.target:
            raise InvalidInputError(
                f"The 'target' parameter of satisfies must be {self.target!r}, which this surrogate was fitted to. "
                f"Got {target!r} instead."
            )
        limits = [(sign, limit) for sign, limit in ((1, max), (-1, min)) if limit is not None]
        if len(limits) != 1 or not np.isfinite(limits[0][1]):
            raise InvalidInputError(
                f"One of 'max' and 'min' of satisfies must be a finite number. Got max={max!r} and min={min!r}."
            )
        if not isinstance(confidence, (int, float, np.floating)) or not 0 < confidence < 1:
            raise InvalidInputError(
                f"The 'confidence' parameter of satisfies must be between 0 and 1. Got {confidence!r} instead."
            )
        sign, limit = limits[0]
        accepted = self.switching.satisfies(self._canonical(archs), float(limit), sign, float(confidence))
        return np.asarray(accepted, dtype=bool)

    def diagnose(self, random_state: RandomState = 0) -> Diagnosis:
        """How far this surrogate can be trusted, from its own held-out predictions.

        - ``tau``: Kendall's, of predictions by models that had not seen the architecture.
        - ``coverage``, ``coverage_top``: the share of held-out targets inside their 90 % interval, its width from the
          residuals of the other folds; of all, and of the quarter predicted largest.
        - ``sharpness``: the mean width of these intervals over the range that holds the middle 90 % of the labels.
        - ``beyond_labels``: the share of 1,000 architectures drawn from the space that are farther from the nearest
          label, in the standardised features of the heaviest member, than 95 % of the labels are from theirs.
        - ``mean``: the share of the held-out variance that is explained. ``cost_linear``, ``untrained``: tau, on the
          same folds, of a line through the costs and of what orders the space without labels; either does as well if it
          is within 1.645 standard errors (bootstrap) of the surrogate.
        - ``learning``: tau at twice the labels, by a power law of 1 - tau through what the members have with a quarter,
          half and all of the other folds' labels. Members are refitted for it, twice on each fold.

        Parameters
        ----------
        random_state : int, RandomState or None, default=0
            Of the architectures drawn, the bootstrap and the subsamples.

        Returns
        -------
        Diagnosis
            ``print`` it, or read its ``frame``. A saved surrogate says the same.

        Raises
        ------
        InvalidInputError
            For an untrained surrogate.
        SurronasError
            For one whose file was written by an earlier version, which kept no held-out predictions.
        """
        return diagnose(self.switching, random_state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that ``load_predictor`` reads: JSON, arrays and skops parts, no pickle.

        Raises
        ------
        SurronasError
            When a predictor, an encoder or the space is none that ``load_predictor`` could restore.
        """
        write_surrogate(path, self.space, self.switching, self.target)

    def _canonical(self, archs: Any) -> Any:
        return self.space.canonical(self.space.parse(archs))

    def _in_parts(self, predict: Callable[[Any], Any], archs: Any) -> Any:
        """What ``predict`` says, of some at a time: the features of half a million architectures take gigabytes."""
        X = self._canonical(archs)
        if len(X) <= _ROWS:
            return predict(X)
        parts = [predict(X[start : start + _ROWS]) for start in range(0, len(X), _ROWS)]
        if isinstance(parts[0], tuple):
            return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return np.concatenate(parts)

    def __repr__(self) -> str:
        if isinstance(self.switching, Untrained):
            return f"<Surrogate of {self.space.name!r}, {self.selection_['reason'].iloc[0]}>"
        members = " + ".join(f"{weight:.2f} {c.name}" for c, _, weight in self.switching.members_)
        return f"<Surrogate of {self.space.name!r}, {len(self.switching.y_)} labels: {members}>"


def load_predictor(path: str | os.PathLike[str]) -> Surrogate:
    """Read what ``Surrogate.save`` wrote. No code in the file is ever run.

    Raises
    ------
    InvalidFileError
        When the file is missing, damaged, of another kind or newer version, or holds anything but arrays
        and fitted models of registered predictors.
    """
    return Surrogate(*read_surrogate(path))
