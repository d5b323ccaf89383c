"""Is the supernet's ranking that of networks trained alone? And how much do subnets of equal size differ?

Of subnets drawn by seed, one from each of `-n` equal steps of log multiply-adds (the extremes are the first and the
last), each is trained from scratch by the supernet's own recipe, for the same few epochs, with the labels as the only
teacher. Kendall's tau is between its top-1 on all test images and that of the same subnet with the supernet's weights.
The subnets, the epochs and this comparison were fixed before the first result. A training that was cut off begins
anew; what is trained is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pages import markdown, svg
from rich import print as show
from scipy.stats import kendalltau

import surronas as sn
from surronas.benchmark.svg import Frame, number, text_at, ticks
from surronas.datasets.files import sha256_of
from surronas.datasets.images import ImageData
from surronas.exceptions import DataNotFoundError
from surronas.journal import Journal
from surronas.spaces.base import IntArray
from surronas.spaces.mbconv import MBConv
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.recipe import Recipe
from surronas.supernet.training import Trainer
from surronas.supernet.weights import load_supernet

TARGETS = ("val_accuracy", "test_accuracy")
NEAR = 0.05
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def drawn(space: MBConv, n: int) -> IntArray:
    """The extremes and, for each of the steps of log multiply-adds between them, a random subnet."""
    ends = np.stack([space.smallest(), space.largest()])
    X = space.sample(20_000, random_state=0)
    low, high = np.log(space.cost(ends)["madds"])
    step = ((np.log(space.cost(X)["madds"]) - low) / (high - low) * n).astype(int).to_numpy()
    between = [X[np.flatnonzero(step == i)[:1]] for i in range(1, n - 1)]
    return np.concatenate([ends[:1], *between, ends[1:]])


# -- training alone ----------------------------------------------------------------------------


def accuracies(supernet: SuperNet, images: ImageData, archs: Any, n: int | None, jobs: int) -> pd.DataFrame:
    evaluator = SupernetEvaluator(supernet, images, targets=TARGETS, n_validation=n, n_test=n, n_jobs=jobs)
    return evaluator.evaluate(archs)


def train_alone(spec: dict[str, Any], arch: list[int], epochs: int, steps: int | None, n: int | None) -> dict[str, Any]:
    """Top-1 of one subnet trained from scratch, measured as that of the supernet's."""
    torch.set_num_threads(1)
    recipe = replace(Recipe(), epochs=epochs, warmup_epochs=epochs)
    torch.manual_seed(recipe.seed)
    images = sn.load_images("cifar10")
    alone = SuperNet(MBConv(**spec), images.n_classes, normalization=images.normalization, largest=arch)
    trainer = Trainer(alone, images, recipe, subnets=lambda step: [arch])
    while trainer.step < (steps or trainer.n_steps):
        trainer.run_step()
    frame = accuracies(trainer.result(), images, [arch], n, 1)
    return {"arch": arch, **frame.iloc[0].to_dict(), "cpu_seconds": trainer.seconds, "loss": trainer.losses[-1][0]}


def run(args: argparse.Namespace) -> pd.DataFrame:
    """One row a subnet: multiply-adds, inherited and standalone accuracies."""
    supernet = load_supernet(args.weights)
    space, spec = supernet.space, supernet.space.to_spec()["parameters"]
    archs = drawn(space, args.n)
    madds = space.cost(archs)["madds"]
    settings = {"epochs": args.epochs, "steps": args.steps, "images": args.images, "torch": torch.__version__}
    alone = Journal(args.out / "alone.jsonl", {"measured": "alone", "space": spec, **settings})
    done = [cell["arch"] for cell in alone.cells]
    todo = [archs[row].tolist() for row in np.argsort(-madds.to_numpy()) if archs[row].tolist() not in done]
    work = (joblib.delayed(train_alone)(spec, arch, args.epochs, args.steps, args.images) for arch in todo)
    for cell in joblib.Parallel(n_jobs=args.jobs, return_as="generator_unordered")(work):
        alone.append(cell)
        show(
            f"{len(alone.cells)} of {len(archs)}: {cell['cpu_seconds']:.0f} s, {cell['val_accuracy']:.1f} %", flush=True
        )
    header = {"measured": "inherited", "weights": sha256_of(args.weights), "images": args.images}
    inherited = Journal(args.out / "inherited.jsonl", header)
    done = [cell["arch"] for cell in inherited.cells]
    todo = [arch for arch in archs.tolist() if arch not in done]
    if todo:
        frame = accuracies(supernet, sn.load_images("cifar10"), todo, args.images, args.jobs)
        for arch, values in zip(todo, frame.to_dict("records"), strict=True):
            inherited.append({"arch": arch, **values})
    both = [
        pd.DataFrame(journal.cells).set_index(space.key([cell["arch"] for cell in journal.cells]))
        for journal in (inherited, alone)
    ]
    joined = both[0].join(both[1].add_suffix("_alone")).loc[space.key(archs)].reset_index(drop=True)
    return joined.assign(madds=madds / 1e6, genotype=["".join(map(str, arch)) for arch in archs.tolist()])


# -- what it shows -----------------------------------------------------------------------------


