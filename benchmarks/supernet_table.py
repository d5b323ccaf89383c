"""The table `mbconv_cifar10`: subnets of a trained supernet, measured.

Four steps, in this order: `accuracies` (the extremes, random subnets, then the front that a search finds, on CIFAR-10),
`transfer` (some of the same subnets with a closed-form head on other images), `latencies` (of all of them, in one
process and in several passes, since a machine that others share is another one some minutes later; nothing else should
run), `write` (the parquet files). What is measured is kept, so that a step goes on where
it stopped; one that is done takes no time.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich import print as show
from supernet_front import promising

import surronas as sn
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.datasets.files import sha256_of
from surronas.datasets.images import ImageData
from surronas.datasets.mbconv_cifar10 import path_of
from surronas.datasets.table_file import write_table
from surronas.journal import Journal
from surronas.spaces.base import IntArray, SearchSpace
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.machine import has_bfloat16
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.weights import load_supernet
from surronas.transfer.latency import Reference, latency_columns, measure_latency

STEPS = ("accuracies", "transfer", "latencies", "write")
BLOCK = 48  # three of the blocks in which latencies are measured
CALIBRATION = 2000
SPLITS: dict[str, dict[str, Any]] = {"fashion_mnist": {}, "digits": {"validation_size": 400, "test_size": 500}}
ACCURACIES = ("val_accuracy", "test_accuracy")

Cell = dict[str, Any]


# -- what is measured --------------------------------------------------------------------------


def drawn(space: SearchSpace, n: int) -> list[Cell]:
    """The extremes and ``n`` random subnets, no two the same."""
    ends = np.stack([space.smallest(), space.largest()])
    random = space.sample(n + 2, random_state=0)
    random = random[~np.isin(space.key(random), space.key(ends))][:n]
    return cells_of(ends[:1], "smallest") + cells_of(ends[1:], "largest") + cells_of(random, "random")


def transferred(cells: list[Cell], n: int) -> list[Cell]:
    """The extremes, the first ``n`` random subnets, every other one of the front."""
    by_origin = pd.DataFrame(cells).groupby("origin").cumcount()
    share = {"random": by_origin < n, "front": by_origin % 2 == 0}
    return [cell for row, cell in enumerate(cells) if share.get(cell["origin"], by_origin >= 0)[row]]


# -- measuring ---------------------------------------------------------------------------------


def measure(journal: Journal, cells: list[Cell], evaluate: Callable[[IntArray], pd.DataFrame]) -> None:
    """Evaluate what the journal lacks, block by block; a block is in it as soon as it is measured."""
    done = {tuple(cell["arch"]) for cell in journal.cells}
    todo = [{name: cell[name] for name in ("arch", "origin")} for cell in cells if tuple(cell["arch"]) not in done]
    began = time.monotonic()
    for start in range(0, len(todo), BLOCK):
        block = todo[start : start + BLOCK]
        frame = evaluate(archs_of(block))
        for cell, values in zip(block, frame.to_dict("records"), strict=True):
            journal.append(cell | values)
        each = (time.monotonic() - began) / (start + len(block))
        left = each * (len(todo) - start - len(block)) / 60
        show(f"{journal.path.stem}: {len(journal.cells)} done, {each:.2f} s each, {left:.0f} min left", flush=True)


def run_accuracies(args: argparse.Namespace) -> list[Cell]:
    settings = {"n_validation": args.validation, "n_test": args.test}
    journal = open_journal(args, "accuracies", **settings)
    evaluate = evaluation(args, "cifar10", **settings)
    space = load_supernet(args.weights).space
    measure(journal, drawn(space, args.random), evaluate)
    while missing := max(0, args.front - sum(cell["origin"] == "front" for cell in journal.cells)):
        known, accuracy = archs_of(journal.cells), np.array([cell["val_accuracy"] for cell in journal.cells])
        measure(journal, cells_of(promising(space, known, accuracy, min(BLOCK, missing)), "front"), evaluate)
    return journal.cells


def run_transfer(args: argparse.Namespace) -> dict[str, list[Cell]]:
    cells = transferred(run_accuracies(args), args.transfer)
    measured = {}
    for dataset, sizes in SPLITS.items():
        settings = {"head": "ridge", "n_validation": sizes.get("validation_size", args.validation)}
        settings["n_test"] = sizes.get("test_size", args.test)
        journal = open_journal(args, dataset, **settings)
        measure(journal, cells, evaluation(args, dataset, **settings))
        measured[dataset] = journal.cells
    return measured


def run_latencies(args: argparse.Namespace) -> list[list[Cell]]:
    """Pass by pass, each in an order of its own. The reference is the subnet of median multiply-adds."""
    cells, supernet = run_accuracies(args), load_supernet(args.weights)
    X, space = archs_of(cells), supernet.space
    network = supernet.extract(X[space.cost(X)["madds"].argsort()[len(X) // 2]])
    passes = []
    for number in range(args.passes):
        journal = open_journal(args, f"latencies-{number}", cpu=cpu(), rounds=args.rounds)
        reference = Reference(network, (3, network.resolution, network.resolution))
        if journal.cells:  # from another session: its times are to be comparable
            reference.seconds |= {int(size): value for size, value in journal.cells[0]["reference"].items()}
        order = np.random.default_rng(number).permutation(len(cells))
        measure(journal, [cells[row] for row in order], partial(latencies_of, supernet, reference, args.rounds))
        passes.append(journal.cells)
    return passes


def latencies_of(supernet: SuperNet, reference: Reference, n_rounds: int, X: IntArray) -> pd.DataFrame:
    networks = [supernet.extract(x) for x in X]
    frame = measure_latency(networks, (1, 64), n_rounds=n_rounds, reference=reference)
    return frame.assign(load=os.getloadavg()[0], reference=[dict(reference.seconds)] * len(X))


def open_journal(args: argparse.Namespace, what: str, **settings: Any) -> Journal:
    header = {"measured": what, "weights": sha256_of(args.weights), "torch": torch.__version__}
    header |= {"bfloat16": has_bfloat16(), **settings}
    return Journal(args.out / f"{what}.jsonl", header)


def evaluation(args: argparse.Namespace, dataset: str, **settings: Any) -> Callable[[IntArray], pd.DataFrame]:
    """What measures accuracies; it is made when there is something to measure."""

    @cache
    def evaluator() -> SupernetEvaluator:
        supernet, images = load_supernet(args.weights), images_of(dataset)
        return SupernetEvaluator(
            supernet, images, targets=ACCURACIES, n_calibration=CALIBRATION, n_jobs=args.jobs, **settings
        )

    return lambda X: evaluator().evaluate(X)


@cache
def images_of(dataset: str) -> ImageData:
    return sn.load_images(dataset, **SPLITS.get(dataset, {}))


# -- tables ------------------------------------------------------------------------------------


def run_write(args: argparse.Namespace) -> None:
    passes = run_latencies(args)
    write(args, "cifar10", run_accuracies(args), passes)
    for dataset, cells in run_transfer(args).items():
        write(args, dataset, cells, [])


def median_of(passes: list[list[Cell]], space: SearchSpace, archs: IntArray) -> pd.DataFrame:
    """Latencies and spreads, a row an architecture: the median over the passes, each on the first one's scale.

    Passes differ by more, now and then, than a normal distribution would have it: a minute was loud.
    """
    names = [name for size in (1, 64) for name in latency_columns(size)]
    frames = [
        pd.DataFrame(cells).set_index(space.key(archs_of(cells))).loc[space.key(archs), names].reset_index(drop=True)
        for cells in passes
    ]
    for latency, spread in (latency_columns(size) for size in (1, 64)):
        for frame in frames[1:]:
            frame[[latency, spread]] *= (frames[0][latency] / frame[latency]).median()
        logs = np.log([frame[latency] for frame in frames])
        show(f"{latency}: passes differ by {100 * (logs - logs.mean(0)).std(0, ddof=1).mean():.1f} % (sd)")
    return pd.DataFrame(np.median([frame[names] for frame in frames], axis=0), columns=names)


def write(args: argparse.Namespace, dataset: str, cells: list[Cell], passes: list[list[Cell]]) -> None:
    """One table; its file goes where the loader looks for it, or into ``--to``."""
    space, images = load_supernet(args.weights).space, images_of(dataset)
    archs = archs_of(cells)
    targets = pd.DataFrame(cells)[list(ACCURACIES)].join(space.cost(archs)[["params", "madds"]])
    if passes:
        targets = targets.join(median_of(passes, space, archs))
    described = [target for target in targets_on(args, dataset) if target.name in targets]
    origin = pd.DataFrame(cells)[["origin"]]
    info = info_of(args, images, origin["origin"], [cell["load"] for cells in passes for cell in cells])
    table = BenchmarkTable("mbconv_cifar10", space, archs, targets, described, info, dataset, context=origin)
    path = path_of(dataset) if args.to is None else args.to / path_of(dataset).name
    write_table(table, path)
    show(table)
    show(f"{path}: {path.stat().st_size:,} bytes", flush=True)


def targets_on(args: argparse.Namespace, dataset: str) -> list[Target]:
    sizes = SPLITS.get(dataset, {})
    n_train = min(CALIBRATION, len(images_of(dataset).indices["train"]))
    head = "" if dataset == "cifar10" else "; a ridge head fitted to the features of these"
    batch = (
        "in float32 on one thread, batch norms folded, channels last, torch eager; median over "
        f"{args.passes} passes of the median of {args.rounds} samples"
    )
    spread = "Interquartile range of a pass's samples, median over the passes, of"
    return [
        Target(
            f"{short}_accuracy",
            "%",
            True,
            "accuracy",
            f"Top-1 on {sizes.get(f'{name}_size', n)} {name} images of {dataset}, with the supernet's weights as they "
            f"are, batch norm recalibrated on {n_train:,} training images{head}",
        )
        for short, name, n in (("val", "validation", args.validation), ("test", "test", args.test))
    ] + [
        Target("params", "", False, "size", "Parameters"),
        Target("madds", "", False, "compute", "Multiply-adds of an image at the subnet's own resolution"),
        Target("latency_ms", "ms", False, "latency", f"A batch of 1 {batch}"),
        Target("latency_spread_ms", "ms", False, "spread", f"{spread} latency_ms"),
        Target("latency_64_ms", "ms", False, "latency", f"A batch of 64 {batch}"),
        Target("latency_64_spread_ms", "ms", False, "spread", f"{spread} latency_64_ms"),
    ]


def info_of(args: argparse.Namespace, images: ImageData, origins: pd.Series, loads: list[float]) -> TableInfo:
    counts = ", ".join(f"{n} {origin}" for origin, n in origins.value_counts().items())
    notes = (
        f"Subnets: {counts}. The random ones are uniform over the genes (seed 0), no two isomorphic; the front was "
        "chosen by a surrogate of validation accuracy, for accuracy at few multiply-adds, and is no random sample.\n"
        f"Weights: {args.weights.name}, sha256 {sha256_of(args.weights)}. Command: {args.command}; "
        f"{datetime.now(UTC):%Y-%m-%d}, surronas {sn.__version__}, torch {torch.__version__}, {cpu()}.\n"
        f"{images.name}: {images.info.notes}"
    )
    if loads:
        notes += (
            f"\nLatencies: one process, one thread; median load average meanwhile {np.median(loads):.2f}, of which the "
            "measurement itself is 1."
        )
    return TableInfo(
        source="surronas: measured by benchmarks/supernet_table.py",
        licence=f"Apache-2.0, as surronas; the images are others': {images.info.licence}",
        citation="The surronas developers, mbconv_cifar10: subnets of a supernet trained on CIFAR-10. "
        f"The images: {images.info.citation}",
        checksum="",
        notes=notes,
    )


# -- small things ------------------------------------------------------------------------------


def cells_of(archs: IntArray, origin: str) -> list[Cell]:
    return [{"arch": arch, "origin": origin} for arch in archs.tolist()]


def archs_of(cells: list[Cell]) -> IntArray:
    return np.array([cell["arch"] for cell in cells])


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {os.cpu_count()} cores"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="all by default")
    parser.add_argument("--weights", type=Path, default=find_pretrained("mbconv-cifar10"), help="of save_supernet")
    parser.add_argument("--random", type=int, default=2000, help="random subnets")
    parser.add_argument("--front", type=int, default=150, help="subnets of the front")
    parser.add_argument("--transfer", type=int, default=500, help="random subnets on the other images")
    parser.add_argument("--validation", type=int, default=2500, help="validation images")
    parser.add_argument("--test", type=int, default=5000, help="test images")
    parser.add_argument("--passes", type=int, default=3, help="over all subnets, for latencies")
    parser.add_argument("--rounds", type=int, default=3, help="samples of a subnet in a pass")
    parser.add_argument("--jobs", type=int, default=2, help="processes for accuracies")
    parser.add_argument("--out", type=Path, default=Path("runs/supernet_table"), help="what is measured")
    parser.add_argument("--to", type=Path, help="folder for the parquet files; by default the package's own")
    args = parser.parse_args()
    args.command = shlex.join(["python", *sys.argv])
    run = {"accuracies": run_accuracies, "transfer": run_transfer, "latencies": run_latencies, "write": run_write}
    for step in args.steps:
        run[step](args)
