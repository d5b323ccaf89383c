"""What is learnt from other tasks: few labels of a new one are enough, and where the tasks mislead they are left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import surronas as sn
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.io import read_archive, write_archive
from surronas.selection.targets import LogScores, TargetScores
from surronas.spaces import as_drawn, get_space
from surronas.transfer import SourceTasks, source

NB201 = get_space("nasbench201")
CELLS = NB201.sample(700, random_state=0, unique=False)
PRICES = np.array([0, 0.05, 1.0, 3.0, 0.6])


def latency(seed, archs=CELLS):
    """Of a device that executes dead parts too: a price an operation, noise of 2 %."""
    rng = np.random.default_rng(seed)
    prices = PRICES * rng.lognormal(0, 0.4, 5)
    milliseconds = rng.lognormal(1, 1) * (2 + prices[archs].sum(axis=1))
    return milliseconds * rng.lognormal(0, 0.02, len(archs))


DEVICES = {f"device{i}": (CELLS[:120], latency(i)[:120]) for i in range(3)}
SIZES = get_space("nats_size")
NETS = SIZES.sample(400, random_state=0)


def accuracy(seed):
    """Of data sets that are mostly alike: what the widths bring, in another order of importance."""
    rng = np.random.default_rng(seed)
    return 50 + 5 * np.log1p(NETS) @ (1 + rng.uniform(0, 0.7, 5)) + 0.3 * rng.normal(size=len(NETS))


DATASETS = {f"data{i}": (NETS[:150], accuracy(i)[:150]) for i in range(3)}
OPTIONS = {"predictor": ["prior+op_counts:transfer", "one_hot:linear"], "random_state": 0}
NEW = np.arange(300, 700)


def test_the_scale_and_the_space_are_those_of_the_tasks():
    devices, data = SourceTasks(DEVICES, NB201), SourceTasks(DATASETS, SIZES)
    assert (devices.log, data.log) == (True, False)
    assert devices.space == as_drawn(NB201)
    assert data.space == SIZES
    of_function = NB201.canonical(CELLS[:120])
    quality = {"a": (CELLS[:120], (of_function == 3).sum(axis=1) + 0.2 * (of_function == 2).sum(axis=1))}
    assert SourceTasks(quality, NB201).space == NB201
    assert "device0, device1, device2" in repr(devices)


def test_ten_labels_of_a_new_device():
    y = pd.Series(latency(9), name="latency_ms")
    options = {"space": NB201, **OPTIONS}
    model = sn.fit_predictor(CELLS[290:300], y[290:300], source=DEVICES, **options)
    cold = sn.fit_predictor(CELLS[290:300], y[290:300], space=NB201, predictor="one_hot:linear", random_state=0)
    mean, std = model.predict(CELLS[NEW], return_std=True)
    warm, plain = (spearmanr(each.predict(CELLS[NEW]), y[NEW]).statistic for each in (model, cold))
    assert warm > 0.92
    assert warm > plain + 0.05
    assert isinstance(model.switching.targets_, LogScores)
    assert (np.abs(y[NEW] - mean) < 1.645 * std).mean() > 0.6  # of one draw of ten; over many it is 90 %
    for limit in y.quantile([0.2, 0.6]):
        good = model.satisfies(CELLS[NEW], "latency_ms", max=limit)
        assert good.any()
        assert (y[NEW][good] > limit).mean() <= 0.1


def test_three_labels_of_a_new_data_set():
    y = accuracy(7)
    options = {"space": SIZES, "source": DATASETS, "random_state": 0}
    model = sn.fit_predictor(NETS[200:203], y[200:203], predictor=["prior:transfer", "one_hot:linear"], **options)
    assert sn.metrics.kendall_tau(y[203:], model.predict(NETS[203:])) > 0.75
    assert isinstance(model.switching.targets_, TargetScores)
    assert model.selection_["reason"][0] == "too few architectures to cross-validate: other tasks are believed"
    low, high = model.predict_interval(NETS[203:], 0.9)
    assert ((low < y[203:]) & (y[203:] < high)).mean() > 0.7
    with pytest.raises(InvalidInputError, match="must be at least two architectures"):
        sn.fit_predictor(NETS[200:201], y[200:201], **options)


def test_tasks_that_mislead_are_left():
    y = accuracy(7)
    rng = np.random.default_rng(0)
    noise = {f"noise{i}": (NETS[:150], rng.normal(50, 5, 150)) for i in range(4)}
    options = {"space": SIZES, "predictor": ["prior:transfer", "ordinal:linear"], "random_state": 0}
    few = slice(200, 216)
    misled = sn.fit_predictor(NETS[few], y[few], source=noise, **options)
    plain = sn.fit_predictor(NETS[few], y[few], space=SIZES, predictor="ordinal:linear", random_state=0)
    assert misled.selection_.set_index("encoder")["weight"]["ordinal"] > 0.8
    ours, theirs = (sn.metrics.kendall_tau(y[216:], each.predict(NETS[216:])) for each in (misled, plain))
    assert ours > theirs - 0.02
    helped = sn.fit_predictor(NETS[200:205], y[200:205], source=DATASETS, **options)
    assert helped.selection_.set_index("encoder")["weight"]["prior"] > 0.5


def test_a_table_of_tasks_is_a_source_of_its_own_targets():
    table = sn.load_benchmark("analog_nasbench")
    known = SourceTasks(table, table.space, "baseline_accuracy")
    assert "baseline_accuracy" not in known.tasks
    assert "analog_accuracy" in known.tasks
    assert all(len(task.values) == 1000 for task in known.tasks.values())


def test_a_task_is_fitted_once(monkeypatch):
    fits = []
    fit = source.Candidate.fit
    monkeypatch.setattr(source.Candidate, "fit", lambda *args: (fits.append(1), fit(*args))[1])
    monkeypatch.setattr(source, "_fitted", type(source._fitted)())
    few = {name: DATASETS[name] for name in ("data0", "data1")}
    one, other = SourceTasks(few, SIZES), SourceTasks(DATASETS, SIZES)
    assert not fits
    assert list(one.models) == ["data0", "data1"]
    assert len(fits) == 2
    assert other.models["data0"] is one.models["data0"]
    assert len(fits) == 3


def test_a_surrogate_with_a_source_is_saved_whole(tmp_path):
    y = pd.Series(latency(9), name="latency_ms")
    model = sn.fit_predictor(CELLS[290:300], y[290:300], space=NB201, source=DEVICES, **OPTIONS)
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    assert again.space == model.space == as_drawn(NB201)
    for ours, theirs in zip(
        model.predict(CELLS[NEW], return_std=True), again.predict(CELLS[NEW], return_std=True), strict=True
    ):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9)
    np.testing.assert_array_equal(
        again.satisfies(CELLS[NEW], max=y.median()), model.satisfies(CELLS[NEW], max=y.median())
    )
    pd.testing.assert_frame_equal(again.selection_, model.selection_, check_exact=True)
    again.save(tmp_path / "b")
    np.testing.assert_array_equal(sn.load_predictor(tmp_path / "b").predict(CELLS[NEW]), again.predict(CELLS[NEW]))


def test_without_a_label_it_is_the_mean_of_the_tasks(tmp_path):
    model = sn.fit_predictor(space=SIZES, source=DATASETS)
    assert "learnt on other tasks" in model.selection_["reason"][0]
    predicted = model.predict(NETS[200:])
    assert sn.metrics.kendall_tau(accuracy(7)[200:], predicted) > 0.7
    expected = np.mean(
        [task.recall(SIZES.rank(NETS[200:])) for task in SourceTasks(DATASETS, SIZES).models.values()], 0
    )
    np.testing.assert_allclose(predicted, expected)
    model.save(tmp_path / "a")
    np.testing.assert_allclose(sn.load_predictor(tmp_path / "a").predict(NETS[200:]), predicted)


def test_bad_requests_are_errors():
    y = accuracy(7)[:6]
    with pytest.raises(InvalidInputError, match="'images' have no use with a 'source' of measured tasks"):
        sn.fit_predictor(NETS[:6], y, space=SIZES, source=DATASETS, images=1)
    with pytest.raises(InvalidInputError, match="'source' have no use"):
        sn.fit_predictor(NETS[:6], y, space=SIZES, source=DATASETS, predictor="one_hot:linear")
    with pytest.raises(
        InvalidInputError, match="'source' must be of the space .*'nats_size'. Got one of 'nasbench201'"
    ):
        sn.fit_predictor(NETS[:6], y, space=SIZES, source=SourceTasks(DEVICES, NB201))


def test_a_predictor_that_is_not_registered_is_not_saved(tmp_path):
    model = sn.fit_predictor(space=SIZES, source=DATASETS)
    task = next(iter(model.switching.encoders["prior"].models.values()))
    kept, task.regressor = task.regressor, object()
    with pytest.raises(SurronasError, match="Only registered predictors can be saved"):
        model.save(tmp_path / "a")
    task.regressor = kept


def test_a_file_whose_tasks_are_not_what_it_says_is_refused(tmp_path):
    sn.fit_predictor(space=SIZES, source=DATASETS).save(tmp_path / "a")
    head, parts = read_archive(tmp_path / "a", "surronas surrogate", 1)
    good = {name: value for name, value in head.items() if name not in ("kind", "version", "parts")}

    def forged(change, without=None):
        kept = {name: content for name, content in parts.items() if name != without}
        write_archive(tmp_path / "b", "surronas surrogate", 1, {**good, **change}, kept)
        return tmp_path / "b"

    tasks = good["regressors"]["prior"]
    for change, without in (
        ({"regressors": {"prior": [(task, "linear") for task, _ in tasks]}}, None),
        ({}, "prior1.skops"),
        ({"kinds": {"prior": "one_hot"}}, None),
        ({"encoders": {"prior": {"encoder": "prior"}}}, None),
    ):
        with pytest.raises(SurronasError):
            sn.load_predictor(forged(change, without)).predict(NETS[:3])
    assert len(sn.load_predictor(forged({})).predict(NETS[:3])) == 3
