"""What it takes to evaluate subnets, and how far the numbers can be trusted.

The bill of random subnets with recalibration, and where a subnet's time goes; bfloat16 beside float32; two independent
measurements of latency. Run it alone on the machine: accuracies use ``--jobs`` processes, latencies one thread.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

import surronas as sn
from surronas.datasets.images import ImageData
from surronas.spaces.networks.folding import fold
from surronas.supernet.calibration import calibrate
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.machine import keep_freed_memory
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import list_pretrained, load_pretrained
from surronas.supernet.subnet import BATCH
from surronas.supernet.weights import load_supernet

LATENCIES = ("latency_ms", "latency_64_ms")


def measure_bill(supernet: SuperNet, images: ImageData, X: Any, args: argparse.Namespace) -> pd.DataFrame:
    """Wall time of one call, processes started beforehand as in any but the first call of a search."""
    evaluator = SupernetEvaluator(
        supernet,
        images,
        targets=("val_accuracy",),
        n_validation=args.images,
        n_calibration=args.images,
        n_jobs=args.jobs,
    )
    evaluator.evaluate(X[: args.jobs])
    began = time.perf_counter()
    frame = evaluator.evaluate(X, progress=True)
    seconds = time.perf_counter() - began
    return pd.DataFrame(
        {
            "subnets": len(X),
            "images": args.images,
            "processes": args.jobs,
            "dtype": evaluator.info["dtype"],
            "seconds": seconds,
            "seconds a subnet": seconds / len(X),
            "mean top-1": frame["val_accuracy"].mean(),
        },
        index=[0],
    )


def measure_parts(supernet: SuperNet, images: ImageData, X: Any, args: argparse.Namespace) -> pd.DataFrame:
    """CPU seconds a subnet of each step, on one thread: the median over some subnets, and the extremes."""
    torch.set_num_threads(1)
    keep_freed_memory()
    pixels = torch.from_numpy(images.split("train")[0][: args.images]).permute(0, 3, 1, 2)
    rows = []
    for x in (*X[: args.parts], supernet.space.smallest(), supernet.space.largest()):
        marks = [time.process_time()]
        with torch.inference_mode():
            batches = supernet.inputs(pixels, x, torch.bfloat16).split(BATCH)
            marks.append(time.process_time())
            network = supernet.extract(x)
            marks.append(time.process_time())
            calibrate(network, batches)
            marks.append(time.process_time())
            fold(network)
            marks.append(time.process_time())
            for batch in batches:
                network(batch)
            marks.append(time.process_time())
        rows.append(np.diff(marks))
    steps = ["inputs", "extract", "calibrate", "fold", "top-1"]
    frame = pd.DataFrame(rows, columns=steps)
    some = frame.iloc[: args.parts]
    frame = pd.DataFrame({"random, mean": some.mean(), "smallest": frame.iloc[-2], "largest": frame.iloc[-1]}).T
    return frame.assign(sum=frame.sum(axis=1)).rename_axis("CPU seconds").reset_index()


def measure_agreement(supernet: SuperNet, images: ImageData, X: Any, args: argparse.Namespace) -> pd.DataFrame:
    """Top-1 in bfloat16 and in float32, of the same subnets and images."""
    settings = {"targets": ("val_accuracy",), "n_calibration": args.images, "n_jobs": args.jobs}
    half, full = (
        SupernetEvaluator(supernet, images, dtype=dtype, **settings).evaluate(X)["val_accuracy"]
        for dtype in (torch.bfloat16, torch.float32)
    )
    difference = half - full
    return pd.DataFrame(
        {
            "subnets": len(X),
            "mean difference": difference.mean(),
            "mean |difference|": difference.abs().mean(),
            "greatest": difference.abs().max(),
            "std of float32": full.std(),
            "Kendall τ": sn.metrics.kendall_tau(full, half),
        },
        index=[0],
    )


def measure_repeatability(supernet: SuperNet, images: ImageData, X: Any) -> pd.DataFrame:
    """Two evaluators that know nothing of each other, the second given the subnets in another order."""
    order = np.random.default_rng(0).permutation(len(X))
    first = SupernetEvaluator(supernet, images, targets=(*LATENCIES, "params", "madds")).evaluate(X)
    second = SupernetEvaluator(supernet, images, targets=LATENCIES).evaluate(X[order])
    second.index = order
    second = second.sort_index()
    rows = []
    for latency in LATENCIES:
        ratio = second[latency] / first[latency]
        rows.append(
            {
                "target": latency,
                "subnets": len(X),
                "from": first[latency].min(),
                "to": first[latency].max(),
                "median spread / latency": (first[f"{latency[:-3]}_spread_ms"] / first[latency]).median(),
                "median |second/first - 1|": (ratio / ratio.median() - 1).abs().median(),
                "τ of the two": sn.metrics.kendall_tau(first[latency], second[latency]),
                "τ with madds": sn.metrics.kendall_tau(first[latency], first["madds"]),
                "τ with params": sn.metrics.kendall_tau(first[latency], first["params"]),
            }
        )
    return pd.DataFrame(rows)


def show(console: Console, title: str, frame: pd.DataFrame) -> None:
    table = Table(*map(str, frame.columns), title=title, title_justify="left")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", default="mbconv-cifar10", help="a name, or a .safetensors file (%(default)s)")
    parser.add_argument("--subnets", type=int, default=100, help="of the bill (%(default)s)")
    parser.add_argument("--images", type=int, default=2000, help="for calibration, and for validation (%(default)s)")
    parser.add_argument("--parts", type=int, default=10, help="subnets whose steps are timed (%(default)s)")
    parser.add_argument("--agreement", type=int, default=50, help="subnets in both dtypes (%(default)s)")
    parser.add_argument("--latencies", type=int, default=64, help="subnets timed twice (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="(%(default)s)")
    args = parser.parse_args()
    known = args.weights in list_pretrained()
    supernet = load_pretrained(args.weights) if known else load_supernet(args.weights)
    images, console = sn.load_images("cifar10"), Console()
    X = supernet.space.sample(max(args.subnets, args.parts, args.agreement, args.latencies), random_state=0)
    console.print(f"torch {torch.__version__}, seed 0, {args.weights}")
    show(console, "The bill", measure_bill(supernet, images, X[: args.subnets], args))
    show(console, "Where a subnet's time goes", measure_parts(supernet, images, X, args))
    show(console, "bfloat16 and float32, top-1 in %", measure_agreement(supernet, images, X[: args.agreement], args))
    show(console, "Latency, ms, measured twice", measure_repeatability(supernet, images, X[: args.latencies]))


if __name__ == "__main__":
    main()
