"""The meta-database: what many architectures of a supernet's space are worth on many tasks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.journal import Journal
from surronas.meta.tasks import Task
from surronas.spaces import space_from_spec
from surronas.spaces.base import IntArray, SearchSpace
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.network import SuperNet

__all__ = ["MetaDatabase", "build_database"]

JOURNAL, RESULT = "journal.jsonl", "database.parquet"
_KEY, _VERSION = b"surronas", 1
_INTEGERS = ("task", "params", "madds")


@dataclass(frozen=True, eq=False, repr=False)
class MetaDatabase:
    """Rows (task, architecture, accuracy).

    Parameters
    ----------
    space : SearchSpace
    tasks : sequence of Task
    X : (n, n_genes) int64
        Genotypes, canonical.
    frame : DataFrame
        One row a genotype: ``task`` (int, the place in ``tasks``), ``val_accuracy`` (top-1 in %, NaN where a network
        failed), ``params`` and ``madds`` (with a classifier of ten classes, so that an architecture has one cost), and
        what else was added to it.
    info : mapping
        JSON-able: weights, settings, command.
    """

    space: SearchSpace
    tasks: Sequence[Task]
    X: IntArray
    frame: pd.DataFrame
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        numbers = self.frame["task"]
        if len(self.X) != len(self.frame) or not numbers.between(0, len(self.tasks) - 1).all():
            raise InvalidInputError(
                f"A MetaDatabase has one genotype a row and rows of its {len(self.tasks)} tasks only. Got "
                f"{len(self.X)} genotypes, {len(self.frame)} rows, of tasks {numbers.min()} to {numbers.max()}."
            )

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"MetaDatabase({len(self)} rows of {len(self.tasks)} tasks, space {self.space.name!r})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a parquet file that ``load`` reads: the frame, a column a gene, tasks and space."""
        genes = pd.DataFrame(self.X.astype(np.int16), columns=self.space.gene_names)
        frame = self.frame.reset_index(drop=True).astype(dict.fromkeys(_INTEGERS, np.int32))
        table = pa.Table.from_pandas(pd.concat([frame, genes], axis=1), preserve_index=False)
        head = {
            "version": _VERSION,
            "space": self.space.to_spec(),
            "tasks": [task.to_spec() for task in self.tasks],
            "info": dict(self.info),
        }
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(head)}), sink, compression="zstd")
        write_atomic(path, sink.getvalue().to_pybytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MetaDatabase:
        """Read what ``save`` wrote.

        Raises
        ------
        InvalidFileError
            When the file is missing, damaged, or none of these.
        """
        name = os.fspath(path)
        if not Path(name).is_file():
            raise InvalidFileError(f"There is no file {name!r}.")
        try:
            table = pq.read_table(name)
            head = json.loads((table.schema.metadata or {})[_KEY])
            if head["version"] > _VERSION:
                raise InvalidFileError(f"it has format version {head['version']}; this library reads up to {_VERSION}")
            space = space_from_spec(head["space"])
            frame = table.replace_schema_metadata(None).to_pandas()
            X = space.parse(frame[space.gene_names].to_numpy(np.int64))
            rest = frame.drop(columns=space.gene_names).astype(dict.fromkeys(_INTEGERS, np.int64))
            return cls(space, [Task.from_spec(spec) for spec in head["tasks"]], X, rest, head["info"])
        except Exception as error:  # what a damaged file raises depends on where the damage is
            said = str(error).rstrip(".") or type(error).__name__
            raise InvalidFileError(f"{name!r} is not a whole meta-database: {said}.") from error


def build_database(
    supernet: SuperNet,
    tasks: Sequence[Task],
    folder: str | os.PathLike[str],
    *,
    n_archs: int = 50,
    n_jobs: int | None = None,
    progress: bool = False,
    info: Mapping[str, Any] | None = None,
    command: str = "",
) -> MetaDatabase:
    """Measure architectures on tasks, or go on with it.

    On each task the smallest, the largest and ``n_archs - 2`` random architectures, others on each task: their
    accuracy on the task's validation images, with batch norms recalibrated on its training images and a classifier in
    closed form fitted to them. A finished task is in the folder's ``journal.jsonl``; the same call goes on behind the
    last one. At the end there is ``database.parquet``, which ``MetaDatabase.load`` reads.

    Parameters
    ----------
    supernet : SuperNet
    tasks : sequence of Task
    folder : path-like
    n_archs : int, default=50
    n_jobs : int, optional
        Tasks at a time, each in a process of one thread. The numbers do not depend on it.
    progress : bool, default=False
        Show a bar: tasks done, time left.
    info : mapping, optional
        What the numbers depend on beside the settings, the weights, say; a journal with another is refused.
    command : str, optional
        Noted in the file.

    Raises
    ------
    InvalidInputError
        When the folder holds another measurement.
    """
    if n_archs < 2:
        raise InvalidInputError(f"The 'n_archs' parameter of build_database must be at least 2. Got {n_archs}.")
    folder, space = Path(folder), supernet.space
    specs = [task.to_spec() for task in tasks]
    header = {"measured": "meta-database", "space": space.to_spec(), "tasks": specs, "n_archs": n_archs, **(info or {})}
    journal = Journal(folder / JOURNAL, header)
    done = {cell["task"] for cell in journal.cells}
    left = [number for number in range(len(tasks)) if number not in done]
    streams = get_active_backend()[0].supports_return_generator
    parallel = Parallel(
        n_jobs=n_jobs, return_as="generator_unordered" if streams else "list", pre_dispatch="n_jobs", batch_size=1
    )
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=not progress) as bar:
        shown = bar.add_task("", total=len(tasks), completed=len(done))
        jobs = (delayed(_measure)(supernet, number, tasks[number].images(), n_archs) for number in left)
        for cell in parallel(jobs):
            journal.append(cell)
            bar.advance(shown)
    database = _database(space, tasks, journal, {**(info or {}), "n_archs": n_archs, "command": command})
    database.save(folder / RESULT)
    return database


