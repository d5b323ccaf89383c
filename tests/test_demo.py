from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from surronas import demo
from surronas.api import fit_predictor
from surronas.benchmark import metrics
from surronas.datasets import load_benchmark
from surronas.datasets.images import load_images
from surronas.search import NAT

fit = partial(fit_predictor, predictor="one_hot:linear")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """What the demo makes, with smaller numbers: the real ones take minutes."""
    images = load_images("digits").subset(sizes={"train": 128, "validation": 40, "test": 40})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PREDICTORS", ("one_hot:linear",))
        patch.setattr(demo, "fit_predictor", fit)
        patch.setattr(demo, "load_images", lambda name, validation_size: images)
        for name, value in {"N_INITIAL": 6, "N_EVALUATIONS": 8, "BATCH": 2, "EPOCHS": 1, "N_ROWS": 3}.items():
            patch.setattr(demo, name, value)
        patch.setattr(demo, "NAT", partial(NAT, predictor="linear", encoder="one_hot"))
        return demo.run_demo(tmp_path_factory.mktemp("demo"), n_jobs=1)


@pytest.mark.needs_browser
def test_its_pages_in_a_browser(result, check_page):
    check_page(result.page, n_sortable=2)
    check_page(result.page.parent / "search/result/report.html", n_sortable=2)


def test_the_demo_measures_what_it_says(result):
    table = load_benchmark("analog_nasbench")
    train, test = table.split(100, random_state=0, target="baseline_accuracy")
    y = table.targets["baseline_accuracy"].to_numpy()
    model = fit(table.archs[train], y[train], space=table.space, random_state=0)
    assert result.tau == metrics.kendall_tau(y[test], model.predict(table.archs[test]))
    low, high = model.predict_interval(table.archs[test])
    assert result.coverage == np.mean((low <= y[test]) & (y[test] <= high))

    page = result.page.read_text(encoding="utf-8")
    assert f"Kendall τ {result.tau:.3f} on the others" in page
    assert page.count("<circle") > 2 * 250
    assert "What the selection tried" in page
    assert len(page) < 1_000_000
    front = result.search.front
    assert front.version.max() == 2
    assert "NAT evaluated 8 of its subnets on 40 images of digits" in page
    assert f"{front.values['madds'].max() / 1e6:.1f}</td>" in page
    assert (result.page.parent / "search/result/report.html").exists()
    assert "what MetaD2A proposes for digits" in page
    assert 3 >= len(result.proposals) >= 2
    assert result.proposals["madds"].is_monotonic_increasing
    assert f"{100 - result.proposals['test_accuracy'].iloc[0]:.1f}</td>" in page
    assert len(list((result.page.parent / "search/result/subnets").iterdir())) == len(front)
    assert len(result.report.frame) == 6
