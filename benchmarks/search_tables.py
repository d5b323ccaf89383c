"""Searches on benchmark tables: hypervolume by the number of evaluations, against the table's true front.

Objectives are scaled by their best and worst values in the whole table, and hypervolume counts up to the worst: 1 is
the true front's. Every run is a folder under --out and goes on where it stopped; only what is missing is run.

    --write docs/search-tables.md       points 1 and 2 of issue 6: four tables, ten seeds
    nasbench201_many --searches NAT     point 3: four objectives
    --overhead                          point 5: seconds of a decision at an archive of 300

The tables of CHOOSING are those that defaults may be chosen on; nothing is promised of them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from moocore import hypervolume
from pages import legend, markdown, svg
from rich import print as show

import surronas as sn
from surronas.benchmark.statistics import pairwise_wilcoxon
from surronas.benchmark.svg import Frame, points_of, text_at
from surronas.datasets.table import BenchmarkTable
from surronas.exceptions import DataNotFoundError
from surronas.search import (
    NAT,
    NSGA2,
    FunctionEvaluator,
    MSuNAS,
    RandomSearch,
    RegularizedEvolution,
    Search,
    TableEvaluator,
)


@dataclass(frozen=True)
class Case:
    """A table, its objectives, how many evaluations surrogate searches get, and when 99 % is asked for."""

    benchmark: str
    dataset: str | None
    objectives: tuple[str, ...]
    n_evaluations: int = 200
    deadline: int | None = None


REPORTING = {
    "nasbench201": Case("nasbench201", "cifar10", ("error", "latency_gold_6226_ms"), deadline=200),
    "nasbench_macro": Case("nasbench_macro", "cifar10", ("test_accuracy", "flops"), deadline=120),
    "ofa_mbv3": Case("ofa_mbv3", "imagenet", ("error", "madds")),
    "mbconv_cifar10": Case("mbconv_cifar10", "cifar10", ("error", "madds")),
}
MANY = {
    "nasbench201_many": Case(
        "nasbench201", "cifar10", ("error", "madds", "latency_gold_6226_ms", "analog_accuracy"), n_evaluations=300
    )
}
CHOOSING = {
    "nasbench201_titan": Case("nasbench201", "cifar10", ("test_accuracy_12ep", "latency_titan_rtx_256_ms")),
    "nasbench201_pixel3": Case("nasbench201", "cifar10", ("val_accuracy_12ep", "latency_pixel3_ms")),
    "nasbench201_imagenet": Case("nasbench201", "ImageNet16-120", ("error", "flops")),
    "ofa_mbv3_latency": Case("ofa_mbv3", "imagenet", ("error", "latency_i7_8700K_ms")),
    "nasbench_mr": Case("nasbench_mr", None, ("cls_50_100_top1", "flops")),
}
CASES = REPORTING | MANY | CHOOSING

SEARCHES: dict[str, tuple[type[Search], dict[str, Any], int | None]] = {
    "NAT": (NAT, {}, None),
    "MSuNAS": (MSuNAS, {"n_initial": 20}, None),
    "MSuNAS, 100 initial": (MSuNAS, {}, None),
    "NSGA-II": (NSGA2, {}, 1000),
    "regularised evolution": (RegularizedEvolution, {}, 1000),
    "random": (RandomSearch, {}, 1000),
}
LEGEND = """
Share of the hypervolume of the table's true front, mean and standard deviation over seeds, by the number of
evaluations; objectives are scaled by their best and worst values in the whole table, and hypervolume counts up to the
worst. Surrogate searches begin with 20 evaluations, MSuNAS also with its paper's 100. "NSGA-II's 1,000": the
evaluations after which the mean of a search is NSGA-II's after 1,000. p: Wilcoxon's test by seed of the mean distance
from 1, corrected by Holm over all pairs of searches."""
COLOURS = dict(zip(SEARCHES, ("#2563eb", "#e4572e", "#f4a58a", "#ca8a04", "#2a9d57", "#888"), strict=True))
AT = (20, 50, 100, 150, 200, 300, 1000)


def table_of(case: Case) -> BenchmarkTable:
    """The case's table; the many objectives need multiply-adds and AnalogNAS-Bench's accuracy beside it."""
    table = sn.load_benchmark(case.benchmark, dataset=case.dataset)
    if "analog_accuracy" not in case.objectives:
        return table
    analog = sn.load_benchmark("analog_nasbench")
    place = pd.Index(analog.space.rank(analog.archs)).get_indexer(table.space.rank(table.archs))
    targets = table.targets.assign(
        madds=table.space.cost(table.archs)["madds"].to_numpy() / 1e6,
        analog_accuracy=analog.targets["analog_accuracy"].to_numpy()[place],
    )
    described = [table.target(str(name)) for name in table.targets]
    described += [
        sn.datasets.Target("madds", "millions", False, "compute", "Multiply-adds, computed"),
        analog.target("analog_accuracy"),
    ]
    return BenchmarkTable(table.name, table.space, table.archs, targets, described, table.info, table.dataset)


class Judge:
    """The share of the true front's hypervolume that the first n evaluations reach."""

    def __init__(self, table: BenchmarkTable, objectives: tuple[str, ...]) -> None:
        search = RandomSearch(table, objectives)
        search.ask(1)
        goals, evaluator = search.goals_, search.evaluator_
        values = goals.values(evaluator.evaluate(evaluator.pool)[goals.targets].to_numpy())
        values = values[np.isfinite(values).all(axis=1)]
        self.best, self.worst = values.min(axis=0), values.max(axis=0)
        self.whole = self._volume(values)

    def _volume(self, values: Any) -> float:
        scaled = (values - self.best) / (self.worst - self.best)
        return float(hypervolume(scaled, ref=np.ones(len(self.best)))) if len(scaled) else 0.0

    def curve(self, values: Any) -> Any:
        """(n, m) values in the order of evaluation -> (n,) shares."""
        good = np.isfinite(values).all(axis=1)
        return np.array([self._volume(values[: i + 1][good[: i + 1]]) / self.whole for i in range(len(values))])