def _measure(supernet: SuperNet, number: int, images: ImageData, n_archs: int) -> dict[str, Any]:
    """One line of the journal: all architectures of one task."""
    began = time.process_time()
    space = supernet.space
    ends = np.stack([space.smallest(), space.largest()])
    X = space.canonical(np.concatenate([ends, space.sample(n_archs - 2, random_state=number)]))
    evaluator = SupernetEvaluator(
        supernet,
        images,
        targets=("val_accuracy",),
        n_calibration=len(images.indices["train"]),
        head="ridge",
        n_jobs=1,
    )
    accuracies = evaluator.evaluate(X)["val_accuracy"]
    return {
        "task": number,
        "archs": X.tolist(),
        "val_accuracy": [None if np.isnan(value) else value for value in accuracies.tolist()],
        "seconds": time.process_time() - began,
    }


def _database(space: SearchSpace, tasks: Sequence[Task], journal: Journal, info: Mapping[str, Any]) -> MetaDatabase:
    """The journal's cells in the order of the tasks."""
    cells = sorted(journal.cells, key=lambda cell: cell["task"])
    X = np.concatenate([np.array(cell["archs"], dtype=np.int64) for cell in cells])
    frame = pd.DataFrame(
        {
            "task": np.repeat([cell["task"] for cell in cells], [len(cell["archs"]) for cell in cells]),
            "val_accuracy": np.concatenate([np.array(cell["val_accuracy"], dtype=np.float64) for cell in cells]),
        }
    )
    seconds = sum(cell["seconds"] for cell in cells) / len(X)
    noted = {**info, "cpu_seconds_a_row": round(seconds, 3)}
    return MetaDatabase(space, tasks, X, pd.concat([frame, space.cost(X)[["params", "madds"]]], axis=1), noted)
