"""What ``fit_predictor`` returns."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from surronas.encoders import Encoder, get_encoder
from surronas.exceptions import InvalidFileError, SurronasError
from surronas.io import check_size, read_archive, write_archive
from surronas.predictors import Predictor, list_predictors, predictor_class
from surronas.predictors.base import FloatArray
from surronas.selection import AdaptiveSwitching, Candidate
from surronas.selection.switching import RECORD
from surronas.spaces import SearchSpace, space_from_spec

__all__ = ["Surrogate", "load_predictor"]

_KIND, _VERSION = "surronas surrogate", 1


class Surrogate:
    """A fitted surrogate: a space, the chosen encoders and predictors, calibration, and how they were chosen.

    Attributes
    ----------
    space : SearchSpace
    selection_ : DataFrame
        Every candidate: encoder, predictor, out-of-fold tau, cost in seconds, weight, status, reason.
    """

    def __init__(self, space: SearchSpace, switching: AdaptiveSwitching) -> None:
        self.space = space
        self.switching = switching

    @property
    def selection_(self) -> pd.DataFrame:
        return self.switching.selection_.copy()

    def predict(self, archs: Any, return_std: bool = False) -> Any:
        """Predict the target of architectures.

        Parameters
        ----------
        archs : n architectures in any form the space reads
        return_std : bool, default=False

        Returns
        -------
        mean : (n,) float64, in the unit of the training targets
        std : (n,) float64, only with ``return_std``

        Raises
        ------
        InvalidInputError
            Naming the row that is no architecture of the space.
        """
        return self.switching.predict(self._canonical(archs), return_std=return_std)

    def predict_interval(self, archs: Any, coverage: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """(low, high), each (n,): intervals that hold the true target with probability ``coverage``.

        Conformal, from out-of-fold residuals: the promise holds for architectures drawn like the training
        ones, on average over them.
        """
        return self.switching.predict_interval(self._canonical(archs), coverage)

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
        arrays = io.BytesIO()
        np.savez(arrays, y=switching.y_, conformal=switching.conformal_.scores)
        parts = {"arrays.npz": arrays.getvalue()}
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
        given = {}
        for name, encoder in (switching.encoders or {}).items():
            given[name], content_of = encoder.to_state(self.space)
            arrays = io.BytesIO()
            np.savez(arrays, **content_of)  # type: ignore[arg-type]
            parts[f"{name}.npz"] = arrays.getvalue()
        record = switching.selection_.astype(object)
        selection = record.where(record.notna(), None).to_dict("list")
        manifest = {"space": spec, "members": members, "encoders": given, "selection": selection}
        write_archive(path, _KIND, _VERSION, manifest, parts)

    def _canonical(self, archs: Any) -> Any:
        return self.space.canonical(self.space.parse(archs))

    def __repr__(self) -> str:
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


def _restore(head: dict[str, Any], parts: dict[str, bytes]) -> Surrogate:
    space = space_from_spec(head["space"])
    for name, content in parts.items():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_size(archive, name)
    with np.load(io.BytesIO(parts["arrays.npz"]), allow_pickle=False) as arrays:
        y, scores = arrays["y"], arrays["conformal"]
    good = {y.dtype, scores.dtype} == {np.dtype(np.float64)} and y.shape == scores.shape == (y.size,)
    if not good or len(y) < 2 or not np.isfinite([y, scores]).all() or (scores < 0).any():
        raise InvalidFileError("The arrays 'y' and 'conformal' must be finite float64 of one length, scores >= 0.")
    one = space.canonical(space.sample(1, random_state=0))
    given = {name: _read_encoder(name, state, parts[f"{name}.npz"]) for name, state in head.get("encoders", {}).items()}
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
    return Surrogate(space, AdaptiveSwitching.restore(space, y, scores, members, encoders, selection, given))


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
