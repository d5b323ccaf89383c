"""What ``fit_predictor`` returns."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray

from surronas.encoders import Encoder, get_encoder
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import check_size, read_archive, write_archive
from surronas.predictors import Predictor, list_predictors, predictor_class
from surronas.predictors.base import FloatArray
from surronas.selection import AdaptiveSwitching, Candidate, Diagnosis, HeldOut, Untrained, diagnose
from surronas.selection.switching import RECORD
from surronas.spaces import SearchSpace, space_from_spec
from surronas.spaces.base import RandomState

__all__ = ["Surrogate", "load_predictor"]

_KIND, _VERSION = "surronas surrogate", 1
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
        ones, on average over them. An untrained surrogate refuses: it knows no scale.
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
        switching = self.switching
        spec = self.space.to_spec()
        if not _restores(spec, self.space):
            raise SurronasError(
                f"Only plain spaces and registered ones can be saved. {self.space!r} is not what its description gives."
            )
        members, parts = ([], {}) if isinstance(switching, Untrained) else _write_members(switching)
        given = {}
        for name, encoder in (switching.encoders or {}).items():
            given[name], content_of = encoder.to_state(self.space)
            parts[f"{name}.npz"] = _npz(content_of)
        record = switching.selection_.astype(object)
        selection = record.where(record.notna(), None).to_dict("list")
        manifest = {
            "space": spec,
            "target": self.target,
            "untrained": switching.name if isinstance(switching, Untrained) else None,
            "members": members,
            "encoders": given,
            "selection": selection,
        }
        write_archive(path, _KIND, _VERSION, manifest, parts)

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
    head, parts = read_archive(path, _KIND, _VERSION)
    try:
        return _restore(head, parts)
    except SurronasError as error:
        error.add_note(f"while reading {os.fspath(path)!r}")
        raise
    except Exception as error:
        raise InvalidFileError(f"{os.fspath(path)!r} is not a whole surrogate: {error!r}.") from error


def _write_members(switching: AdaptiveSwitching) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What the manifest says of the chosen predictors, and the parts that hold them and the labels."""
    held_out = {} if switching.held_out_ is None else vars(switching.held_out_)
    parts = {"arrays.npz": _npz({"y": switching.y_, "conformal": switching.conformal_.scores, **held_out})}
    members = []
    for i, (candidate, model, weight) in enumerate(switching.members_):
        name = candidate.predictor_name
        if name not in list_predictors() or predictor_class(name) is not type(model):
            raise SurronasError(f"Only registered predictors can be saved. {name} is not registered.")
        content = skops.io.dumps(model)
        foreign = _foreign_types(content, type(model))
        if foreign:
            raise SurronasError(f"The predictor {name!r} cannot be saved: it holds {foreign[0]}.")
        parts[f"member{i}.skops"] = content
        members.append({"encoder": candidate.encoder, "predictor": name, "weight": weight})
    return members, parts


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _restore(head: dict[str, Any], parts: dict[str, bytes]) -> Surrogate:
    space = space_from_spec(head["space"])
    for name, content in parts.items():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_size(archive, name)
    given = {name: _read_encoder(name, state, parts[f"{name}.npz"]) for name, state in head.get("encoders", {}).items()}
    target = head.get("target")
    if not (target is None or isinstance(target, str)):
        raise InvalidFileError(f"The 'target' must be a name. Got {target!r}.")
    if head.get("untrained") is not None:
        return Surrogate(space, Untrained(space, head["untrained"], given), target)
    with np.load(io.BytesIO(parts["arrays.npz"]), allow_pickle=False) as arrays:
        y, scores = arrays["y"], arrays["conformal"]
        held_out = _read_held_out(space, arrays) if "archs" in arrays else None
    good = {y.dtype, scores.dtype} == {np.dtype(np.float64)} and y.shape == scores.shape == (y.size,)
    if not good or len(y) < 2 or not np.isfinite([y, scores]).all() or (scores < 0).any():
        raise InvalidFileError("The arrays 'y' and 'conformal' must be finite float64 of one length, scores >= 0.")
    if held_out is not None and len(held_out.archs) != len(y):
        raise InvalidFileError("The held-out predictions must be as many as the labels.")
    one = space.canonical(space.sample(1, random_state=0))
    encoders = {m["encoder"]: get_encoder(m["encoder"], given=given, space=space).fit(one) for m in head["members"]}
    members = []
    for i, member in enumerate(head["members"]):
        model = _read_model(parts[f"member{i}.skops"], member["predictor"])
        prediction = model.predict(encoders[member["encoder"]].transform(one), return_std=True)
        if np.shape(prediction) != (2, 1) or not np.isfinite(prediction).all() or not 0 < member["weight"] <= 1:
            raise InvalidFileError(f"The predictor {member['predictor']!r} is none that could have been chosen.")
        members.append((Candidate(member["encoder"], model), model, float(member["weight"])))
    if not members:
        raise InvalidFileError("There is no predictor.")
    record = {"arch_seconds": 0.0} | head["selection"]  # files of version 0.1.0 have none
    selection = pd.DataFrame({name: record[name] for name in RECORD}).astype(RECORD)
    switching = AdaptiveSwitching.restore(space, y, scores, members, encoders, selection, given, held_out)
    return Surrogate(space, switching, target)


def _read_held_out(space: SearchSpace, arrays: Mapping[str, NDArray[Any]]) -> HeldOut:
    archs, fold, mean, std = (arrays[name] for name in ("archs", "fold", "mean", "std"))
    n = len(archs)
    whole = fold.shape == mean.shape == std.shape == (n,) and fold.dtype == archs.dtype == np.dtype(np.int64)
    if not whole or {mean.dtype, std.dtype} != {np.dtype(np.float64)} or not np.isfinite([mean, std]).all():
        raise InvalidFileError(
            "The held-out predictions must be finite float64, of one length with 'archs' and 'fold'."
        )
    if (std <= 0).any():
        raise InvalidFileError("The standard deviations of held-out predictions must be positive.")
    return HeldOut(space.canonical(space.parse(archs)), fold, mean, std)


def _restores(spec: dict[str, Any], space: SearchSpace) -> bool:
    try:
        return space_from_spec(json.loads(json.dumps(spec))) == space
    except (SurronasError, TypeError):
        return False


def _read_encoder(name: str, state: dict[str, Any], content: bytes) -> Encoder:
    """An unfitted encoder that was given by name."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return type(get_encoder(name)).from_state(state, dict(arrays))


def _read_model(content: bytes, name: str) -> Predictor:
    """A fitted model of the registered predictor ``name`` from a skops part that holds nothing else foreign."""
    wanted = predictor_class(name)
    foreign = _foreign_types(content, wanted)
    if foreign:
        raise InvalidFileError(f"The part of predictor {name!r} holds {foreign[0]}, which is not loaded from a file.")
    model = skops.io.loads(content, trusted=[_path_of(wanted)])
    if type(model) is not wanted:
        raise InvalidFileError(f"The part of predictor {name!r} holds a {type(model).__name__}.")
    return model


def _foreign_types(content: bytes, wanted: type[Predictor]) -> list[str]:
    """The types of a skops part that are neither the predictor's own nor ones that skops trusts."""
    return sorted({*skops.io.get_untrusted_types(data=content)} - {_path_of(wanted)})


def _path_of(wanted: type[Predictor]) -> str:
    return f"{wanted.__module__}.{wanted.__qualname__}"
