"""``fit_predictor(proxies=...)``: computed, given, saved."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import surronas as sn
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import read_archive, write_archive
from surronas.proxies import Scorer
from surronas.selection import resolve_candidates
from surronas.spaces import get_space
from surronas.testing import conditional_space

NB201 = sn.get_space("nasbench201")
BATCH = np.random.default_rng(0).standard_normal((4, 3, 8, 8), dtype=np.float32), np.arange(4) % 2
X = NB201.sample(40, random_state=0)
NEW = NB201.sample(60, random_state=1)
SIGNAL = pd.Series(np.random.default_rng(1).normal(size=len(X) + len(NEW)))
KNOWN = pd.DataFrame({"signal": SIGNAL, "noise": 1.0}).set_axis(NB201.format(np.r_[X, NEW]))
Y = SIGNAL[: len(X)].to_numpy()

pytestmark = pytest.mark.filterwarnings("ignore::surronas.SurronasWarning")


@pytest.fixture(scope="module")
def scorer():
    return Scorer(["params", "nwot"], BATCH, network_options={"channels": 2, "cells": 1})


def fit(proxies, predictor="linear", encoder="auto", space=NB201, archs=X, y=Y, **params):
    return sn.fit_predictor(
        archs, y, space=space, predictor=predictor, encoder=encoder, proxies=proxies, random_state=0, **params
    )


def both(model, archs):
    return np.stack(model.predict(archs, return_std=True))


def test_auto_gains_candidates_only_where_proxies_are_asked_for():
    for space in (NB201, get_space("nats_size"), get_space("nasbench_macro")):
        without = [c.name for c in resolve_candidates("auto", "auto", space)]
        extended = [c.name for c in resolve_candidates("auto", "auto", space, zero_cost=True)]
        assert extended[: len(without)] == without
        assert len(extended) > len(without)
        assert all("+zero_cost:" in name for name in extended[len(without) :])
        assert not any("zero_cost" in name for name in without)


def test_given_scores_that_say_it_all_are_learnt_from_and_used_for_new_architectures():
    """The targets are the scores, and nothing else tells them."""
    model = fit(KNOWN)
    record = model.selection_
    assert record.loc[0, "encoder"].endswith("zero_cost")
    predicted = fit(KNOWN, encoder="zero_cost").predict(NEW)
    assert sn.metrics.kendall_tau(SIGNAL[len(X) :].to_numpy(), predicted) > 0.7
    blind = fit(None)
    assert abs(sn.metrics.kendall_tau(SIGNAL[len(X) :].to_numpy(), blind.predict(NEW))) < 0.4
    assert (blind.selection_["arch_seconds"] == 0).all()
    assert record.loc[0, ["arch_seconds"]].isna().all()


def test_computed_scores_have_a_price(scorer):
    model = fit(scorer, encoder=["one_hot", "one_hot+zero_cost"])
    price = model.selection_.set_index("encoder")["arch_seconds"]
    assert price["one_hot"] == 0
    assert 0 < price["one_hot+zero_cost"] < 60
    assert np.isfinite(both(model, NEW)).all()


def test_names_are_computed_on_noise():
    sizes = get_space("nats_size")
    S = sizes.parse(["8:8:8:8:8", "16:8:8:8:8", "8:16:8:8:8", "8:8:16:8:8"])
    params = sizes.cost(S)["params"].to_numpy()
    model = fit(["params"], "linear", "zero_cost", sizes, S, params.astype(float))
    np.testing.assert_allclose(model.predict(S), params, rtol=0.05)


def test_isomorphic_architectures_are_predicted_the_same(scorer):
    model = fit(scorer, encoder="one_hot+zero_cost")
    C = NB201.canonical(NEW[:8])
    members, rows = NB201.isomorphs(C)
    np.testing.assert_allclose(both(model, members), both(model, C)[:, rows], rtol=1e-9)


@pytest.mark.parametrize("kind", ["known", "scorer", "both", "names"])
def test_a_saved_surrogate_is_the_same(scorer, kind, tmp_path):
    known = KNOWN.set_axis(["params", "nwot"], axis=1)[: len(X)]
    space, archs, new = NB201, X, NEW
    if kind == "names":
        space = get_space("nats_size")
        archs, new = space.sample(6, random_state=0), space.sample(8, random_state=0)
    proxies = {"known": KNOWN, "scorer": scorer, "both": ZeroCost(scorer, known), "names": ["layers"]}[kind]
    model = fit(proxies, space=space, archs=archs, y=Y[: len(archs)], encoder="one_hot+zero_cost")
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    np.testing.assert_array_equal(both(again, new), both(model, new))
    pd.testing.assert_frame_equal(again.selection_, model.selection_, check_exact=True)
    again.save(tmp_path / "b")
    np.testing.assert_array_equal(both(sn.load_predictor(tmp_path / "b"), new), both(model, new))


def test_files_from_before_there_were_proxies_are_read(tmp_path):
    model = fit(None, encoder="one_hot")
    model.save(tmp_path / "a")
    head, parts = read_archive(tmp_path / "a", "surronas surrogate", 1)
    head = {key: part for key, part in head.items() if key not in ("kind", "version", "parts", "encoders")}
    del head["selection"]["arch_seconds"]
    write_archive(tmp_path / "b", "surronas surrogate", 1, head, parts)
    again = sn.load_predictor(tmp_path / "b")
    np.testing.assert_array_equal(both(again, NEW), both(model, NEW))
    pd.testing.assert_frame_equal(again.selection_, model.selection_)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["scorer"].update(proxies=["os"]),
        lambda state: state["scorer"].update(n_classes=1),
        lambda state: state.pop("scores"),
        lambda state: state.update(scores=["a"]),
    ],
)
def test_forged_scorers_are_refused(scorer, tmp_path, change):
    fit(scorer, encoder="zero_cost").save(tmp_path / "a")
    head, parts = read_archive(tmp_path / "a", "surronas surrogate", 1)
    head = json.loads(json.dumps({key: part for key, part in head.items() if key not in ("kind", "version", "parts")}))
    change(head["encoders"]["zero_cost"])
    write_archive(tmp_path / "b", "surronas surrogate", 1, head, parts)
    with pytest.raises((InvalidFileError, InvalidInputError)):
        sn.load_predictor(tmp_path / "b")


def test_proxies_that_have_no_use_or_cannot_be_computed_are_refused(scorer):
    with pytest.raises(InvalidInputError, match=r"The 'proxies' have no use: .* none of the encoders \['one_hot'\]"):
        fit(scorer, encoder="one_hot")
    space = conditional_space()
    archs = space.sample(10, random_state=0)
    with pytest.raises(InvalidInputError, match="The 'proxies' cannot be computed: the space 'categorical' defines no"):
        fit("cheap", space=space, archs=archs, y=Y[:10])
    with pytest.raises(InvalidInputError, match="The index of 'scores' must hold the architectures"):
        fit(KNOWN.reset_index(drop=True))
    for wrong in ("cheep", ["params", "params"], 3):
        with pytest.raises(SurronasError):
            fit(wrong)


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_published_scores(shared_data):
    table = sn.load_benchmark("nasbench201", dataset="cifar10")
    names = [name for name in table.targets if table.target(name).kind == "proxy"]
    published = table.targets[names].set_axis(table.space.format(table.archs)).dropna(how="all")
    train, test = table.split(n_train=32, random_state=0)
    accuracy = table.targets["val_accuracy"].to_numpy()
    model = sn.fit_predictor(
        table.archs[train], accuracy[train], space=table.space, proxies=published, predictor="gp", random_state=0
    )
    assert model.selection_["encoder"].str.contains("zero_cost").any()
    assert sn.metrics.kendall_tau(accuracy[test[:500]], model.predict(table.archs[test[:500]])) > 0.5
