"""``surronas meta``: the meta-database, what is trained on it, proposals for images."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from surronas.cli import Command
from surronas.command import command_line, number_of_jobs, seed, workers_arguments
from surronas.meta.recipe import MetaRecipe

__all__ = ["ACTIONS"]


def _build_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument(
        "--weights", default="mbconv-cifar10", metavar="NAME", help="a supernet that the library knows (%(default)s)"
    )
    parser.add_argument("--views", type=int, default=100, help="image sets, each changed in its way (%(default)s)")
    parser.add_argument("--archs", type=int, default=50, help="architectures a view (%(default)s)")
    parser.add_argument("--tasks", type=int, default=7, help="tasks a view, at most (%(default)s)")
    parser.add_argument("--n-train", type=int, default=1000, help="training images a view (%(default)s)")
    parser.add_argument("--n-validation", type=int, default=2000, help="validation images a view (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="of the first view; the next have the next (%(default)s)")
    workers_arguments(parser, "views")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="journal and database.parquet")


def _build(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.meta.database import RESULT, build_database
    from surronas.meta.tasks import draw_view
    from surronas.supernet.pretrained import load_pretrained

    seeds = range(arguments.seed, arguments.seed + arguments.views)
    views = [draw_view(seed, "train", arguments.n_train, arguments.n_validation) for seed in seeds]
    database = build_database(
        load_pretrained(arguments.weights),
        views,
        arguments.out,
        n_archs=arguments.archs,
        n_tasks=arguments.tasks,
        n_jobs=arguments.jobs,
        progress=True,
        info={"weights": arguments.weights},
        command=command_line(),
    )
    path = arguments.out / RESULT
    cost = f"{database.info['cpu_seconds_a_row']} s of a core each, {path.stat().st_size:,} bytes"
    agreement = f"halves agree with a Spearman correlation of {database.reliability().median():.2f} (median)"
    console.print(f"{database!r}, {cost}; {agreement}: {path}", markup=False, soft_wrap=True)


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument(
        "--database",
        default="mbconv",
        metavar="FILE",
        help="what `surronas meta build` wrote; the shipped one by default",
    )
    parser.add_argument("--predictor-steps", type=int, default=MetaRecipe.predictor_steps, help="at most (%(default)s)")
    parser.add_argument("--generator-steps", type=int, default=MetaRecipe.generator_steps, help="at most (%(default)s)")
    rates = {"predictor": MetaRecipe.predictor_learning_rate, "generator": MetaRecipe.generator_learning_rate}
    for name, rate in rates.items():
        parser.add_argument(f"--{name}-learning-rate", type=float, default=rate, help="its peak (%(default)s)")
    parser.add_argument("--seed", type=seed, default=MetaRecipe.seed, help="(%(default)s)")
    parser.add_argument(
        "--jobs",
        type=number_of_jobs,
        default=-1,
        help="views whose images are looked at at a time; -1 is all cores (%(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="features, checkpoints and metad2a.safetensors"
    )


def _train(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.meta.database import MetaDatabase
    from surronas.meta.training import RESULT, train_metad2a
    from surronas.supernet.pretrained import load_pretrained

    database = MetaDatabase.load(arguments.database)
    name = database.info["weights"]
    recipe = MetaRecipe(
        predictor_steps=arguments.predictor_steps,
        generator_steps=arguments.generator_steps,
        predictor_learning_rate=arguments.predictor_learning_rate,
        generator_learning_rate=arguments.generator_learning_rate,
        seed=arguments.seed,
    )
    model = train_metad2a(
        database,
        load_pretrained(name),
        arguments.out,
        recipe=recipe,
        name=name,
        n_jobs=arguments.jobs,
        progress=True,
        command=command_line(),
    )
    kept_out = model.card["predictor"]["kept_out_spearman"]
    path = arguments.out / RESULT
    console.print(
        f"Kept-out tasks: Spearman {kept_out:.3f}, weighed by how far each can be believed. {path.stat().st_size:,} "
        f"bytes: {path}",
        markup=False,
        soft_wrap=True,
    )


def _propose_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", required=True, metavar="NAME", help="an image set (`surronas list` names them), or a path"
    )
    parser.add_argument("--size", type=int, metavar="PIXELS", help="to resize images to that are not all square")
    parser.add_argument(
        "--model", default="mbconv", metavar="NAME", help="a MetaD2A that the library has, or a file (%(default)s)"
    )
    parser.add_argument("-n", type=int, default=10, help="architectures (%(default)s)")
    parser.add_argument("--max-madds", type=float, metavar="M", help="multiply-adds of an image, in millions")
    parser.add_argument("--max-latency-ms", type=float, metavar="MS", help="predicted latency of an image")
    parser.add_argument("--seed", type=seed, default=0, help="(%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .csv file")


def _propose(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.datasets.images import load_images
    from surronas.io import write_atomic
    from surronas.meta.metad2a import MetaD2A

    frame = MetaD2A.load(arguments.model).propose(
        load_images(arguments.images, size=arguments.size),
        arguments.n,
        max_madds=None if arguments.max_madds is None else 1e6 * arguments.max_madds,
        max_latency_ms=arguments.max_latency_ms,
        random_state=arguments.seed,
    )
    text = frame.to_csv(index=False, float_format="%.6g")
    if arguments.out is None:
        console.print(text, markup=False, soft_wrap=True, end="")
    else:
        write_atomic(arguments.out, text.encode())
        console.print(f"{len(frame)} architectures: {arguments.out}", markup=False, soft_wrap=True)


ACTIONS = (
    Command("build", "Measure architectures on many tasks, or go on with it.", _build_arguments, _build),
    Command("train", "Train a MetaD2A on them, or go on with its training.", _train_arguments, _train),
    Command("propose", "Propose architectures for images.", _propose_arguments, _propose),
)
