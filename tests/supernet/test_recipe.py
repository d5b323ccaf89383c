from __future__ import annotations

import json
from dataclasses import asdict, fields

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.supernet.recipe import Recipe


def test_the_defaults_are_those_of_the_shipped_weights():
    assert asdict(Recipe()) == {
        "warmup_epochs": 3,
        "epochs": 24,
        "n_random": 1,
        "batch_size": 128,
        "learning_rate": 0.02,
        "momentum": 0.9,
        "weight_decay": 0.005,
        "label_smoothing": 0.0,
        "clip": 2.0,
        "ema": 0.998,
        "flip": True,
        "bfloat16": True,
        "seed": 0,
    }


def test_every_setting_is_documented():
    for field in fields(Recipe):
        assert field.name in Recipe.__doc__.split("Parameters")[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, r"The 'epochs' of a Recipe must be an int in \[1, inf\). Got 0."),
        ({"epochs": 2.0}, "'epochs' of a Recipe must be an int"),
        ({"epochs": True}, "'epochs' of a Recipe must be an int"),
        ({"warmup_epochs": -1}, "'warmup_epochs' .* Got -1"),
        ({"warmup_epochs": 25}, "'warmup_epochs' of a Recipe must be at most its epochs, 24. Got 25."),
        ({"n_random": -1}, "'n_random'"),
        ({"batch_size": 1}, r"'batch_size' of a Recipe must be an int in \[2, inf\)"),
        ({"learning_rate": 0}, r"'learning_rate' of a Recipe must be a number in \(0, inf\). Got 0."),
        ({"learning_rate": float("inf")}, "'learning_rate'"),
        ({"learning_rate": float("nan")}, "'learning_rate'"),
        ({"learning_rate": "0.1"}, "'learning_rate' .* Got '0.1'"),
        ({"momentum": 0.0}, "'momentum'"),
        ({"momentum": 1.0}, "'momentum'"),
        ({"weight_decay": -1e-4}, "'weight_decay'"),
        ({"label_smoothing": 1.0}, "'label_smoothing'"),
        ({"clip": 0.0}, "'clip'"),
        ({"ema": 1.0}, "'ema'"),
        ({"flip": 1}, "The 'flip' of a Recipe must be True or False. Got 1."),
        ({"bfloat16": None}, "'bfloat16' .* Got None"),
        ({"seed": -1}, "'seed'"),
        ({"seed": 2**63}, "'seed'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings, message):
    with pytest.raises(InvalidInputError, match=message):
        Recipe(**settings)


def test_numbers_of_numpy_and_no_clipping_are_fine():
    recipe = Recipe(epochs=np.int64(7), learning_rate=np.float32(0.5), clip=float("inf"), momentum=np.float64(0.5))
    assert (recipe.epochs, recipe.learning_rate) == (7, 0.5)
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe
