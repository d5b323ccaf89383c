"""What holds for every registered space and for a plain one with conditional genes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space, list_spaces
from surronas.testing import check_space, conditional_space

SPACES = [conditional_space(), *map(get_space, list_spaces())]
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


@st.composite
def batches(draw, space):
    """Up to eight genotypes of the space, inactive genes anything.

    By a seed: drawn gene by gene, the genotypes of the larger spaces take hypothesis most of the time.
    """
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    X = rng.randint(0, space.n_choices, size=(400, space.n_genes))
    return X[space.is_valid(X)][: draw(st.integers(1, 8))]


@every_space
def test_conformance(space):
    check_space(space)


@every_space
@given(data=st.data())
def test_canonical(space, data):
    C = space.canonical(data.draw(batches(space)))
    np.testing.assert_array_equal(space.canonical(C), C)
    np.testing.assert_array_equal(space.parse(space.format(C)), C)
    np.testing.assert_array_equal(space.parse(C), C)
    assert not C[~space.active(C)].any()


@every_space
@given(data=st.data())
def test_canonical_of_a_batch_is_row_by_row(space, data):
    X = data.draw(batches(space))
    rows = [space.canonical(x[None])[0] for x in X]
    np.testing.assert_array_equal(space.canonical(X), rows)
    np.testing.assert_array_equal(space.key(X), [space.key(x[None])[0] for x in X])


# The official classes of NAS-Bench-201 tell some cells apart that have one canonical form.
@pytest.mark.parametrize("space", [s for s in SPACES if s.name != "nasbench201"], ids=lambda space: space.name)
@given(data=st.data())
def test_key_is_that_of_the_canonical_form(space, data):
    X = data.draw(batches(space))
    np.testing.assert_array_equal(space.key(X), space.key(space.canonical(X)))


@every_space
@given(data=st.data())
def test_neighbours(space, data):
    x = data.draw(batches(space))[0]
    Y = space.neighbours(x)
    np.testing.assert_array_equal(space.parse(Y), Y)
    x = np.where(space.active(x[None]), x, 0)[0]
    for y in Y[:: max(len(Y) // 8, 1)]:
        both = space.active(np.stack([x, y])).all(axis=0)
        assert ((x != y) & both).sum() == 1
        assert (x == space.neighbours(y)).all(axis=1).any() or not both.all()  # back again, unless genes fell away


@every_space
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 30))
def test_sample(space, seed, n):
    X = space.sample(n, random_state=seed)
    assert X.shape == (n, space.n_genes)
    np.testing.assert_array_equal(X, space.sample(n, random_state=seed))
    np.testing.assert_array_equal(X, space.sample(n, random_state=np.random.RandomState(seed)))
    assert len(np.unique(space.key(X))) == n
    np.testing.assert_array_equal(space.parse(X), X)


@every_space
@given(data=st.data())
def test_a_walk_of_neighbours_stays_in_the_space(space, data):
    x = data.draw(batches(space))[0]
    for _ in range(4):
        Y = space.neighbours(x)
        x = Y[data.draw(st.integers(0, len(Y) - 1))]
        assert space.parse([x]).tolist() == [x.tolist()]


@every_space
@given(data=st.data())
def test_errors_name_row_and_gene(space, data):
    X = data.draw(batches(space))
    row, gene = data.draw(st.integers(0, len(X) - 1)), data.draw(st.integers(0, space.n_genes - 1))
    X[row, gene] = data.draw(st.sampled_from([-1, -7, int(space.n_choices[gene]), 10**12]))
    for read in (space.parse, space.canonical, space.key, space.graph):
        with pytest.raises(InvalidInputError) as error:
            read(X)
        assert f"gene {space.genes[gene].name!r} (gene {gene}). Got {X[row, gene]} in row {row}." in str(error.value)
