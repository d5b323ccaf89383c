"""What ``fit_predictor`` returns."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from surronas.encoders import get_encoder
from surronas.exceptions import InvalidFileError, SurronasError
from surronas.io import read_archive, write_archive
from surronas.predictors import Predictor, list_predictors, predictor_class
from surronas.predictors.base import FloatArray
from surronas.selection import AdaptiveSwitching, Candidate
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
        """Write a file that ``load_predictor`` reads: JSON, arrays and skops parts, no pickle."""
        switching = self.switching
        arrays = io.BytesIO()
        np.savez(arrays, y=switching.y_, conformal=switching.conformal_.scores)
        parts = {"arrays.npz": arrays.getvalue()}
        members = []
        for i, (candidate, model, weight) in enumerate(switching.members_):
            parts[f"member{i}.skops"] = skops.io.dumps(model)
            members.append({"encoder": candidate.encoder, "predictor": candidate.predictor_name, "weight": weight})
        foreign = {m["predictor"] for m in members} - set(list_predictors())
        if foreign:
            raise SurronasError(f"Only registered predictors can be saved. {sorted(foreign)[0]} is not registered.")
        selection = json.loads(switching.selection_.to_json(orient="split", double_precision=15))
        manifest = {"space": self.space.to_spec(), "members": members, "selection": selection}
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
        space = space_from_spec(head["space"])
        with np.load(io.BytesIO(parts["arrays.npz"]), allow_pickle=False) as arrays:
            y, scores = arrays["y"], arrays["conformal"]
        members = []
        for i, member in enumerate(head["members"]):
            model = _read_model(parts[f"member{i}.skops"], member["predictor"])
            members.append((Candidate(member["encoder"], model), model, float(member["weight"])))
        selection = pd.DataFrame(**head["selection"])
        one = space.canonical(space.sample(1, random_state=0))
        encoders = {c.encoder: get_encoder(c.encoder, space=space).fit(one) for c, _, _ in members}
    except SurronasError:
        raise
    except Exception as error:
        raise InvalidFileError(f"{os.fspath(path)!r} is not a whole surrogate: {error!r}.") from error
    return Surrogate(space, AdaptiveSwitching.restore(space, y, scores, members, encoders, selection))


def _read_model(content: bytes, name: str) -> Predictor:
    """A fitted model of the registered predictor ``name`` from a skops part that holds nothing else foreign."""
    wanted = predictor_class(name)
    trusted = f"{wanted.__module__}.{wanted.__qualname__}"
    foreign = sorted(set(skops.io.get_untrusted_types(data=content)) - {trusted})
    if foreign:
        raise InvalidFileError(f"The part of predictor {name!r} holds {foreign[0]}, which is not loaded from a file.")
    model = skops.io.loads(content, trusted=[trusted])
    if type(model) is not wanted:
        raise InvalidFileError(f"The part of predictor {name!r} holds a {type(model).__name__}.")
    return model
