from __future__ import annotations

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.search.objectives import resolve_goals

TARGETS = {"val_accuracy": True, "test_accuracy": True, "madds": False, "latency_ms": False}


def test_error_is_of_the_validation_accuracy():
    goals = resolve_goals(["error", "madds"], None, TARGETS)
    assert goals.targets == ["val_accuracy", "madds"]
    np.testing.assert_array_equal(goals.values(np.array([[90.0, 3.0]])), [[10.0, 3.0]])


def test_error_never_falls_back_on_the_test_accuracy():
    with pytest.raises(InvalidInputError, match="'error' needs the target 'val_accuracy'.*test_accuracy, madds"):
        resolve_goals(["error"], None, {"test_accuracy": True, "madds": False})


def test_a_maximised_target_is_negated_inside_and_shown_as_it_is():
    goals = resolve_goals(["test_accuracy", "latency_ms"], None, TARGETS)
    values = np.array([[70.0, 2.0]])
    np.testing.assert_array_equal(goals.values(values), [[-70.0, 2.0]])
    assert goals.frame(values).to_dict("records") == [{"test_accuracy": 70.0, "latency_ms": 2.0}]


def test_any_number_of_axes_before_the_targets():
    goals = resolve_goals(["error", "madds"], None, TARGETS)
    assert goals.values(np.zeros((4, 3, 2))).shape == (4, 3, 2)


def test_constraints_bring_their_targets_and_measure_excess():
    goals = resolve_goals(["error", "madds"], {"madds": 50, "latency_ms": (1, None)}, TARGETS)
    assert goals.targets == ["val_accuracy", "madds", "latency_ms"]
    values = np.array([[90.0, 60.0, 0.5], [90.0, 40.0, 3.0]])
    np.testing.assert_array_equal(goals.excess(values, values), [[10.0, 0.5], [-10.0, -2.0]])


@pytest.mark.parametrize(
    ("objectives", "constraints", "error", "text"),
    [
        (["error", "flops"], None, UnknownNameError, "Unknown objective 'flops'"),
        ("error", None, InvalidInputError, "'objectives' must be a sequence"),
        ([], None, InvalidInputError, "'objectives' must be a sequence"),
        (["madds", "madds"], None, InvalidInputError, "different names"),
        (["error", "val_accuracy"], None, InvalidInputError, "different targets"),
        (["error"], {"flops": 3}, UnknownNameError, "Unknown target in 'constraints' 'flops'"),
        (["error"], {"madds": (5, 3)}, InvalidInputError, r"pairs \(low, high\).*\(5, 3\) for 'madds'"),
        (["error"], {"madds": (None, None)}, InvalidInputError, "'constraints' must be"),
        (["error"], {"madds": "small"}, InvalidInputError, "'constraints' must be"),
    ],
)
def test_bad_goals_are_named(objectives, constraints, error, text):
    with pytest.raises(error, match=text):
        resolve_goals(objectives, constraints, TARGETS)
