"""The meta-database and the trained MetaD2A of the package: what they promise, and a view measured again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.datasets.images import load_images
from surronas.meta import MetaD2A, MetaDatabase
from surronas.meta.database import build_database
from surronas.meta.shipped import find_shipped
from surronas.meta.tasks import POOLS
from surronas.supernet import load_pretrained


@pytest.fixture(scope="module")
def database():
    return MetaDatabase.load("mbconv")


def test_its_size(database):
    assert len(database.tasks) >= 400
    assert database.frame["val_accuracy"].notna().sum() >= 20_000
    assert find_shipped("mbconv", ".parquet", "meta-database").stat().st_size < 2_000_000


def test_no_class_of_meta_testing_is_in_it(database):
    learnt = {(source, name) for view in database.views for source, names in view.classes.items() for name in names}
    kept_out = {
        (source, name)
        for pool, sources in POOLS.items()
        if pool != "train"
        for source, names in sources.items()
        for name in names
    }
    assert learnt == {(source, name) for source, names in POOLS["train"].items() for name in names}
    assert not learnt & kept_out


def test_architectures_are_canonical_and_their_costs_the_space_s(database):
    np.testing.assert_array_equal(database.space.canonical(database.X), database.X)
    cost = database.space.cost(database.X)[["params", "madds"]]
    pd.testing.assert_frame_equal(database.frame[["params", "madds"]], cost, check_dtype=False)


def test_accuracies_tell_architectures_apart(database):
    """The two halves of the validation images agree: Spearman's correlation, median over the tasks."""
    assert database.reliability().median() > 0.4


@pytest.mark.needs_data("images/fashion-mnist/t10k-images-idx3-ubyte.gz")
def test_measured_again_the_smallest_and_the_largest_are_as_accurate(database, tmp_path):
    again = build_database(load_pretrained("mbconv-cifar10"), database.views[:1], tmp_path, n_archs=2)
    assert again.tasks == [task for task in database.tasks if task.view == 0]
    both = database.frame["task"].isin(range(len(again.tasks))) & (database.frame.groupby("task").cumcount() < 2)
    np.testing.assert_array_equal(again.X, database.X[both])
    # Another CPU may round another way, and so a few images fall to another class.
    np.testing.assert_allclose(again.frame["val_accuracy"], database.frame["val_accuracy"][both], atol=1.0)


@pytest.fixture(scope="module")
def model():
    return MetaD2A.load("mbconv")


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def test_the_trained_one_s_size_and_what_its_card_says(model, database):
    assert find_shipped("mbconv", ".safetensors", "trained MetaD2A").stat().st_size <= 8_000_000
    assert model.card["database"]["tasks"] == len(database.tasks)
    assert model.card["command"].startswith("surronas meta train")


def test_proposals_are_valid_different_and_within_the_budget(model, digits):
    frame = model.propose(digits, 20, max_madds=2e7)
    C = model.space.canonical(model.space.parse(frame["arch"].tolist()))
    assert len(np.unique(C, axis=0)) == len(frame) == 20
    assert (model.space.cost(C)["madds"] <= 2e7).all()
    assert frame["score"].is_monotonic_decreasing
    assert frame["predicted_accuracy"].between(0, 100).all()
    assert frame.attrs["valid"] >= 0.99 * frame.attrs["generated"]
    assert frame.attrs["different"] >= 0.8 * frame.attrs["generated"]


def test_what_the_generator_never_saw_is_reconstructed(model, digits):
    C = model.space.canonical(model.space.sample(200, random_state=987_654))
    rows = torch.zeros(len(C), dtype=torch.int64)
    again, valid = model.code.read(
        model.generator.reconstruct(model.code.write(C), model.vectors(model.look(digits, n=1)), rows)
    )
    assert (valid & (again == C).all(axis=1)).mean() >= 0.95
