"""What is measured again while NAT adapts the shipped supernet to digits: all after each portion, or what needs it.

The same search, by seeds, with the drift model's choice of what to measure again, and with all of the archive. Compared
are the hypervolumes of the fronts that they end with, on the validation images, as a share of the box from no error and
the smallest network to the largest error on any front and the largest network; and the number of re-evaluations. What
the choice missed in its own archive is measured too: all of it once more, at the end.

    python benchmarks/search_reevaluations.py

Whatever ends it, the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from moocore import hypervolume
from pages import markdown
from search_transfer import CASES, N_INITIAL, images_of, nat, seconds_of, spread

from surronas.datasets.files import sha256_of
from surronas.journal import Journal
from surronas.supernet.pretrained import find_pretrained
from surronas.supernet.weights import load_supernet

METHODS: dict[str, dict[str, Any]] = {
    "drift": {},
    "drift, finer": {"tolerance": 0.002},
    "drift, coarser": {"tolerance": 0.1},
    "all": {"tolerance": 0.0, "n_probes": 10**6},
}
SHARE = 1 / 3  # of the re-evaluations, at most, that all need


def run(method: str, seed: int, args: Any) -> dict[str, Any]:
    """One search: its front, the front of its archive measured anew, and what that took."""
    images = images_of(args.data, seed, args.n_train)
    search = nat(load_supernet(args.weights), images, args.epochs, seed, args, args.every, **METHODS[method])
    result = search.run(args.out / method.replace(", ", "_") / str(seed), args.evaluations, progress=True)
    archive, evaluator = result.archive, search.evaluator_
    values = evaluator.evaluate(archive.archs)[archive.goals.targets].to_numpy()
    known = archive.moved(values, evaluator.version)
    return {
        "method": method,
        "seed": seed,
        "front": archive.objectives[archive.front_rows].tolist(),
        "front of all": known.objectives[known.front_rows].tolist(),
        "again": len(archive.replaced),
        "versions": evaluator.version,
        "seconds": seconds_of(result),
        "seconds again": float(archive.replaced["seconds"].sum()),
    }


def report(cells: list[dict[str, Any]], smallest: float, largest: float) -> str:
    error = max(point[0] for cell in cells for point in cell["front"])

    def volume(front: Any) -> float:
        scaled = (np.array(front) - [0.0, smallest]) / [error, largest - smallest]
        return float(hypervolume(scaled, ref=np.ones(2)))

    frame = pd.DataFrame(
        [
            {
                "method": cell["method"],
                "seed": cell["seed"],
                "hypervolume": volume(cell["front"]),
                "missed": volume(cell["front of all"]) - volume(cell["front"]),
                "again": cell["again"],
                "versions": cell["versions"],
                "minutes": cell["seconds"] / 60,
                "minutes again": cell["seconds again"] / 60,
            }
            for cell in sorted(cells, key=lambda cell: (cell["seed"], cell["method"]))
        ]
    )
    shares = frame[["hypervolume", "missed"]].map(lambda share: f"{share:.4f}")
    lines = [markdown(frame.assign(**shares)), ""]
    wide = frame.pivot_table(index="seed", columns="method", values=["hypervolume", "again"])
    for method in METHODS:
        if method == "all" or not {method, "all"} <= set(frame["method"]):
            continue
        its = wide.loc[:, (slice(None), [method, "all"])].dropna()
        lead = 100 * (its["hypervolume"][method] - its["hypervolume"]["all"]).to_numpy()
        share = (its["again"][method] / its["again"]["all"]).to_numpy()
        lines.append(f"{method}: hypervolume less that by all, in % of the box: {spread(lead, '+')};")
        lines.append(f"re-evaluations as a share of all's: {spread(share)}; at most {SHARE:.2f} is asked for.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=find_pretrained("mbconv-cifar10"), help="of save_supernet")
    parser.add_argument("--data", choices=CASES, default="digits")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["drift", "all"])
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--initial", type=int, default=N_INITIAL)
    parser.add_argument("--every", type=int, default=24, help="new architectures between two portions")
    parser.add_argument("--epochs", type=int, default=CASES["digits"][0])
    parser.add_argument("--n-train", type=int, default=5000, help="training images, at most")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/search_reevaluations"))
    args = parser.parse_args()
    torch.set_num_threads(args.jobs)
    settings = {name: getattr(args, name) for name in ("data", "evaluations", "initial", "every", "epochs", "n_train")}
    journal = Journal(
        args.out / "journal.jsonl", {"measured": "re-evaluations", "weights": sha256_of(args.weights), **settings}
    )
    done = {(cell["method"], cell["seed"]) for cell in journal.cells}
    for seed in args.seeds:
        for method in args.methods:
            if (method, seed) not in done:
                journal.append(run(method, seed, args))
    space = load_supernet(args.weights).space
    smallest, largest = space.cost(np.stack([space.smallest(), space.largest()]), num_classes=10)["madds"]
    print(report(journal.cells, float(smallest), float(largest)))


if __name__ == "__main__":
    main()
