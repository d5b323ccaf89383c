"""Cascades, beside the loop over images that they stand for."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.search import NAT, RandomSearch
from surronas.search.cascade import cascade, cascade_outputs, numbered, pareto_cascades


@pytest.fixture
def members():
    """Probabilities of four members of 300 images of five classes, each member better than the one before."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    hard = rng.random(300) * 2
    logits = rng.normal(size=(4, 300, 5))
    for i, skill in enumerate((1.0, 1.6, 2.0, 2.6)):
        logits[i, np.arange(300), labels] += skill * (2 - hard)
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=2, keepdims=True), labels, np.array([1.0, 2.0, 5.0, 9.0])


def walk(probabilities, labels, cost, its, thresholds):
    """Error, mean cost and share that reaches the last, image by image."""
    right, spent, last = 0, 0.0, 0
    for image, label in enumerate(labels):
        answers = []
        for place, member in enumerate(its):
            answers.append(probabilities[member, image])
            spent += cost[member]
            mean = np.mean(answers, axis=0)
            if place == len(its) - 1 or mean.max() > thresholds[place]:
                break
        right += mean.argmax() == label
        last += len(answers) == len(its)
    n = len(labels)
    return 100 * (1 - right / n), spent / n, last / n


def test_each_cascade_does_what_the_table_says(members):
    found = pareto_cascades(*members, n_thresholds=8)
    assert found["members"].map(len).nunique() == 3
    for row in found.to_dict("records"):
        expected = walk(*members, row["members"], row["thresholds"])
        np.testing.assert_allclose([row["error"], row["madds"], row["share"]], expected, atol=1e-9)


def test_none_of_all_cascades_is_better_than_those_found(members):
    probabilities = members[0]
    found = pareto_cascades(*members, n_thresholds=4)
    for its in combinations(range(4), 2):
        for level in np.quantile(probabilities[its[0]].max(axis=1), [0.25, 0.5, 0.75]):
            error, spent, _ = walk(*members, its, [level])
            assert ((found["error"] <= error + 1e-9) & (found["madds"] <= spent + 1e-9)).any()
    for i in range(4):
        error, spent, _ = walk(*members, [i], [])
        assert ((found["error"] <= error + 1e-9) & (found["madds"] <= spent + 1e-9)).any()
    assert (np.diff(found["madds"]) > 0).all()
    assert (np.diff(found["error"]) < 0).all()


def test_outputs_are_the_means_of_those_asked(members):
    probabilities, labels, cost = members
    answers, asked = cascade_outputs(probabilities[[0, 2, 3]], [0.6, 0.7])
    error, spent, share = walk(*members, [0, 2, 3], [0.6, 0.7])
    assert 100 * (answers.argmax(axis=1) != labels).mean() == pytest.approx(error)
    assert (asked == 3).mean() == pytest.approx(share)
    assert np.cumsum(cost[[0, 2, 3]])[asked - 1].mean() == pytest.approx(spent)


def test_a_search_s_cascades_are_at_least_as_good_as_its_front(subnets):
    result = RandomSearch(subnets, n_initial=12).run(n_evaluations=12)
    found, front = cascade(result, n_thresholds=8), result.front
    assert len(found) >= len(front)
    for error, madds in front.objectives:
        assert ((found["error"] <= error + 1e-9) & (found["madds"] <= madds)).any()
    alone = found[found["members"].map(len) == 1]
    assert set(alone["thresholds"]) <= {()}
    (first,) = found["members"].iloc[0]
    assert front.values["madds"].iloc[first] == found["madds"].iloc[0] == front.values["madds"].min()
    for (member,), error in zip(alone["members"], alone["error"], strict=True):
        assert error == pytest.approx(front.objectives[member, 0])


def test_tables_number_networks_from_one_on(members):
    found = pareto_cascades(*members, n_thresholds=4)
    rows = numbered(found, digits=2)
    for members_, levels, row in zip(found["members"], found["thresholds"], rows.to_dict("records"), strict=True):
        assert row["members"] == ", ".join(str(i + 1) for i in members_)
        assert row["thresholds"] == ", ".join(f"{level:.2g}" for level in levels)
    exact = [tuple(map(float, text.split(", "))) if text else () for text in numbered(found)["thresholds"]]
    assert exact == found["thresholds"].tolist()


def test_none_are_made_where_accuracy_was_no_objective(subnets):
    result = RandomSearch(subnets, ["params", "madds"], n_initial=4).run(n_evaluations=4)
    assert result.cascades is None
    with pytest.raises(InvalidInputError, match="found by their val_accuracy"):
        cascade(result)


def test_only_subnets_make_cascades(table):
    result = NAT(table, n_initial=4).run(n_evaluations=4)
    with pytest.raises(InvalidInputError, match="made of a supernet's subnets"):
        cascade(result)