def run_one(name: str, search: str, seed: int, out: Path) -> Path:
    """Run what of it is missing, and keep its curve."""
    case, (kind, options, n) = CASES[name], SEARCHES[search]
    folder = out / name / search.replace(" ", "_").replace(",", "") / str(seed)
    if not (folder / "curve.json").is_file():
        table = table_of(case)
        result = kind(table, case.objectives, random_state=seed, **options).run(
            folder, n_evaluations=n or case.n_evaluations
        )
        curve = Judge(table, case.objectives).curve(result.archive.objectives)
        (folder / "curve.json").write_text(json.dumps(curve.tolist()))
    return folder


def curves_of(folders: dict[str, list[Path]]) -> dict[str, Any]:
    """Of each search (seeds, evaluations) shares of the true front's hypervolume."""
    return {
        search: np.array([json.loads((f / "curve.json").read_text()) for f in of]) for search, of in folders.items()
    }


def section(name: str, curves: dict[str, Any]) -> str:
    """Shares by evaluations, when goals are reached, and what is more than chance."""
    case = CASES[name]
    goal = curves["NSGA-II"][:, -1].mean() if "NSGA-II" in curves else np.nan
    last = min(curve.shape[1] for curve in curves.values())
    behind = pd.DataFrame({search: 1 - curve[:, 49:last].mean(axis=1) for search, curve in curves.items()})
    p_values = {}
    if "NAT" in curves and len(curves) > 1:
        tests = pairwise_wilcoxon(behind)
        tests = tests[(tests["a"] == "NAT") | (tests["b"] == "NAT")]
        p_values = {a if b == "NAT" else b: p for a, b, p in tests[["a", "b", "p_holm"]].itertuples(index=False)}
    rows = []
    for search, curve in curves.items():
        row: dict[str, Any] = {"search": search}
        for n in AT:
            known = n <= curve.shape[1]
            row[str(n)] = f"{curve[:, n - 1].mean():.4f} ± {curve[:, n - 1].std(ddof=1):.4f}" if known else ""
        reached = np.flatnonzero(curve.mean(axis=0) >= goal)
        first = np.where((curve >= 0.99).any(axis=1), (curve >= 0.99).argmax(axis=1) + 1.0, np.inf)
        row["NSGA-II's 1,000 reached at"] = int(reached[0]) + 1 if len(reached) else "never"
        row["99 % at, median"] = f"{np.median(first):.0f}" if np.isfinite(np.median(first)) else "never"
        row["at worst"] = f"{first.max():.0f}" if np.isfinite(first.max()) else "never"
        row[f"mean distance from 1, 50 to {last}"] = f"{behind[search].mean():.4f}"
        row["p against NAT"] = f"{p_values[search]:.3f}" if search in p_values else ""
        rows.append(row)
    asked = f" 99 % was asked for at {case.deadline} evaluations." if case.deadline else ""
    head = f"## {name}\n\n{', '.join(case.objectives)}; {len(next(iter(curves.values())))} seeds.{asked}\n\n"
    return head + markdown(pd.DataFrame(rows)) + "\n"


