"""`auto` against the best of its candidates, and the coverage of its intervals, where no default was chosen.

AnalogNAS-Bench and three NAS-Bench-Graph data sets, n = 32 and 128, ten seeds; train on n random architectures,
test on the rest. The best candidate of a case (table, n) is that of greatest mean tau, known only afterwards.
"""

from __future__ import annotations

import argparse

import pandas as pd
from rich import print as show

import surronas as sn
from surronas.selection import resolve_candidates

CASES = [
    ("analog_nasbench", None, "baseline_accuracy"),
    ("nasbench_graph", "cora", "val_accuracy"),
    ("nasbench_graph", "photo", "val_accuracy"),
    ("nasbench_graph", "arxiv", "val_accuracy"),
]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", default="runs/promises")
    args = parser.parse_args()
    rows = []
    for name, dataset, target in CASES:
        table = sn.load_benchmark(name, dataset=dataset)
        singles = [candidate.name for candidate in resolve_candidates("auto", "auto", table.space)]
        report = sn.evaluate(
            ["auto", *singles],
            table,
            target=target,
            n_train=[32, 128],
            n_repeats=args.repeats,
            out=f"{args.out}/{dataset or name}",
            n_jobs=2,
            progress=True,
        )
        means = report.frame.pivot_table(index="n_train", columns="predictor", values="kendall_tau")
        spread = report.frame.pivot_table(index="n_train", columns="predictor", values="kendall_tau", aggfunc="std")
        coverage = report.frame.pivot_table(index="n_train", columns="predictor", values="coverage_90")
        for n in means.index:
            best = means.loc[n, singles].idxmax()
            rows.append(
                {
                    "table": dataset or name,
                    "n": n,
                    "auto": means.loc[n, "auto"],
                    "std": spread.loc[n, "auto"],
                    "best candidate": best,
                    "its tau": means.loc[n, best],
                    "auto - best": means.loc[n, "auto"] - means.loc[n, best],
                    "coverage": coverage.loc[n, "auto"],
                }
            )
    frame = pd.DataFrame(rows)
    show(frame.round(3).to_string(index=False))
    gap = frame["auto - best"]
    show(f"auto - best candidate: mean {gap.mean():+.4f}, worst {gap.min():+.4f} (asked for: -0.01 and -0.05)")
    low, high = frame["coverage"].min(), frame["coverage"].max()
    show(
        f"coverage of 90 % intervals: mean {frame['coverage'].mean():.3f}, from {low:.3f} to {high:.3f} "
        f"(asked for: .87 to .93)"
    )
