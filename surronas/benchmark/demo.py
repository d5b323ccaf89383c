"""The main job on data that come with the installation: fit, look at the selection, predict, compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from surronas.api import fit_predictor
from surronas.benchmark import metrics
from surronas.benchmark.charts import scatter
from surronas.benchmark.evaluate import evaluate
from surronas.benchmark.page import Section, responsive
from surronas.benchmark.report import Report
from surronas.datasets import load_benchmark

__all__ = ["Demo", "run_demo"]

TABLE, TARGET = "analog_nasbench", "baseline_accuracy"
N_TRAIN, N_SHOWN = 100, 250
PREDICTORS = ("auto", "gp", "xgboost", "one_hot:xgboost", "linear")


@dataclass(frozen=True)
class Demo:
    """What the demo made: the surrogate, how it does on held-out architectures, the comparison, the page."""

    model: Any
    tau: float
    coverage: float
    n_test: int
    report: Report
    page: Path

    def headline(self) -> str:
        return (
            f"Fitted on {N_TRAIN} of {self.n_test + N_TRAIN:,} different architectures: Kendall τ {self.tau:.3f} "
            f"on the others, and the 90 % intervals cover {100 * self.coverage:.1f} % of them."
        )


def run_demo(out: str | Path, n_jobs: int | None = None, progress: bool = False) -> Demo:
    """Fit a surrogate on 100 architectures of AnalogNAS-Bench, compare predictors, leave ``index.html``.

    Parameters
    ----------
    out : path
        A folder for the page, the journal and the results.
    n_jobs : int, optional
    progress : bool, default=False
    """
    table = load_benchmark(TABLE)
    y = table.targets[TARGET].to_numpy()
    train, test = table.split(N_TRAIN, random_state=0, target=TARGET)
    model = fit_predictor(table.archs[train], y[train], space=table.space, random_state=0, n_jobs=n_jobs)
    mean = model.predict(table.archs[test])
    low, high = model.predict_interval(table.archs[test], coverage=0.9)

    report = evaluate(
        PREDICTORS, table, TARGET, [16, 64], 3, protocol="unique", out=out, n_jobs=n_jobs, progress=progress
    )
    tau, covered = metrics.kendall_tau(y[test], mean), metrics.coverage(y[test], low, high)
    page = Path(out) / "index.html"
    demo = Demo(model, tau, covered, len(test), report, page)
    common = np.flatnonzero(y[test] >= np.quantile(y[test], 0.05))  # the failed networks would squeeze all others
    shown = np.random.default_rng(0).choice(common, N_SHOWN, replace=False)
    label = f"{TARGET} ({table.target(TARGET).unit})"
    picture = responsive(lambda width: scatter(y[test][shown], mean[shown], low[shown], high[shown], label, width))
    report.to_html(page, [_fit_section(demo, picture), _selection_section(model)])
    return demo


def _fit_section(demo: Demo, picture: Markup) -> Section:
    note = (
        f"{demo.headline()} Shown are {N_SHOWN} of those, drawn at random from all but the worst 5 %, with their "
        "intervals; orange ones miss the truth."
    )
    return Section(
        "One call: fit_predictor on 100 architectures", Markup('<p class="note">{}</p>{}').format(note, picture)
    )


def _selection_section(model: Any) -> Section:
    html = model.selection_.to_html(index=False, border=0, classes="record", float_format=lambda value: f"{value:.3f}")
    table = Markup(html.replace("+", "+<wbr>"))
    note = "Every candidate that the adaptive switching tried, its score and cost, and why the winner won."
    return Section(
        "What the selection tried", Markup('<p class="note">{}</p><div class="scroll">{}</div>').format(note, table)
    )
