"""Published facts of NAS-Bench-Macro (Su et al., 2021) and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space

space = get_space("nasbench_macro")
EVERYTHING = space.enumerate()


def identities_last(arch):
    """The stages of 2, 3 and 3 layers of a string, with the identities past the first layer at the stage's end."""
    stages = ((arch[0], arch[1:2]), (arch[2], arch[3:5]), (arch[5], arch[6:8]))
    return "".join(first + rest.replace("0", "").ljust(len(rest), "0") for first, rest in stages)


def test_6561_genotypes_are_3969_networks():
    assert space.size == len(EVERYTHING) == 6_561
    assert len(np.unique(space.key(EVERYTHING))) == 3_969


def test_canonical_moves_identities_to_the_end_of_their_stage():
    assert space.format(space.canonical(EVERYTHING)) == [identities_last(a) for a in space.format(EVERYTHING)]


@pytest.fixture(scope="module")
def published(shared_data):
    return json.loads((shared_data / "nasbench_macro" / "nas-bench-macro_cifar10.json").read_text())


@pytest.mark.needs_data("nasbench_macro/nas-bench-macro_cifar10.json")
def test_isomorphic_networks_are_those_that_share_their_runs(published):
    X = space.parse(list(published))
    runs = [tuple(record["test_acc"]) for record in published.values()]
    assert space.format(X) == list(published)
    assert len(set(zip(space.key(X).tolist(), runs, strict=True))) == len(set(runs)) == 3_969


@pytest.mark.needs_data("nasbench_macro/nas-bench-macro_cifar10.json")
def test_cost_is_the_published_one(published):
    cost = space.cost(space.parse(list(published)))
    assert cost["params"].tolist() == [record["params"] for record in published.values()]
    assert cost["madds"].tolist() == [record["flops"] for record in published.values()]


def test_cost_of_other_images_and_classes():
    usual, finer, more = (
        space.cost(EVERYTHING[::97], **options) for options in ({}, {"resolution": 64}, {"num_classes": 100})
    )
    assert (finer["params"] == usual["params"]).all()
    assert (finer["madds"] - 12_800 == 4 * (usual["madds"] - 12_800)).all()
    assert (more["params"] - usual["params"] == 90 * 1281).all()
    assert (more["madds"] - usual["madds"] == 90 * 1280).all()


def test_smallest_and_largest():
    assert space.format([space.smallest(), space.largest()]) == ["00000000", "22222222"]
    assert space.cost(EVERYTHING)["madds"].argmin() == 0
    assert space.cost(EVERYTHING)["params"].argmax() == len(EVERYTHING) - 1


def test_graph_is_the_chain_of_layers_and_tells_networks_apart():
    graph = space.graph(space.parse(["02012100"]))
    names = [graph.op_names[op] for op in graph.ops[0] if op >= 0]
    assert names == ["conv1x1_s2", "mb6_k5", "conv1x1_s2", "mb3_k3", "mb6_k5", "mb3_k3_s2"]
    assert graph.adjacency[0].sum() == len(names) + 1
    assert len({tuple(row[row >= 0]) for row in space.graph(EVERYTHING).ops}) == 3_969


@pytest.mark.parametrize("arch", ["0201210", "020121000", "02012103", "x", 7, None, ["0"] * 8])
def test_a_string_that_does_not_parse_names_row_and_value(arch):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse.*eight digits") as error:
        space.parse(["02012100", arch])
    assert str(arch)[:20] in str(error.value)
