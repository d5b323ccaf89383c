"""The file of a surrogate: a zip of JSON, arrays and skops parts, no pickle."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray

from surronas.encoders import Encoder, encoder_name, get_encoder
from surronas.exceptions import InvalidFileError, SurronasError
from surronas.io import check_size, read_archive, write_archive
from surronas.predictors import Predictor, list_predictors, predictor_class, predictor_name
from surronas.selection import AdaptiveSwitching, Candidate, HeldOut, Untrained
from surronas.selection.switching import RECORD
from surronas.spaces import SearchSpace, space_from_spec

__all__ = ["read_surrogate", "write_surrogate"]

_KIND, _VERSION = "surronas surrogate", 1
_ABOVE = {"MetaPrior": "surronas.meta.prior"}  # encoders that are not registered, by class: where they are


def write_surrogate(
    path: str | os.PathLike[str], space: SearchSpace, switching: AdaptiveSwitching | Untrained, target: str | None
) -> None:
    """Write a file that ``read_surrogate`` reads.

    Raises
    ------
    SurronasError
        When a predictor, an encoder or the space is none that could be restored.
    """
    spec = space.to_spec()
    if not _restores(spec, space):
        raise SurronasError(
            f"Only plain spaces and registered ones can be saved. {space!r} is not what its description gives."
        )
    members, parts = ([], {}) if isinstance(switching, Untrained) else _write_members(switching)
    given, kinds, regressors = {}, {}, {}
    for name, encoder in (switching.encoders or {}).items():
        given[name], arrays = encoder.to_state(space)
        kinds[name] = encoder_name(encoder)
        parts[f"{name}.npz"] = _npz(arrays)
        regressors[name] = [(task, predictor_name(model)) for task, model in encoder.regressors().items()]
        parts |= {f"{name}{i}.skops": _dumps(model) for i, model in enumerate(encoder.regressors().values())}
    record = switching.selection_.astype(object)
    manifest = {
        "space": spec,
        "target": target,
        "untrained": switching.name if isinstance(switching, Untrained) else None,
        "log": isinstance(switching, AdaptiveSwitching) and switching.log,
        "members": members,
        "encoders": given,
        "kinds": kinds,
        "regressors": regressors,
        "selection": record.where(record.notna(), None).to_dict("list"),
    }
    write_archive(path, _KIND, _VERSION, manifest, parts)


def read_surrogate(
    path: str | os.PathLike[str],
) -> tuple[SearchSpace, AdaptiveSwitching | Untrained, str | None]:
    """Space, what was chosen, and the target's name. No code in the file is ever run.

    Raises
    ------
    InvalidFileError
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
        parts[f"member{i}.skops"] = _dumps(model)
        members.append({"encoder": candidate.encoder, "predictor": candidate.predictor_name, "weight": weight})
    return members, parts


def _dumps(model: Predictor) -> bytes:
    """The skops part of a fitted model of a registered predictor."""
    name = predictor_name(model)
    if name not in list_predictors() or predictor_class(name) is not type(model):
        raise SurronasError(f"Only registered predictors can be saved. {name} is not registered.")
    content: bytes = skops.io.dumps(model)
    foreign = _foreign_types(content, type(model))
    if foreign:
        raise SurronasError(f"The predictor {name!r} cannot be saved: it holds {foreign[0]}.")
    return content


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _restore(
    head: dict[str, Any], parts: dict[str, bytes]
) -> tuple[SearchSpace, AdaptiveSwitching | Untrained, str | None]:
    space = space_from_spec(head["space"])
    for name, content in parts.items():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_size(archive, name)
    given = {name: _read_encoder(name, head, parts) for name in head.get("encoders", {})}
    target = head.get("target")
    if not (target is None or isinstance(target, str)):
        raise InvalidFileError(f"The 'target' must be a name. Got {target!r}.")
    if head.get("untrained") is not None:
        return space, Untrained(space, head["untrained"], given), target
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
    log = bool(head.get("log", False))
    switching = AdaptiveSwitching.restore(space, y, scores, members, encoders, selection, given, held_out, log)
    return space, switching, target


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


def _read_encoder(name: str, head: dict[str, Any], parts: dict[str, bytes]) -> Encoder:
    """An unfitted encoder that was given by name."""
    described = head.get("regressors", {}).get(name, [])  # files of version 0.1.0 have none
    regressors = {
        str(task): _read_model(parts[f"{name}{i}.skops"], predictor) for i, (task, predictor) in enumerate(described)
    }
    kind = head.get("kinds", {}).get(name, name)
    home = _ABOVE.get(kind)
    encoder = getattr(import_module(home), kind) if home else type(get_encoder(kind))
    with np.load(io.BytesIO(parts[f"{name}.npz"]), allow_pickle=False) as arrays:
        return encoder.from_state(head["encoders"][name], dict(arrays), regressors)


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
