"""What a trained supernet's file says of its training."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from surronas.command import command_line
from surronas.datasets.images import ImageData
from surronas.supernet.training import Trainer

__all__ = ["training_card"]


def training_card(trainer: Trainer, images: ImageData) -> dict[str, Any]:
    """Data, recipe, command, cost and versions, as JSON can hold them."""
    return {
        "class_names": list(images.class_names),
        "images": {
            "name": images.name,
            "sizes": {split: len(rows) for split, rows in images.indices.items()},
            **asdict(images.info),
        },
        "recipe": asdict(trainer.recipe),
        "steps": trainer.step,
        "cpu_hours": round(trainer.seconds / 3600, 3),
        "processes": trainer.world,
        "command": command_line(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "surronas": version("surronas"),
        },
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads a process",
    }
