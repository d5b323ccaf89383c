from __future__ import annotations

import json
from dataclasses import asdict, fields

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.meta.recipe import MetaRecipe


def test_every_setting_is_documented():
    for field in fields(MetaRecipe):
        assert field.name in MetaRecipe.__doc__.split("Parameters")[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"predictor_steps": 0}, r"The 'predictor_steps' of a MetaRecipe must be an int in \[1, inf\). Got 0."),
        ({"views": 2.0}, "'views' of a MetaRecipe must be an int"),
        (
            {"predictor_learning_rate": float("nan")},
            r"'predictor_learning_rate' of a MetaRecipe must be a number in \(0, inf\). Got nan.",
        ),
        ({"beta": -1}, "'beta' of a MetaRecipe"),
        ({"seed": True}, "'seed' of a MetaRecipe"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(InvalidInputError, match=message):
        MetaRecipe(**settings)


def test_settings_become_what_json_can_hold():
    assert json.loads(json.dumps(asdict(MetaRecipe(seed=np.int64(3)))))["seed"] == 3
