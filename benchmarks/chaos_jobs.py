"""What chaos.py breaks: every subcommand on inputs so small that it takes seconds, and what must come of it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from search_kill import outcome as search_outcome

from surronas.datasets.images import load_images
from surronas.exceptions import UnknownNameError
from surronas.spaces import Gene, SearchSpace, get_space

__all__ = ["JOBS", "Job", "make_inputs", "start"]

MEMORY = 16 * 2**30


@dataclass(frozen=True)
class Job:
    """A command that works.

    Parameters
    ----------
    argv : tuple of str
        ``IN`` stands for the folder of inputs, ``OUT`` for that of the case.
    inputs : tuple of str
        Files in ``IN`` that it reads.
    outcome : callable, optional
        What is in ``OUT`` afterwards, without times; jobs that write nothing have none, and are not killed.
    state : tuple of str
        Patterns of what it goes on with in ``OUT``.
    """

    argv: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    outcome: Callable[[Path], Any] | None = None
    state: tuple[str, ...] = ()
    often: bool = True


def start(argv: list[str], log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """The command in a process group of its own, its output in a file, its cache, and what it may name, in a folder."""
    here = folder / "a" / "b"  # so that ../.. is inside
    here.mkdir(parents=True, exist_ok=True)
    settings = {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "XDG_CACHE_HOME": str(folder / "cache")}
    with open(log, "wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "surronas.cli", *argv],
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            cwd=here,
            env=os.environ | settings,
            start_new_session=True,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )


# -- what comes out ----------------------------------------------------------------------------


def _frame(path: Path) -> str:
    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    return frame.drop(columns=[name for name in frame if "seconds" in str(name)]).to_csv(index=False)


def _bench(out: Path) -> Any:
    lines = [json.loads(line) for line in (out / "journal.jsonl").read_bytes().splitlines()]
    timeless = [{key: value for key, value in line.items() if "seconds" not in key} for line in lines]
    assert (out / "report.html").stat().st_size
    return timeless[0], sorted(map(repr, timeless[1:])), _frame(out / "results.csv"), _frame(out / "results.parquet")


def _weights(out: Path) -> str:
    from surronas.supernet.weights import fingerprint, load_supernet

    return fingerprint(load_supernet(out / "supernet.safetensors"))


def _file(name: str) -> Callable[[Path], str]:
    return lambda out: _frame(out / name)


def _ships_metad2a() -> bool:
    from surronas.meta.shipped import find_shipped

    with suppress(UnknownNameError):
        return find_shipped("mbconv", ".safetensors", "MetaD2A").is_file()
    return False


_SEARCH = ("--evaluations", "14", "--initial", "6", "--batch", "4", "--jobs", "1", "--out", "OUT")
_TRAIN = ("--images", "IN/images.npz", "--batch-size", "16", "--float32", "--epochs", "2", "--out", "OUT")
_WEIGHTS = ("--weights", "IN/tiny.safetensors")

JOBS: dict[str, Job] = {
    "bench": Job(
        (
            *("bench", "IN/table.csv", "--predictors", "linear,one_hot:mean,one_hot:cart", "--n-train", "16,32"),
            *("--repeats", "3", "--jobs", "2", "--out", "OUT"),
        ),
        ("table.csv",),
        _bench,
        ("journal.jsonl",),
    ),
    "search": Job(
        (
            *("search", "--evaluator", "IN/table.csv", "--objectives", "error", "madds", "--algorithm", "msunas"),
            *_SEARCH,
        ),
        ("table.csv",),
        search_outcome,
        ("journal.jsonl", "command.json"),
    ),
    "search subnets": Job(
        (
            *("search", "--evaluator", "IN/tiny.safetensors", "--images", "IN/images.npz", "--epochs", "2"),
            *("--float32", *_SEARCH),
        ),
        ("tiny.safetensors", "images.npz"),
        search_outcome,
        ("journal.jsonl", "command.json", "*.pt", "*.safetensors"),
    ),
    "proxies": Job(
        (
            *("proxies", "nasbench201", "--file", "IN/archs.txt", "--proxies", "params,nwot,synflow", "--jobs", "1"),
            *("--batch-size", "4", "--cache", "OUT/cache", "--out", "OUT/scores.csv"),
        ),
        ("archs.txt",),
        _file("scores.csv"),
        ("cache/*.jsonl",),
    ),
    "supernet train": Job(("supernet", "train", *_TRAIN), ("images.npz",), _weights, ("*.pt",), often=False),
    "supernet adapt": Job(
        ("supernet", "adapt", *_WEIGHTS, *_TRAIN), ("images.npz", "tiny.safetensors"), _weights, ("*.pt",)
    ),
    "supernet evaluate": Job(
        (
            *("supernet", "evaluate", *_WEIGHTS, "--images", "IN/images.npz", "--random", "4", "--jobs", "2"),
            *("--targets", "val_accuracy,params,madds", "--out", "OUT/subnets.parquet"),
        ),
        ("images.npz", "tiny.safetensors"),
        _file("subnets.parquet"),
    ),
    "meta propose": Job(
        ("meta", "propose", "--images", "IN/images.npz", "--size", "32", "-n", "2", "--out", "OUT/proposed.csv"),
        ("images.npz",),
        _file("proposed.csv") if _ships_metad2a() else None,
        often=False,
    ),
    "meta build": Job(
        (
            *("meta", "build", "--views", "2", "--archs", "3", "--tasks", "2", "--n-train", "100"),
            *("--n-validation", "200", "--jobs", "1", "--out", "OUT"),
        ),
        (),
        _file("database.parquet"),
        ("journal.jsonl",),
        often=False,
    ),
    "meta train": Job(
        (
            *("meta", "train", "--database", "IN/database.parquet", "--predictor-steps", "2"),
            *("--generator-steps", "2", "--out", "OUT"),
        ),
        ("database.parquet",),
        often=False,
    ),
    "list": Job(("list",)),
    "data list": Job(("data", "list"), often=False),
    "data info": Job(("data", "info", "nasbench201")),
    "data path": Job(("data", "path", "images/cifar10")),
    "data fetch": Job(("data", "fetch", "images/cifar10/test-00000-of-00001.parquet")),
    "data verify": Job(("data", "verify"), often=False),
    "demo": Job(("demo", "--jobs", "1", "--out", "OUT"), often=False),
}

# -- inputs ------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> None:
    """The files that the jobs read, once."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "made").exists():
        return
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(4)])
    X = space.enumerate()
    cost = (X * [1.0, 2.0, 3.0, 4.0]).sum(axis=1) + 1
    accuracy = 60 + 30 * (1 - np.exp(-(X * [5.0, 1.0, 3.0, 2.0]).sum(axis=1) / 8))
    frame = pd.DataFrame(X, columns=space.gene_names).assign(val_accuracy=accuracy.round(3), madds=cost)
    frame.to_csv(folder / "table.csv", index=False)
    cells = get_space("nasbench201")
    (folder / "archs.txt").write_text("\n".join(cells.format(cells.sample(4, random_state=0))) + "\n")
    _write_images(folder / "images.npz")
    _write_supernet(folder / "tiny.safetensors")
    _write_database(folder / "database.parquet")
    (folder / "made").touch()


