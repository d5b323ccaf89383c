"""The main jobs on what comes with the installation: fit, look at the selection, predict, compare; then search."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from surronas.api import fit_predictor
from surronas.benchmark import metrics
from surronas.benchmark.charts import scatter
from surronas.benchmark.evaluate import evaluate
from surronas.benchmark.page import Section, responsive
from surronas.benchmark.report import Report
from surronas.datasets import load_benchmark
from surronas.datasets.images import ImageData, load_images
from surronas.meta import MetaD2A
from surronas.search import NAT, Result, SupernetAdaptation
from surronas.search.charts import fronts
from surronas.search.report import front_pictures
from surronas.search.spread import evenly
from surronas.supernet import SupernetEvaluator, load_pretrained, new_head
from surronas.supernet.machine import has_bfloat16
from surronas.supernet.recipe import ADAPTATION

__all__ = ["Demo", "run_demo"]

TABLE, TARGET = "analog_nasbench", "baseline_accuracy"
N_TRAIN, N_SHOWN = 100, 250
PREDICTORS = ("auto", "gp", "xgboost", "one_hot:xgboost", "linear")
SUPERNET, IMAGES, METAD2A = "mbconv-cifar10", "digits", "mbconv"
N_INITIAL, N_EVALUATIONS, BATCH, EPOCHS, N_ROWS = 16, 48, 8, 6, 12


@dataclass(frozen=True)
class Demo:
    """What the demo made: the surrogate and how it does on held-out architectures, the comparison, a search, what is
    proposed without one, the page."""

    model: Any
    tau: float
    coverage: float
    n_test: int
    report: Report
    search: Result
    proposals: pd.DataFrame
    page: Path

    def headline(self) -> str:
        return (
            f"Fitted on {N_TRAIN} of {self.n_test + N_TRAIN:,} different architectures: Kendall τ {self.tau:.3f} "
            f"on the others, and the 90 % intervals cover {100 * self.coverage:.1f} % of them."
        )


def run_demo(out: str | Path, n_jobs: int | None = None, progress: bool = False) -> Demo:
    """Fit a surrogate on 100 architectures of AnalogNAS-Bench, compare predictors, transfer a supernet to digits.

    Parameters
    ----------
    out : path
        A folder for the page, ``index.html``, the journals and the results.
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
    images = load_images(IMAGES, validation_size=0.25)
    found = transfer(images, Path(out) / "search", n_jobs, progress)
    page = Path(out) / "index.html"
    demo = Demo(model, tau, covered, len(test), report, found, propose(images, n_jobs), page)
    common = np.flatnonzero(y[test] >= np.quantile(y[test], 0.05))  # the failed networks would squeeze all others
    shown = np.random.default_rng(0).choice(common, N_SHOWN, replace=False)
    label = f"{TARGET} ({table.target(TARGET).unit})"
    picture = responsive(lambda width: scatter(y[test][shown], mean[shown], low[shown], high[shown], label, width))
    sections = [_fit_section(demo, picture), _selection_section(model), _search_section(found, images)]
    sections.append(_proposals_section(demo, images))
    report.to_html(page, sections)
    return demo


