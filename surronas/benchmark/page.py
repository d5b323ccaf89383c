"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from math import floor, log10
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from surronas.benchmark.charts import N_COLOURS, NARROW, WIDE, curves, rank_chart
from surronas.benchmark.scores import COVERAGE, SCORES, Score

if TYPE_CHECKING:
    from surronas.benchmark.checks import Finding
    from surronas.benchmark.report import Report

__all__ = ["Section", "render", "responsive"]

_LEVEL = 0.05
_CHARTED = ("kendall_tau", "spearman", "top_10_regret", "n_at_10", "rmse", "coverage_90", "crps", "fit_seconds")


@dataclass(frozen=True)
class Section:
    """A section to show besides the report's own.

    Parameters
    ----------
    title : str
    body : Markup
        HTML that is safe to show as it is.
    """

    title: str
    body: Markup


def render(report: Report, sections: Any = ()) -> str:
    """The page. Every value is escaped; charts and sections are the only markup that is not the template's."""
    environment = Environment(
        loader=PackageLoader("surronas.benchmark"),
        autoescape=select_autoescape(["jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    colours = {name: i for i, name in enumerate(report.predictors)}
    measurement = report.provenance["measurement"]
    return environment.get_template("report.html.jinja").render(
        title=" · ".join(
            filter(None, ("Predictors", measurement["table"], measurement["dataset"], report.target.name))
        ),
        headline=report.headline(),
        protocol=report.provenance["protocol"],
        facts=_facts(report),
        sections=sections,
        legend=[(name, i % N_COLOURS) for name, i in colours.items()],
        charts=_charts(report),
        ranking=_ranking(report),
        rank_chart=_rank_chart(report, colours),
        rank_test=report.rank_test(),
        findings=_findings(report),
        matrix=_matrix(report),
        metrics=_metrics(report),
        choices=_choices(report),
        sizes=report.sizes,
        provenance=_provenance(report),
    )


def responsive(draw: Any) -> Markup:
    """A chart drawn for a wide and for a narrow screen; the page shows the one that fits."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(
        Markup(draw(WIDE)), Markup(draw(NARROW))
    )


def show(value: float, score: Score, signed: bool = False, like: float | None = None) -> str:
    """A score's value as the page writes it, a missing one as a dash.

    Those in the target's unit get three digits, as many decimals as ``like`` would have if that is given.
    """
    if pd.isna(value):
        return "–"
    digits = score.digits
    if score.in_target_unit:
        size = abs(value if like is None else like)
        digits = 2 if size == 0 else min(6, max(0, 2 - floor(log10(size))))
    return f"{value:{'+' if signed else ''},.{digits}f}".replace("-", "\N{MINUS SIGN}")


def label_of(score: Score, unit: str) -> str:
    return f"{score.label} ({unit})" if score.in_target_unit and unit else score.label


def _facts(report: Report) -> list[tuple[str, str]]:
    failed = int(report.frame["error"].notna().sum())
    counts = Counter(check[0].severity for check in _findings(report))
    targets = [("Trained on", report.target), ("Tested on", report.test_target)]
    if report.target == report.test_target:
        targets = [("Target", report.target)]
    return [
        *((role, f"{target.name}{_unit(target.unit)}") for role, target in targets),
        ("Test rows", f"{report.frame['n_test'].max():,}"),
        ("Repeats", f"{report.frame['repeat'].nunique()}"),
        ("Cells", f"{len(report.frame):,}" + (f", {failed} failed" if failed else "")),
        ("Checks", ", ".join(_plural(n, severity) for severity, n in counts.items()) or "nothing found"),
    ]


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 or word == "info" else f"{n} {word}s"


def _unit(unit: str) -> str:
    return f" ({unit})" if unit else ""


def _charts(report: Report) -> list[dict[str, Any]]:
    charts = []
    for metric in _CHARTED:
        label = label_of(SCORES[metric], report.test_target.unit)
        summary, nominal = report.summary(metric), COVERAGE if metric == "coverage_90" else None
        picture = responsive(lambda width, s=summary, t=label, n=nominal: curves(s, t, width, n))
        charts.append({"name": metric, "label": SCORES[metric].label, "picture": picture})
    return charts


def _rank_chart(report: Report, colours: dict[str, int]) -> Markup | None:
    if len(report.predictors) < 2:
        return None
    means, distance = report.ranking()["mean_rank"], report.rank_test().distance
    return responsive(lambda width: rank_chart(means, distance, colours, width))


def _ranking(report: Report) -> list[dict[str, Any]]:
    score = SCORES["kendall_tau"]
    return [
        {
            "predictor": name,
            "cells": [
                (row["mean_rank"], f"{row['mean_rank']:.2f}"),
                (row["mean"], show(row["mean"], score)),
                (row["mean_regret"], show(row["mean_regret"], score)),
                (row["n_missing"], f"{row['n_missing']:.0f}"),
            ],
        }
        for name, row in report.ranking().iterrows()
    ]


def _findings(report: Report) -> list[list[Finding]]:
    """The findings, those of one check together."""
    return [list(group) for _, group in groupby(report.checks(), key=lambda finding: finding.code)]


def _matrix(report: Report) -> dict[str, Any] | None:
    """Rows and columns by rank: the difference of the row's mean score to the column's, and its p-value."""
    names = list(report.ranking().index)
    if len(names) < 2:
        return None
    pairs = {}
    for pair in report.significance().to_dict("records"):
        pairs[pair["a"], pair["b"]] = (pair["difference"], pair["p_holm"], pair["n_pairs"])
        pairs[pair["b"], pair["a"]] = (-pair["difference"], pair["p_holm"], pair["n_pairs"])

    def entry(row: str, column: str) -> dict[str, str] | None:
        if row == column:
            return None
        difference, p, n = pairs[row, column]
        style = "tied" if not p < _LEVEL else "ahead" if difference > 0 else "behind"
        return {
            "style": style,
            "difference": show(difference, SCORES["kendall_tau"], signed=True),
            "p": "p –" if pd.isna(p) else f"p {p:.3f}" if p >= 0.001 else "p < .001",
            "hint": f"{row} less {column}, {n} paired cells",
        }

    return {"names": names, "rows": [(row, [entry(row, column) for column in names]) for row in names]}


def _metrics(report: Report) -> dict[str, Any]:
    """A row a predictor and size: mean ± standard deviation of every score, the best of each size marked."""
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for name, score in SCORES.items():
        summary = report.summary(name)
        loss = score.loss(summary["mean"])
        summary["best"] = loss == loss.groupby(summary["n_train"]).transform("min")
        for row in summary.to_dict("records"):
            mean, std = row["mean"], row["std"]
            cell = {
                "value": "" if pd.isna(mean) else repr(mean),
                "mean": show(mean, score),
                "std": "" if pd.isna(std) else f"± {show(std, score, like=mean)}",
                "best": row["best"],
            }
            rows.setdefault((row["predictor"], row["n_train"]), []).append(cell)
    labels = [label_of(score, report.test_target.unit) for score in SCORES.values()]
    return {
        "labels": labels,
        "rows": [{"predictor": name, "n": n, "cells": cells} for (name, n), cells in rows.items()],
    }


def _choices(report: Report) -> list[tuple[str, str, list[int]]]:
    """For each predictor and each candidate that it chose, alone or in a blend: how often at each size."""
    cells = report.frame.dropna(subset="chosen")
    cells = cells.assign(chosen=cells["chosen"].str.split(" + ", regex=False)).explode("chosen")
    counts = cells.groupby(["predictor", "chosen", "n_train"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=report.sizes, fill_value=0)
    order = {name: i for i, name in enumerate(report.predictors)}
    rows = [(*key, values) for key, values in zip(counts.index, counts.to_numpy().tolist(), strict=True)]
    return sorted(rows, key=lambda row: (order[row[0]], -sum(row[2])))


def _provenance(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    measurement, run = report.provenance["measurement"], report.provenance["run"]
    return [
        ("Data", [(key, str(value)) for key, value in report.provenance["table"].items() if value]),
        (
            "Measurement",
            [
                ("table", " ".join(filter(None, (measurement["table"], measurement["dataset"])))),
                ("target", f"{report.target.name}: {report.target.description}".rstrip(": ")),
                ("test target", f"{report.test_target.name}: {report.test_target.description}".rstrip(": ")),
                ("protocol", f"{report.protocol.name}: {report.provenance['protocol']}"),
                ("random state", str(measurement["random_state"])),
                ("content", measurement["content"]),
            ],
        ),
        ("Run", [(key, str(value)) for key, value in run.items()]),
    ]
