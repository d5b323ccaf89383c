"""A trained supernet on other images: with heads in closed form, and adapted for some epochs.

For each data set and seed (which draws the training images and seeds the fine-tuning): top-1 of the largest, the
smallest and some random subnets with each head and no training, after `adapt` for each number of epochs, and, as the
measure of what the supernet is worth, of the largest and the smallest subnet trained from scratch on the same images
for as many CPU-seconds as the longest adaptation took. Choices (normalisation, resizing, head, recipe) were made on
validation images of fashion_mnist and sign_digits; pass `--split validation` to make others, and leave test alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import torch
from rich import print as show

import surronas as sn
from surronas.datasets.files import sha256_of
from surronas.datasets.images import ImageData
from surronas.journal import Journal
from surronas.spaces.base import IntArray
from surronas.supernet.adaptation import new_head
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.heads import HEADS
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.recipe import ADAPTATION, Recipe
from surronas.supernet.run import run_steps
from surronas.supernet.training import Trainer
from surronas.supernet.weights import load_supernet

N_TRAIN = 5000
N_RANDOM = 4


def subnets(supernet: SuperNet) -> tuple[list[str], IntArray]:
    space = supernet.space
    archs = [space.largest(), space.smallest(), *space.sample(N_RANDOM, random_state=0)]
    return ["largest", "smallest", *(f"random {i}" for i in range(N_RANDOM))], space.parse(archs)


def measured(supernet: SuperNet, images: ImageData, archs: Any, args: Any, head: str | None = None) -> list[float]:
    """Top-1 of subnets on the split, in %."""
    target = {"validation": "val_accuracy", "test": "test_accuracy"}[args.split]
    evaluator = SupernetEvaluator(
        supernet, images, targets=[target], n_calibration=N_TRAIN if head else 2000, head=head, n_jobs=1
    )
    return list(evaluator.evaluate(archs)[target])


def fitted(trainer: Trainer, seconds: float = float("inf")) -> SuperNet:
    """All steps; or, for so many CPU-seconds, as many epochs as go into them."""
    if seconds < float("inf"):
        trainer.run_step()  # the first one allocates and compiles
        began = trainer.seconds
        trainer.run_step()
        epoch = (trainer.seconds - began) * trainer.steps_per_epoch
        trainer.recipe = replace(trainer.recipe, epochs=max(1, round(seconds / epoch)))
    run_steps(trainer)
    return trainer.result()


def from_scratch(supernet: SuperNet, images: ImageData, x: Any, seconds: float, seed: int) -> SuperNet:
    """One subnet that nothing is shared with, by the learning rate that supernets start with."""
    torch.manual_seed(seed)
    images = prepare_images(images, supernet.space)
    alone = SuperNet(supernet.space, images.n_classes, normalization=images.normalization, largest=x)
    recipe = replace(ADAPTATION, learning_rate=Recipe().learning_rate, seed=seed)
    return fitted(Trainer(alone, images, recipe, subnets=lambda step: [x]), seconds)


def run(name: str, seed: int, args: Any) -> list[dict[str, Any]]:
    """All of one data set and seed, in a process of one thread."""
    torch.set_num_threads(1)
    return list(cells(load_supernet(args.weights), name, seed, args))


def cells(supernet: SuperNet, name: str, seed: int, args: Any) -> Iterator[dict[str, Any]]:
    """Top-1 of each subnet by each method, with the CPU-seconds that its training took."""
    images = sn.load_images(name)
    size = min(N_TRAIN, len(images.indices["train"]))
    images = images.subset(sizes={"train": size}, random_state=seed)
    names, archs = subnets(supernet)

    def rows(method: str, values: list[float], seconds: float, of: list[str] = names) -> Iterator[dict[str, Any]]:
        for subnet, value in zip(of, values, strict=False):
            yield {"data": name, "seed": seed, "method": method, "subnet": subnet, "top1": value, "seconds": seconds}

    for head in HEADS:
        yield from rows(f"{head} head", measured(supernet, images, archs, args, head), 0.0)
    headed = new_head(supernet, images)
    yield from rows("shared ridge head", measured(headed, images, archs, args), 0.0)
    seconds = 0.0
    for epochs in args.epochs:
        recipe = replace(
            ADAPTATION, epochs=epochs, seed=seed, learning_rate=args.learning_rate, flip=args.flip, n_random=args.random
        )
        trainer = Trainer(new_head(supernet, images), prepare_images(images, supernet.space), recipe)
        adapted = fitted(trainer)
        seconds = trainer.seconds
        yield from rows(f"adapted, {epochs} epochs", measured(adapted, images, archs, args), seconds)
    for subnet, x in zip(names[:2], archs[:2], strict=True) if args.scratch else ():
        alone = from_scratch(supernet, images, x, seconds, seed)
        yield from rows("from scratch, same time", measured(alone, images, [x], args), seconds, [subnet])


def report(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds."""
    frame = frame.assign(subnet=frame["subnet"].str.replace(r"random \d+", "random", regex=True))
    per_seed = frame.groupby(["data", "method", "subnet", "seed"], sort=False)[["top1", "seconds"]].mean()
    grouped = per_seed.groupby(["data", "method", "subnet"], sort=False)
    table = grouped["top1"].agg(["mean", "min", "max", "count"])
    return table.assign(cpu_seconds=grouped["seconds"].mean()).round(1).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=find_pretrained("mbconv-cifar10"), help="of save_supernet")
    parser.add_argument("--data", nargs="+", default=["fashion_mnist", "sign_digits", "digits"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", nargs="+", type=int, default=[2, 5, ADAPTATION.epochs], help="ascending")
    parser.add_argument("--learning-rate", type=float, default=ADAPTATION.learning_rate)
    parser.add_argument("--random", type=int, default=ADAPTATION.n_random, help="random subnets a step")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--scratch", action=argparse.BooleanOptionalAction, default=True, help="half of the time")
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/supernet_adaptation.jsonl"), help="what is there is kept"
    )
    args = parser.parse_args()
    settings = {key: getattr(args, key) for key in ("epochs", "learning_rate", "random", "flip", "scratch", "split")}
    journal = Journal(args.out, {"measured": "adaptation", "weights": sha256_of(args.weights), **settings})
    done = {(block["data"], block["seed"]) for block in journal.cells}
    todo = [(name, seed) for name in args.data for seed in args.seeds if (name, seed) not in done]
    work = (joblib.delayed(lambda *case: (case, run(*case, args)))(*case) for case in todo)
    for (name, seed), rows in joblib.Parallel(n_jobs=args.jobs, return_as="generator_unordered")(work):
        journal.append({"data": name, "seed": seed, "rows": rows})
        show(f"{name}, seed {seed}: done", flush=True)
    rows = [row for block in journal.cells for row in block["rows"]]
    print(report(pd.DataFrame(rows)).to_string(index=False))


if __name__ == "__main__":
    main()
