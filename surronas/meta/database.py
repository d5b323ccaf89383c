"""The meta-database: what many architectures of a supernet's space are worth on many tasks."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from joblib import delayed
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from scipy.stats import spearmanr

from surronas.datasets.images import ImageData
from surronas.encoders import Encoder
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError, SurronasWarning
from surronas.io import write_atomic
from surronas.journal import Journal
from surronas.meta.episodes import count_right, subnet_features
from surronas.meta.latency import predicted_latencies
from surronas.meta.shipped import find_shipped
from surronas.meta.tasks import Task, draw_classes
from surronas.parallel import check_n_jobs, renewing_workers, stream
from surronas.spaces import space_from_spec
from surronas.spaces.base import IntArray, SearchSpace
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.images import prepare_images
from surronas.supernet.machine import keep_freed_memory
from surronas.supernet.network import SuperNet
from surronas.threads import single_thread

__all__ = ["Episode", "MetaDatabase", "build_database"]

JOURNAL, RESULT = "journal.jsonl", "database.parquet"
_KEY, _VERSION = b"surronas", 1
_INTEGERS = ("task", "params", "madds")
_LEAST_ERROR = 4.0  # % of the smallest architecture, below which a task tells architectures apart by label noise
_TRIES = 4  # draws of classes for each task of a view that is wanted


@dataclass(frozen=True)
class Episode:
    """A task of the database: some classes, by number, of a view's."""

    view: int
    classes: tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class MetaDatabase:
    """Rows (task, architecture, accuracy).

    A *view* is a ``Task`` of many of the classes that there are for meta-training, changed in one way; a task is some
    of its classes. The architectures of a view, the same for all its tasks, have batch norms recalibrated on the view's
    training images, whichever classes a task takes: that is part of what ``val_accuracy`` means here.

    Parameters
    ----------
    space : SearchSpace
    views : sequence of Task
    tasks : sequence of Episode
    X : (n, n_genes) int64
        Genotypes, canonical.
    frame : DataFrame
        One row a genotype: ``task`` (int, the place in ``tasks``), ``val_accuracy`` (top-1 in %, NaN where a network
        failed), ``half_difference`` (the accuracy on one half of the validation images less that on the other: what the
        draw of images does), ``params`` and ``madds`` (with a classifier of ten classes, so that an architecture has
        one cost), and, where the space has a table of measured latencies, ``predicted_latency_ms`` and
        ``predicted_latency_64_ms`` of a surrogate fitted to it.
    info : mapping
        JSON-able: weights, settings, command.
    """

    space: SearchSpace
    views: Sequence[Task]
    tasks: Sequence[Episode]
    X: IntArray
    frame: pd.DataFrame
    info: Mapping[str, Any]
    log = False

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
        return (
            f"MetaDatabase({len(self)} rows of {len(self.tasks)} tasks in {len(self.views)} views, "
            f"space {self.space.name!r})"
        )

    def images(self, task: int, of_view: ImageData | None = None) -> ImageData:
        """The images of a task; ``of_view`` are those of its view, where they are at hand."""
        episode = self.tasks[task]
        return (of_view or self.views[episode.view].images()).subset(episode.classes)

    def prior(self, images: ImageData | None) -> Encoder:
        """What ``fit_predictor(source=...)`` takes: that of the MetaD2A that the package has for this space.

        Raises
        ------
        UnknownNameError
            When it has none.
        InvalidInputError
            Without images.
        """
        from surronas.meta.metad2a import MetaD2A

        return MetaD2A.load(self.space.name).prior(images)

    def reliability(self) -> pd.Series:
        """Of each task, Spearman's correlation between the two halves' accuracies over the architectures.

        NaN where all are alike. The correlation of ``val_accuracy`` with that of as many other images is higher: of
        correlation r between halves, 2 r / (1 + r) between wholes (Spearman and Brown).
        """
        halves = pd.DataFrame(
            {
                "task": self.frame["task"],
                "one": self.frame["val_accuracy"] + self.frame["half_difference"] / 2,
                "other": self.frame["val_accuracy"] - self.frame["half_difference"] / 2,
            }
        )
        found = {number: _spearman(rows["one"], rows["other"]) for number, rows in halves.dropna().groupby("task")}
        return pd.Series(found, dtype=np.float64).reindex(range(len(self.tasks))).rename_axis("task")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a parquet file that ``load`` reads: the frame, a column a gene, views, tasks and space."""
        genes = pd.DataFrame(self.X.astype(np.int16), columns=self.space.gene_names)
        frame = self.frame.reset_index(drop=True).astype(dict.fromkeys(_INTEGERS, np.int32))
        table = pa.Table.from_pandas(pd.concat([frame, genes], axis=1), preserve_index=False)
        head = {
            "version": _VERSION,
            "space": self.space.to_spec(),
            "views": [view.to_spec() for view in self.views],
            "tasks": [[task.view, *task.classes] for task in self.tasks],
            "info": dict(self.info),
        }
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(head)}), sink, compression="zstd")
        write_atomic(path, sink.getvalue().to_pybytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MetaDatabase:
        """Read what ``save`` wrote: a ``.parquet`` file, or ``"mbconv"``, which the package ships.

        Raises
        ------
        UnknownNameError
        InvalidFileError
            When the file is missing, damaged, or none of these.
        """
        name = os.fspath(find_shipped(path, ".parquet", "meta-database"))
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
            views = [Task.from_spec(spec) for spec in head["views"]]
            tasks = [Episode(view, tuple(classes)) for view, *classes in head["tasks"]]
            return cls(space, views, tasks, X, rest, head["info"])
        except Exception as error:  # what a damaged file raises depends on where the damage is
            said = str(error).rstrip(".") or type(error).__name__
            raise InvalidFileError(f"{name!r} is not a whole meta-database: {said}.") from error


def build_database(
    supernet: SuperNet,
    views: Sequence[Task],
    folder: str | os.PathLike[str],
    *,
    n_archs: int = 50,
    n_tasks: int = 7,
    n_jobs: int | None = None,
    progress: bool = False,
    info: Mapping[str, Any] | None = None,
    command: str = "",
) -> MetaDatabase:
    """Measure architectures on tasks, or go on with it.

    In each view the smallest, the largest and ``n_archs - 2`` random architectures, others in each view. A network
    looks at the view's images once; then it gets a classifier in closed form for each task. Of the classes drawn those
    become a task on which the smallest architecture gets at least 4 % of the validation images wrong, up to
    ``n_tasks``; on easier ones architectures differ by little but label noise. A finished view is in the folder's
    ``journal.jsonl``; the same call goes on behind the last one. At the end there is ``database.parquet``, which
    ``MetaDatabase.load`` reads.

    Parameters
    ----------
    supernet : SuperNet
    views : sequence of Task
    folder : path-like
    n_archs : int, default=50
    n_tasks : int, default=7
        Of a view, at most.
    n_jobs : int, optional
        Views at a time, each in a process of one thread. The numbers do not depend on it.
    progress : bool, default=False
        Show a bar: views done, time left.
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
    check_n_jobs(n_jobs)
    folder, space = Path(folder), supernet.space
    settings = {"n_archs": n_archs, "n_tasks": n_tasks, **(info or {})}
    specs = [view.to_spec() for view in views]
    journal = Journal(
        folder / JOURNAL, {"measured": "meta-database", "space": space.to_spec(), "views": specs, **settings}
    )
    done = {cell["view"] for cell in journal.cells}
    left = [number for number in range(len(views)) if number not in done]
    with (
        Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=not progress) as bar,
        renewing_workers(),
    ):
        shown = bar.add_task("", total=len(views), completed=len(done))
        jobs = (delayed(_measure)(supernet, number, views[number].images(), n_archs, n_tasks) for number in left)
        for cell in stream(jobs, n_jobs, pre_dispatch="n_jobs", batch_size=1):
            journal.append(cell)
            bar.advance(shown)
    database = _database(space, views, journal, {**settings, "command": command})
    database.save(folder / RESULT)
    return database


