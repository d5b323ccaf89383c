from __future__ import annotations

from functools import partial

import numpy as np

from surronas import demo
from surronas.api import fit_predictor
from surronas.benchmark import metrics
from surronas.datasets import load_benchmark
from surronas.datasets.images import load_images
from surronas.search import NAT


def test_the_demo_measures_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PREDICTORS", ("one_hot:linear",))  # the real ones take a minute
    fit = partial(fit_predictor, predictor="one_hot:linear")
    monkeypatch.setattr(demo, "fit_predictor", fit)
    images = load_images("digits").subset(sizes={"train": 128, "validation": 40, "test": 40})
    monkeypatch.setattr(demo, "load_images", lambda name, validation_size: images)
    for name, value in {"N_INITIAL": 6, "N_EVALUATIONS": 8, "BATCH": 2, "EPOCHS": 1, "N_ROWS": 3}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setattr(demo, "NAT", partial(NAT, predictor="linear", encoder="one_hot"))
    result = demo.run_demo(tmp_path, n_jobs=1)

    table = load_benchmark("analog_nasbench")
    train, test = table.split(100, random_state=0, target="baseline_accuracy")
    y = table.targets["baseline_accuracy"].to_numpy()
    model = fit(table.archs[train], y[train], space=table.space, random_state=0)
    assert result.tau == metrics.kendall_tau(y[test], model.predict(table.archs[test]))
    low, high = model.predict_interval(table.archs[test])
    assert result.coverage == np.mean((low <= y[test]) & (y[test] <= high))

    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"Kendall τ {result.tau:.3f} on the others" in page
    assert page.count("<circle") > 2 * 250
    assert "What the selection tried" in page
    assert len(page) < 1_000_000
    front = result.search.front
    assert front.version.max() == 2
    assert "NAT evaluated 8 of its subnets on 40 images of digits" in page
    assert f"{front.values['madds'].max() / 1e6:.1f}</td>" in page
    assert (tmp_path / "search/result/report.html").exists()
    assert len(list((tmp_path / "search/result/subnets").iterdir())) == len(front)
    assert len(result.report.frame) == 6
