"""Supernets: elastic networks, their training, evaluation and adaptation, and the shipped weights.

>>> from surronas.supernet import SuperNet, list_pretrained
>>> list_pretrained()
['mbconv-cifar10']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each public name lives; imported on first use, so that the command line stays quick.
_HOMES = {
    "Recipe": "surronas.supernet.recipe",
    "SuperNet": "surronas.supernet.network",
    "SupernetEvaluator": "surronas.supernet.evaluator",
    "Trainer": "surronas.supernet.training",
    "adapt": "surronas.supernet.adaptation",
    "calibrate": "surronas.supernet.calibration",
    "deployed": "surronas.spaces.networks.folding",
    "find_pretrained": "surronas.supernet.pretrained",
    "list_pretrained": "surronas.supernet.pretrained",
    "load_pretrained": "surronas.supernet.pretrained",
    "load_supernet": "surronas.supernet.weights",
    "measure_latency": "surronas.transfer.latency",
    "new_head": "surronas.supernet.adaptation",
    "read_card": "surronas.supernet.weights",
    "save_supernet": "surronas.supernet.weights",
    "sort_channels": "surronas.supernet.sorting",
    "train": "surronas.supernet.run",
}

__all__ = [
    "Recipe",
    "SuperNet",
    "SupernetEvaluator",
    "Trainer",
    "adapt",
    "calibrate",
    "deployed",
    "find_pretrained",
    "list_pretrained",
    "load_pretrained",
    "load_supernet",
    "measure_latency",
    "new_head",
    "read_card",
    "save_supernet",
    "sort_channels",
    "train",
]

if TYPE_CHECKING:
    from surronas.spaces.networks.folding import deployed
    from surronas.supernet.adaptation import adapt, new_head
    from surronas.supernet.calibration import calibrate
    from surronas.supernet.evaluator import SupernetEvaluator
    from surronas.supernet.network import SuperNet
    from surronas.supernet.pretrained import find_pretrained, list_pretrained, load_pretrained
    from surronas.supernet.recipe import Recipe
    from surronas.supernet.run import train
    from surronas.supernet.sorting import sort_channels
    from surronas.supernet.training import Trainer
    from surronas.supernet.weights import load_supernet, read_card, save_supernet
    from surronas.transfer.latency import measure_latency


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'surronas.supernet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
