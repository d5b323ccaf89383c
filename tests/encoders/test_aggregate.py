"""The untrained aggregate: ranks by hand, directions, what it leaves out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.utils.estimator_checks import check_estimator

import surronas as sn
from surronas.encoders import get_encoder
from surronas.encoders.aggregate import Aggregate
from surronas.exceptions import InvalidInputError
from surronas.proxies import Scorer
from surronas.spaces import get_space
from surronas.testing import check_encoder, conditional_space

NB201, SIZES = get_space("nasbench201"), get_space("nats_size")
BATCH = np.random.default_rng(0).standard_normal((4, 3, 8, 8), dtype=np.float32), np.arange(4) % 2
X = np.unique(NB201.representatives(NB201.canonical(NB201.sample(60, random_state=0))), axis=0)
RNG = np.random.default_rng(1)
QUALITY = RNG.normal(size=len(X))


def known(**columns):
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(list(X.T)))


def noisy(scale=0.3):
    return np.sinh(QUALITY + scale * RNG.normal(size=len(X)))


def order(scores, **params):
    encoder = Aggregate(scores=scores, space=NB201, **params).fit(X[:1])
    return encoder, encoder.transform(X)[:, 0]


def test_contract():
    check_estimator(Aggregate(), on_skip=None)
    check_encoder("aggregate", [conditional_space(), NB201, SIZES, get_space("nasbench_graph")])
    check_encoder(Aggregate(scores=known(a=noisy(), b=noisy())), [NB201])
    check_encoder(Aggregate(Scorer(["params", "nwot"], BATCH, network_options={"channels": 2, "cells": 1})), [NB201])


def test_known_scores_give_the_sum_of_the_logarithms_of_their_ranks():
    scores = known(a=noisy(), b=noisy())
    _, found = order(scores)
    shares = (rankdata(scores.to_numpy(), axis=0) - 0.5) / len(X)
    np.testing.assert_allclose(found, np.log(shares).sum(axis=1), rtol=1e-9)


def test_directions_are_those_that_are_registered():
    scores = known(te_ntk=-noisy(), nwot=noisy())
    encoder, found = order(scores)
    assert encoder.parts_ == ["te_ntk", "nwot"]
    turned = known(anything=-scores["te_ntk"].to_numpy(), nwot=scores["nwot"].to_numpy())
    np.testing.assert_allclose(found, order(turned)[1])
    assert sn.metrics.kendall_tau(QUALITY, found) > 0.7


def test_gradients_and_what_disagrees_with_the_rest_are_left_out():
    good = {"a": noisy(), "b": noisy(), "c": noisy()}
    encoder, found = order(known(**good, reversed=-noisy(), noise=RNG.normal(size=len(X)), snip=noisy()))
    assert encoder.parts_ == ["a", "b", "c"]
    np.testing.assert_allclose(found, order(known(**good))[1])
    assert order(known(snip=noisy()))[0].parts_ == ["snip"]


def test_a_missing_score_counts_as_the_median():
    scores = known(a=noisy(), b=noisy())
    scores.iloc[3, 1] = np.nan
    _, found = order(scores)
    share = (np.sum(scores["a"] < scores["a"].iloc[3]) + 0.5) / len(X)
    assert found[3] == pytest.approx(np.log(share) + np.log(0.5))


def test_beyond_the_population_more_is_still_better():
    few = known(a=np.arange(len(X)) * 1.0).iloc[10:40]
    encoder = Aggregate(Scorer("params", BATCH), space=NB201)
    small, large = NB201.parse([[0, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 3]])
    C = NB201.canonical(np.stack([small, large]))
    ends = encoder.fit(C).transform(C)[:, 0]
    assert ends[0] < ends[1] < 0
    unknown = Aggregate(scores=few, space=NB201).fit(X).transform(X)[:, 0]
    np.testing.assert_allclose(unknown[:10], np.log(0.5))


def test_without_scores_it_is_the_costs():
    encoder = get_encoder("aggregate", space=SIZES)
    C = SIZES.canonical(SIZES.sample(200, random_state=3))
    found = encoder.fit(C[:1]).transform(C)[:, 0]
    cost = SIZES.cost(C)
    assert encoder.parts_ == ["params", "madds"]
    assert sn.metrics.spearman(found, np.log(cost).sum(axis=1)) > 0.97
    assert encoder.blocks_ == (("prior", (1,)),)
    space = conditional_space()
    empty = get_encoder("aggregate", space=space).fit(space.sample(3, 0))
    assert empty.transform(space.sample(3, 0)).shape == (3, 0)
    assert empty.parts_ == []


def test_scores_of_other_names_are_refused():
    with pytest.raises(InvalidInputError, match="must have a column for the proxy 'c'"):
        order(known(a=noisy()), proxies=["c"])


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_published_proxies_order_the_cells_as_known(shared_data):
    """REFERENCES.md's figure, .712 on CIFAR-10, here with the mean scores of isomorphic cells."""
    table = sn.load_benchmark("nasbench201", dataset="cifar10")
    five = ["nwot", "synflow", "jacov", "params", "epe_nas"]
    rows = np.flatnonzero(table.targets["l2_norm"].notna())
    published = table.targets[five].iloc[rows].set_axis(pd.MultiIndex.from_arrays(list(table.archs[rows].T)))
    encoder = Aggregate(scores=published, space=table.space).fit(table.archs[:1])
    assert len(rows) == 9445
    assert encoder.parts_ == five
    found = encoder.transform(table.space.canonical(table.archs[rows]))[:, 0]
    assert sn.metrics.kendall_tau(table.targets["val_accuracy"].iloc[rows], found) == pytest.approx(0.709, abs=0.003)
