"""From the shipped CIFAR-10 supernet to other images: NAT beside what else the same time on two cores gives.

For each data set and seed, which draws the training images and seeds everything:

- NAT adapts the supernet while it searches for error and multiply-adds;
- "not adapted" is the same search of the supernet as it is, each subnet with a ridge head of its own, with as many
  evaluations as NAT made, those again included, in as many batches;
- "fine-tuned" are subnets that the same search found on CIFAR-10, evenly from the smallest to the largest of its
  front: each gets a ridge head and is trained on by itself, all of them together for as long as NAT took on the same
  cores. What finding them took is not counted.

At the end each front is tried on the test images, once. Methods are compared at equal multiply-adds: under each of some
budgets, a method's answer is the network within it that is best on the validation images.

    python benchmarks/search_transfer.py --write docs/search_transfer.md

Whatever ends it, the same command goes on: searches have folders, what was measured is in a journal. To make choices,
leave test images alone: --split validation --out somewhere else.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pages import legend, markdown, svg
from rich import print as show
from supernet_adaptation import fitted

import surronas as sn
from surronas.benchmark.svg import Frame, number, points_of, text_at, ticks
from surronas.datasets.files import sha256_of
from surronas.datasets.images import ImageData, Normalization
from surronas.journal import Journal
from surronas.search import NAT, Result, SupernetAdaptation
from surronas.search.spread import evenly
from surronas.supernet.adaptation import new_head
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.recipe import ADAPTATION
from surronas.supernet.training import Trainer
from surronas.supernet.weights import load_supernet

# Epochs of the adaptation and seeds. An epoch of 5,000 images is about 27 CPU-seconds, of the small sets 6.
CASES = {"fashion_mnist": (10, 2), "sign_digits": (40, 2), "digits": (40, 3)}
N_TRAIN, N_VALIDATION, VALIDATION_SHARE = 5000, 2000, 0.25
N_EVALUATIONS, N_INITIAL, BATCH = 120, 30, 15
MINUTES = 15
METHODS = ("NAT", "not adapted", "fine-tuned")
COLOURS = ("#2563eb", "#ca8a04", "#e4572e")
SPLITS = {"validation": "val_accuracy", "test": "test_accuracy"}


def images_of(name: str, seed: int, n_train: int = N_TRAIN) -> ImageData:
    """Of small sets a quarter validates, since some 200 images would not tell subnets apart."""
    images = sn.load_images(name)
    if len(images) < 10_000:
        images = sn.load_images(name, validation_size=VALIDATION_SHARE)
    sizes = {"train": n_train, "validation": N_VALIDATION}
    sizes = {split: min(size, len(images.indices[split])) for split, size in sizes.items()}
    return images.subset(sizes=sizes, random_state=seed)


def evaluator_of(supernet: SuperNet, images: ImageData, args: Any, head: str | None = None) -> SupernetEvaluator:
    """By validation images; a head is fitted to all training images."""
    n = len(images.indices["train"]) if head else 2000
    return SupernetEvaluator(
        supernet, images, targets=("val_accuracy", "madds"), n_calibration=n, n_jobs=args.jobs, head=head
    )


def search_of(
    evaluator: SupernetEvaluator, seed: int, args: Any, adapt: SupernetAdaptation | None = None, batch: int = BATCH
) -> NAT:
    return NAT(evaluator, n_initial=args.initial, batch_size=batch, adapt=adapt, random_state=seed, n_jobs=args.jobs)


def nat(
    supernet: SuperNet, images: ImageData, epochs: int, seed: int, args: Any, every: int = BATCH, **options: Any
) -> NAT:
    """As `surronas search` does it: a portion of the adaptation after every batch, or every so many evaluations."""
    recipe = replace(ADAPTATION, epochs=epochs, seed=seed)
    portions = 1 + (args.evaluations - args.initial) // every
    steps = ceil(epochs * max(1, len(images.indices["train"]) // recipe.batch_size) / portions)
    adapt = SupernetAdaptation(images, recipe, steps=steps, every=min(args.initial, every), **options)
    return search_of(evaluator_of(new_head(supernet, images), images, args), seed, args, adapt)


def seconds_of(result: Result) -> float:
    """What a search took by the clock: evaluating, evaluating again, choosing, adapting."""
    evaluating = result.archive.seconds.sum() + result.archive.replaced["seconds"].sum()
    return float(evaluating + sum(result.seconds.values()))


def tried(supernet: SuperNet, images: ImageData, archs: Any, args: Any, head: str | None = None) -> pd.DataFrame:
    """Accuracies by which networks are chosen, and those by which methods are compared."""
    targets = tuple(dict.fromkeys(["val_accuracy", SPLITS[args.split], "madds"]))
    n = len(images.indices["train"]) if head else 2000
    evaluator = SupernetEvaluator(supernet, images, targets=targets, n_calibration=n, n_jobs=args.jobs, head=head)
    return evaluator.evaluate(archs)


def fine_tuned(weights: Path, images: ImageData, x: list[int], seconds: float, seed: int, args: Any) -> dict[str, Any]:
    """One subnet, trained on for so many CPU-seconds, in a process of one thread."""
    torch.set_num_threads(1)
    args = argparse.Namespace(**{**vars(args), "jobs": 1})
    supernet = load_supernet(weights)
    network = evaluator_of(supernet, images, args, "ridge").extract(x)
    normalization = Normalization(*(part.numpy().astype(np.float64) for part in (supernet.mean, supernet.std)))
    alone = SuperNet(supernet.space, images.n_classes, normalization=normalization, largest=x)
    alone.network.load_state_dict(network.state_dict())
    recipe = replace(ADAPTATION, seed=seed)
    trainer = Trainer(alone, prepare_images(images, supernet.space), recipe, subnets=lambda step: [x])
    frame = tried(fitted(trainer, seconds), images, [x], args)
    return {**frame.iloc[0].to_dict(), "cpu_seconds": trainer.seconds, "epochs": trainer.recipe.epochs}


def run(name: str, epochs: int, seed: int, journal: Journal, args: Any) -> None:
    """What of a data set and seed is missing."""
    cells = {cell["method"]: cell for cell in journal.cells if (cell["data"], cell["seed"]) == (name, seed)}
    if set(METHODS) <= set(cells):
        return
    supernet, images = load_supernet(args.weights), images_of(name, seed, args.n_train)
    folder = args.out / name / str(seed)

    def keep(method: str, rows: pd.DataFrame, **more: Any) -> None:
        cells[method] = {"data": name, "seed": seed, "method": method, "rows": rows.to_dict("records"), **more}
        journal.append(cells[method])
        show(f"{name}, seed {seed}: {method}: {len(rows)} networks", flush=True)

    if "NAT" not in cells:
        search = nat(supernet, images, args.epochs or epochs, seed, args)
        found = search.run(folder / "nat", args.evaluations, progress=True)
        adapted: Any = found.evaluator
        again = len(found.archive.replaced)
        rows = tried(adapted.supernet, images, found.front.archs, args)
        keep("NAT", rows, seconds=seconds_of(found), n=len(found.archive), again=again)
    if "not adapted" not in cells:
        n = cells["NAT"]["n"] + cells["NAT"]["again"]
        batch = ceil(BATCH * (n - args.initial) / (cells["NAT"]["n"] - args.initial))
        bare = search_of(evaluator_of(supernet, images, args, "ridge"), seed, args, batch=batch)
        found = bare.run(folder / "bare", n, progress=True)
        rows = tried(supernet, images, found.front.archs, args, "ridge")
        keep("not adapted", rows, seconds=seconds_of(found), n=len(found.archive), again=0)
    if "fine-tuned" not in cells:
        chosen = search_of(evaluator_of(supernet, images_of("cifar10", seed, args.n_train), args), seed, args)
        front = chosen.run(args.out / "cifar10" / str(seed), args.evaluations, progress=True).front
        archs = front.archs[evenly(len(front), args.networks)].tolist()
        each = args.jobs * (args.seconds or cells["NAT"]["seconds"]) / len(archs)
        parts = Journal(folder / "fine_tuned.jsonl", {"measured": "fine-tuned", "split": args.split, "seconds": each})
        known = [cell["arch"] for cell in parts.cells]
        todo = [x for x in archs if x not in known]
        work = (joblib.delayed(lambda x: (x, fine_tuned(args.weights, images, x, each, seed, args)))(x) for x in todo)
        for x, row in joblib.Parallel(n_jobs=args.jobs, return_as="generator_unordered")(work):
            parts.append({"arch": x, **row})
            show(f"{name}, seed {seed}: fine-tuned for {row['cpu_seconds']:.0f} s, {row['epochs']} epochs", flush=True)
        rows = pd.DataFrame(parts.cells).drop(columns="arch")
        keep("fine-tuned", rows, seconds=float(rows["cpu_seconds"].sum() / args.jobs), n=len(rows), again=0)


# -- what it shows -----------------------------------------------------------------------------


def budgets_of(cells: list[dict[str, Any]], n: int = 12) -> NDArray[np.float64]:
    """Multiply-adds: from what every method and seed has a network for, up to the largest network of any."""
    costs = [[row["madds"] for row in cell["rows"]] for cell in cells]
    return np.geomspace(max(map(min, costs)), max(map(max, costs)), n)


def answers(cell: dict[str, Any], budgets: NDArray[np.float64], column: str) -> NDArray[np.float64]:
    """Of each budget the accuracy of the network that validation chooses."""
    rows = pd.DataFrame(cell["rows"]).sort_values("val_accuracy", ascending=False, kind="stable")
    return np.array([rows.loc[rows["madds"] <= b * (1 + 1e-9), column].iloc[0] for b in budgets])


def curves_of(cells: list[dict[str, Any]], column: str) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Budgets, and of each method (seeds, budgets) accuracies."""
    budgets = budgets_of(cells)
    order = sorted(cells, key=lambda cell: cell["seed"])
    return budgets, {m: np.array([answers(c, budgets, column) for c in order if c["method"] == m]) for m in METHODS}


