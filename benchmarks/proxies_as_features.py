"""What proxies of our own computing add to graph features, at few training architectures.

From each space a random sample of different networks, the same for everyone. Train on n of them, test on the rest; ten
seeds, and both entrants see the same rows, so that what counts is the difference seed by seed. The encodings: GRAF's
features (`graph_features`), and these with all proxies but GenNAS (`graph_features+zero_cost`). Scores are computed on
one batch of CIFAR-10 for all spaces: images of Taskonomy and CIFAR-100 are not at hand. Networks of TransNAS-Bench-101,
which are for 256x256 pixels, see them enlarged to 64x64. What is scored is remembered, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pages import markdown
from rich import print as show
from torch.nn import functional as F

import surronas as sn
from surronas.benchmark.protocol import get_protocol
from surronas.benchmark.svg import Frame, number, text_at, ticks
from surronas.proxies import Scorer

# What is predicted: table, data set, target.
CASES = {
    "NAS-Bench-201, CIFAR-10": ("nasbench201", "cifar10", "val_accuracy"),
    "NAS-Bench-201, CIFAR-100": ("nasbench201", "cifar100", "val_accuracy"),
    "NAS-Bench-Macro": ("nasbench_macro", None, "test_accuracy"),
    "TransNAS-Bench-101, objects": ("transnasbench101", None, "class_object_val_accuracy"),
    "TransNAS-Bench-101, scenes": ("transnasbench101", None, "class_scene_val_accuracy"),
}
LARGE = {"transnasbench101": 64}
GRAF, BOTH = "graph_features", "graph_features+zero_cost"


def sample(name: str, dataset: str | None, n: int) -> sn.BenchmarkTable:
    """So many different networks of a table."""
    table = get_protocol("unique").restrict(sn.load_benchmark(name, dataset=dataset))
    return table.subset(np.sort(np.random.RandomState(0).permutation(len(table))[:n]))


def scorer_of(name: str, args: argparse.Namespace) -> Scorer:
    """All proxies of one network, on a batch of the size of image that the table's networks see here."""
    images: Any = sn.load_images("cifar10")
    if name in LARGE:
        batch = Scorer("params", images, batch_size=args.batch_size).batch
        large = F.interpolate(torch.from_numpy(batch.images), size=LARGE[name], mode="bilinear")
        images = (large.numpy(), batch.labels)
    proxies = Scorer(args.proxies[0] if len(args.proxies) == 1 else args.proxies).measured
    return Scorer(proxies, images, batch_size=args.batch_size, n_jobs=args.jobs, cache=args.cache)


