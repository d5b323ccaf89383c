"""Supernets in files: one safetensors file with weights, the space, and a card that says where they come from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import write_atomic
from surronas.spaces import space_from_spec
from surronas.spaces.mbconv import MBConv
from surronas.supernet.network import SuperNet

__all__ = ["fingerprint", "load_supernet", "read_card", "save_supernet"]

_KEY, _VERSION = "surronas", 1  # one key: the order of several is not fixed, and equal supernets make equal files


def save_supernet(path: str | os.PathLike[str], supernet: SuperNet, card: Mapping[str, Any] | None = None) -> None:
    """Write a file that ``load_supernet`` reads: all parameters and buffers, bit for bit, and the space.

    Parameters
    ----------
    path : str or path-like
        The file is whole or absent, whenever the writer is killed.
    supernet : SuperNet
    card : mapping, optional
        What a user of the weights should know, as JSON can hold it: data, recipe, command, figures. ``class_names``,
        where it is there, has ``num_classes`` names.

    Raises
    ------
    InvalidInputError
        When the card is nothing that JSON can hold, or the supernet none that could be loaded again.
    """
    head = {
        "version": _VERSION,
        "space": supernet.space.to_spec(),
        "num_classes": supernet.num_classes,
        "in_channels": supernet.in_channels,
        "largest": [int(gene) for gene in supernet.largest],
        "card": dict(card or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in supernet.state_dict().items()}
    try:
        text = json.dumps(head, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"The 'card' of save_supernet, and the supernet's space, must be what JSON can hold: {error}."
        ) from error
    try:
        _assemble(json.loads(text), tensors)
    except InvalidFileError as error:
        raise InvalidInputError(f"The 'supernet' of save_supernet could not be loaded again: {error}.") from error
    write_atomic(path, to_bytes(tensors, {_KEY: text}))


def load_supernet(path: str | os.PathLike[str]) -> SuperNet:
    """Read what ``save_supernet`` wrote, in evaluation mode. Nothing in the file is ever run.

    Raises
    ------
    InvalidFileError
        When the file is missing, damaged, of another kind or of a newer version, or its tensors are not those of a
        supernet of its space, all finite.
    """
    with _opened(path) as (head, file):
        return _assemble(head, {name: file.get_tensor(name).clone() for name in file.keys()})  # noqa: SIM118


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The card of a file that ``save_supernet`` wrote; the weights are not read.

    Raises
    ------
    InvalidFileError
        As ``load_supernet``.
    """
    with _opened(path) as (head, _):
        return dict(head["card"])


def fingerprint(supernet: nn.Module) -> str:
    """What tells these weights from others: the sha256 of all parameters and buffers."""
    digest = hashlib.sha256()
    for part in supernet.state_dict().values():
        digest.update(part.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], Any]]:
    """The file's head and its tensors; whatever goes wrong with them is an error that names the file."""
    name = os.fspath(path)
    if not Path(name).is_file():
        raise InvalidFileError(f"There is no file {name!r}.")
    try:
        with safe_open(name, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            if text is None:
                raise InvalidFileError("it does not describe its space")
            head = json.loads(text)
            if not isinstance(head["version"], int) or head["version"] > _VERSION:
                raise InvalidFileError(
                    f"it has format version {head['version']!r}; this library reads up to {_VERSION}"
                )
            yield head, file
    except Exception as error:  # a hostile head may break whatever reads it
        said = str(error).rstrip(".") if isinstance(error, SurronasError) else repr(error)
        raise InvalidFileError(f"{name!r} is not a whole supernet: {said}.") from error


def _assemble(head: Mapping[str, Any], tensors: dict[str, Tensor]) -> SuperNet:
    """The supernet that the head describes, with these tensors as its parameters and buffers."""
    names = head["card"].get("class_names")
    if names is not None and len(names) != head["num_classes"]:
        raise InvalidFileError(f"its card names {len(names)} classes of {head['num_classes']}")
    with torch.device("meta"):  # nothing is allocated, and no random number drawn
        space = _space(head["space"], len(tensors))
        supernet = SuperNet(space, head["num_classes"], head["in_channels"], largest=head["largest"])
    expected = supernet.state_dict()
    if tensors.keys() != expected.keys():
        name = min(tensors.keys() ^ expected.keys())
        raise InvalidFileError(
            f"it has {name!r}, which a supernet of its space has not"
            if name in tensors
            else f"it lacks {name!r}, which a supernet of its space has"
        )
    for name, tensor in tensors.items():
        wanted = expected[name]
        if (tensor.shape, tensor.dtype) != (wanted.shape, wanted.dtype):
            raise InvalidFileError(
                f"{name!r} must be {wanted.dtype} of shape {tuple(wanted.shape)} in its space. "
                f"Got {tensor.dtype} of shape {tuple(tensor.shape)}"
            )
        if not tensor.isfinite().all():
            raise InvalidFileError(f"{name!r} has values that are not finite")
    supernet.load_state_dict(tensors, assign=True)
    return supernet.eval()


def _space(spec: Any, n_tensors: int) -> MBConv:
    deepest = sum(max(stage["depths"]) for stage in spec["parameters"]["stages"])
    if deepest > n_tensors:  # before a space of a billion genes is made
        raise InvalidFileError(f"its space has {deepest} blocks, but there are only {n_tensors} tensors")
    space = space_from_spec(spec)
    if not isinstance(space, MBConv):
        raise InvalidFileError(f"its space {space.name!r} is none of supernets")
    return space
