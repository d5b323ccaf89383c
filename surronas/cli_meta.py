"""``surronas meta``: the meta-database."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from surronas.cli import Command

__all__ = ["ACTIONS"]


def _build_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument(
        "--weights", default="mbconv-cifar10", metavar="NAME", help="a supernet that the library knows (%(default)s)"
    )
    parser.add_argument("--tasks", type=int, default=400, help="meta-training tasks (%(default)s)")
    parser.add_argument("--archs", type=int, default=50, help="architectures a task (%(default)s)")
    parser.add_argument("--n-train", type=int, default=300, help="training images a task (%(default)s)")
    parser.add_argument("--n-validation", type=int, default=600, help="validation images a task (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first task; the next have the next (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1, help="tasks at a time; -1 is all cores (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="journal and database.parquet")


def _build(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.meta.database import RESULT, build_database
    from surronas.meta.tasks import draw_task
    from surronas.supernet.pretrained import load_pretrained

    seeds = range(arguments.seed, arguments.seed + arguments.tasks)
    tasks = [draw_task(seed, "train", arguments.n_train, arguments.n_validation) for seed in seeds]
    database = build_database(
        load_pretrained(arguments.weights),
        tasks,
        arguments.out,
        n_archs=arguments.archs,
        n_jobs=arguments.jobs,
        progress=True,
        info={"weights": arguments.weights},
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    path = arguments.out / RESULT
    cost = f"{database.info['cpu_seconds_a_row']} s of a core each, {path.stat().st_size:,} bytes"
    console.print(f"{len(database)} rows of {len(tasks)} tasks, {cost}: {path}", soft_wrap=True)


ACTIONS = (Command("build", "Measure architectures on many tasks, or go on with it.", _build_arguments, _build),)
