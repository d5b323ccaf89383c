"""Graph features against explicit enumeration of paths, and what the encoders promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.encoders import get_encoder
from surronas.encoders.graph_features import GraphFeatures, _features
from surronas.spaces import Gene, SearchSpace, get_space
from surronas.testing import check_encoder, conditional_space
from tests.encoders.slow_graphs import DagOnEdges, DagOnNodes, slow_features

SMALL = {"nasbench201": get_space("nasbench201"), "nodes": DagOnNodes(), "edges": DagOnEdges()}
SPACES = {**SMALL, "nasbench_graph": get_space("nasbench_graph"), "chain": conditional_space()}
NAMES = ("graph_features", "contracted_features")


def sampled(space, n, seed=0):
    return space.canonical(space.sample(n, random_state=seed, unique=False))


@pytest.mark.parametrize("space", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("name", NAMES)
def test_every_feature_is_that_of_path_enumeration(name, space):
    """Up to five operations every set of them is used; columns left out are checked as well."""
    C = sampled(space, 60, seed=1)
    encoder = get_encoder(name, space=space).fit(C[:1])
    graph = encoder._graph(C)
    values, names = _features(graph)
    slow = pd.DataFrame([slow_features(graph, row) for row in range(len(C))])
    assert set(names) == set(slow.columns)
    np.testing.assert_allclose(values, slow[names], atol=1e-12)
    frame = encoder.set_output(transform="pandas").transform(C)
    np.testing.assert_allclose(frame, slow[list(frame.columns)], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_nine_operations_use_pairs_and_complements(name):
    space = get_space("nasbench_graph")
    C = sampled(space, 25, seed=2)
    encoder = get_encoder(name, space=space).fit(C[:1])
    graph = encoder._graph(C)
    values, names = _features(graph)
    slow = pd.DataFrame([slow_features(graph, row) for row in range(len(C))])
    k = len(graph.op_names)
    sizes = {len(tag.split("+")) for tag in names if tag.startswith("longest")}
    assert sizes == {1, 2, k - 2, k - 1, k}
    np.testing.assert_allclose(values, slow[names], atol=1e-12)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", NAMES)
def test_no_column_is_redundant_and_none_is_missing(name, space):
    C = sampled(space, 3000, seed=3)
    encoder = get_encoder(name, space=space).fit(C[:1])
    F = encoder.transform(C)
    spread = F.std(axis=0)
    assert (spread > 0).all()
    design = np.column_stack([np.ones(len(F)), (F - F.mean(axis=0)) / spread])
    assert np.linalg.matrix_rank(design) == design.shape[1]
    everything, _ = _features(encoder._graph(C))
    explained = design @ np.linalg.lstsq(design, everything, rcond=None)[0]
    # What is linear on the sample that fit looks at may differ for a rare architecture of another sample.
    assert (np.abs(explained - everything).max(axis=1) < 1e-6).mean() > 0.99


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", NAMES)
def test_names_are_distinct_and_label_the_frame(name, space):
    C = sampled(space, 20)
    encoder = get_encoder(name, space=space).set_output(transform="pandas")
    frame = encoder.fit_transform(C)
    names = encoder.get_feature_names_out()
    assert len(set(names)) == len(names) == frame.shape[1]
    assert list(frame.columns) == list(names)
    assert encoder.blocks_ == ((type(encoder).__name__, (len(names),)),)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [get_space("nasbench201"), get_space("nasbench_graph"), conditional_space()], ids=str)
def test_unexpressed_genes_change_nothing(name, space):
    X = space.sample(300, random_state=4, unique=False)
    noise = np.random.RandomState(0).randint(0, space.n_choices, size=X.shape)
    X = np.where(space.active(X), X, noise)
    X = X[space.is_valid(X)]
    C = space.canonical(X)
    assert (X != C).any(), "the sample has no unexpressed gene, so that the test shows nothing"
    encoder = get_encoder(name, space=space).fit(C)
    np.testing.assert_array_equal(encoder.transform(X), encoder.transform(C))


def test_paths_are_those_of_the_function_once_skips_are_contracted():
    """Isomorphic cells spell the same sequences of operations, whatever skip connections lie between."""
    space = get_space("nasbench201")
    C = sampled(space, 400, seed=5)
    members, rows = space.isomorphs(C)
    assert (np.bincount(rows) > 1).sum() > 50
    encoder = get_encoder("contracted_features", space=space).set_output(transform="pandas").fit(C)
    paths = [name for name in encoder.get_feature_names_out() if name.startswith(("shortest", "longest"))]
    ours, theirs = encoder.transform(C)[paths], encoder.transform(members)[paths]
    np.testing.assert_array_equal(ours.to_numpy()[rows], theirs.to_numpy())
    plain = get_encoder("graph_features", space=space).fit(C)
    assert (plain.transform(C)[rows] != plain.transform(members)).any()


def test_contracting_a_skip_shortens_the_path():
    space = get_space("nasbench201")
    encoder = get_encoder("contracted_features", space=space).set_output(transform="pandas").fit([[0] * 6])
    direct, through_skip = [0, 0, 0, 3, 0, 0], [3, 0, 0, 0, 1, 0]
    frame = encoder.transform([direct, through_skip])
    assert frame["shortest[nor_conv_3x3]"].tolist() == [1.0, 1.0]
    plain = get_encoder("graph_features", space=space).set_output(transform="pandas").fit([[0] * 6])
    frame = plain.transform([direct, through_skip])
    assert frame["longest[nor_conv_3x3]"].tolist() == [1.0, 1.0]
    assert frame["longest[skip_connect+nor_conv_3x3]"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("n_genes", [1, 6])
def test_many_choices_stay_small(n_genes):
    space = SearchSpace([Gene(f"g{i}", tuple(range(30))) for i in range(n_genes)])
    encoder = GraphFeatures(space=space).fit(sampled(space, 5))
    # In a chain a choice is there or not: no more than one column a choice says all there is.
    assert len(encoder.get_feature_names_out()) <= 30 * n_genes
    F = encoder.transform(sampled(space, 2000))
    assert np.linalg.matrix_rank(F - F.mean(axis=0)) == F.shape[1]


@pytest.mark.parametrize("name", [*NAMES, "path"])
@pytest.mark.parametrize("space", [DagOnNodes(), DagOnEdges()], ids=["nodes", "edges"])
def test_a_space_of_ones_own_takes_one_small_class(name, space):
    check_encoder(get_encoder(name, space=space))


def test_no_path_and_wire_from_input_to_output_are_told_apart():
    """Node 0 joined straight to the last by an edge without operation is a path of no operations."""
    space = DagOnNodes()
    nothing, wire = np.zeros((2, space.n_genes), dtype=np.int64)
    wire[4 + space.pairs.index((0, 5))] = 1
    values, names = _features(space.graph(np.stack([nothing, wire]), on=None))
    column = names.index("shortest[conv]")
    assert values[:, column].tolist() == [6.0, 0.0]
    assert values[:, names.index("longest[conv]")].tolist() == [-1.0, 0.0]
