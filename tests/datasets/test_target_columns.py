"""What a column's name and values say of a measurement."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import Target
from surronas.datasets.target_columns import infer_target, resolve_targets
from surronas.exceptions import InvalidInputError, UnknownNameError


def infer(name, values=(2.0, 3.0), stated=None):
    return infer_target(pd.Series(values, name=name), stated)


@pytest.mark.parametrize(
    ("name", "maximize", "kind", "unit"),
    [
        ("val_acc", True, "accuracy", "%"),
        ("testAccuracy", True, "accuracy", "%"),
        ("CIFAR10TestAccuracy200Epochs", True, "accuracy", "%"),
        ("Top-1", True, "accuracy", "%"),
        ("mIoU", True, "accuracy", "%"),
        ("ImageNet top1 (%)", True, "accuracy", "%"),
        ("error_rate", False, "error", "%"),
        ("val_loss", False, "loss", ""),
        ("latency_pixel3_ms", False, "latency", "ms"),
        ("latency[us]", False, "latency", "us"),
        ("train_time_seconds", False, "latency", "s"),
        ("Energy (mJ)", False, "energy", "mJ"),
        ("n_params", False, "size", ""),
        ("GFLOPs", False, "compute", "billions"),
        ("madds", False, "compute", ""),
        ("synflow", True, "proxy", ""),
        ("test_acc_std", False, "spread", ""),
    ],
)
def test_meaning_by_name(name, maximize, kind, unit):
    target, values, said = infer(name)
    assert target == Target(name, unit, maximize, kind)
    assert values.tolist() == [2, 3]
    assert said.startswith("maximize by its name" if maximize else "minimize by its name")


@pytest.mark.parametrize("name", ["speedup", "score", "mapping", "accordion", "acc_loss", "x"])
def test_a_name_that_does_not_say_wants_a_direction(name):
    with pytest.raises(InvalidInputError, match=f"must say which way {name!r} is better.*'maximize'"):
        infer(name)
    assert infer(name, stated="maximize")[0] == Target(name, "", True, "accuracy")
    assert infer(name, stated="minimize")[0] == Target(name, "", False, "loss")


@pytest.mark.parametrize(
    ("values", "unit", "kept"),
    [
        ([0.7, 0.9, 1.0], "", [0.7, 0.9, 1.0]),
        ([0.7, -1.0, 0.0], "", [0.7, -np.inf, 0.0]),
        ([70.0, 0.5, -1.0, np.nan], "%", [70.0, 0.5, -np.inf, np.nan]),
        ([0.4, 0.6, 3.0], "", [0.4, 0.6, 3.0]),  # percent or not: nobody knows
        ([700.0, 900.0], "", [700.0, 900.0]),
    ],
)
def test_the_unit_of_a_share_by_its_values(values, unit, kept):
    target, found, _ = infer("acc", values)
    assert target.unit == unit
    np.testing.assert_array_equal(found, kept)
    assert infer("loss", values)[1].tolist()[:2] == values[:2]
    assert infer("acc", values, {"unit": "points"})[0].unit == "points"


def test_what_is_stated_wins():
    told = {"maximize": True, "unit": "frames/s", "kind": "latency", "description": "on a phone"}
    assert infer("fps", stated=told)[0] == Target("fps", "frames/s", True, "latency", "on a phone")
    assert infer("acc", stated="minimize")[0] == Target("acc", "", False, "loss")
    assert infer("latency", stated={"unit": "ms"})[0] == Target("latency", "ms", False, "latency")
    whole = Target("x", "", True, "proxy")
    assert infer("x", stated=whole)[0] is whole


@pytest.mark.parametrize(
    ("stated", "error", "text"),
    [
        ("max", InvalidInputError, "must map 'acc' to 'maximize', 'minimize', a Target, or a dict"),
        (True, InvalidInputError, "Got True."),
        ({"maximize": "yes"}, InvalidInputError, "Got {'maximize': 'yes'}."),
        ({"units": "%"}, UnknownNameError, "Unknown property of target 'acc' 'units'. Did you mean 'unit'?"),
        ({"kind": "accurracy"}, UnknownNameError, "Did you mean 'accuracy'?"),
        (Target("top1", "%", True, "accuracy"), InvalidInputError, "a Target of its name, 'acc'"),
    ],
)
def test_bad_statements(stated, error, text):
    with pytest.raises(error) as caught:
        infer("acc", stated=stated)
    assert text in str(caught.value)


def test_values_that_are_no_numbers_name_column_and_row():
    with pytest.raises(InvalidInputError, match="'acc' must hold numbers to be a target. Got 'timeout' in row 1"):
        infer("acc", [70.5, "timeout"])
    with pytest.raises(InvalidInputError, match="Got nothing but blanks"):
        infer("acc", [None, None])
    assert infer("acc", ["70.5", "3"])[1].tolist() == [70.5, 3]


FRAME = pd.DataFrame({"op": ["a", "b"], "depth": [1, 2], "acc": [70, 71], "speed": [1.5, 2.5], "params": [3, 4]})


def test_without_targets_names_decide():
    assert resolve_targets(FRAME, None, []) == {"acc": None, "params": None}
    assert resolve_targets(FRAME, None, ["params"]) == {"acc": None}
    assert resolve_targets(FRAME, ["speed"], []) == {"speed": None}
    assert resolve_targets(FRAME, {"speed": "maximize"}, []) == {"speed": "maximize"}


@pytest.mark.parametrize(
    ("targets", "genes", "text"),
    [
        (None, ["acc", "params"], "no column's name does: {'depth': 'maximize'}. Columns of numbers: depth, speed."),
        ("acc", [], "a list of columns. Got 'acc'."),
        ([], [], "Got []."),
        (["ac"], [], "Unknown column in 'targets' 'ac'. Did you mean 'acc'?"),
        (["acc"], ["acc"], "The column 'acc' must be a gene or a target. It is named as both."),
    ],
)
def test_bad_targets(targets, genes, text):
    with pytest.raises(InvalidInputError) as caught:
        resolve_targets(FRAME, targets, genes)
    assert text in str(caught.value)
