"""Aggregates against their sums written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.proxies import Aggregate, get_proxy, list_proxies


@pytest.mark.parametrize("name", [name for name in list_proxies() if isinstance(get_proxy(name), Aggregate)])
def test_a_row_that_leads_everywhere_leads_and_one_without_a_part_has_no_score(name):
    aggregate = get_proxy(name)
    parts = [get_proxy(part) for part in aggregate.parts]
    columns = {part.name: np.array([2.0, 3.0, 1.0, 9.0]) * (1 if part.maximize else -1) for part in parts}
    frame = pd.DataFrame(columns, index=[7, 7, 3, 4])
    frame.iloc[3, 0] = np.nan
    scores = aggregate.combine(frame)
    assert scores.name == name
    assert list(scores.index) == [7, 7, 3, 4]
    assert scores.iloc[1] > scores.iloc[0] > scores.iloc[2]
    assert np.isnan(scores.iloc[3])
    assert len(aggregate.description) > 10


def test_az_nas_is_the_sum_of_the_logarithms_of_ranks():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 4)), columns=get_proxy("az_nas").parts)
    expected = [
        sum(np.log(sum(other <= value for other in frame[part]) / 5) for part, value in row.items())
        for _, row in frame.iterrows()
    ]
    assert get_proxy("az_nas").combine(frame).to_numpy() == pytest.approx(expected)
