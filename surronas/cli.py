"""The command ``surronas``: its subcommands, most of which live in a ``cli_`` module of their own."""

from __future__ import annotations

import argparse
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surronas.command import cluster, number_of_jobs, seed, workers_arguments
from surronas.exceptions import SurronasError

if TYPE_CHECKING:
    from surronas.benchmark.report import Report
    from surronas.datasets import BenchmarkTable

__all__ = ["main", "parser"]

_STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does, its arguments, the function that runs it, unless subcommands of its own do."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], None] | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0, 1 where the system refuses (a full disk, a killed worker), 2 for a bad request, 130 when interrupted.

    Parameters
    ----------
    argv : sequence of str, optional
        ``sys.argv[1:]`` by default.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = parser().parse_args(argv)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with cluster(getattr(arguments, "scheduler", None)):
            arguments.run(arguments, Console(highlight=False))
        sys.stdout.flush()
    except SurronasError as error:
        text, code = str(error), 2
    except BrokenPipeError:  # `surronas list | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        text, code = f"{error}.{_again(arguments, argv)}", 1
    except BrokenExecutor:
        text, code = f"A worker process was killed, or ran out of memory.{_again(arguments, argv)}", 1
    except KeyboardInterrupt:
        text, code = f"Interrupted.{_again(arguments, argv)}", 130
    else:
        return 0
    errors.print(text, style="bold red", markup=False)
    return code


def parser() -> argparse.ArgumentParser:
    """What reads the command line."""
    top = argparse.ArgumentParser(prog="surronas", description="Surrogates for neural architecture search.")
    _add_commands(top, COMMANDS, "COMMAND")
    return top


def _again(arguments: argparse.Namespace, argv: Sequence[str]) -> str:
    if not getattr(arguments, "resumable", False):
        return ""
    command = "The same torchrun command" if "TORCHELASTIC_RUN_ID" in os.environ else f"`surronas {shlex.join(argv)}`"
    return f" {command} goes on where it stopped."


def _add_commands(parser: argparse.ArgumentParser, commands: Sequence[Command], metavar: str) -> None:
    subparsers = parser.add_subparsers(metavar=metavar, required=True)
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        subparser.set_defaults(run=command.run)
        command.arguments(subparser)


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument(
        "table", metavar="TABLE", help="a benchmark (`surronas list` names them), or a file of your own"
    )
    parser.add_argument("--dataset", help="the table's data set, where it has several")
    parser.add_argument("--space", help="the search space of a file's architectures; its columns are genes by default")
    parser.add_argument("--format", help="the format of a file that is no plain table; `surronas list` names them")
    parser.add_argument("--target", default="val_accuracy", help="trained on (%(default)s)")
    parser.add_argument("--test-target", help="tested on; the target by default")
    parser.add_argument(
        "--predictors",
        type=_names,
        default=["auto", "gp", "xgboost"],
        metavar="A,B",
        help="auto, predictors (gp), or encoders with predictors (one_hot:gp) (auto,gp,xgboost)",
    )
    parser.add_argument(
        "--n-train",
        type=_ints,
        default=[16, 32, 64, 128],
        metavar="N,M",
        help="numbers of training architectures (16,32,64,128)",
    )
    parser.add_argument("--repeats", type=int, default=10, help="independent draws of each number (%(default)s)")
    parser.add_argument("--protocol", default="rest", help="rest, canonical, unique or all (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="(%(default)s)")
    workers_arguments(parser, "fits")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="journal, results and report.html")


