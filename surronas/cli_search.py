"""``surronas search``: architectures that are good in several ways at once, in a folder that survives being killed."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from surronas.command import seed, workers_arguments
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError, UnknownNameError
from surronas.io import write_atomic

if TYPE_CHECKING:
    from surronas.search import Result, Search, SupernetAdaptation

__all__ = ["arguments_of", "run"]

ALGORITHMS = {
    "nat": "NAT",
    "msunas": "MSuNAS",
    "random": "RandomSearch",
    "regularized_evolution": "RegularizedEvolution",
    "nsga2": "NSGA2",
}
_BOUND = re.compile(r"\s*(\w+)\s*(<=|>=)\s*([-+.\w]+)\s*")
_SHOWN, _CASCADES = 25, 10
_N_EVALUATIONS = 300
_N_TRAIN, _N_VALIDATION = 5000, 2000  # with which a search of the shipped supernet takes ten minutes or so
_COMMAND = "command.json"
_KINDS: dict[type, tuple[str, ...]] = {
    str: ("algorithm", "evaluator", "dataset", "space", "images"),
    int: ("evaluations", "epochs", "seed", "initial", "batch", "size", "n_train", "n_validation"),
    bool: ("flip", "float32"),
    list: ("objectives", "constraints"),
}
_OPTIONAL = ("evaluator", "dataset", "space", "images", "initial", "batch", "size", "n_train", "n_validation")


def arguments_of(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="journal, front.csv, report.html, subnets")
    where.add_argument("--resume", type=Path, metavar="DIR", help="go on with the search in that folder")
    parser.add_argument(
        "--evaluator",
        metavar="NAME",
        help="a benchmark table, by name or file; or, with --images, a supernet, by name or .safetensors file "
        "(`surronas list` names them)",
    )
    parser.add_argument("--dataset", help="the table's data set, where it has several")
    parser.add_argument("--space", help="the search space of a table file's architectures; its genes by default")
    parser.add_argument("--images", metavar="NAME", help="an image set, or a path, to try a supernet's subnets on")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="to resize images to that are not all square")
    parser.add_argument(
        "--n-train", type=int, help=f"how many training images to draw, by class; at most {_N_TRAIN} by default"
    )
    parser.add_argument(
        "--n-validation", type=int, help=f"how many images to validate by; at most {_N_VALIDATION} by default"
    )
    parser.add_argument(
        "--objectives", nargs="+", default=["error", "madds"], metavar="NAME", help="targets, or error (error madds)"
    )
    parser.add_argument(
        "--constraint",
        dest="constraints",
        action="append",
        default=[],
        metavar="BOUND",
        help="such as 'madds<=50e6' or 'val_accuracy>=80'; may be given again",
    )
    parser.add_argument("--algorithm", default="nat", help=f"{', '.join(ALGORITHMS)} (%(default)s)")
    parser.add_argument("--evaluations", type=int, metavar="N", help=f"in all ({_N_EVALUATIONS})")
    parser.add_argument("--initial", type=int, metavar="N", help="architectures before anything is learnt from them")
    parser.add_argument("--batch", type=int, metavar="N", help="architectures a step")
    parser.add_argument(
        "--epochs",
        type=int,
        default=10,
        help="of the supernet's adaptation during NAT's search; 0 for none (%(default)s)",
    )
    parser.add_argument("--flip", action="store_true", help="adapt to mirror images too: they are of the same class")
    parser.add_argument("--float32", action="store_true", help="where the CPU has no bfloat16")
    parser.add_argument("--seed", type=seed, default=0, help="(%(default)s)")
    workers_arguments(parser, "fits and measurements")


def run(arguments: argparse.Namespace, console: Console) -> None:
    settings, folder = _settings(arguments)
    search = _search(settings)
    search.result()  # says what is wrong with objectives and constraints before there is a folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _COMMAND).exists():
        write_atomic(folder / _COMMAND, json.dumps(settings, indent=1).encode())
    result = search.run(folder, arguments.evaluations or settings["evaluations"], progress=True)
    page = result.save(folder / "result")
    print_front(result, console)
    print_cascades(result, console)
    console.print(f"Report: {page}\nFront: {page.with_name('front.csv')}", soft_wrap=True, markup=False)


def print_front(result: Result, console: Console) -> None:
    """A row an architecture, by the first objective; of many, those spread over the front."""
    from surronas.search.spread import evenly

    frame = result.to_frame()
    rows = evenly(len(frame), _SHOWN)
    archive, left = result.archive, len(frame) - len(rows)
    failed = int((~archive.succeeded).sum())
    table = Table(
        caption=f"{len(frame)} Pareto-optimal of {len(archive)} architectures"
        + (f", {failed} failed" if failed else "")
        + (f"; {left} of the front not shown" if left else "")
    )
    for name in frame:
        table.add_column(str(name), justify="left" if name == "arch" else "right", overflow="fold")
    for row in frame.iloc[rows].itertuples(index=False):
        table.add_row(*(value if isinstance(value, str) else f"{value:,.6g}" for value in row))
    console.print(table)


def print_cascades(result: Result, console: Console) -> None:
    """Those of two or three networks of the front that are better than networks alone; of many some, evenly."""
    from surronas.search.cascade import numbered
    from surronas.search.spread import evenly

    found = result.cascades
    together = None if found is None else found[found["members"].map(len) > 1]
    if together is None or not len(together):
        return
    rows = evenly(len(together), _CASCADES)
    table = Table(
        caption=f"{len(together)} cascades of the front's networks are better than these alone"
        + (f"; {len(together) - len(rows)} not shown" if len(together) > len(rows) else "")
    )
    for name in together:
        table.add_column(str(name), justify="left" if name == "members" else "right", overflow="fold")
    for row in numbered(together.iloc[rows], digits=3).itertuples(index=False):
        table.add_row(*(value if isinstance(value, str) else f"{value:,.6g}" for value in row))
    console.print(table)


def _settings(arguments: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """What the search was begun with, and its folder; the plan of evaluations is that of the beginning."""
    given = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(arguments).items()
        if name not in ("run", "resumable", "out", "resume", "jobs", "scheduler")
    }
    given["evaluations"] = given["evaluations"] or _N_EVALUATIONS
    folder: Path = arguments.resume or arguments.out
    path = folder / _COMMAND
    if not path.exists():
        if arguments.resume is not None:
            raise DataNotFoundError(f"There is no search to go on with in {folder}: it has no {_COMMAND}.")
        return {**given, "jobs": arguments.jobs}, folder
    try:
        begun = dict(json.loads(path.read_text()))
        differing = [name for name in given if name != "evaluations" and begun[name] != given[name]]
        for kind, names in _KINDS.items():
            for name in names:
                if type(begun[name]) is not kind and not (begun[name] is None and name in _OPTIONAL):
                    raise TypeError(f"{name} is {begun[name]!r:.80}")
        if not all(isinstance(text, str) for text in (*begun["objectives"], *begun["constraints"])):
            raise TypeError("objectives and constraints are texts")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidFileError(f"{path} is damaged: {error!r}.") from error
    if arguments.out is not None and differing:
        name = differing[0]
        raise InvalidInputError(
            f"The folder {folder} holds another search, whose {name} is {begun[name]!r}. Got {given[name]!r}. "
            "Choose another folder, or --resume it without other options."
        )
    if arguments.out is not None and arguments.evaluations is None:
        arguments.evaluations = given["evaluations"]
    return {**begun, "jobs": arguments.jobs}, folder


def _search(settings: dict[str, Any]) -> Search:
    from surronas import search

    if not settings["evaluator"]:
        raise InvalidInputError("A search needs an --evaluator: a benchmark table, or a supernet and --images.")
    name = settings["algorithm"]
    if name not in ALGORITHMS:
        raise UnknownNameError.of("algorithm", name, ALGORITHMS)
    options: dict[str, Any] = {"random_state": settings["seed"]}
    options |= {key: settings[of] for key, of in (("n_initial", "initial"), ("batch_size", "batch")) if settings[of]}
    constraints = _constraints(settings["constraints"])
    if name in ("nat", "msunas"):
        options["n_jobs"] = settings["jobs"]
    if settings["images"] is None:
        evaluator: Any = _table(settings)
    else:
        adapting = name == "nat" and settings["epochs"] > 0
        evaluator, images = _subnets(settings, constraints, adapting)
        if adapting:
            options["adapt"] = _adaptation(settings, images)
    return getattr(search, ALGORITHMS[name])(evaluator, settings["objectives"], constraints, **options)  # type: ignore[no-any-return]


def _table(settings: dict[str, Any]) -> Any:
    from surronas.datasets import list_benchmarks, load_benchmark, load_table

    name, space = settings["evaluator"], settings["space"]
    if (name in list_benchmarks() and space is None) or not Path(name).exists():
        return load_benchmark(name, settings["dataset"])
    return load_table(name, space=space, dataset=settings["dataset"])


def _subnets(settings: dict[str, Any], constraints: dict[str, Any], adapting: bool) -> tuple[Any, Any]:
    """The evaluator, and the images; a supernet of other classes gets a head, or each of its subnets one."""
    from surronas.datasets.images import load_images
    from surronas.supernet import (
        SupernetEvaluator,
        find_pretrained,
        list_pretrained,
        load_supernet,
        new_head,
        read_card,
    )

    weights = settings["evaluator"]
    path = find_pretrained(weights) if weights in list_pretrained() or not Path(weights).exists() else Path(weights)
    supernet, images = load_supernet(path), load_images(settings["images"], size=settings["size"])
    limits = {"train": (settings["n_train"], _N_TRAIN), "validation": (settings["n_validation"], _N_VALIDATION)}
    sizes = {
        split: min(usual, len(images.indices[split])) if given is None else given
        for split, (given, usual) in limits.items()
    }
    images = images.subset(sizes=sizes, random_state=settings["seed"])
    own = list(read_card(path).get("class_names", ())) == list(images.class_names)
    if not own and adapting:
        supernet = new_head(supernet, images)
    names = [*settings["objectives"], *constraints]
    evaluator = SupernetEvaluator(
        supernet,
        images,
        targets=tuple(dict.fromkeys("val_accuracy" if name == "error" else name for name in names)),
        random_state=settings["seed"],
        n_jobs=settings["jobs"],
        head=None if own or adapting else "ridge",
    )
    return evaluator, images


def _adaptation(settings: dict[str, Any], images: Any) -> SupernetAdaptation:
    """Its epochs in as many portions as there are batches."""
    from surronas.search import NAT, SupernetAdaptation
    from surronas.supernet.recipe import ADAPTATION

    recipe = replace(
        ADAPTATION,
        epochs=settings["epochs"],
        flip=settings["flip"],
        bfloat16=not settings["float32"],
        seed=settings["seed"],
    )
    usual = NAT(None)
    initial, batch = settings["initial"] or usual.n_initial, settings["batch"] or usual.batch_size
    portions = 1 + max(0, settings["evaluations"] - initial) // batch
    n_steps = recipe.epochs * max(1, len(images.indices["train"]) // recipe.batch_size)
    return SupernetAdaptation(images, recipe, steps=ceil(n_steps / portions), every=min(initial, batch))


def _constraints(texts: list[str]) -> dict[str, tuple[float | None, float | None]]:
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for text in texts:
        match = _BOUND.fullmatch(text)
        try:
            value = float(match[3]) if match else float("nan")
        except ValueError:
            value = float("nan")
        if match is None or value != value:
            raise InvalidInputError(
                f"A --constraint must be such as 'madds<=50e6' or 'val_accuracy>=80'. Got {text!r}."
            )
        low, high = bounds.get(match[1], (None, None))
        bounds[match[1]] = (low, value) if match[2] == "<=" else (value, high)
    return bounds
