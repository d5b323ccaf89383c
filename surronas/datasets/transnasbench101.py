"""TransNAS-Bench-101: 4,096 cells trained for seven vision tasks on the same images."""

from __future__ import annotations

import numpy as np

from surronas.datasets import register_benchmark
from surronas.datasets.sources import choose_dataset, drop_impossible, info_of, read_by_arch
from surronas.datasets.table import BenchmarkTable, Target
from surronas.spaces.transnasbench101_micro import TransNASBench101Micro

_FILE = "transnasbench101/micro_alltasks_val.csv"
_TARGETS = {
    "class_scene": Target("class_scene_val_accuracy", "%", True, "accuracy", "Scene classification, 47 classes, top 1"),
    "class_object": Target(
        "class_object_val_accuracy", "%", True, "accuracy", "Object classification, 75 classes, top 1"
    ),
    "jigsaw": Target("jigsaw_val_accuracy", "%", True, "accuracy", "Which of 1,000 permutations of nine tiles, top 1"),
    "segmentsemantic": Target("segmentsemantic_val_accuracy", "%", True, "accuracy", "Pixels of the right class of 17"),
    "normal": Target("normal_val_ssim", "", True, "accuracy", "Surface normals, structural similarity (at most 1)"),
    "autoencoder": Target("autoencoder_val_ssim", "", True, "accuracy", "The image itself, structural similarity"),
    "room_layout": Target("room_layout_val_loss", "", False, "loss", "Nine numbers of the room's shape, squared error"),
}
_NOTES = (
    "Validation metrics at the last epoch as NASLib queries them, one training run each, on Taskonomy images. "
    "room_layout_val_loss is the file's negated loss with its sign turned. 2,994 of the 4,096 rows are distinct: some "
    "cells of one canonical form share a run, others have runs of their own, whose standard deviation is 0.3 points in "
    "class_scene and 1.2 in jigsaw on average; split(unique=True) takes one row of each of the 1,376 forms. The 169 "
    "cells without a path from input to output can learn only a constant, and are kept as measured; 280 others are "
    "below them in class_object, 377 in segmentsemantic."
)
# What a guess has, of 1,000 permutations.
_CHANCE_IN_JIGSAW = 0.1


@register_benchmark("transnasbench101")
def load(dataset: str | None = None) -> BenchmarkTable:
    """All cells of the micro space in the order of ``enumerate``, one target a task."""
    dataset = choose_dataset("transnasbench101", dataset, ("taskonomy",), default="taskonomy")
    space = TransNASBench101Micro()
    archs = space.enumerate()
    targets = read_by_arch(_FILE, "arch", [str(tuple(row)) for row in archs.tolist()], list(_TARGETS))
    targets = targets.rename(columns={task: target.name for task, target in _TARGETS.items()})
    targets["room_layout_val_loss"] *= -1
    connected = space.canonical(archs).any(axis=1)
    jigsaw = targets["jigsaw_val_accuracy"]
    diverged = connected & (jigsaw < _CHANCE_IN_JIGSAW).to_numpy()
    targets.loc[diverged, jigsaw.name] = np.nan
    described = list(_TARGETS.values())
    notes = (
        f"{_NOTES} Diverged runs set to missing: {diverged.sum()} of {jigsaw.name} (a connected cell below chance). "
        f"{drop_impossible(targets, described)}"
    )
    return BenchmarkTable(
        "transnasbench101", space, archs, targets, described, info_of([_FILE], notes.strip()), dataset
    )
