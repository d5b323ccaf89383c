"""The table `mbconv_cifar10`: subnets of a trained supernet, measured.

Four steps, in this order: `accuracies` (the extremes, random subnets, then the front that a search finds, on CIFAR-10),
`transfer` (some of the same subnets with a closed-form head on other images), `latencies` (of all of them, in one
process; nothing else should run), `write` (the parquet files). What is measured is kept, so that a step goes on where
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
from surronas.supernet.latency import Reference
from surronas.supernet.machine import has_bfloat16
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.weights import load_supernet

STEPS = ("accuracies", "transfer", "latencies", "write")
BLOCK = 48  # three of the blocks in which latencies are measured
CALIBRATION = 2000
SPLITS: dict[str, dict[str, Any]] = {"fashion_mnist": {}, "digits": {"validation_size": 400, "test_size": 500}}
ACCURACIES, LATENCIES = ("val_accuracy", "test_accuracy"), ("latency_ms", "latency_64_ms")

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


def measure(
    journal: Journal, cells: list[Cell], evaluator: Callable[[], SupernetEvaluator], extra: Callable[[], Cell] = dict
) -> None:
    """Evaluate what the journal lacks, block by block; a block is in it as soon as it is measured."""
    done = {tuple(cell["arch"]) for cell in journal.cells}
    todo = [{name: cell[name] for name in ("arch", "origin")} for cell in cells if tuple(cell["arch"]) not in done]
    began = time.monotonic()
    for start in range(0, len(todo), BLOCK):
        block = todo[start : start + BLOCK]
        frame = evaluator().evaluate(archs_of(block))
        for cell, values in zip(block, frame.to_dict("records"), strict=True):
            journal.append(cell | values | extra())
        each = (time.monotonic() - began) / (start + len(block))
        left = each * (len(todo) - start - len(block)) / 60
        show(f"{journal.path.stem}: {len(journal.cells)} done, {each:.2f} s each, {left:.0f} min left", flush=True)


def run_accuracies(args: argparse.Namespace) -> list[Cell]:
    settings = {"n_validation": args.validation, "n_test": args.test}
    journal = open_journal(args, "accuracies", **settings)
    evaluator = cache(partial(make_evaluator, args, "cifar10", targets=ACCURACIES, n_jobs=args.jobs, **settings))
    space = load_supernet(args.weights).space
    measure(journal, drawn(space, args.random), evaluator)
    while missing := max(0, args.front - sum(cell["origin"] == "front" for cell in journal.cells)):
        known, accuracy = archs_of(journal.cells), np.array([cell["val_accuracy"] for cell in journal.cells])
        measure(journal, cells_of(promising(space, known, accuracy, min(BLOCK, missing)), "front"), evaluator)
    return journal.cells


def run_transfer(args: argparse.Namespace) -> dict[str, list[Cell]]:
    cells = transferred(run_accuracies(args), args.transfer)
    measured = {}
    for dataset, sizes in SPLITS.items():
        settings = {"head": "ridge", "n_validation": sizes.get("validation_size", args.validation)}
        settings["n_test"] = sizes.get("test_size", args.test)
        journal = open_journal(args, dataset, **settings)
        evaluator = partial(make_evaluator, args, dataset, targets=ACCURACIES, n_jobs=args.jobs, **settings)
        measure(journal, cells, cache(evaluator))
        measured[dataset] = journal.cells
    return measured


def run_latencies(args: argparse.Namespace) -> list[Cell]:
    """The reference is the subnet of median multiply-adds; what it takes is kept, for other sessions to be comparable."""
    journal = open_journal(args, "latencies", cpu=cpu())
    cells = run_accuracies(args)

    @cache
    def evaluator() -> SupernetEvaluator:
        made = make_evaluator(args, "cifar10", targets=LATENCIES)
        X, space = archs_of(cells), made.supernet.space
        network = made.supernet.extract(X[space.cost(X)["madds"].argsort()[len(X) // 2]])
        known = journal.cells[0]["reference"] if journal.cells else {}
        seconds = {int(size): value for size, value in known.items()}
        made.reference = Reference(network, (3, network.resolution, network.resolution), seconds)
        return made

    def extra() -> Cell:
        return {"load": os.getloadavg()[0], "reference": evaluator().reference.seconds}

    measure(journal, cells, evaluator, extra)
    return journal.cells


def open_journal(args: argparse.Namespace, what: str, **settings: Any) -> Journal:
    header = {"measured": what, "weights": sha256_of(args.weights), "torch": torch.__version__}
    header |= {"bfloat16": has_bfloat16(), **settings}
    return Journal(args.out / f"{what}.jsonl", header)


def make_evaluator(args: argparse.Namespace, dataset: str, **settings: Any) -> SupernetEvaluator:
    return SupernetEvaluator(load_supernet(args.weights), images_of(dataset), n_calibration=CALIBRATION, **settings)


@cache
def images_of(dataset: str) -> ImageData:
    return sn.load_images(dataset, **SPLITS.get(dataset, {}))


# -- tables ------------------------------------------------------------------------------------


def run_write(args: argparse.Namespace) -> None:
    latencies = run_latencies(args)
    write(args, "cifar10", run_accuracies(args), latencies)
    for dataset, cells in run_transfer(args).items():
        write(args, dataset, cells, [])


def write(args: argparse.Namespace, dataset: str, cells: list[Cell], latencies: list[Cell]) -> None:
    """One table; its file goes where the loader looks for it, or into ``--to``."""
    space, images = load_supernet(args.weights).space, images_of(dataset)
    archs = archs_of(cells)
    targets = pd.DataFrame(cells)[list(ACCURACIES)].join(space.cost(archs))
    if latencies:
        by_arch = pd.DataFrame(latencies).set_index(space.key(archs_of(latencies))).loc[space.key(archs)]
        names = [name for latency in LATENCIES for name in (latency, f"{latency[:-3]}_spread_ms")]
        targets = targets.join(by_arch[names].reset_index(drop=True))
    described = [target for target in targets_on(args, dataset) if target.name in targets]
    origin = pd.DataFrame(cells)[["origin"]]
    info = info_of(args, images, origin["origin"], [cell["load"] for cell in latencies])
    table = BenchmarkTable("mbconv_cifar10", space, archs, targets, described, info, dataset, context=origin)
    path = path_of(dataset) if args.to is None else args.to / path_of(dataset).name
    write_table(table, path)
    show(table)
    show(f"{path}: {path.stat().st_size:,} bytes", flush=True)


def targets_on(args: argparse.Namespace, dataset: str) -> list[Target]:
    sizes = SPLITS.get(dataset, {})
    n_train = min(CALIBRATION, len(images_of(dataset).indices["train"]))
    head = "" if dataset == "cifar10" else "; a ridge head fitted to the features of these"
    batch = "in float32 on one thread, batch norms folded, channels last, torch eager; median of nine samples"
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
        Target("latency_spread_ms", "ms", False, "spread", "Interquartile range of the samples of latency_ms"),
        Target("latency_64_ms", "ms", False, "latency", f"A batch of 64 {batch}"),
        Target("latency_64_spread_ms", "ms", False, "spread", "Interquartile range of the samples of latency_64_ms"),
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
    parser.add_argument("--jobs", type=int, default=2, help="processes for accuracies")
    parser.add_argument("--out", type=Path, default=Path("runs/supernet_table"), help="what is measured")
    parser.add_argument("--to", type=Path, help="folder for the parquet files; by default the package's own")
    args = parser.parse_args()
    args.command = shlex.join(["python", *sys.argv])
    run = {"accuracies": run_accuracies, "transfer": run_transfer, "latencies": run_latencies, "write": run_write}
    for step in args.steps:
        run[step](args)
