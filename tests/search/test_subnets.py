"""Searches among the subnets of a supernet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.search import RandomSearch
from surronas.search.evaluators import Evaluator, SubnetEvaluator, as_evaluator
from surronas.supernet.network import SuperNet


def changed(supernet, change):
    """Another supernet, of which ``change`` has changed a parameter."""
    other = SuperNet(supernet.space, supernet.num_classes)
    other.load_state_dict(supernet.state_dict())
    with torch.no_grad():
        change(other)
    return other.eval()


def test_values_are_those_of_the_supernet_s_evaluator(subnets):
    evaluator = as_evaluator(subnets)
    assert isinstance(evaluator, Evaluator)
    assert evaluator.targets == {"val_accuracy": True, "params": False, "madds": False}
    archs = evaluator.space.sample(3, random_state=0)
    frame = evaluator.evaluate(archs)
    pd.testing.assert_frame_equal(frame, subnets.evaluate(archs))
    assert frame.attrs["failures"] == []
    assert (evaluator.version, evaluator.pool) == (0, None)


def test_sizes_are_known_beforehand_of_the_network_that_is_measured(subnets):
    evaluator = SubnetEvaluator(subnets)
    archs = evaluator.space.canonical(evaluator.space.sample(4, random_state=0))
    known = evaluator.cost(archs)
    assert list(known) == ["params", "madds"]
    for row, x in enumerate(archs):
        network = subnets.supernet.extract(x)
        assert known["params"][row] == sum(part.numel() for part in network.parameters())
    np.testing.assert_array_equal(known, evaluator.evaluate(archs)[["params", "madds"]])
    subnets.targets, subnets.columns = ("val_accuracy", "madds"), ["val_accuracy", "madds"]
    assert list(SubnetEvaluator(subnets).cost(archs)) == ["madds"]


def test_a_dearer_subnet_has_a_higher_price(subnets):
    evaluator = SubnetEvaluator(subnets)
    small, large = evaluator.price(np.stack([evaluator.space.smallest(), evaluator.space.largest()]))
    assert 0 < small < large


def test_a_failure_keeps_its_reason_and_the_search_goes_on(supernet, subnets):
    def break_small_kernels(other):
        for matrix in other.kernels.values():
            matrix.fill_(torch.nan)

    subnets.supernet = changed(supernet, break_small_kernels)
    with pytest.warns(SurronasWarning, match="Row 0 has no accuracy: its batch statistics are not finite"):
        subnets.evaluate([supernet.space.smallest()])
    archive = RandomSearch(subnets, n_initial=8).run(n_evaluations=8).archive
    failed = ~archive.succeeded
    assert 0 < failed.sum() < 8
    assert set(archive.reason[failed]) == {"its batch statistics are not finite"}
    assert set(archive.reason[~failed]) == {""}
    assert archive.values[failed].isna().all(axis=None)


def test_new_weights_are_a_new_version_and_leave_the_caller_s_evaluator_alone(supernet, subnets):
    evaluator = SubnetEvaluator(subnets)
    x = supernet.space.smallest()[None]
    before = evaluator.evaluate(x)["val_accuracy"][0]
    evaluator.renew(changed(supernet, lambda other: other.network.classifier.weight.neg_()), 1)
    assert evaluator.version == 1
    assert evaluator.evaluate(x)["val_accuracy"][0] < before
    assert subnets.evaluate(x)["val_accuracy"][0] == before
    evaluator.restart()
    assert (evaluator.version, evaluator.evaluate(x)["val_accuracy"][0]) == (0, before)


def test_a_run_does_not_go_on_with_other_weights(supernet, subnets, tmp_path):
    RandomSearch(subnets, n_initial=2).run(tmp_path, n_evaluations=2)
    subnets.supernet = changed(supernet, lambda other: other.network.classifier.bias.add_(1))
    with pytest.raises(InvalidInputError, match="belongs to another measurement.*weights"):
        RandomSearch(subnets, n_initial=2).run(tmp_path, n_evaluations=2)
