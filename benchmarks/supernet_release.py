"""What ships of a trained supernet: the weights with their figures, and the model card that says the same.

Takes the `supernet.safetensors` that `surronas supernet train` left, whose card has data, recipe, command and cost, or
several: those of trainings that each went on from the one before; the last one's weights ship. Measures the largest,
the smallest and random subnets (uniform over the genes, seed 0), each recalibrated, on all validation and test images,
and writes `NAME.safetensors` and `NAME.md` into the package. No figure is typed in.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import print as show

import surronas as sn
from surronas.datasets.images import ImageData
from surronas.io import write_atomic
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.recipe import Recipe
from surronas.supernet.weights import load_supernet, read_card, save_supernet

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "surronas" / "supernet" / "pretrained"
TARGETS = ("val_accuracy", "test_accuracy", "params", "madds")


def measure(supernet: SuperNet, images: ImageData, n_random: int, n_calibration: int, jobs: int) -> dict[str, Any]:
    """Figures of the extremes, and of random subnets their distribution."""
    space = supernet.space
    archs = np.stack([space.largest(), space.smallest(), *space.sample(n_random, random_state=0)])
    evaluator = SupernetEvaluator(supernet, images, targets=TARGETS, n_calibration=n_calibration, n_jobs=jobs)
    frame = evaluator.evaluate(archs, progress=True)
    quantiles = {"lowest": 0.0, "10th percentile": 0.1, "median": 0.5, "90th percentile": 0.9, "highest": 1.0}
    random = {name: frame[2:].quantile(q).round(3).to_dict() for name, q in quantiles.items()}
    return {
        "largest": rounded(frame.iloc[0]),
        "smallest": rounded(frame.iloc[1]),
        "random": random if n_random else {},
        "n_random": n_random,
        "protocol": evaluator.info | {"torch": str(torch.__version__)},
        "command": shlex.join(["python", *sys.argv]),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def rounded(row: pd.Series) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in row.items()}


def model_card(name: str, supernet: SuperNet, card: dict[str, Any], content: bytes) -> str:
    environment = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True)
    template = environment.get_template("supernet_release.md.jinja")
    usual = asdict(Recipe())
    for stage in card["stages"]:
        stage["unusual"] = {key: value for key, value in stage["recipe"].items() if value != usual.get(key)}
    return template.render(
        name=name,
        card=card,
        figures=card["figures"],
        space=supernet.space,
        n_parameters=sum(part.numel() for part in supernet.parameters()),
        cpu_hours=sum(stage["cpu_hours"] for stage in card["stages"]),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trained", type=Path, nargs="+", help="supernet.safetensors of each training, in order")
    parser.add_argument("--name", default="mbconv-cifar10", help="(%(default)s)")
    parser.add_argument("--images", help="what it was trained on; by default as its card says")
    parser.add_argument("--note", default="", help="a sentence for the card's section on training")
    parser.add_argument("--random", type=int, default=64, help="random subnets to measure (%(default)s)")
    parser.add_argument("--calibration", type=int, default=2000, help="images that recalibrate (%(default)s)")
    parser.add_argument("--figures", type=Path, help="figures measured before, a JSON file; measured now by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--to", type=Path, default=PACKAGE, help="folder; by default the package's")
    args = parser.parse_args()

    *_, last = args.trained
    supernet, card = load_supernet(last), read_card(last)
    if args.figures:
        figures = json.loads(args.figures.read_text(encoding="utf-8"))
    else:
        images = prepare_images(sn.load_images(args.images or card["images"]["name"]), supernet.space)
        figures = measure(supernet, images, args.random, args.calibration, args.jobs)
        last.with_name("figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    about = ("command", "recipe", "steps", "cpu_hours", "processes", "machine", "date", "versions")
    stages = [{key: one.pop(key) for key in about} for one in (*map(read_card, args.trained[:-1]), card)]
    card |= {"stages": stages, "figures": figures, "note": args.note}
    weights = args.to / f"{args.name}.safetensors"
    save_supernet(weights, supernet, card)
    content = weights.read_bytes()
    write_atomic(weights.with_suffix(".md"), model_card(args.name, supernet, card, content).encode())
    show(figures)
    show(f"{weights}: {len(content):,} bytes, and {weights.with_suffix('.md').name}")
