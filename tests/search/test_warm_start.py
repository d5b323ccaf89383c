from __future__ import annotations

import numpy as np
import pytest

import surronas as sn
from surronas.search import NAT


@pytest.fixture(scope="module")
def table():
    return sn.load_benchmark("analog_nasbench")


def test_a_search_begins_with_what_it_is_given(table):
    given = table.archs[[5, 900, 12, 5]]
    options = {"objectives": ["baseline_accuracy", "analog_accuracy"], "n_initial": 8, "batch_size": 2}
    search = NAT(table, warm_start=table.space.format(given), **options)
    asked = search.ask()
    assert len(asked) == len(table.space.unique(asked)) == 8
    expected = table.space.unique(table.space.canonical(given))
    assert (table.space.key(asked[: len(expected)]) == table.space.key(expected)).all()
    design = NAT(table, **options).ask()
    assert np.isin(table.space.key(asked[len(expected) :]), table.space.key(design)).all()
    search.tell(asked, search.evaluator_.evaluate(asked))
    assert search.decisions_[0] == {"by": "warm start"}
    assert len(search.ask()) == 2
    assert search.decisions_[1]["by"] != "warm start"


def test_more_than_enough_is_cut(table):
    search = NAT(table, ["baseline_accuracy", "analog_accuracy"], n_initial=3, warm_start=table.archs[:9])
    assert len(search.ask()) == 3
