"""Retrieval: the task that is most alike, and what was best there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidInputError
from surronas.meta.database import Episode, MetaDatabase
from surronas.meta.retrieval import nearest_tasks, retrieve
from surronas.meta.tasks import Task
from surronas.meta.variation import Variation
from surronas.spaces import get_space

SPACE = get_space("mbconv")


@pytest.fixture
def database():
    views = [Task({"digits": ("0", "1", "2", "3")}, Variation(turns=t), 20, 20, 0, t) for t in range(2)]
    tasks = [Episode(v, classes) for v in range(2) for classes in ((0, 1, 2), (1, 2, 3))]
    X = np.concatenate([np.repeat([SPACE.canonical(SPACE.sample(8, v))], 2, axis=0).reshape(16, -1) for v in range(2)])
    frame = pd.DataFrame({"task": np.repeat(range(4), 8), "val_accuracy": 80.0 + np.tile(range(8), 4)})
    frame.loc[frame["task"] % 2 == 1, "val_accuracy"] *= -1  # worst on one task of a view, best on the other
    frame["half_difference"] = 0.0
    return MetaDatabase(SPACE, views, tasks, X, pd.concat([frame, SPACE.cost(X)[["params", "madds"]]], axis=1), {})


@pytest.fixture
def model():
    """Its vectors put the images beside task 2."""
    vectors = torch.eye(4) + 0.01 * torch.randn(4, 4)
    return SimpleNamespace(
        task_vectors=vectors,
        look=lambda images: images,
        vectors=lambda looks: torch.stack([2 * vectors[2] - vectors.mean(0), vectors[2]]),
    )


def test_the_nearest_task_is_first(model, database):
    near = nearest_tasks(model, database, None, 3)
    assert near["task"][0] == 2
    assert near["name"][0] == "digits 0, digits 1, digits 2, turned by 90 degrees"
    assert near["distance"].is_monotonic_increasing
    assert near["distance"][0] < 0.2
    model.task_vectors = model.task_vectors[:3]
    with pytest.raises(InvalidInputError, match="4 tasks"):
        nearest_tasks(model, database, None)


def test_what_won_there_is_retrieved(model, database):
    frame = retrieve(model, database, None, 3, n_tasks=1)
    assert (SPACE.parse(frame["arch"].tolist()) == database.X[[23, 22, 21]]).all()
    assert frame["score"].is_monotonic_decreasing
    assert frame["tasks"].tolist() == [1, 1, 1]
    both = retrieve(model, database, None, 30, n_tasks=4)
    assert len(both) == len(SPACE.unique(database.X))
    assert (both["tasks"] == 2).all()
    bound = database.frame["madds"][16:24].median()
    cheap = retrieve(model, database, None, 8, n_tasks=1, max_madds=bound)
    assert len(cheap) == 4
    assert cheap["madds"].max() <= bound
