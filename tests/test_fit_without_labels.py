"""``fit_predictor`` before the first label: what orders a space, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import surronas as sn
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import read_archive, write_archive
from surronas.proxies import Scorer
from surronas.selection import resolve_candidates
from surronas.spaces import get_space
from surronas.testing import conditional_space

NB201 = get_space("nasbench201")
X = NB201.sample(50, random_state=0)
SIGNAL = np.random.default_rng(0).normal(size=len(X))
KNOWN = pd.DataFrame({"a": np.exp(SIGNAL), "b": SIGNAL}).set_axis(NB201.format(X))


def test_costs_order_a_space_and_the_record_says_so():
    model = sn.fit_predictor(space="nasbench201")
    params = NB201.cost(X)["params"].to_numpy()
    assert sn.metrics.spearman(params, model.predict(X)) > 0.97
    record = model.selection_
    assert list(record["status"]) == ["chosen"]
    assert "no labels: the order is that of the untrained aggregate of params, madds" in record.loc[0, "reason"]
    assert repr(model) == f"<Surrogate of 'nasbench201', {record.loc[0, 'reason']}>"
    assert list(record) == list(sn.fit_predictor(X[:9], SIGNAL[:9], space=NB201, predictor="linear").selection_)


def test_given_scores_order_it():
    model = sn.fit_predictor(space=NB201, proxies=KNOWN)
    assert sn.metrics.kendall_tau(SIGNAL, model.predict(X)) > 0.9
    assert "aggregate of a, b;" in model.selection_.loc[0, "reason"]


def test_computed_scores_order_it():
    sizes = get_space("nats_size")
    images = np.random.default_rng(0).standard_normal((4, 3, 8, 8), dtype=np.float32), np.arange(4) % 2
    model = sn.fit_predictor(space=sizes, proxies=Scorer(["params"], images))
    S = sizes.sample(10, random_state=0)
    params = sizes.cost(S)["params"]
    assert sn.metrics.kendall_tau(params, model.predict(S)) == pytest.approx(1)
    assert model.selection_.loc[0, "arch_seconds"] > 0


@pytest.mark.parametrize("nothing", [[], np.empty((0, 6), dtype=int)])
def test_an_empty_archive_is_no_label(nothing):
    model = sn.fit_predictor(nothing, pd.Series([], dtype=float, name="accuracy"), space=NB201)
    assert model.target == "accuracy"
    np.testing.assert_array_equal(model.predict(X), sn.fit_predictor(space=NB201).predict(X))


def test_predictions_depend_on_the_architecture_alone():
    model = sn.fit_predictor(space=NB201, proxies=KNOWN)
    whole = model.predict(X)
    np.testing.assert_array_equal(model.predict(X[3:5]), whole[3:5])
    members, rows = NB201.isomorphs(NB201.canonical(X))
    np.testing.assert_allclose(model.predict(members), whole[rows])
    assert model.predict([]).shape == (0,)


@pytest.mark.parametrize("proxies", [None, KNOWN])
def test_a_saved_one_is_the_same(proxies, tmp_path):
    model = sn.fit_predictor(space=NB201, proxies=proxies)
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    pd.testing.assert_frame_equal(again.selection_, model.selection_)
    assert repr(again) == repr(model)


@pytest.mark.parametrize("name", ["prior", "one_hott", 3, ["aggregate"]])
def test_forged_files_are_refused(name, tmp_path):
    sn.fit_predictor(space=NB201).save(tmp_path / "a")
    head, parts = read_archive(tmp_path / "a", "surronas surrogate", 1)
    head = {key: value for key, value in head.items() if key not in ("kind", "version", "parts")}
    write_archive(tmp_path / "b", "surronas surrogate", 1, {**head, "untrained": name}, parts)
    with pytest.raises((InvalidFileError, InvalidInputError)):
        sn.load_predictor(tmp_path / "b")


def test_what_needs_a_scale_is_refused():
    model = sn.fit_predictor(space=NB201)
    for call in (
        lambda: model.predict_interval(X),
        lambda: model.predict(X, return_std=True),
        lambda: model.satisfies(X, max=10),
    ):
        with pytest.raises(InvalidInputError, match="orders architectures, but knows no scale"):
            call()
    with pytest.raises(InvalidInputError, match="no labels that could tell how good it is"):
        model.diagnose()


def test_what_cannot_be_done_without_labels_is_named():
    with pytest.raises(InvalidInputError, match="A 'space' must be given where there are no 'archs'"):
        sn.fit_predictor()
    with pytest.raises(InvalidInputError, match="Without labels nothing orders the space 'categorical'"):
        sn.fit_predictor(space=conditional_space())
    with pytest.raises(InvalidInputError, match="at least two architectures. Got 0"):
        sn.fit_predictor(space=NB201, predictor="gp")
    with pytest.raises(InvalidInputError, match="'y' must have shape"):
        sn.fit_predictor(X, space=NB201)
    with pytest.raises(SurronasError):
        sn.fit_predictor(None, [1.0], space=NB201)


def test_what_is_learnt_from_the_first_labels_starts_from_the_same_order():
    names = [c.name for c in resolve_candidates("auto", "auto", NB201, zero_cost=True, prior="aggregate")]
    assert "aggregate:linear" in names
    assert all(name.startswith("aggregate") for name in names)
    model = sn.fit_predictor(X[:12], SIGNAL[:12], space=NB201, proxies=KNOWN, predictor="linear", random_state=0)
    assert model.selection_["encoder"].str.startswith("aggregate+").all()
    blind = sn.fit_predictor(X[:12], SIGNAL[:12], space=NB201, predictor="linear", random_state=0)
    found, guessed = (sn.metrics.kendall_tau(SIGNAL[12:], m.predict(X[12:])) for m in (model, blind))
    assert found > guessed + 0.2
