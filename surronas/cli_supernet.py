"""``surronas supernet``: training, evaluation of subnets, adaptation to other images."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from surronas.cli import Command
from surronas.command import number_of_jobs, seed
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.supernet.recipe import ADAPTATION, Recipe

if TYPE_CHECKING:
    from surronas.supernet.network import SuperNet

__all__ = ["ACTIONS"]


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    _images_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="checkpoint, losses and supernet.safetensors"
    )
    parser.add_argument("--epochs", type=int, default=Recipe.epochs, help="(%(default)s)")
    parser.add_argument(
        "--warmup-epochs", type=int, help="of the largest network alone; an eighth of the epochs by default"
    )
    parser.add_argument("--batch-size", type=int, default=Recipe.batch_size, help="of all processes (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate, help="its peak (%(default)s)")
    parser.add_argument("--seed", type=seed, default=Recipe.seed, help="(%(default)s)")
    parser.add_argument("--no-flip", action="store_true", help="no mirror images, as for digits")
    parser.add_argument("--float32", action="store_true", help="where the CPU has no bfloat16")


def _train(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.datasets.images import load_images
    from surronas.supernet.processes import process_group, rank
    from surronas.supernet.run import train

    warmup = arguments.warmup_epochs
    if warmup is None:
        warmup = 0 if arguments.epochs < 2 else max(1, arguments.epochs // 8)
    recipe = Recipe(
        warmup_epochs=warmup,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        flip=not arguments.no_flip,
        bfloat16=not arguments.float32,
        seed=arguments.seed,
    )
    with process_group():
        train(load_images(arguments.images, size=arguments.size), arguments.out, recipe=recipe, progress=True)
        if rank() == 0:
            console.print(f"Supernet: {arguments.out / 'supernet.safetensors'}", soft_wrap=True)


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _weights_arguments(parser)
    _images_arguments(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--archs", type=Path, metavar="FILE", help="one architecture a line, or a file that --out wrote")
    which.add_argument("--random", type=int, metavar="N", help="the smallest, the largest and N random ones")
    parser.add_argument(
        "--targets",
        type=lambda text: tuple(text.split(",")),
        default=("val_accuracy", "params", "madds", "latency_ms"),
        metavar="A,B",
        help="val_accuracy, test_accuracy, params, madds, latency_ms (one image), latency_64_ms (a batch of 64, or any "
        "other number) (val_accuracy,params,madds,latency_ms)",
    )
    parser.add_argument("--head", help="ridge or prototype, in closed form: for images of other classes")
    parser.add_argument("--n-validation", type=int, help="images; all by default")
    parser.add_argument("--n-test", type=int, help="images; all by default")
    parser.add_argument("--n-calibration", type=int, default=2000, help="training images (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="of the draws (%(default)s)")
    parser.add_argument(
        "--jobs", type=number_of_jobs, default=-1, help="subnets at a time; -1 is all cores (%(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .csv or .parquet file, which `load_table` reads")


def _evaluate(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.datasets.images import load_images
    from surronas.supernet.evaluator import SupernetEvaluator

    out = arguments.out
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"The file of --out must end in .csv or .parquet. Got {out.name!r}.")
    supernet = _load(arguments.weights)
    space = supernet.space
    if arguments.archs is None:
        archs = [space.smallest(), space.largest(), *space.sample(arguments.random, arguments.seed)]
    else:
        archs = [line for line in _lines(arguments.archs) if line.strip()]
    X = space.parse(archs)
    evaluator = SupernetEvaluator(
        supernet,
        load_images(arguments.images, size=arguments.size),
        targets=arguments.targets,
        n_validation=arguments.n_validation,
        n_test=arguments.n_test,
        n_calibration=arguments.n_calibration,
        random_state=arguments.seed,
        n_jobs=arguments.jobs,
        head=arguments.head,
    )
    frame = evaluator.evaluate(X, progress=True)
    frame.insert(0, "arch", space.format(X))
    if out is None:
        console.print(frame.to_csv(index=False), markup=False, soft_wrap=True, end="")
    else:
        content = frame.to_csv(index=False).encode() if out.suffix == ".csv" else frame.to_parquet(index=False)
        write_atomic(out, content)
        console.print(f"{len(frame)} subnets: {out}", markup=False, soft_wrap=True)


def _lines(path: Path) -> list[str]:
    """Of a text file, or the column ``arch`` of a .csv or .parquet file that ``--out`` wrote."""
    import pandas as pd

    try:
        if path.suffix in (".csv", ".parquet"):
            read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
            return [str(arch) for arch in read(path)["arch"]]
        return path.read_text().splitlines()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"There is no file {str(path)!r}.") from error
    except (KeyError, ValueError, OSError) as error:
        raise InvalidFileError(f"{str(path)!r} holds no architectures: {error}.") from error


def _adapt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    _weights_arguments(parser)
    _images_arguments(parser)
    parser.add_argument("--n-train", type=int, help="how many of the training images to draw, by class; all by default")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="checkpoint, losses and supernet.safetensors"
    )
    parser.add_argument("--epochs", type=int, default=ADAPTATION.epochs, help="(%(default)s)")
    parser.add_argument("--batch-size", type=int, default=ADAPTATION.batch_size, help="of all processes (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=ADAPTATION.learning_rate, help="its peak (%(default)s)")
    parser.add_argument("--seed", type=seed, default=ADAPTATION.seed, help="(%(default)s)")
    parser.add_argument("--flip", action="store_true", help="mirror images: they are of the same class mirrored")
    parser.add_argument("--float32", action="store_true", help="where the CPU has no bfloat16")


def _adapt(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.datasets.images import load_images
    from surronas.supernet.adaptation import adapt
    from surronas.supernet.processes import process_group, rank

    supernet = _load(arguments.weights)
    images = load_images(arguments.images, size=arguments.size)
    if arguments.n_train is not None:
        images = images.subset(sizes={"train": arguments.n_train}, random_state=arguments.seed)
    recipe = replace(
        ADAPTATION,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        flip=arguments.flip,
        bfloat16=not arguments.float32,
        seed=arguments.seed,
    )
    with process_group():
        adapt(supernet, images, recipe=recipe, folder=arguments.out, progress=True)
        if rank() == 0:
            console.print(f"Supernet: {arguments.out / 'supernet.safetensors'}", soft_wrap=True)


def _weights_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", required=True, metavar="NAME", help="a supernet that the library knows, or a .safetensors file"
    )


def _load(weights: str) -> SuperNet:
    from surronas.supernet.pretrained import list_pretrained, load_pretrained
    from surronas.supernet.weights import load_supernet

    known = weights in list_pretrained() or not Path(weights).exists()
    return load_pretrained(weights) if known else load_supernet(weights)


def _images_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", required=True, metavar="NAME", help="an image set (`surronas list` names them), or a path"
    )
    parser.add_argument("--size", type=int, metavar="PIXELS", help="to resize images to that are not all square")


ACTIONS = (
    Command("train", "Train a supernet, or go on with its training.", _train_arguments, _train),
    Command("evaluate", "Measure subnets of a trained supernet.", _evaluate_arguments, _evaluate),
    Command("adapt", "Fine-tune a trained supernet on other images and classes.", _adapt_arguments, _adapt),
)
