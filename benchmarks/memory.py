"""What 423,624 architectures take: the peak memory of predict, of intervals and of evaluate, each in a fresh process.

As many random genotypes of NAS-Bench-101's space as the benchmark has; targets are made of their costs, so that no data
are needed. The exit code is 1 where a process takes more than --limit.

    python benchmarks/memory.py
    python benchmarks/memory.py predict --n 50000 --predictor gp
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from rich import print as show

JOBS = ("nothing", "predict", "intervals", "evaluate")


def work(job: str, n: int, predictor: str) -> None:
    """In a process of its own."""
    import surronas as sn
    from surronas.datasets import BenchmarkTable, TableInfo, Target

    space = sn.get_space("nasbench101")
    X = space.sample(n, random_state=0, unique=False)
    if job == "nothing":  # what the architectures themselves take, and the imports
        return
    y = np.concatenate([np.log(space.cost(part)["params"]) for part in np.array_split(X, max(1, n // 20_000))])
    y += 0.1 * np.random.default_rng(0).normal(size=n)
    if job == "evaluate":
        described = [Target("val_accuracy", "", True, "accuracy")]
        info = TableInfo("made", "none", "", "")
        table = BenchmarkTable("made", space, X, pd.DataFrame({"val_accuracy": y}), described, info)
        sn.evaluate([predictor], table, n_train=[100], n_repeats=1, n_jobs=1)
        return
    model = sn.fit_predictor(X[:100], y[:100], space=space, predictor=predictor, random_state=0)
    if job == "predict":
        assert np.isfinite(model.predict(X, return_std=True)).all()
    else:
        low, high = model.predict_interval(X, coverage=0.9)
        assert (low < high).all()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", default=list(JOBS), metavar="job", help=", ".join(JOBS))
    parser.add_argument("--n", type=int, default=423_624, help="architectures (%(default)s)")
    parser.add_argument("--predictor", default="auto", help="(%(default)s)")
    parser.add_argument("--limit", type=float, default=2.0, help="GiB (%(default)s)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work, args.n, args.predictor)
        show(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)  # KiB on Linux
        sys.exit()
    worst = 0.0
    for job in args.jobs:
        began = time.monotonic()
        command = [sys.executable, __file__, "--work", job, "--n", str(args.n), "--predictor", args.predictor]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peak = float(done.stdout.split()[-1])
        worst = max(worst, peak)
        show(f"{job}: {peak:.2f} GiB at most, {time.monotonic() - began:.0f} s, {args.n:,} rows, {args.predictor}")
    sys.exit(0 if worst <= args.limit else 1)
