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
    parser.add_argument("--views", type=int, default=62, help="image sets, each changed in its way (%(default)s)")
    parser.add_argument("--archs", type=int, default=50, help="architectures a view (%(default)s)")
    parser.add_argument("--tasks", type=int, default=7, help="tasks a view, at most (%(default)s)")
    parser.add_argument("--n-train", type=int, default=1000, help="training images a view (%(default)s)")
    parser.add_argument("--n-validation", type=int, default=2000, help="validation images a view (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first view; the next have the next (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1, help="views at a time; -1 is all cores (%(default)s)")
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
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    path = arguments.out / RESULT
    cost = f"{database.info['cpu_seconds_a_row']} s of a core each, {path.stat().st_size:,} bytes"
    agreement = f"halves agree with a Spearman correlation of {database.reliability().median():.2f} (median)"
    console.print(f"{database!r}, {cost}; {agreement}: {path}", markup=False, soft_wrap=True)


ACTIONS = (Command("build", "Measure architectures on many tasks, or go on with it.", _build_arguments, _build),)
