"""MetaD2A: from a data set to architectures, by what was learnt on many others.

>>> from surronas.meta import draw_task
>>> draw_task(1, "digits").name
'digits 2 3 4 9 1 6 0 7, channels brg, noise 20'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from surronas.lazy import on_first_use

# Where each public name lives; imported on first use, so that the command line stays quick.
_HOMES = {
    "Episode": "surronas.meta.database",
    "GraphGenerator": "surronas.meta.generator",
    "MetaDatabase": "surronas.meta.database",
    "MetaD2A": "surronas.meta.metad2a",
    "MetaPredictor": "surronas.meta.predictor",
    "MetaRecipe": "surronas.meta.recipe",
    "SetEncoder": "surronas.meta.set_encoder",
    "Task": "surronas.meta.tasks",
    "Variation": "surronas.meta.variation",
    "build_database": "surronas.meta.database",
    "draw_task": "surronas.meta.tasks",
    "draw_view": "surronas.meta.tasks",
    "fisher_distances": "surronas.meta.distances",
    "fisher_information": "surronas.meta.distances",
    "image_features": "surronas.meta.features",
    "nearest_tasks": "surronas.meta.retrieval",
    "retrieve": "surronas.meta.retrieval",
    "set_distances": "surronas.meta.distances",
    "train_metad2a": "surronas.meta.training",
}

__all__ = [
    "Episode",
    "GraphGenerator",
    "MetaD2A",
    "MetaDatabase",
    "MetaPredictor",
    "MetaRecipe",
    "SetEncoder",
    "Task",
    "Variation",
    "build_database",
    "draw_task",
    "draw_view",
    "fisher_distances",
    "fisher_information",
    "image_features",
    "nearest_tasks",
    "retrieve",
    "set_distances",
    "train_metad2a",
]

if TYPE_CHECKING:
    from surronas.meta.database import Episode, MetaDatabase, build_database
    from surronas.meta.distances import fisher_distances, fisher_information, set_distances
    from surronas.meta.features import image_features
    from surronas.meta.generator import GraphGenerator
    from surronas.meta.metad2a import MetaD2A
    from surronas.meta.predictor import MetaPredictor
    from surronas.meta.recipe import MetaRecipe
    from surronas.meta.retrieval import nearest_tasks, retrieve
    from surronas.meta.set_encoder import SetEncoder
    from surronas.meta.tasks import Task, draw_task, draw_view
    from surronas.meta.training import train_metad2a
    from surronas.meta.variation import Variation

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
