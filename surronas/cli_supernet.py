"""``surronas supernet``: training, and adaptation to other images."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from surronas.cli import Command
from surronas.supernet.recipe import ADAPTATION, Recipe

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
    parser.add_argument("--seed", type=int, default=Recipe.seed, help="(%(default)s)")
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


def _adapt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument(
        "--weights", required=True, metavar="NAME", help="a supernet that the library knows, or a .safetensors file"
    )
    _images_arguments(parser)
    parser.add_argument("--n-train", type=int, help="how many of the training images to draw, by class; all by default")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="checkpoint, losses and supernet.safetensors"
    )
    parser.add_argument("--epochs", type=int, default=ADAPTATION.epochs, help="(%(default)s)")
    parser.add_argument("--batch-size", type=int, default=ADAPTATION.batch_size, help="of all processes (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=ADAPTATION.learning_rate, help="its peak (%(default)s)")
    parser.add_argument("--seed", type=int, default=ADAPTATION.seed, help="(%(default)s)")
    parser.add_argument("--flip", action="store_true", help="mirror images: they are of the same class mirrored")
    parser.add_argument("--float32", action="store_true", help="where the CPU has no bfloat16")


def _adapt(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.datasets.images import load_images
    from surronas.supernet.adaptation import adapt
    from surronas.supernet.pretrained import list_pretrained, load_pretrained
    from surronas.supernet.processes import process_group, rank
    from surronas.supernet.weights import load_supernet

    known = arguments.weights in list_pretrained() or not Path(arguments.weights).exists()
    supernet = load_pretrained(arguments.weights) if known else load_supernet(arguments.weights)
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


def _images_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", required=True, metavar="NAME", help="an image set (`surronas list` names them), or a path"
    )
    parser.add_argument("--size", type=int, metavar="PIXELS", help="to resize images to that are not all square")


ACTIONS = (
    Command("train", "Train a supernet, or go on with its training.", _train_arguments, _train),
    Command("adapt", "Fine-tune a trained supernet on other images and classes.", _adapt_arguments, _adapt),
)
