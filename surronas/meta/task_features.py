"""Image features of all tasks of a meta-database, view by view, side by side, and kept in a folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from joblib import delayed
from rich.progress import track
from torch import Tensor

from surronas.exceptions import InvalidFileError
from surronas.io import remove_unfinished, write_atomic
from surronas.meta.database import MetaDatabase
from surronas.meta.features import N_KEPT, ClassFeatures, image_features
from surronas.parallel import renewing_workers, stream
from surronas.supernet.machine import keep_freed_memory
from surronas.supernet.network import SuperNet

__all__ = ["task_features"]


def task_features(
    database: MetaDatabase,
    supernet: SuperNet,
    folder: Path,
    origin: Mapping[str, str],
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[ClassFeatures]:
    """Image features of every task, rounded to half precision.

    Parameters
    ----------
    database : MetaDatabase
    supernet : SuperNet
    folder : Path
        A file a view, written as soon as it is known; those that are there and of the same origin are read.
    origin : mapping of str to str
        What database and supernet they are of.
    n_jobs : int, optional
        Views at a time.
    progress : bool, default=False

    Raises
    ------
    InvalidFileError
        When a file is damaged.
    """
    folder.mkdir(exist_ok=True)
    paths = {view: folder / f"view{view}.pt" for view in sorted({task.view for task in database.tasks})}
    for path in paths.values():
        remove_unfinished(path)
    kept = {view: _read(path, origin) for view, path in paths.items()}
    left = [view for view, features in kept.items() if features is None]
    calls = (delayed(_of_view)(database, supernet, view) for view in left)
    with renewing_workers():
        computed = stream(calls, n_jobs, pre_dispatch="n_jobs", batch_size=1)
        for view, features in track(computed, "image features", total=len(left), disable=not progress):
            kept[view] = {task: [torch.from_numpy(part).half() for part in parts] for task, parts in features.items()}
            buffer = io.BytesIO()
            torch.save({"origin": dict(origin), "features": kept[view]}, buffer)
            write_atomic(paths[view], buffer.getvalue())
    of_task = {task: parts for of_view in kept.values() for task, parts in (of_view or {}).items()}
    return [[part.float().numpy() for part in of_task[task]] for task in range(len(database.tasks))]


def _of_view(database: MetaDatabase, supernet: SuperNet, view: int) -> tuple[int, dict[int, ClassFeatures]]:
    keep_freed_memory()
    images = database.views[view].images()
    own = np.flatnonzero([task.view == view for task in database.tasks]).tolist()
    return view, {task: image_features(supernet, database.images(task, images), N_KEPT, task) for task in own}


def _read(path: Path, origin: Mapping[str, str]) -> dict[int, list[Tensor]] | None:
    """Features of a view's tasks; None where there are none, or those of something else."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
        return state["features"] if state["origin"] == dict(origin) else None
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise InvalidFileError(
            f"The image features {path} are damaged: {str(error).rstrip('.')}. Remove the file to compute them anew."
        ) from error
