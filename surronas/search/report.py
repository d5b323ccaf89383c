"""A search's result as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from surronas.benchmark.charts import N_COLOURS
from surronas.benchmark.page import responsive
from surronas.search.archive import Archive
from surronas.search.cascade import numbered
from surronas.search.charts import axis_of, fronts, lines, parallel, strips
from surronas.search.evaluators import SubnetEvaluator
from surronas.search.leanings import leanings
from surronas.search.objectives import FloatArray, Goals
from surronas.search.progress import prequential_taus, progress_values
from surronas.search.spread import evenly

if TYPE_CHECKING:
    from surronas.search.result import Result

__all__ = ["front_pictures", "render"]

_SNAPSHOTS = 4
_POINTS = 60  # of a curve: of more batches some are left out
_ROWS = 60  # of the table of the front
_CASCADES = 20  # of their table


def render(result: Result) -> str:
    """The page. Every value is escaped; charts are the only markup that is not the template's."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("surronas.search"), PackageLoader("surronas.benchmark")]),
        autoescape=select_autoescape(["jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    archive, goals = result.archive, result.archive.goals
    steps = _steps(archive)
    return environment.get_template("result.html.jinja").render(
        title=" · ".join(["Search", str(result.settings.get("search", "")), ", ".join(goals.names)]),
        headline=_headline(archive),
        facts=_facts(result),
        fronts=front_pictures(archive),
        curve=_curve(archive, steps),
        parallel=_parallel(archive.front()),
        table=_table(result),
        hidden=max(0, len(archive.front_rows) - _ROWS),
        cascades=_cascades(result),
        findings=leanings(archive.front()),
        failures=Counter(reason for reason in archive.reason if reason).most_common(),
        predictors=_predictors(result),
        agreement=_agreement(result, steps),
        times=_times(result),
        settings=_settings(result.settings),
    )


def _steps(archive: Archive) -> list[tuple[int, int]]:
    """(evaluations, step) at the end of each batch, re-evaluations that followed it included; some of many."""
    first = np.unique(archive.found)
    ends = [*(first[1:] - 1), archive.iteration.max(initial=0)] if len(first) else []
    all_steps = [(int((archive.found <= end).sum()), int(end)) for end in ends]
    return _spread(all_steps, _POINTS)


def _spread(parts: list[Any], n: int) -> list[Any]:
    """At most n of them, evenly, the first and the last too."""
    return [parts[i] for i in evenly(len(parts), n)]


def _headline(archive: Archive) -> str:
    front = archive.front()
    found = f"{len(front)} Pareto-optimal of {len(archive):,} evaluated architectures"
    if not len(front):
        return f"No feasible one of {len(archive):,} evaluated architectures"
    spans = []
    for name, column in archive.goals.frame(front.values.to_numpy()).items():
        label, values = axis_of(str(name), column)
        spans.append(f"{label} {values.min():.4g} to {values.max():.4g}")
    return f"{found}: {', '.join(spans)}"


def _facts(result: Result) -> list[tuple[str, str]]:
    archive = result.archive
    failed = int((~archive.succeeded).sum())
    values = progress_values(archive)
    facts = [
        ("Evaluations", f"{len(archive):,}" + (f", {failed} failed" if failed else "")),
        ("On the front", f"{len(archive.front_rows)}"),
        ("Hypervolume", f"{values['hypervolume']:.4f}" if "hypervolume" in values else "–"),
        ("Time", _duration(sum(_seconds(result).values()))),
    ]
    if len(archive.replaced):
        facts[1:1] = [("Measured again", f"{len(archive.replaced):,}"), ("Versions", f"{archive.version.max() + 1}")]
    return facts


def front_pictures(archive: Archive) -> dict[str, Any]:
    """The first objective against each other one: the fronts after shares of the evaluations.

    Returns
    -------
    dict
        ``pictures``: of each a name, the label of its second objective, and the markup; ``legend``: names and colours.
    """
    chosen = _spread(_steps(archive), _SNAPSHOTS)
    then = {f"{n} evaluations": archive.as_of(step).front() for n, step in chosen}
    names = archive.goals.names
    values = archive.goals.frame(archive.values.to_numpy())[archive.succeeded]
    first, y_cloud = axis_of(names[0], values[names[0]])
    pictures: list[dict[str, Any]] = []
    for name in names[1:]:
        label, x_cloud = axis_of(name, values[name])
        units = [1e6 if text.endswith("(millions)") else 1.0 for text in (label, first)]

        def part(front: Archive, name: str = name, units: list[float] = units) -> tuple[FloatArray, FloatArray]:
            frame = archive.goals.frame(front.values.to_numpy())
            return frame[name].to_numpy() / units[0], frame[names[0]].to_numpy() / units[1]

        snapshots = {title: part(front) for title, front in then.items()}
        high = (_better_high(archive.goals, name), _better_high(archive.goals, names[0]))
        chart = partial(fronts, snapshots, (x_cloud, y_cloud), (label, first), high)
        pictures.append({"name": f"front-{len(pictures)}", "label": label, "picture": responsive(chart)})
    legend = [(title, len(then) - 1 - i) for i, title in enumerate(then)]
    return {"pictures": pictures, "legend": legend}


def _better_high(goals: Goals, name: str) -> bool:
    return next(o.maximize and name != "error" for o in goals.objectives if o.name == name)


def _curve(archive: Archive, steps: list[tuple[int, int]]) -> Markup:
    """Of hypervolume, in boxes from the first step's best to its worst values."""
    points = [(n, progress_values(archive.as_of(step)).get("hypervolume", np.nan)) for n, step in steps]
    xs, ys = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return responsive(lambda width: lines({"hypervolume": (xs, ys)}, ("evaluations", "hypervolume"), width))


def _parallel(front: Archive) -> Markup | None:
    goals = front.goals
    if len(goals.objectives) < 3 or not len(front):
        return None
    values = goals.frame(front.values.to_numpy())
    high = [_better_high(goals, name) for name in goals.names]
    return responsive(lambda width: parallel(values, high, width))


def _table(result: Result) -> dict[str, Any]:
    frame = result.to_frame().head(_ROWS)
    columns = [name for name in frame if name != "arch"]
    rows = [
        {"arch": arch, "cells": [(value, f"{value:,.5g}" if value < 1e6 else f"{value:,.0f}") for value in values]}
        for arch, values in zip(frame["arch"], frame[columns].to_numpy(dtype=np.float64).tolist(), strict=True)
    ]
    return {"columns": columns, "rows": rows}


def _cascades(result: Result) -> dict[str, Any] | None:
    """Error by multiply-adds of the front's networks and of their cascades; of these some, evenly, as a table."""
    found, front, evaluator = result.cascades, result.front, result.evaluator
    if found is None or not isinstance(evaluator, SubnetEvaluator):
        return None
    together = found[found["members"].map(len) > 1]
    label, alone = axis_of("madds", pd.Series(evaluator.madds(front.archs)))
    unit = 1e6 if label.endswith("(millions)") else 1.0
    curves = {
        "networks alone": (alone, 100 - front.values["val_accuracy"].to_numpy()),
        "with cascades": (found["madds"].to_numpy() / unit, found["error"].to_numpy()),
    }
    nothing = np.empty(0), np.empty(0)
    return {
        "n": len(together),
        "picture": responsive(lambda width: fronts(curves, nothing, (label, "error"), width=width)),
        "legend": [(name, len(curves) - 1 - i) for i, name in enumerate(curves)],
        "rows": numbered(together.iloc[evenly(len(together), _CASCADES)], digits=3).to_dict("records"),
    }


def _predictors(result: Result) -> dict[str, Any] | None:
    """Which predictor had the greatest weight when, and of all how often, with what weight and what tau."""
    batches = np.unique(result.archive.found)
    ends = [int((result.archive.found <= step).sum()) for step in batches]
    spans: dict[str, list[tuple[float, float, str]]] = {}
    rows: dict[tuple[str, str], list[tuple[bool, float, float | None]]] = {}
    for i, why in enumerate(result.decisions[: len(ends)]):
        for target, its in why.get("surrogates", {}).items():
            weights = its["weights"]
            leader = max(weights, key=weights.get) if weights else "mean"
            spans.setdefault(target, []).append((ends[i - 1] if i else 0, ends[i], leader))
            for name, weight in weights.items():
                rows.setdefault((target, name), []).append((name == leader, weight, its["taus"].get(name)))
    if not spans:
        return None
    leaders = Counter(name for its in spans.values() for _, _, name in its)
    colours = {name: i for i, (name, _) in enumerate(leaders.most_common())}
    merged = {
        target: [
            (part[0][0], part[-1][1], name)
            for name, group in groupby(its, key=lambda span: span[2])
            if (part := list(group))
        ]
        for target, its in spans.items()
    }
    table = [
        (target, name, sum(led for led, _, _ in its), np.mean([w for _, w, _ in its]), its[-1][2])
        for (target, name), its in rows.items()
    ]
    table.sort(key=lambda row: (row[0], -row[2], -row[3]))
    return {
        "picture": responsive(lambda width: strips(merged, colours, width)),
        "legend": [(name, i % N_COLOURS) for name, i in colours.items()],
        "rows": table,
    }


def _agreement(result: Result, steps: list[tuple[int, int]]) -> dict[str, Any] | None:
    """Of the targets that had surrogates: the others were known."""
    targets = dict.fromkeys(target for why in result.decisions for target in why.get("surrogates", ()))
    series: dict[str, list[tuple[float, float]]] = {}
    first = result.archive.at_first()
    for n, _ in steps:
        taus = prequential_taus(first.take(np.arange(n)))
        for target in targets:
            series.setdefault(target, []).append((n, taus[target]))
    known = {
        t: np.array(its, dtype=np.float64).T for t, its in series.items() if np.isfinite([v for _, v in its]).any()
    }
    if not known:
        return None
    parts = {target: (xs, ys) for target, (xs, ys) in known.items()}
    return {
        "picture": responsive(lambda width: lines(parts, ("evaluations", "Kendall τ, out of sample"), width)),
        "legend": [(target, i % N_COLOURS) for i, target in enumerate(parts)],
    }


def _seconds(result: Result) -> dict[str, float]:
    archive = result.archive
    first = archive.at_first().seconds
    again = np.nansum(archive.seconds) + np.nansum(archive.replaced["seconds"]) - np.nansum(first)
    parts = {
        "evaluating": float(np.nansum(first)),
        "evaluating again": float(again),
        **{str(name): float(seconds) for name, seconds in result.seconds.items()},
    }
    return {name: seconds for name, seconds in parts.items() if seconds > 0}


def _times(result: Result) -> list[tuple[str, str, float]]:
    """What took how long, and its share in %."""
    parts = _seconds(result)
    whole = sum(parts.values())
    names = {"choosing": "fitting surrogates, choosing", "adapting": "training the supernet"}
    order = sorted(parts.items(), key=lambda part: -part[1])
    return [(names.get(name, name), _duration(seconds), 100 * seconds / whole) for name, seconds in order]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    parts = {
        "Search": {"search": settings.get("search"), **settings.get("settings", {})},
        "Space": {key: value for key, value in settings.get("space", {}).items() if key != "genes"},
        "Evaluator": settings.get("evaluator", {}),
    }
    return [
        (title, [(key, str(value)) for key, value in part.items() if value is not None])
        for title, part in parts.items()
    ]