def run(args: argparse.Namespace) -> pd.DataFrame:
    """A row a case, size, predictor and seed: tau without and with proxies, and seconds an architecture."""
    frames, scorers = [], {}
    for case, (name, dataset, target) in CASES.items():
        if args.cases and name not in args.cases:
            continue
        table, scorer = sample(name, dataset, args.n), scorers.setdefault(name, scorer_of(name, args))
        report = sn.evaluate(
            [f"{encoder}:{predictor}" for predictor in args.predictors for encoder in (GRAF, BOTH)],
            table,
            target,
            args.sizes,
            args.repeats,
            proxies=scorer,
            out=args.out / f"{name}_{dataset}_{target}_{args.n}",
            n_jobs=args.jobs,
            progress=True,
        )
        frame = report.frame
        frame[["encoder", "predictor"]] = frame["predictor"].str.split(":", expand=True).to_numpy()
        taus = frame.pivot(index=["n_train", "predictor", "repeat"], columns="encoder", values="kendall_tau")
        frames.append(taus.reset_index().assign(case=case, seconds=scorer.mean_seconds(table.space)))
    return pd.concat(frames, ignore_index=True)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a case, size and predictor."""
    rows = []
    for (case, n, predictor), cells in frame.groupby(["case", "n_train", "predictor"], sort=False):
        gain = cells[BOTH] - cells[GRAF]
        rows.append(
            {
                "case": case,
                "n": n,
                "predictor": predictor,
                "GRAF": cells[GRAF].mean(),
                "GRAF + proxies": cells[BOTH].mean(),
                "gain": gain.mean(),
                "standard error": gain.sem(),
                "seeds won": f"{(gain > 0).sum()} of {gain.notna().sum()}",
            }
        )
    return pd.DataFrame(rows)


def picture(table: pd.DataFrame) -> str:
    """The mean gain of each row, with two standard errors to both sides."""
    rows = [f"{row.case}, n = {row.n}, {row.predictor}" for row in table.itertuples()]
    spread = 2 * table["standard error"].fillna(0.0)
    low, high = (table["gain"] - spread).min(), (table["gain"] + spread).max()
    box = Frame(760, 60 + 20 * len(rows), left=340, right=20, top=8, bottom=42)
    xs = ticks(min(low, 0.0), max(high, 0.0))
    x, bottom = box.x(xs[0], xs[-1]), box.height - box.bottom
    parts = [f'<rect width="{box.width}" height="{box.height}" fill="#fff"/>']
    for value in xs:
        colour = "#888" if abs(value) < 1e-9 else "#e4e4e4"
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{box.top}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(text_at(x(value), bottom + 17, number(value, xs[1] - xs[0]), "middle"))
    parts.append(text_at((x(xs[0]) + x(xs[-1])) / 2, box.height - 6, "Kendall's tau gained by proxies", "middle"))
    for i, (name, gain, error) in enumerate(zip(rows, table["gain"], spread, strict=True)):
        y = box.top + 20 * i + 14
        colour = "#1b6ca8" if gain > 0 else "#c0392b"
        parts.append(text_at(box.left - 12, y + 4, name, "end"))
        ends = f'x1="{x(gain - error):.1f}" x2="{x(gain + error):.1f}" y1="{y}" y2="{y}"'
        parts.append(f'<line {ends} stroke="{colour}" stroke-width="3" stroke-opacity="0.4"/>')
        hint = f"{name}: {gain:+.3f} ± {error:.3f}"
        parts.append(f'<circle cx="{x(gain):.1f}" cy="{y}" r="4" fill="{colour}"><title>{hint}</title></circle>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {box.width} {box.height}"'
    return f'{head} font-family="sans-serif" font-size="12">{"".join(parts)}</svg>\n'


def page(args: argparse.Namespace, frame: pd.DataFrame, table: pd.DataFrame, figure: str) -> str:
    sizes, predictors = (" ".join(map(str, values)) for values in (args.sizes, args.predictors))
    command = f"--n {args.n} --sizes {sizes} --repeats {args.repeats} --predictors {predictors}"
    prices = frame.groupby("case", sort=False)["seconds"].first()
    return "\n".join(
        [
            "# Zero-cost proxies as features",
            "",
            f"Made by `python benchmarks/proxies_as_features.py {command}`.",
            " ".join(__doc__.split("\n\n", 1)[1].split()),
            "",
            f"![What proxies add to graph features]({figure})",
            "",
            "Kendall's τ, means over seeds; the gain with its standard error, both of the differences seed by seed.",
            "",
            markdown(table),
            "",
            "What the proxies of an architecture take, seconds of one thread:",
            "",
            markdown(prices.rename("seconds").reset_index()),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=400, help="architectures a space")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32], help="training architectures")
    parser.add_argument("--repeats", type=int, default=10, help="seeds")
    parser.add_argument("--predictors", nargs="+", default=["random_forest", "gp"])
    parser.add_argument("--proxies", nargs="+", default=["all"], help="all, cheap, or names")
    parser.add_argument("--cases", nargs="+", help="tables; all of them by default")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("proxies"), help="folder of what is scored")
    parser.add_argument("--out", type=Path, default=Path("runs/proxies_as_features"), help="folder of journals")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write, with a picture beside it")
    args = parser.parse_args()
    frame = run(args)
    table = summary(frame)
    show(table.round(3).to_string())
    if args.write:
        figure = args.write.with_suffix(".svg")
        args.write.write_text(page(args, frame, table, figure.name), encoding="utf-8")
        figure.write_text(picture(table), encoding="utf-8")


if __name__ == "__main__":
    main()