def summary(cells: list[dict[str, Any]], curves: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """A row a method: mean over the budgets, and by how much NAT is better, by seed."""
    rows = []
    for method, values in curves.items():
        lead, its = curves["NAT"] - values, [cell for cell in cells if cell["method"] == method]
        other = method != "NAT"
        rows.append(
            {
                "method": method,
                "top-1, %, mean of budgets": spread(values.mean(axis=1)),
                "NAT is better by": spread(lead.mean(axis=1), "+") if other else "",
                "ahead at": f"{(lead.mean(axis=0) > 0).mean():.0%} of budgets" if other else "",
                "networks": " ".join(str(len(cell["rows"])) for cell in its),
                "evaluations, again": " ".join(f"{cell['n']}, {cell['again']};" for cell in its).rstrip(";"),
                "minutes": " ".join(f"{cell['seconds'] / 60:.1f}" for cell in its),
            }
        )
    return pd.DataFrame(rows)


def spread(values: NDArray[np.float64], sign: str = "") -> str:
    """Mean, and from the least to the greatest, over seeds."""
    return f"{values.mean():{sign}.2f} ({values.min():{sign}.2f} to {values.max():{sign}.2f})"


def report(journal: Journal, args: Any) -> tuple[str, str]:
    """The page and the picture."""
    lines = [
        "# From CIFAR-10 to other images",
        "",
        f"Measured by `python benchmarks/search_transfer.py` ({args.split} images).",
        "",
        (__doc__ or "").split("\n\n    python")[0].split("\n\n", 1)[1],
        "",
        f"Figures of several seeds: mean (least to greatest), or one after another. The limit is {MINUTES} minutes.",
        "",
        "![Top-1 by multiply-adds](search_transfer.svg)",
    ]
    panels = []
    for name in dict.fromkeys(cell["data"] for cell in journal.cells):
        cells = [cell for cell in journal.cells if cell["data"] == name]
        seeds = {m: {cell["seed"] for cell in cells if cell["method"] == m} for m in METHODS}
        whole = set.intersection(*seeds.values())
        cells = [cell for cell in cells if cell["seed"] in whole]
        if not whole:
            continue
        budgets, curves = curves_of(cells, SPLITS[args.split])
        panels.append((name, budgets, curves))
        table = pd.DataFrame({"million multiply-adds": [f"{b / 1e6:.1f}" for b in budgets]})
        for method, values in curves.items():
            table[method] = [spread(column) for column in values.T]
        lines += [
            "",
            f"## {name}, seeds {', '.join(map(str, sorted(whole)))}",
            "",
            markdown(summary(cells, curves)),
            "",
            markdown(table),
        ]
    return "\n".join([*lines, ""]), picture(panels, args.split)


def picture(panels: list[Any], split: str) -> str:
    """A panel a data set: answers by budget, the seeds' mean, and a band from the least to the greatest."""
    width, height = 420, 330
    parts = legend(dict(zip(METHODS, COLOURS, strict=True)), 60, height + 8, 120)
    for i, (name, budgets, curves) in enumerate(panels):
        box = Frame(width, height, left=56, right=16, top=30)
        every = np.concatenate(list(curves.values()))
        xs, ys = ticks(budgets[0] / 1e6, budgets[-1] / 1e6, 5), ticks(every.min(), every.max(), 5)
        x, y = box.x(xs[0], xs[-1]), box.y(ys[0], ys[-1])
        labels = {value: number(value, xs[1] - xs[0]) for value in xs}
        inside = [text_at(width / 2, 16, name, "middle", "title")]
        inside.append(box.grid(x, y, labels, ys, "million multiply-adds, at most", f"{split} top-1, %"))
        for (method, values), colour in zip(curves.items(), COLOURS, strict=True):
            top, mean, bottom = (
                [(x(b / 1e6), y(v)) for b, v in zip(budgets, f(values, axis=0), strict=True)]
                for f in (np.max, np.mean, np.min)
            )
            inside.append(f'<polygon points="{points_of(top + bottom[::-1])}" fill="{colour}" opacity=".15"/>')
            inside.append(
                f'<polyline points="{points_of(mean)}" fill="none" stroke="{colour}" stroke-width="2">'
                f"<title>{method}</title></polyline>"
            )
        parts.append(f'<g transform="translate({width * i} 0)">{"".join(inside)}</g>')
    return svg(width * len(panels), height + 24, parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=find_pretrained("mbconv-cifar10"), help="of save_supernet")
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, help="0 and 1, of digits 2 too, by default")
    parser.add_argument("--evaluations", type=int, default=N_EVALUATIONS, help="NAT's, those again not counted")
    parser.add_argument("--initial", type=int, default=N_INITIAL)
    parser.add_argument("--epochs", type=int, help=f"of the adaptation; {CASES} say which and how many seeds")
    parser.add_argument("--n-train", type=int, default=N_TRAIN)
    parser.add_argument("--networks", type=int, default=12, help="to fine-tune")
    parser.add_argument("--seconds", type=float, help="fine-tune all for so long by the clock, to try the command")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each; the training's threads")
    parser.add_argument("--out", type=Path, default=Path("runs/search_transfer"))
    parser.add_argument("--write", type=Path, help="a Markdown file for the result")
    args = parser.parse_args()
    torch.set_num_threads(args.jobs)
    names = ("evaluations", "initial", "epochs", "n_train", "networks", "split")
    settings = {name: getattr(args, name) for name in names}
    journal = Journal(
        args.out / "journal.jsonl", {"measured": "transfer", "weights": sha256_of(args.weights), **settings}
    )
    for name in args.data:
        epochs, n_seeds = CASES[name]
        for seed in args.seeds or range(n_seeds):
            run(name, epochs, seed, journal, args)
    text, drawing = report(journal, args)
    print(text)
    if args.write:
        args.write.write_text(text, encoding="utf-8")
        args.write.with_suffix(".svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