def _bench(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.benchmark import evaluate

    report = evaluate(
        arguments.predictors,
        _table(arguments),
        arguments.target,
        arguments.n_train,
        arguments.repeats,
        arguments.seed,
        test_target=arguments.test_target,
        protocol=arguments.protocol,
        out=arguments.out,
        n_jobs=arguments.jobs,
        progress=True,
    )
    page = report.to_html(arguments.out / "report.html")
    print_report(report, console)
    console.print(f"Report: {page}\nResults: {arguments.out / 'results.parquet'}", soft_wrap=True)


def _table(arguments: argparse.Namespace) -> BenchmarkTable:
    from surronas.datasets import list_benchmarks, load_benchmark, load_table

    known = arguments.table in list_benchmarks() and arguments.space is None and arguments.format is None
    if known or not Path(arguments.table).exists():
        return load_benchmark(arguments.table, arguments.dataset)
    return load_table(arguments.table, space=arguments.space, format=arguments.format, dataset=arguments.dataset)


def print_report(report: Report, console: Console) -> None:
    """The report's gist: headline, Kendall's tau by predictor and size, checks."""
    console.print(f"\n{report.headline()}\n", style="bold", markup=False)
    table = Table("predictor", caption="Kendall τ, mean ± standard error")
    for size in report.sizes:
        table.add_column(f"n = {size}", justify="right")
    table.add_column("mean rank", justify="right")
    cells = {(row["predictor"], row["n_train"]): row for row in report.summary().to_dict("records")}
    for name, rank in report.ranking()["mean_rank"].items():
        values = (cells[name, size] for size in report.sizes)
        texts = (f"{v['mean']:.3f} ± {v['sem']:.3f}" if v["n"] else "–" for v in values)
        table.add_row(str(name), *texts, f"{rank:.2f}")
    console.print(table)
    for finding in report.checks():
        console.print(Text.assemble((finding.code, _STYLES[finding.severity]), f" {finding.title}: {finding.detail}"))


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def _list(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.cli_proxies import describe
    from surronas.datasets import _benchmarks, list_benchmarks
    from surronas.datasets.formats import get_format, list_formats
    from surronas.datasets.images import _images, list_images
    from surronas.encoders import get_encoder, list_encoders
    from surronas.predictors import get_predictor, list_predictors
    from surronas.proxies import list_proxies
    from surronas.spaces import get_space, list_spaces
    from surronas.supernet.pretrained import _pretrained, list_pretrained

    kinds: dict[str, tuple[list[str], Callable[[str], object]]] = {
        "search spaces": (list_spaces(), get_space),
        "encoders": (list_encoders(), get_encoder),
        "predictors": (list_predictors(), get_predictor),
        "zero-cost proxies": (list_proxies(), describe),
        "benchmark tables": (list_benchmarks(), _benchmarks.get),
        "formats of your own files": (list_formats(), get_format),
        "image sets": (list_images(), _images.get),
        "trained supernets": (list_pretrained(), _pretrained.get),
    }
    for kind, (names, get) in kinds.items():
        table = Table("name", "what it is", title=kind, title_justify="left", title_style="bold", expand=True)
        for name in names:
            what = get(name)
            table.add_row(name, what if isinstance(what, str) else _first_sentence(what))
        console.print(table)


def _first_sentence(part: object) -> str:
    text = inspect.getdoc(part if inspect.isroutine(part) else type(part)) or ""
    return " ".join(text.split("\n\n")[0].split())


_NAMES = "a data file, a folder of them, or the benchmark they belong to"


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, nargs, text in (
        ("list", None, "Name every file, its size and licence, and where it is."),
        ("info", "+", "Say where files come from, under which licence, and what to cite."),
        ("fetch", "+", "Download files; one that broke off goes on where it stopped."),
        ("verify", None, "Hash every file that is here; fails when one is damaged."),
        ("path", 1, "Print the path of a file or folder that is here."),
    ):
        action = actions.add_parser(name, help=text, description=text)
        if nargs is not None:
            action.add_argument("names", metavar="NAME", nargs=nargs, help=_NAMES)
        action.set_defaults(resumable=name == "fetch")


def _data(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.cli_data import ACTIONS

    ACTIONS[arguments.action](arguments, console)


def _proxies_arguments(parser: argparse.ArgumentParser) -> None:
    from surronas.cli_proxies import arguments_of

    arguments_of(parser)


def _proxies(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.cli_proxies import run

    run(arguments, console)


def _supernet_arguments(parser: argparse.ArgumentParser) -> None:
    from surronas.cli_supernet import ACTIONS

    _add_commands(parser, ACTIONS, "ACTION")


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    from surronas.cli_search import arguments_of

    arguments_of(parser)


def _search(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.cli_search import run

    run(arguments, console)


def _meta_arguments(parser: argparse.ArgumentParser) -> None:
    from surronas.cli_meta import ACTIONS

    _add_commands(parser, ACTIONS, "ACTION")


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="(%(default)s)")
    parser.add_argument("--jobs", type=number_of_jobs, default=-1, help="fits at a time; -1 is all cores (%(default)s)")


def _demo(arguments: argparse.Namespace, console: Console) -> None:
    from surronas.cli_search import print_front
    from surronas.demo import run_demo

    demo = run_demo(arguments.out, n_jobs=arguments.jobs, progress=True)
    console.print(f"\n{demo.headline()}\n", style="bold", markup=False)
    console.print(demo.model.selection_.to_string(index=False), markup=False, soft_wrap=True)
    print_report(demo.report, console)
    print_front(demo.search, console)
    console.print("\nMetaD2A's proposals: predicted before any evaluation, then measured\n", style="bold", markup=False)
    console.print(demo.proposals.round(2).to_string(index=False), markup=False, soft_wrap=True)
    console.print(f"Open {demo.page}", soft_wrap=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _ints(text: str) -> list[int]:
    try:
        return [int(part) for part in _names(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 16,32,64") from None


COMMANDS = (
    Command("bench", "Compare predictors on a benchmark table.", _bench_arguments, _bench),
    Command(
        "list",
        "List search spaces, encoders, predictors, proxies, benchmark tables, formats and image sets.",
        _list_arguments,
        _list,
    ),
    Command("data", "List, describe, fetch and verify data files.", _data_arguments, _data),
    Command("proxies", "Score untrained networks of a search space.", _proxies_arguments, _proxies),
    Command("supernet", "Train supernets.", _supernet_arguments),
    Command("search", "Search for architectures, or go on with a search.", _search_arguments, _search),
    Command("meta", "Learn from many tasks to propose architectures for images.", _meta_arguments),
    Command("demo", "Fit, predict, compare and search on embedded data; leaves a page.", _demo_arguments, _demo),
)

if __name__ == "__main__":
    sys.exit(main())
