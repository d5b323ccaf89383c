"""Supernets: elastic networks, their training, evaluation and adaptation, and the shipped weights.

>>> from surronas.supernet import SuperNet, list_pretrained
>>> list_pretrained()
['mbconv-cifar10']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from surronas.lazy import on_first_use

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

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