def _write_images(path: Path) -> None:
    digits = load_images("digits").subset(classes=[0, 1, 2], sizes={"train": 48, "validation": 24, "test": 24})
    arrays = {}
    for part, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        arrays[f"x_{name}"], arrays[f"y_{name}"] = digits.split(part)
    np.savez(path, **arrays)


def _write_supernet(path: Path) -> None:
    import torch

    from surronas.spaces.mbconv import MBConv, Stage
    from surronas.supernet.network import SuperNet
    from surronas.supernet.weights import save_supernet

    stages = [Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))]
    space = MBConv(stages, resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16)
    torch.manual_seed(0)
    save_supernet(path, SuperNet(space, 3), {"class_names": ["0", "1", "2"]})


def _write_database(path: Path) -> None:
    """Of two tasks, too few to train on well: what matters is that it is read."""
    from surronas.meta.database import Episode, MetaDatabase
    from surronas.meta.tasks import Task
    from surronas.meta.variation import Variation

    space = get_space("mbconv")
    X = space.canonical(space.sample(12, random_state=0))
    numbers = {"task": [0, 1] * 6, "val_accuracy": np.arange(12) + 60.0, "half_difference": 1.0}
    views = [Task({"digits": tuple("0123456789")}, Variation(), 60, 60, 0, 0)]
    tasks = [Episode(0, (0, 1, 2)), Episode(0, (1, 2, 3))]
    costs = space.cost(X)[["params", "madds"]]
    frame = pd.concat([pd.DataFrame(numbers, index=range(12)), costs], axis=1)
    MetaDatabase(space, views, tasks, X, frame, {"weights": "mbconv-cifar10"}).save(path)
