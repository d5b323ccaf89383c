"""The state of a training in a file: continued by the same training only, damage found, never half written."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.spaces.reading import short
from surronas.supernet.processes import from_process_0
from surronas.supernet.recipe import Recipe
from surronas.supernet.training import Trainer

__all__ = ["Checkpoint"]


class Checkpoint:
    """All that the rest of a training depends on, in one file.

    Parameters
    ----------
    path : Path
    trainer : Trainer
    images : ImageData
        What it trains on.
    origin : str, optional
        What tells the weights that the training began with from others; by default they follow from the seed.
    """

    def __init__(self, path: Path, trainer: Trainer, images: ImageData, origin: str | None = None) -> None:
        self.path, self.trainer = path, trainer
        self.identity = {
            "recipe": asdict(trainer.recipe),
            "space": trainer.supernet.space.to_spec(),
            "images": _fingerprint(images),
            "world": trainer.world,
            "origin": origin,
        }

    def save(self) -> None:
        """Write the file; whenever the writer is killed, there is the old one or the new."""
        trainer = self.trainer
        names = {id(part): name for name, part in trainer.supernet.named_parameters()}
        momentum = {names[id(p)]: state["momentum_buffer"] for p, state in trainer.optimizer.state.items() if state}
        state = {
            **{key: value if key == "world" else json.dumps(value) for key, value in self.identity.items()},
            "step": trainer.step,
            "seconds": trainer.seconds / trainer.world,
            "losses": trainer.losses,
            "supernet": trainer.supernet.state_dict(),
            "average": trainer.average,
            "momentum": momentum,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self.path, buffer.getvalue())

    def restore(self) -> bool:
        """Put the trainer where ``save`` left off; False when there is no file. Process 0 reads it for all.

        Raises
        ------
        InvalidInputError
            When it belongs to another training; the text says what differs.
        InvalidFileError
            When it is damaged.
        """
        state = from_process_0(lambda: self._read() if self.path.is_file() else None)
        if state is None:
            return False
        trainer = self.trainer
        try:
            trainer.supernet.load_state_dict(state["supernet"])
            trainer.average = {name: state["average"][name] for name in trainer.average}
            trainer.optimizer.state.clear()
            for name, part in trainer.supernet.named_parameters():
                if name in state["momentum"]:
                    trainer.optimizer.state[part]["momentum_buffer"] = state["momentum"][name]
            trainer.step, trainer.seconds = state["step"], state["seconds"] * trainer.world
            trainer.losses = [tuple(losses) for losses in state["losses"]]
        except (KeyError, TypeError, RuntimeError) as error:
            raise self._damaged(error) from error
        return True

    def _read(self) -> dict[str, Any]:
        try:
            content = self.path.read_bytes()
            broken = zipfile.ZipFile(io.BytesIO(content)).testzip()  # torch does not look at the checksums
            if broken:
                raise InvalidFileError(f"{broken!r} does not have its checksum")
            state = torch.load(io.BytesIO(content), weights_only=True)
            there = {key: json.loads(state[key]) for key in ("recipe", "space", "images", "origin") if key in state}
            there |= {"recipe": asdict(Recipe(**there["recipe"])), "world": state["world"]}
        except Exception as error:  # what a damaged file raises depends on where the damage is
            raise self._damaged(error) from error
        here = _flat({key: self.identity[key] for key in there})
        differing = [
            f"{key} is {short(was, 60)} there, {short(here.get(key), 60)} here"
            for key, was in _flat(there).items()
            if was != here.get(key)
        ]
        if differing:
            raise InvalidInputError(
                f"The folder {self.path.parent} holds another training: {'; '.join(differing)}. Go on with what it "
                "began with, or choose another folder."
            )
        return dict(state)

    def _damaged(self, error: Exception) -> InvalidFileError:
        return InvalidFileError(
            f"The checkpoint {self.path} is damaged, or none of this library: {str(error).rstrip('.')}. "
            "Put a copy in its place, or remove it to begin anew."
        )


def _fingerprint(images: ImageData) -> dict[str, Any]:
    """What tells images apart: two data sets with the same mean and deviation to the last digit are the same."""
    mean, std = images.normalization
    return {
        "name": images.name,
        "shape": list(images.images.shape[1:]),
        "sizes": {split: len(rows) for split, rows in images.indices.items()},
        "mean": mean.tolist(),
        "std": std.tolist(),
        "class_names": list(images.class_names),
    }


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of nested mappings, as JSON has them, by their dotted names; ``world`` by its plain one."""
    leaves: dict[str, Any] = {}
    for key, value in json.loads(json.dumps(tree)).items():
        name = "number of processes" if key == "world" else key
        below = _flat(value) if isinstance(value, dict) else {}
        leaves |= {f"{name}.{k}": v for k, v in below.items()} or {name: value}
    return leaves