def picture(panels: dict[str, dict[str, Any]]) -> str:
    """A panel a table: the mean distance from the true front's hypervolume, logarithmic in both directions."""
    width, height = 440, 320
    foot = height * ((len(panels) + 1) // 2)
    parts = legend(COLOURS, 56, foot + 8, 140)
    for i, (name, curves) in enumerate(panels.items()):
        box = Frame(width, height, left=56, right=16, top=30)
        means = {search: np.log10(np.maximum(1 - curve.mean(axis=0), 1e-5)) for search, curve in curves.items()}
        ys = list(range(int(np.floor(min(m.min() for m in means.values()))), 1))
        x, y = box.x(np.log10(10), np.log10(1000)), box.y(ys[0], ys[-1])
        inside = [text_at(width / 2, 16, name, "middle", "title")]
        at = {float(np.log10(n)): f"{n:,}" for n in (10, 20, 50, 100, 200, 500, 1000)}
        inside.append(box.grid(x, y, at, ys, "evaluations", "log10 of the hypervolume that is missing"))
        for search, mean in means.items():
            shown = np.unique(np.geomspace(10, len(mean), 150).round().astype(int))
            points = [(x(np.log10(n)), y(mean[n - 1])) for n in shown]
            inside.append(
                f'<polyline points="{points_of(points)}" fill="none" stroke="{COLOURS[search]}" stroke-width="2">'
                f"<title>{search}</title></polyline>"
            )
        parts.append(f'<g transform="translate({width * (i % 2)} {height * (i // 2)})">{"".join(inside)}</g>')
    return svg(2 * width, foot + 24, parts)


def page(panels: dict[str, dict[str, Any]], figure: str, command: str) -> str:
    return "\n".join(
        [
            "# Searches on tables",
            "",
            f"Made by `{command}` with surronas {sn.__version__}.",
            LEGEND,
            "",
            f"![Hypervolume that is missing, by evaluations]({figure})",
            "",
            *(section(name, curves) for name, curves in panels.items()),
        ]
    )


def overhead() -> None:
    """Seconds of one decision at an archive of 300: everything tried anew, then what is kept fitted again."""
    for name, free in (("nasbench201", False), ("nasbench_macro", False), ("ofa_mbv3", False), ("ofa_mbv3", True)):
        case, table = CASES[name], table_of(CASES[name])
        evaluator: Any = TableEvaluator(table)
        if free:  # candidates are evolved in all of the space
            known = TableEvaluator(table)
            evaluator = FunctionEvaluator(known.evaluate, table.space, known.targets, cost=partial(_madds, table))
        train, _ = table.split(308, random_state=0)
        search = NAT(evaluator, case.objectives, n_jobs=2)
        search.tell(table.archs[train[:300]], table.targets.iloc[train[:300]])
        for what in ("all tried", "kept ones"):
            start = time.perf_counter()
            search.ask()
            show(f"{name}{', all of the space' if free else ''}: {what}: {time.perf_counter() - start:.1f} s")
            search.tell(table.archs[train[300:]], table.targets.iloc[train[300:]])


def _madds(table: BenchmarkTable, X: Any) -> pd.DataFrame:
    return table.space.cost(X)[["madds"]] / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(REPORTING), metavar="case", help=", ".join(CASES))
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/search_tables"))
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write, with a picture beside it")
    args = parser.parse_args()
    if args.overhead:
        overhead()
    panels = {}
    for name in [] if args.overhead else args.cases:
        try:
            table_of(CASES[name])
        except DataNotFoundError as error:
            show(f"\n[bold]{name}[/bold] is skipped: {error}")
            continue
        tasks = [(search, seed) for search in args.searches for seed in range(args.seeds)]
        folders = Parallel(n_jobs=args.n_jobs)(delayed(run_one)(name, search, seed, args.out) for search, seed in tasks)
        grouped: dict[str, list[Path]] = {}
        for (search, _), folder in zip(tasks, folders, strict=True):
            grouped.setdefault(search, []).append(folder)
        panels[name] = curves_of(grouped)
        show(section(name, panels[name]))
    if args.write and panels:
        figure = args.write.with_suffix(".svg")
        cases = "" if args.cases == list(REPORTING) else f" {' '.join(args.cases)}"
        command = f"python benchmarks/search_tables.py{cases} --seeds {args.seeds}"
        args.write.write_text(page(panels, figure.name, command), encoding="utf-8")
        figure.write_text(picture(panels), encoding="utf-8")