def tau_with_interval(x: NDArray[Any], y: NDArray[Any]) -> str:
    """Kendall's tau, and the middle 95 % of its values on subnets drawn again with replacement."""
    rng = np.random.default_rng(0)
    again = rng.integers(len(x), size=(2_000, len(x)))
    low, high = np.nanquantile([kendalltau(x[rows], y[rows]).statistic for rows in again], [0.025, 0.975])
    return f"{kendalltau(x, y).statistic:.2f} (95 % interval {low:.2f} to {high:.2f})"


def equal_madds() -> pd.DataFrame | None:
    """10th to 90th percentile of test accuracy among the table's random subnets of nearly equal multiply-adds."""
    try:
        table = sn.load_benchmark("mbconv_cifar10")
    except DataNotFoundError:
        return None
    random = table.targets[(table.context["origin"] == "random").to_numpy()]
    rows = []
    for level in LEVELS:
        centre = random["madds"].quantile(level)
        near = random.loc[(random["madds"] / centre - 1).abs() < NEAR, "test_accuracy"]
        low, high = near.quantile([0.1, 0.9])
        rows.append({"madds, millions": centre / 1e6, "subnets": len(near), "10 %": low, "90 %": high,
                     "spread, points": high - low})  # fmt: skip
    return pd.DataFrame(rows)


def report(frame: pd.DataFrame, epochs: int, command: str) -> str:
    inherited, alone, madds = (frame[name].to_numpy() for name in ("test_accuracy", "test_accuracy_alone", "madds"))
    columns = {"madds": "M multiply-adds", "test_accuracy": "inherited %", "test_accuracy_alone": "alone %",
               "genotype": "genotype"}  # fmt: skip
    lines = [
        "# Is weight sharing honest?",
        "",
        f"Measured by `{command}`. {' '.join((__doc__ or '').split(chr(10), 2)[2].split())}",
        "",
        (
            f"- τ between inherited and standalone accuracy: {tau_with_interval(inherited, alone)}, {len(frame)} "
            f"subnets, {epochs} epochs each"
        ),
        (
            f"- the same on the validation images: "
            f"{tau_with_interval(frame['val_accuracy'].to_numpy(), frame['val_accuracy_alone'].to_numpy())}"
        ),
        f"- for comparison, τ between multiply-adds and standalone accuracy: {tau_with_interval(madds, alone)}",
        f"- standalone training: {frame['cpu_seconds_alone'].sum() / 3600:.1f} CPU-hours",
        "",
        "![Standalone against inherited accuracy](weight_sharing.svg)",
        "",
        markdown(frame[list(columns)].rename(columns=columns), 2),
        "",
    ]
    spread = equal_madds()
    if spread is not None:
        lines += [
            "## Subnets of nearly equal multiply-adds",
            "",
            (
                f"Test accuracy among the random subnets of `mbconv_cifar10` within {NEAR:.0%} of some multiply-adds: "
                "from the 10th to the 90th percentile."
            ),
            "",
            markdown(spread, 2),
            "",
        ]
    return "\n".join(lines)


def picture(frame: pd.DataFrame) -> str:
    """Standalone against inherited accuracy, a dot a subnet, darker the more multiply-adds."""
    inherited, alone = frame["test_accuracy"], frame["test_accuracy_alone"]
    box = Frame(640, 440, left=60, right=20)
    xs, ys = ticks(inherited.min(), inherited.max()), ticks(alone.min(), alone.max())
    x, y = box.x(xs[0], xs[-1]), box.y(ys[0], ys[-1])
    labels = {value: number(value, xs[1] - xs[0]) for value in xs}
    parts = [
        box.grid(
            x, y, labels, ys, "with the supernet's weights: CIFAR-10 test top-1, %", "trained alone: test top-1, %"
        ),
    ]
    size = np.log(frame["madds"] / frame["madds"].min()) / np.log(frame["madds"].max() / frame["madds"].min())
    for a, b, share, madds in zip(inherited, alone, size, frame["madds"], strict=True):
        colour = f"hsl(212 {40 + 45 * share:.0f}% {82 - 55 * share:.0f}%)"
        hint = f"{madds:.1f} M multiply-adds: inherited {a:.2f} %, alone {b:.2f} %"
        parts.append(
            f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="6" fill="{colour}" stroke="#1b4a80">'
            f"<title>{hint}</title></circle>"
        )
    scale = f"{frame['madds'].min():.0f} M (light) to {frame['madds'].max():.0f} M (dark) multiply-adds"
    parts.append(text_at(72, 26, scale, "start"))
    return svg(640, 440, parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=find_pretrained("mbconv-cifar10"), help="of save_supernet")
    parser.add_argument("-n", type=int, default=18, help="subnets")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, one thread each")
    parser.add_argument("--out", type=Path, default=Path("runs/weight_sharing"))
    parser.add_argument("--write", type=Path, help="a Markdown file for the result")
    parser.add_argument("--steps", type=int, help="only so many steps, to try the command")
    parser.add_argument("--images", type=int, help="only so many validation and test images, to try the command")
    args = parser.parse_args()
    frame = run(args)
    text = report(frame, args.epochs, f"python benchmarks/weight_sharing.py -n {args.n} --epochs {args.epochs}")
    show(text)
    if args.write:
        args.write.write_text(text, encoding="utf-8")
        args.write.with_suffix(".svg").write_text(picture(frame), encoding="utf-8")
