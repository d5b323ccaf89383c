"""Evaluations that NAT saves on a new data set when it begins with MetaD2A's proposals.

The same search for error and multiply-adds, on the shipped supernet as it is, each subnet with a closed-form head, by
seeds, which draw the training images and seed everything: once from a space-filling design, once from as many
proposals (`MetaD2A.design`), which knew the training images and no accuracy. Hypervolume is of validation images, as a
share of the box from no error and the smallest network to the largest error that either met and the largest network.

    python benchmarks/meta_search.py

Whatever ends it, the same command goes on: searches have folders.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from moocore import hypervolume
from numpy.typing import NDArray
from pages import markdown
from search_transfer import evaluator_of, images_of

from surronas.meta import MetaD2A
from surronas.search import NAT, Archive

DATA = ("digits", "sign_digits")
N_EVALUATIONS, N_INITIAL, BATCH = 120, 20, 10


def search(model: MetaD2A, name: str, seed: int, warm: bool, args: Any) -> Archive:
    """What the search evaluated, in order."""
    images = images_of(name, seed)
    evaluator = evaluator_of(model.supernet, images, args, head="ridge")
    start = model.design(images, N_INITIAL, random_state=seed) if warm else None
    nat = NAT(evaluator, n_initial=N_INITIAL, batch_size=BATCH, warm_start=start, random_state=seed, n_jobs=args.jobs)
    folder = args.out / name / ("warm" if warm else "plain") / str(seed)
    return nat.run(folder, args.evaluations, progress=True).archive


def curves(archives: list[Archive]) -> list[NDArray[np.float64]]:
    """Hypervolume after each evaluation of each search, in the box that all of them share."""
    every = [archive.objectives[archive.succeeded] for archive in archives]
    low, high = np.vstack(every).min(axis=0), np.vstack(every).max(axis=0)
    low[0] = 0.0
    scaled = [(values - low) / (high - low) for values in every]
    return [np.array([hypervolume(of[: i + 1], ref=np.ones(2)) for i in range(len(of))]) for of in scaled]


def compare(name: str, seed: int, plain: NDArray[np.float64], warm: NDArray[np.float64]) -> dict[str, Any]:
    """A row: both at some evaluations, and when the warm one has what the plain one ends with."""
    there = np.flatnonzero(warm >= plain[-1])
    shown = {
        f"{label} at {n}": f"{curve[n - 1]:.4f}"
        for n in (N_INITIAL, len(plain) // 2, len(plain))
        for label, curve in (("plain", plain), ("warm", warm))
    }
    return {"data": name, "seed": seed, **shown, "plain's last reached at": there[0] + 1 if len(there) else "never"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mbconv", help="a trained MetaD2A: its name or file (%(default)s)")
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--evaluations", type=int, default=N_EVALUATIONS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/meta_search"))
    args = parser.parse_args()
    model = MetaD2A.load(args.model)
    rows = []
    for name in args.data:
        for seed in args.seeds:
            plain, warm = curves([search(model, name, seed, kind, args) for kind in (False, True)])
            rows.append(compare(name, seed, plain, warm))
    frame = pd.DataFrame(rows)
    print(markdown(frame))
    reached = pd.to_numeric(frame["plain's last reached at"], errors="coerce").fillna(np.inf)
    for name, of in reached.groupby(frame["data"]):
        print(f"{name}: median {of.median():g} of {args.evaluations} evaluations; at most half is asked for.")


if __name__ == "__main__":
    main()
