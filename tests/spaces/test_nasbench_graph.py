"""NAS-Bench-Graph's own code (PyPI nas-bench-graph, Qin et al., 2022) as oracle for canonical forms and keys."""

from __future__ import annotations

import importlib.util
from importlib.metadata import distribution
from itertools import product

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.nasbench_graph import LINKS, OPS

space = get_space("nasbench_graph")
CANONICAL = space.enumerate()


@pytest.fixture(scope="module")
def official():
    """The package's module of architectures, without importing the package, whose root reads files."""
    path = distribution("nas-bench-graph").locate_file("nas_bench_graph/architecture.py")
    spec = importlib.util.spec_from_file_location("official_architecture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def everything():
    genotypes = list(product(range(1 + 1), range(2 + 1), range(3 + 1)))
    assert len(genotypes) == 24
    ops = np.array(list(product(range(9), repeat=4)))
    links = np.repeat(np.array(list(product(range(2), range(3), range(4)))), len(ops), axis=0)
    X = np.hstack([links, np.tile(ops, (24, 1))])
    return X[space.is_valid(X)]


def test_vocabulary(official):
    assert list(OPS) == official.gnn_list
    assert LINKS.tolist() == official.link_list


def test_every_genotype_has_the_official_hash(official, everything):
    assert len(everything) == 157_440
    hashes = [official.Arch([0, *x[:3]], [OPS[op] for op in x[3:]]).valid_hash() for x in everything.tolist()]
    np.testing.assert_array_equal(space.key(everything), hashes)


def test_every_canonical_form_is_isomorphic_to_itself_officially(official):
    assert all(official.Arch([0, *x[:3]], [OPS[op] for op in x[3:]]).check_isomorph() for x in CANONICAL[::7].tolist())


def test_26206_classes(everything):
    assert space.size == 26_206
    assert CANONICAL.shape == (26_206, 7)
    keys = space.key(CANONICAL)
    assert (np.diff(keys) > 0).all()
    assert set(space.key(everything).tolist()) == set(keys.tolist())


def test_reads_pairs_and_strings():
    pair, string = ([0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]), "0,1,2,1:gcn,gin,fc,cheb"
    X = space.parse([pair, string])
    assert X.tolist() == [[1, 2, 1, 1, 2, 7, 3]] * 2
    assert space.format(X) == [string] * 2


def test_loose_ends_feed_the_output():
    graph = space.graph(space.parse([([0, 1, 1, 1], ["gcn", "gat", "gin", "fc"])]))
    edges = {tuple(edge) for edge in np.argwhere(graph.adjacency[0]).tolist()}
    assert edges == {(0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5)}
    assert graph.ops[0].tolist() == [-1, 1, 0, 2, 7, -1]


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        (([0, 1, 2, 1], ["gcn", "gin", "fc", "mlp"]), "'mlp' is none of"),
        (([0, 2, 2, 1], ["gcn"] * 4), "four links"),
        (([0, 1, 2], ["gcn"] * 4), "four links"),
        ("0,1,2,1:gcn,gin,fc", "four operations"),
        ("0,1,2,1;gcn,gin,fc,cheb", "not of the form"),
        (7, "Row 1 does not parse"),
    ],
)
def test_what_does_not_parse_names_row_and_value(arch, why):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse([([0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]), arch])
    assert why in str(error.value)
    assert str(arch)[:30] in str(error.value)


def test_four_skips_are_no_network():
    with pytest.raises(InvalidInputError, match="row 1, which is none: an operation must be other than skip"):
        space.parse([[0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 8, 8, 8, 8]])
