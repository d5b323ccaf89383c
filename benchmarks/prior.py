"""Does a surrogate that starts from untrained networks ever fall below them?

NAS-Bench-201's 9,445 cells without unreachable operations (P2): train on the validation accuracies of n, test on those
of the rest. The proxies are the published ones of CIFAR-10, for all three data sets: nwot, synflow, jacov, params and
epe_nas. `untrained` is their aggregate, without a label; the others learn, each with the same proxies at hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from rich import print as show

import surronas as sn
from surronas.benchmark.protocol import Splitter

PROXIES = ["nwot", "synflow", "jacov", "params", "epe_nas"]
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
PEERS = ["graph_features+zero_cost:random_forest", "graph_features+zero_cost:xgboost", "aggregate:linear"]


def published() -> tuple[np.ndarray, pd.DataFrame]:
    """The rows that have proxies, and these by architecture."""
    table = sn.load_benchmark("nasbench201", dataset="cifar10")
    rows = np.flatnonzero(table.targets["l2_norm"].notna())
    index = pd.MultiIndex.from_arrays(list(table.archs[rows].T))
    return rows, table.targets[PROXIES].iloc[rows].set_axis(index)


def run(dataset: str, args: argparse.Namespace) -> pd.DataFrame:
    """A row a predictor, size and seed: tau."""
    rows, proxies = published()
    table = sn.load_benchmark("nasbench201", dataset=dataset).subset(rows)
    sizes = {"n_train": args.sizes, "n_repeats": args.repeats, "random_state": 0}
    folder = args.out / f"{dataset}_{len(rows)}"
    report = sn.evaluate(["auto", *PEERS], table, **sizes, proxies=proxies, out=folder, n_jobs=args.jobs, progress=True)
    untrained = sn.fit_predictor(space=table.space, proxies=proxies).predict(table.archs)
    y = table.targets["val_accuracy"].to_numpy()
    splitter = Splitter(table, "val_accuracy", "val_accuracy", False, 0)
    prior = [
        {
            "predictor": "untrained",
            "n_train": n,
            "repeat": repeat,
            "kendall_tau": sn.metrics.kendall_tau(y[t], untrained[t]),
        }
        for n in args.sizes
        for repeat in range(args.repeats)
        for t in [splitter.split(n, repeat).test]
    ]
    columns = ["predictor", "n_train", "repeat", "kendall_tau"]
    return pd.concat([report.frame[columns], pd.DataFrame(prior)], ignore_index=True).assign(dataset=dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 128, 1024], help="training architectures")
    parser.add_argument("--repeats", type=int, default=10, help="seeds")
    parser.add_argument("--datasets", nargs="+", default=DATASETS, choices=DATASETS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/prior"), help="folder of journals")
    args = parser.parse_args()
    frame = pd.concat([run(dataset, args) for dataset in args.datasets], ignore_index=True)
    groups = frame.groupby(["dataset", "n_train", "predictor"], sort=False)["kendall_tau"]
    show(groups.agg(["mean", "std", "count"]).round(3).to_string())
    taus = frame.pivot(index=["dataset", "n_train", "repeat"], columns="predictor", values="kendall_tau")
    below = (taus["auto"] < taus["untrained"]).groupby(["dataset", "n_train"]).agg(["sum", "size"])
    show(below.set_axis(["seeds below the untrained aggregate", "of"], axis=1).to_string())


if __name__ == "__main__":
    main()
