"""What choices a column gives, and that its codes stand for its values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surronas.datasets.gene_columns import distinct, encode, infer_gene
from surronas.exceptions import InvalidInputError
from surronas.spaces import Gene


def column(values, dtype=None):
    return pd.Series(values, name="x", dtype=dtype)


@pytest.mark.parametrize(
    ("values", "choices", "ordered", "said"),
    [
        (column([3, 7, 5, 3]), (3, 5, 7), True, "3, 5, 7 (3 numbers, in this order)"),
        (column([1.0, 0.5, 1.0]), (0.5, 1.0), True, "0.5, 1.0 (2 numbers, in this order)"),
        (column([4.0, 2.0]), (2, 4), True, "2, 4 (2 numbers, in this order)"),
        (column([1, None, 2], "Int64"), (1, 2, None), False, "1, 2, None (3 numbers, None where the column is blank)"),
        (column([1, np.nan, 2]), (1, 2, None), False, "1, 2, None (3 numbers, None where the column is blank)"),
        (column([0, 1, 1]), (0, 1), True, "0, 1 (2 numbers, in this order)"),
        (column([True, False]), (False, True), False, "False, True (2 booleans)"),
        (column(["TRUE", "false", "true"]), (False, True), False, "False, True (2 booleans)"),
        (column(["yes", "no"]), ("no", "yes"), False, "no, yes (2 words)"),
        (column(["gelu", "relu", "gelu"]), ("gelu", "relu"), False, "gelu, relu (2 words)"),
        (column(["b", None]), ("b", None), False, "b, None (2 words, None where the column is blank)"),
        (column(["b", "None", None]), ("None", "b"), False, "None, b (2 words, None where the column is blank)"),
        (column(["True", None, "False"]), (False, True, None), False, "3 booleans, None where the column is blank"),
        (column([3, "auto", 3], object), (3, "auto"), False, "3, auto (2 words)"),
    ],
)
def test_choices_by_values(values, choices, ordered, said):
    gene, text = infer_gene(values, declared=False)
    assert gene == Gene("x", choices, ordered=ordered)
    assert [type(choice) for choice in gene.choices] == [type(choice) for choice in choices]
    assert said in text
    codes, blank = encode(values, gene)
    assert not blank.any()
    assert codes.max() < len(choices)


@pytest.mark.parametrize(("values", "said"), [([7, 7], "7 throughout"), ([None, None], "blank throughout")])
def test_a_column_of_one_value_is_no_gene(values, said):
    assert infer_gene(column(values, object), declared=True) == (None, said)


@given(
    st.one_of(
        *(
            st.lists(st.one_of(st.none(), elements), min_size=2, max_size=30)
            for elements in (
                st.integers(-9, 9),
                st.booleans(),
                st.text("abc", max_size=2),
                st.sampled_from([0.25, 0.5, -1.5]),
            )
        )
    )
)
def test_the_codes_of_an_inferred_gene_stand_for_the_values(values):
    gene, _ = infer_gene(column(values, object), declared=True)
    if gene is None:
        assert len(set(values)) == 1
        return
    codes, _ = encode(column(values, object), gene)
    assert [gene.choices[code] for code in codes] == values
    assert set(gene.choices) - {False, True} <= set(values)


def test_a_declared_gene_reads_its_choices_however_they_are_written():
    assert encode(column([3, 5, 3]), Gene("x", ("5", "3")))[0].tolist() == [1, 0, 1]
    assert encode(column(["3", "5"]), Gene("x", (3, 5)))[0].tolist() == [0, 1]
    assert encode(column([1, 0]), Gene("x", (False, True)))[0].tolist() == [1, 0]
    assert encode(column(["false", "True"], object), Gene("x", (True, False)))[0].tolist() == [1, 0]
    codes, blank = encode(column(["a", None, "b"]), Gene("x", ("a", "b")))
    assert (codes.tolist(), blank.tolist()) == ([0, 0, 1], [False, True, False])
    codes, blank = encode(column(["a", None]), Gene("x", ("none", "a", None)))
    assert (codes.tolist(), blank.tolist()) == ([1, 2], [False, False])


@pytest.mark.parametrize(
    ("values", "gene", "text"),
    [
        ([3, 5, 4], Gene("x", (3, 5)), "choices of its gene, (3, 5). Got 4 in row 2."),
        (["true", "no"], Gene("x", ("yes", "no")), "Got 'true' in row 0."),
        ([[1], [2]], Gene("x", (1, 2)), "Got [1] in row 0."),
    ],
)
def test_a_foreign_value_names_column_and_row(values, gene, text):
    with pytest.raises(InvalidInputError) as caught:
        encode(column(values), gene)
    assert "The column 'x' must hold" in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([1, [2], 3], "Got [2] in row 1."),
        ([1, 2, ([3],)], "Got ([3],) in row 2."),
        ([0.5, np.inf], "Got inf in row 1."),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), "Got Timestamp('2024-01-01 00:00:00') in row 0."),
        (np.linspace(0, 1, 300), "Got 300 in 300 rows. If it was measured, name it in 'targets' ({'x': 'minimize'})."),
        ([1.25, 2.5, 2.75], "not mostly fractions that differ. Got 3 in 3 rows."),
        (["a", *"bcd"] * 50 + [f"{i}" for i in range(100)], "If it holds architectures of a known space, name that in"),
        (range(101), "must have at most 100 different values to be a gene without being declared"),
        ([f"net{i}" for i in range(200)], "Got 200 in 200 rows."),
    ],
)
def test_what_nobody_declared_and_looks_measured_is_refused(values, got):
    with pytest.raises(InvalidInputError) as caught:
        infer_gene(column(values), declared=False)
    assert "The column 'x' must" in str(caught.value)
    assert got in str(caught.value)


def test_what_is_declared_may_have_many_choices_up_to_a_limit():
    gene, _ = infer_gene(column(np.linspace(0, 1, 300)), declared=True)
    assert len(gene.choices) == 300
    with pytest.raises(InvalidInputError, match="at most 4096 different values to be a gene. Got 5000 in 5000 rows"):
        infer_gene(column(range(5000)), declared=True)


@given(
    st.lists(st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, 2.0, -0.25]), st.text("ab", max_size=2)))
)
def test_distinct_values_and_their_rows_give_the_column_back(values):
    found, which = distinct(column(values, object))
    assert [None if k < 0 else found[k] for k in which] == values
    assert len(set(found)) == len(found)
