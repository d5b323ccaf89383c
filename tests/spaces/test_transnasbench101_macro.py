"""TransNAS-Bench-101's macro networks: strings, limits, and cost by counting in a network."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from tests.spaces.transnas_network import counted

space = get_space("transnasbench101_macro")
EVERYTHING = space.enumerate()


def allowed(digits):
    doublings, halvings = sum(d in "24" for d in digits), sum(d in "34" for d in digits)
    return 1 <= doublings <= 3 and 1 <= halvings <= 4


def test_all_strings():
    expected = {f"64-{''.join(d)}-basic" for n in (4, 5, 6) for d in product("1234", repeat=n) if allowed(d)}
    assert len(expected) == space.size == 3_256
    strings = space.format(EVERYTHING)
    assert len(strings) == 3_256
    assert set(strings) == expected
    np.testing.assert_array_equal(space.parse(strings), EVERYTHING)
    assert len(np.unique(space.key(EVERYTHING))) == 3_256


def test_naslibs_tuples():
    tuples = [(1, 2, 3, 4, 0, 0), (4, 4, 1, 1, 1, 0), (1, 4, 4, 1, 4, 1)]
    assert space.format(space.parse(tuples)) == ["64-1234-basic", "64-44111-basic", "64-144141-basic"]
    assert space.format(space.parse([np.array(row) for row in tuples[:2]])) == ["64-1234-basic", "64-44111-basic"]
    for wrong in ((1, 2, 0, 3, 4, 0), (1, 2, 3, 0, 0, 0), (1, 2, 3, 5, 0, 0), (1, 2, 3, 4, 0, 0, 0, 0), ()):
        with pytest.raises(InvalidInputError, match=r"Row 1 does not parse: a tuple of four to six digits"):
            space.parse([tuples[0], wrong])


def test_modules_beyond_the_depth_count_for_nothing():
    x = space.parse(["64-1224-basic"])[0]
    other = x.copy()
    other[5:] = 3
    assert space.is_valid(other[None]).all()
    assert space.key([x]) == space.key([other])
    assert space.format([other]) == ["64-1224-basic"]
    deeper = [arch for arch in space.format(space.neighbours(x)) if len(arch) > len("64-1224-basic")]
    assert deeper == ["64-12241-basic", "64-122411-basic"]


def test_cost_is_that_of_the_network():
    X = np.vstack(
        [space.sample(8, random_state=0), space.parse(["64-1234-basic", "64-444311-basic", "64-111114-basic"])]
    )
    for num_classes, resolution in ((75, 256), (47, 224)):
        cost = space.cost(X, num_classes, resolution)
        expected = [counted(name, num_classes, resolution) for name in space.format(X)]
        assert cost.to_numpy().tolist() == expected


def test_graph_is_the_chain_of_modules():
    graph = space.graph(space.parse(["64-12341-basic"]))
    assert [graph.op_names[op] for op in graph.ops[0] if op >= 0] == [
        "normal",
        "double_channels",
        "halve_resolution",
        "double_channels_halve_resolution",
        "normal",
    ]
    assert graph.adjacency[0].sum() == 6


@pytest.mark.parametrize("arch", ["64-123-basic", "64-1234567-basic", "64-1235-basic", "64-41414-1_02_333", "1234", 7])
def test_what_does_not_parse_names_row_and_value(arch):
    with pytest.raises(InvalidInputError, match=r"Row 1 does not parse.*64-1234-basic") as error:
        space.parse(["64-1234-basic", arch])
    assert str(arch) in str(error.value)


@pytest.mark.parametrize("arch", ["64-1111-basic", "64-2222-basic", "64-1222-basic", "64-444411-basic"])
def test_too_many_or_too_few_changes_name_the_row(arch):
    with pytest.raises(InvalidInputError, match=r"in row 1, which is none: channels must be doubled"):
        space.parse(["64-1234-basic", arch])
