"""MetaD2A's networks in one safetensors file, with the space, their sizes and a card that says where they come from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import write_atomic
from surronas.meta.generator import GraphGenerator
from surronas.meta.graphs import graph_code
from surronas.meta.predictor import MetaPredictor
from surronas.spaces import space_from_spec
from surronas.spaces.base import SearchSpace

__all__ = ["load_networks", "save_networks"]

_KEY, _VERSION, _VECTORS = "surronas meta", 2, "task_vectors"


def save_networks(
    path: str | os.PathLike[str],
    space: SearchSpace,
    predictor: MetaPredictor,
    generator: GraphGenerator,
    task_vectors: Tensor,
    card: Mapping[str, Any],
) -> None:
    """Write a file that ``load_networks`` reads; it is whole or absent, whenever the writer is killed.

    Weights that float16 holds exactly, as ``train_metad2a`` leaves them, are stored so. What is read is what was
    written.

    Raises
    ------
    InvalidInputError
        When the card is nothing that JSON can hold.
    """
    sizes = {
        "n_features": predictor.sets.project.in_features,
        "hidden": predictor.level.in_features,
        "latent": generator.decoder.latent,
    }
    head = {"version": _VERSION, "space": space.to_spec(), "sizes": sizes, "card": dict(card)}
    try:
        text = json.dumps(head, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The card of a MetaD2A must be what JSON can hold: {error}.") from error
    parts = {"predictor": predictor, "generator": generator}
    tensors = {
        f"{name}.{key}": _compact(value.detach())
        for name, model in parts.items()
        for key, value in model.state_dict().items()
    }
    tensors[_VECTORS] = _compact(task_vectors)
    write_atomic(path, to_bytes(tensors, {_KEY: text}))


def load_networks(
    path: str | os.PathLike[str],
) -> tuple[SearchSpace, MetaPredictor, GraphGenerator, Tensor, dict[str, Any]]:
    """Space, networks in evaluation mode, vectors of the tasks, card. Nothing in the file is ever run.

    Raises
    ------
    InvalidFileError
        When the file is missing, damaged, of another kind or of a newer version.
    """
    name = os.fspath(path)
    if not Path(name).is_file():
        raise InvalidFileError(f"There is no file {name!r}.")
    try:
        with safe_open(name, framework="pt") as file:
            head = json.loads((file.metadata() or {})[_KEY])
            if head["version"] != _VERSION:
                raise InvalidFileError(f"it has format version {head['version']!r}; this library reads {_VERSION}")
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise InvalidFileError("it has values that are not finite")
        space = space_from_spec(head["space"])
        code, sizes = graph_code(space), head["sizes"]
        with torch.random.fork_rng(devices=[]):  # the weights that are replaced at once cost the caller no draw
            predictor = MetaPredictor(code.n_types, code.n_vertices, sizes["n_features"], sizes["hidden"])
            generator = GraphGenerator(code.n_types, code.n_vertices, sizes["latent"], sizes["hidden"])
        for prefix, model in (("predictor.", predictor), ("generator.", generator)):
            own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            model.load_state_dict(own)
            model.eval()
        return space, predictor, generator, tensors[_VECTORS], dict(head["card"])
    except Exception as error:  # a hostile head may break whatever reads it
        said = str(error).rstrip(".") if isinstance(error, SurronasError) else repr(error)
        raise InvalidFileError(f"{name!r} holds no whole MetaD2A: {said}.") from error


def _compact(values: Tensor) -> Tensor:
    half = values.half()
    return half.contiguous() if torch.equal(half.float(), values) else values.contiguous()
