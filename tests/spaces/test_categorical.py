"""Plain spaces: conditional genes against brute force, reading, and every bad input."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError, UnknownNameError
from surronas.spaces import Gene, SearchSpace, get_space, resolve_space, space_from_spec
from surronas.testing import conditional_space


@st.composite
def spaces(draw):
    """Up to five genes of up to three choices, each perhaps conditional on up to two earlier ones."""
    genes = []
    for i in range(draw(st.integers(1, 5))):
        active_if = {}
        for parent in draw(st.lists(st.integers(0, i - 1), unique=True, max_size=2)) if genes else ():
            allowed = st.lists(st.sampled_from(genes[parent].choices), unique=True, min_size=1)
            active_if[f"g{parent}"] = tuple(draw(allowed))
        genes.append(Gene(f"g{i}", tuple(range(draw(st.integers(1, 3)))), active_if))
    return SearchSpace(genes)


def slow_active(space, x):
    """Gene by gene, as the documentation says: every named gene is itself active and has an allowed choice."""
    active = {}
    for gene in space.genes:
        values = {g.name: g.choices[code] for g, code in zip(space.genes, x, strict=True)}
        active[gene.name] = all(active[p] and values[p] in allowed for p, allowed in gene.active_if.items())
    return [active[name] for name in space.gene_names]


@given(spaces())
def test_active_canonical_size_and_enumeration_are_those_of_brute_force(space):
    X = np.array(list(product(*(range(n) for n in space.n_choices))))
    active = np.array([slow_active(space, x) for x in X])
    np.testing.assert_array_equal(space.active(X), active)
    canonical = np.where(active, X, 0)
    np.testing.assert_array_equal(space.canonical(X), canonical)
    distinct = sorted({tuple(x) for x in canonical.tolist()})
    assert space.size == len(distinct)
    assert sorted(map(tuple, space.enumerate().tolist())) == distinct
    assert len(np.unique(space.key(X))) == len(distinct)


@given(spaces(), st.integers(0, 2**32 - 1))
def test_sample_can_exhaust_the_space(space, seed):
    X = space.sample(space.size, random_state=seed)
    assert len(np.unique(X, axis=0)) == space.size
    with pytest.raises(InvalidInputError, match=f"must be at most {space.size}.* Got {space.size + 1} instead"):
        space.sample(space.size + 1, random_state=seed)


@given(spaces(), st.data())
def test_neighbours_are_those_of_brute_force(space, data):
    x = np.array([data.draw(st.integers(0, n - 1)) for n in space.n_choices])
    active = slow_active(space, x)
    expected = set()
    for i, n in enumerate(space.n_choices):
        for code in range(n):
            if active[i] and code != x[i]:
                y = np.where(active, x, 0)
                y[i] = code
                expected.add(tuple(np.where(slow_active(space, y), y, 0).tolist()))
    found = [tuple(y) for y in space.neighbours(x).tolist()]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_size_of_a_space_too_large_to_enumerate():
    genes = [Gene(f"g{i}", tuple(range(10))) for i in range(30)]
    assert SearchSpace(genes).size == 10**30
    chained = [genes[0], *(Gene(f"g{i}", tuple(range(10)), {f"g{i - 1}": (0,)}) for i in range(1, 30))]
    space = SearchSpace(chained)
    assert space.size is None
    with pytest.raises(InvalidInputError, match="too many to enumerate"):
        space.enumerate()
    assert len(np.unique(space.sample(15, random_state=0), axis=0)) == 15
    with pytest.raises(InvalidInputError, match="as many different architectures as were found"):
        space.sample(300, random_state=0)


def test_sample_is_uniform_gene_by_gene():
    X = conditional_space().sample(30_000, random_state=0, unique=False)
    depth = np.bincount(X[:, 0]) / len(X)
    np.testing.assert_allclose(depth, 1 / 3, atol=0.015)  # five standard deviations
    kernel = np.bincount(X[X[:, 0] == 2, 3]) / (X[:, 0] == 2).sum()
    np.testing.assert_allclose(kernel, 1 / 3, atol=0.025)


def test_smallest_and_largest():
    space = conditional_space()
    assert space.smallest().tolist() == [0, 0, 0, 0, 0, 0]
    assert space.largest().tolist() == [2, 2, 2, 2, 1, 2]
    space = SearchSpace([Gene("a", (1, 2), ordered=True), Gene("b", ("x", "y"))])
    with pytest.raises(SurronasError, match="gene 'b' is not declared as ordered"):
        space.smallest()


def test_reads_genotypes_dicts_strings_and_frames():
    space = conditional_space()
    dicts = [
        {"depth": 2, "kernel1": 7, "kernel2": 5, "attention": "squeeze", "reduction": 4},
        {"depth": 1, "kernel1": 3, "attention": "none"},
    ]
    expected = [[1, 2, 1, 0, 1, 2], [0, 0, 0, 0, 0, 0]]
    forms = [
        expected,
        np.array(expected),
        np.array(expected, dtype=np.float32),
        [tuple(x) for x in expected],
        dicts,
        ["depth=2 kernel1=7 kernel2=5 attention=squeeze reduction=4", "depth=1 kernel1=3 attention=none"],
        pd.Series(["depth=2 kernel1=7 kernel2=5 attention=squeeze reduction=4", "depth=1 kernel1=3 attention=none"]),
        [dicts[0], expected[1]],
        np.array(dicts, dtype=object),
        pd.DataFrame(dicts),
    ]
    for form in forms:
        X = space.parse(form)
        assert X.dtype == np.int64
        assert X.tolist() == expected


def test_from_array():
    space = resolve_space(None, [[0, 3], [1, 0]])
    assert space.n_choices.tolist() == [2, 4]
    assert space.size == 8


def test_a_graph_is_the_chain_of_active_choices():
    space = conditional_space()
    graph = space.graph([[1, 2, 1, 2, 0, 1]])
    names = [graph.op_names[op] for op in graph.ops[0] if op >= 0]
    assert names == ["depth=2", "kernel1=7", "kernel2=5", "attention=none"]
    assert graph.adjacency[0].sum() == 5


GOOD = {"depth": 1, "kernel1": 3, "attention": "none"}


@pytest.mark.parametrize(
    ("archs", "words"),
    [
        (np.zeros((2, 5)), ["shape", "(2, 5)", "(n, 6)"]),
        ([[0] * 6, [0] * 5], ["Row 1", "6 genes were expected, 5 came", "[0, 0, 0, 0, 0]"]),
        ([[0] * 6, [0, 0, 3, 0, 0, 0]], ["from 0 to 2", "'kernel2' (gene 2)", "Got 3 in row 1"]),
        ([[0] * 6, [0, 0, 0, 0, -1, 0]], ["from 0 to 1", "'attention'", "Got -1 in row 1"]),
        (np.array([[0] * 6, [0, 0, 0.5, 0, 0, 0]]), ["integers", "Got 0.5 in row 1"]),
        (np.array([[0] * 6, [0, 0, np.nan, 0, 0, 0]]), ["integers", "Got nan in row 1"]),
        (np.array([[0] * 6, [0, 0, np.inf, 0, 0, 0]]), ["integers", "Got inf in row 1"]),
        ([GOOD, GOOD | {"depth": 9}], ["Row 1", "'depth' must be one of (1, 2, 3), not 9"]),
        ([GOOD, GOOD | {"width": 9}], ["Row 1", "no gene 'width'"]),
        ([GOOD, {"depth": 1, "kernel1": 3}], ["Row 1", "'attention' is missing"]),
        (
            ["depth=1 kernel1=3 attention=none", "depth=one"],
            ["Row 1", "'depth' has no choice 'one'", "Got 'depth=one'"],
        ),
        (["depth=1 kernel1=3 attention=none", "deep"], ["Row 1", "not of the form gene=choice"]),
        ([GOOD, None], ["Row 1", "NoneType", "Got None"]),
        ("depth=1 kernel1=3 attention=none", ["sequence of architectures", "one str"]),
        (GOOD, ["sequence of architectures", "one dict"]),
        (7, ["sequence of architectures", "int"]),
        (None, ["sequence of architectures", "NoneType"]),
        (np.zeros((2, 6), dtype=complex), ["integers", "complex128"]),
    ],
)
def test_bad_architectures_name_argument_row_and_value(archs, words):
    with pytest.raises(InvalidInputError, match="The 'archs' must") as error:
        conditional_space().parse(archs)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("archs", [np.zeros((0, 6)), []])
def test_no_architectures_are_an_empty_batch(archs):
    space = conditional_space()
    X = space.parse(archs)
    assert X.shape == (0, 6)
    assert space.canonical(X).shape == (0, 6)
    assert space.key(X).shape == (0,)
    assert len(space.graph(X)) == 0
    assert space.format(X) == []


@pytest.mark.parametrize(
    ("archs", "words"),
    [
        ([[0, 1], [0, -1]], "Got -1 in row 1, gene 1"),
        ([[0, 1], [0, 5000]], "Got 5000 in row 1, gene 1"),
        ([0, 1], r"Got shape \(2,\)"),
        (np.zeros((0, 3)), r"Got shape \(0, 3\)"),
        ([["a", "b"]], "must be integers"),
        ([[0, 1], [2]], "rows of one length"),
        (None, "must be"),
    ],
)
def test_an_array_that_is_no_plain_space(archs, words):
    with pytest.raises(InvalidInputError, match=words) as error:
        resolve_space(None, archs)
    assert "'archs'" in str(error.value)


@pytest.mark.parametrize(
    ("genes", "words"),
    [
        (list, "at least one gene"),
        (lambda: [Gene("a", ())], "'choices' of gene 'a' must be distinct and at least one"),
        (lambda: [Gene("a", (1, 1))], r"must be distinct .* Got \(1, 1\)"),
        (lambda: [Gene("a", (1,)), Gene("a", (1,))], "'a' appears twice"),
        (lambda: [Gene("a", (1,), {"b": (1,)}), Gene("b", (1,))], r"must name earlier genes. Got \['b'\]"),
        (lambda: [Gene("a", (1, 2)), Gene("b", (1,), {"a": (3,)})], r"gene 'a', which has \(1, 2\). Got \(3,\)"),
        (lambda: [Gene("a", (1, 2)), Gene("b", (1,), {"a": ()})], "must allow choices"),
    ],
)
def test_bad_genes(genes, words):
    with pytest.raises(InvalidInputError, match=words):
        SearchSpace(genes())


@pytest.mark.parametrize("n", [-1, 2.5, "3", None])
def test_bad_n(n):
    with pytest.raises(
        InvalidInputError, match=f"The 'n' parameter of sample must be a non-negative int below 2.31. Got {n!r}"
    ):
        conditional_space().sample(n)


def test_unknown_space_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="Unknown space 'nasbench_201'. Did you mean 'nasbench201'?"):
        resolve_space("nasbench_201")
    with pytest.raises(InvalidInputError, match="'space' parameter must be a SearchSpace.* Got a int instead"):
        resolve_space(3)


def test_no_network():
    with pytest.raises(SurronasError, match="defines no networks"):
        conditional_space().cost([[0] * 6])
    with pytest.raises(SurronasError, match="defines no networks"):
        conditional_space().build([0] * 6)


@pytest.mark.parametrize("spec", [{}, {"genes": [{"nme": "a"}]}, {"genes": 3}, {"genes": [{"name": "a"}]}, [], None])
def test_a_foreign_specification_is_an_invalid_file(spec):
    with pytest.raises(InvalidFileError, match="Not the description of a search space"):
        space_from_spec(spec)


def test_equality_is_that_of_name_and_genes():
    assert conditional_space() == conditional_space()
    assert hash(conditional_space()) == hash(conditional_space())
    assert conditional_space() != get_space("nasbench201")
    assert get_space("nasbench201") == get_space("nasbench201")
    assert "6 genes, size=" in repr(conditional_space())


WORDS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8)


@given(
    names=st.lists(WORDS, min_size=1, max_size=3, unique=True),
    choices=st.lists(WORDS, min_size=2, max_size=3, unique=True),
)
def test_any_words_are_read_back(names, choices):
    space = SearchSpace([Gene(name, tuple(choices)) for name in names])
    X = space.enumerate()
    np.testing.assert_array_equal(space.parse(space.format(X)), X)


def test_words_with_spaces_are_quoted():
    space = SearchSpace([Gene("stem op", ("sep conv", "pool")), Gene("k", (3, 5))])
    assert space.format([[0, 1]]) == ["'stem op=sep conv' k=5"]
    with pytest.raises(InvalidInputError, match="the gene 'stem op' has no choice 'conv'"):
        space.parse(["'stem op=conv' k=5"])
    with pytest.raises(InvalidInputError, match="Row 0 does not parse: No closing quotation"):
        space.parse(["'stem op=pool k=5"])


@pytest.mark.parametrize("archs", [np.array(np.inf), np.array("x"), np.array(3), np.float32("nan")])
def test_arrays_without_rows_are_refused(archs):
    for read in (SearchSpace([Gene("a", (1, 2))]).parse, SearchSpace.from_array):
        with pytest.raises(InvalidInputError, match="archs"):
            read(archs)


@pytest.mark.parametrize("huge", [2**70, 10**400, 1e300, np.uint64(2**64 - 1)])
def test_huge_numbers_are_no_choices(huge):
    with pytest.raises(InvalidInputError, match="archs"):
        SearchSpace([Gene("a", (1, 2)), Gene("b", (1, 2))]).parse([[0, huge]])


@pytest.mark.parametrize(
    "spec",
    [
        {"genes": [{"name": "a", "choices": [1, 2], "active_if": "b"}]},
        {"genes": [{"name": "a", "choices": 7}]},
        {"name": "nasbench201", "parameters": {"genes": ["abc"]}},
        {
            "name": "mbconv",
            "parameters": {"stages": [{"fused": True, "channels": 8, "stride": 1, "depths": [1, 10**9]}]},
        },
        ["genes"],
        None,
    ],
)
def test_hostile_descriptions_of_spaces_are_refused(spec):
    with pytest.raises(InvalidFileError, match="Not the description of a search space"):
        space_from_spec(spec)


def test_more_architectures_than_there_are_are_refused_at_once():
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2)) for i in range(4)])
    with pytest.raises(InvalidInputError, match="must be at most 81"):
        space.sample(2**31 - 1)
    with pytest.raises(InvalidInputError, match="must be a non-negative int below 2"):
        space.sample(10**20, unique=False)