def _measure(supernet: SuperNet, number: int, images: ImageData, n_archs: int, n_tasks: int) -> dict[str, Any]:
    """One line of the journal: all architectures and tasks of one view."""
    began = time.process_time()
    keep_freed_memory()
    space = supernet.space
    ends = np.stack([space.smallest(), space.largest()])
    X = space.canonical(np.concatenate([ends, space.sample(n_archs - 2, random_state=number)]))
    images = prepare_images(images, space)
    (train, train_labels), (validation, validation_labels) = (
        (torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels))
        for pixels, labels in map(images.split, ("train", "validation"))
    )
    train = crop_and_flip(train, torch.Generator().manual_seed(0), flip=False)
    rng = np.random.RandomState(number)
    episodes = list({tuple(sorted(draw_classes(images.n_classes, rng))): None for _ in range(_TRIES * n_tasks)})
    counts = np.bincount(validation_labels, minlength=images.n_classes)
    halves = np.stack([(counts + 1) // 2, counts // 2], axis=1)
    sizes = np.stack([halves[list(classes)].sum(axis=0) for classes in episodes])
    right: list[Any] = []
    with single_thread(), torch.inference_mode():
        for x in X:
            found, tried = subnet_features(supernet, x, train, validation)
            if found is None or tried is None:
                right.append(None)
                continue
            counted = count_right(found, train_labels, tried, validation_labels, episodes)
            if not any(right):
                errors = 100 * (1 - counted.sum(axis=1) / sizes.sum(axis=1))
                told = np.flatnonzero(errors >= _LEAST_ERROR)[:n_tasks]
                episodes, sizes, counted = [episodes[k] for k in told], sizes[told], counted[told]
                if not episodes:
                    break
            right.append(counted.tolist())
    return {
        "view": number,
        "archs": X.tolist(),
        "episodes": episodes,
        "sizes": sizes.tolist(),
        "right": right,
        "seconds": time.process_time() - began,
    }


def _database(space: SearchSpace, views: Sequence[Task], journal: Journal, info: Mapping[str, Any]) -> MetaDatabase:
    """The journal's cells in the order of the views; of a view, task by task."""
    cells = sorted(journal.cells, key=lambda cell: cell["view"])
    tasks: list[Episode] = []
    archs: list[IntArray] = []
    frames: list[pd.DataFrame] = []
    for cell in cells:
        X = np.array(cell["archs"], dtype=np.int64)
        for k, classes in enumerate(cell["episodes"]):
            right = np.array([[np.nan, np.nan] if of is None else of[k] for of in cell["right"]])
            sizes = np.array(cell["sizes"][k])
            shares = 100 * right / sizes
            of_task = {
                "task": len(tasks),
                "val_accuracy": 100 * right.sum(axis=1) / sizes.sum(),
                "half_difference": shares[:, 0] - shares[:, 1],
            }
            tasks.append(Episode(cell["view"], tuple(classes)))
            archs.append(X)
            frames.append(pd.DataFrame(of_task))
    if not frames:
        raise InvalidInputError("None of the views has a task that tells architectures apart: draw others.")
    X = np.concatenate(archs)
    parts = [pd.concat(frames, ignore_index=True), space.cost(X)[["params", "madds"]]]
    try:
        parts.append(predicted_latencies(space, X))
    except DataNotFoundError as error:
        warnings.warn(SurronasWarning(f"The meta-database has no latencies: {error}"), stacklevel=3)
    seconds = sum(cell["seconds"] for cell in cells) / len(X)
    noted = {**info, "cpu_seconds_a_row": round(seconds, 3)}
    return MetaDatabase(space, views, tasks, X, pd.concat(parts, axis=1), noted)


def _spearman(one: pd.Series, other: pd.Series) -> float:
    alike = one.nunique() < 2 or other.nunique() < 2
    return float("nan") if alike else float(spearmanr(one, other).statistic)
