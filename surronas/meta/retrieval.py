"""The nearest meta-training tasks of a data set, and what won there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.meta.database import MetaDatabase
from surronas.meta.distances import set_distances
from surronas.meta.metad2a import MetaD2A

__all__ = ["nearest_tasks", "retrieve"]


def nearest_tasks(model: MetaD2A, database: MetaDatabase, images: ImageData, n: int = 10) -> pd.DataFrame:
    """Meta-training tasks whose images are most like these.

    Parameters
    ----------
    model : MetaD2A
        Trained on ``database``.
    database : MetaDatabase
    images : ImageData
        Square; only the training split is looked at.
    n : int, default=10

    Returns
    -------
    DataFrame, the nearest first
        ``task`` (its number in the database), ``distance`` (``set_distances``) and ``name`` (classes and variation).

    Raises
    ------
    InvalidInputError
        When the model was trained on another number of tasks.
    """
    known = model.task_vectors
    if len(known) != len(database.tasks):
        raise InvalidInputError(
            f"The 'model' must be trained on the 'database' of {len(database.tasks)} tasks. Got one that knows "
            f"{len(known)}."
        )
    distance = set_distances(model.vectors(model.look(images)).mean(dim=0, keepdim=True), known)[0]
    tasks = np.argsort(distance, kind="stable")[:n]
    names = []
    for task in tasks:
        view = database.views[database.tasks[task].view]
        every = [f"{source} {name}" for source, of_source in view.classes.items() for name in of_source]
        names.append(", ".join([*(every[k] for k in database.tasks[task].classes), *view.variation.words()]))
    return pd.DataFrame({"task": tasks, "distance": distance[tasks], "name": names})


def retrieve(
    model: MetaD2A,
    database: MetaDatabase,
    images: ImageData,
    n: int = 10,
    *,
    n_tasks: int = 10,
    max_madds: float | None = None,
) -> pd.DataFrame:
    """Architectures that did best on the nearest meta-training tasks.

    Retrieval, as TANS does it (Jeong et al., 2021, arXiv:2103.01495), which retrieves trained models from a zoo; here
    they are architectures whose accuracies were measured with one set of weights.

    Parameters
    ----------
    model, database, images
        As of ``nearest_tasks``.
    n : int, default=10
    n_tasks : int, default=10
        How many tasks to look at, each weighed by its nearness.
    max_madds : float, optional

    Returns
    -------
    DataFrame, at most n rows, best first
        ``arch``, ``score`` (weighted mean of the standardised accuracies on those of the tasks that it was measured on,
        shrunk towards 0 as by one more task), ``tasks`` (how many these are), ``params``, ``madds``.
    """
    near = nearest_tasks(model, database, images, n_tasks)
    weight = pd.Series(np.exp(-near["distance"] / max(near["distance"].mean(), 1e-12)).to_numpy(), index=near["task"])
    weight /= weight.max()
    frame = database.frame.assign(row=np.arange(len(database)))
    frame = frame[frame["task"].isin(near["task"]) & frame["val_accuracy"].notna()]
    by_task = frame.groupby("task")["val_accuracy"]
    z = (frame["val_accuracy"] - by_task.transform("mean")) / by_task.transform("std").clip(lower=1e-3)
    w = frame["task"].map(weight)
    if max_madds is not None:
        frame = frame[frame["madds"] <= max_madds]
    keys = database.space.key(database.X[frame["row"]])
    of_arch = pd.DataFrame({"key": keys, "row": frame["row"], "wz": (w * z)[frame.index], "w": w[frame.index]})
    found = of_arch.groupby("key", sort=False).agg(
        row=("row", "first"), wz=("wz", "sum"), w=("w", "sum"), tasks=("w", "size")
    )
    found["score"] = found["wz"] / (found["w"] + 1)
    best = found.sort_values("score", ascending=False, kind="stable")[:n]
    rows = best["row"].to_numpy()
    costs = database.frame.loc[rows, ["params", "madds"]].reset_index(drop=True)
    arch = pd.Series(database.space.format(database.X[rows]), dtype=object, name="arch")
    return pd.concat([arch, best[["score", "tasks"]].reset_index(drop=True), costs], axis=1)
