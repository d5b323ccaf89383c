"""Kendall's tau of `auto` on AnalogNAS-Bench's digital accuracy, without any zero-cost proxy.

Train on n random architectures, test on the rest of the 15,625 (protocol "rest"); ten seeds.
"""

from __future__ import annotations

import argparse

from rich import print as show

import surronas as sn

FLOORS = {16: 0.61, 32: 0.70, 64: 0.78, 128: 0.83}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--protocol", default="rest")
    parser.add_argument("--predictors", default="auto,one_hot:xgboost,graph_features:random_forest")
    parser.add_argument("--out", default="runs/analog_nasbench")
    args = parser.parse_args()
    table = sn.load_benchmark("analog_nasbench")
    report = sn.evaluate(
        args.predictors.split(","),
        table,
        target="baseline_accuracy",
        n_train=list(FLOORS),
        n_repeats=args.repeats,
        protocol=args.protocol,
        out=f"{args.out}-{args.protocol}",
        n_jobs=2,
        progress=True,
    )
    taus = report.frame.pivot_table(index="n_train", columns="predictor", values="kendall_tau", aggfunc=["mean", "std"])
    show(taus.round(3).to_string())
    coverage = report.frame.pivot_table(index="n_train", columns="predictor", values="coverage_90")
    show(f"coverage of 90 % intervals\n{coverage.round(3).to_string()}")
    for n, floor in FLOORS.items():
        show(f"n = {n}: auto {taus['mean']['auto'][n]:.3f}, asked for {floor}")