def transfer(images: ImageData, folder: Path, n_jobs: int | None = None, progress: bool = False) -> Result:
    """NAT's search of the shipped supernet, which learns these images between its batches; with all that it leaves."""
    supernet = new_head(load_pretrained(SUPERNET), images)
    evaluator = SupernetEvaluator(supernet, images, targets=("val_accuracy", "madds"), n_jobs=n_jobs)
    recipe = replace(ADAPTATION, epochs=EPOCHS, bfloat16=has_bfloat16())
    n_steps = EPOCHS * max(1, len(images.indices["train"]) // recipe.batch_size)
    steps = ceil(n_steps / (1 + (N_EVALUATIONS - N_INITIAL) // BATCH))
    adapt = SupernetAdaptation(images, recipe, steps=steps, every=BATCH)
    search = NAT(evaluator, n_initial=N_INITIAL, batch_size=BATCH, adapt=adapt, n_jobs=n_jobs)
    found = search.run(folder, N_EVALUATIONS, progress=progress)
    found.save(folder / "result")
    return found


def propose(images: ImageData, n_jobs: int | None = None) -> pd.DataFrame:
    """MetaD2A's proposals from the smallest to the largest: predicted from training images alone, then measured."""
    began = time.perf_counter()
    model = MetaD2A.load(METAD2A)
    looks = model.look(images)
    archs = model.design(looks, N_ROWS)
    predicted = model.predict(archs, looks)
    seconds = time.perf_counter() - began
    targets = ("val_accuracy", "test_accuracy", "madds")
    measured = SupernetEvaluator(model.supernet, images, targets=targets, head="ridge", n_jobs=n_jobs).evaluate(archs)
    frame = pd.concat([predicted, measured], axis=1).sort_values("madds", ignore_index=True)
    frame.attrs["seconds"] = seconds
    return frame


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


def _search_section(found: Result, images: ImageData) -> Section:
    """The front over the search, and some of its networks with what they do on test images, which nothing else saw."""
    adapted: Any = found.evaluator
    front = found.front
    rows = evenly(len(front), N_ROWS)
    n_jobs = adapted.evaluator.n_jobs
    tester = SupernetEvaluator(adapted.supernet, images, targets=("test_accuracy",), n_jobs=n_jobs)
    table = pd.DataFrame(
        {
            "network": [f"front-{row + 1:02}" for row in rows],
            "million multiply-adds": front.values["madds"].to_numpy()[rows] / 1e6,
            "validation error, %": 100 - front.values["val_accuracy"].to_numpy()[rows],
            "test error, %": 100 - tester.evaluate(front.archs[rows])["test_accuracy"].to_numpy(),
        }
    )
    pictures = front_pictures(found.archive)
    body = Markup('<p class="note">{}</p>{}<ul class="legend">{}</ul><div class="scroll">{}</div><p>{}</p>').format(
        f"The supernet {SUPERNET} was trained on CIFAR-10. NAT evaluated {len(found.archive)} of its subnets on "
        f"{len(images.indices['validation'])} images of {images.name}, with {len(found.archive.replaced)} "
        "re-evaluations, while the supernet learnt from the training images between the batches.",
        pictures["pictures"][0]["picture"],
        Markup("").join(Markup('<li class="c{}">{}</li>').format(colour, name) for name, colour in pictures["legend"]),
        Markup(table.to_html(index=False, border=0, float_format=lambda value: f"{value:.1f}")),
        Markup(
            'All of it: <a href="search/result/report.html">search/result/report.html</a>; the networks, weights '
            "included: search/result/subnets."
        ),
    )
    return Section(f"A search: NAT transfers a supernet to {images.name}", body)


def _proposals_section(demo: Demo, images: ImageData) -> Section:
    """NAT's front and the proposals; their table with what was predicted and what came of it."""
    proposals, front = demo.proposals, demo.search.front.values
    names = (
        f"MetaD2A's {len(proposals)} proposals, no evaluation",
        f"NAT's front, {len(demo.search.archive)} evaluations",
    )
    parts = {
        name: (frame["madds"].to_numpy() / 1e6, 100 - frame["val_accuracy"].to_numpy())
        for name, frame in zip(names, (proposals, front), strict=True)
    }
    labels = ("million multiply-adds", "validation error, %")
    picture = responsive(lambda width: fronts(parts, parts[names[0]], labels, width=width))
    table = pd.DataFrame(
        {
            labels[0]: proposals["madds"] / 1e6,
            "predicted error, %": 100 - proposals["predicted_accuracy"],
            "spread of the prediction": proposals["predicted_spread"],
            labels[1]: 100 - proposals["val_accuracy"],
            "test error, %": 100 - proposals["test_accuracy"],
        }
    )
    body = Markup('<p class="note">{}</p>{}<ul class="legend">{}</ul><div class="scroll">{}</div>').format(
        f"MetaD2A has learnt from other images which networks are good for what. It looked at {images.name} for "
        f"{proposals.attrs['seconds']:.0f} seconds, at training images alone, and proposed networks from the smallest "
        "to the largest. They are measured here with the supernet's weights as they are and a classifier in closed "
        "form; NAT's have learnt the images.",
        picture,
        Markup("").join(Markup('<li class="c{}">{}</li>').format(1 - i, name) for i, name in enumerate(names)),
        Markup(table.to_html(index=False, border=0, float_format=lambda value: f"{value:.1f}")),
    )
    return Section(f"Without a search: what MetaD2A proposes for {images.name}", body)
