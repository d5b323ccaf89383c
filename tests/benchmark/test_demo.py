from __future__ import annotations

from functools import partial

import numpy as np

from surronas.api import fit_predictor
from surronas.benchmark import demo, metrics
from surronas.datasets import load_benchmark


def test_the_demo_measures_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PREDICTORS", ("one_hot:linear",))  # the real ones take a minute
    fit = partial(fit_predictor, predictor="one_hot:linear")
    monkeypatch.setattr(demo, "fit_predictor", fit)
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
    assert len(result.report.frame) == 6
