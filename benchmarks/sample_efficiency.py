"""Kendall's tau of `auto` by the number of training architectures; no zero-cost proxy, no image.

Train on n random architectures, test on the rest of the table; ten seeds.
"""

from __future__ import annotations

import argparse

from rich import print as show

import surronas as sn

# Table -> target, floors by n, peers.
CASES = {
    "analog_nasbench": (
        "baseline_accuracy",
        {16: 0.61, 32: 0.70, 64: 0.78, 128: 0.83},
        ["one_hot:xgboost", "graph_features:random_forest"],
    ),
    "ofa_mbv3": (
        "val_accuracy",
        {50: 0.915, 100: 0.93, 200: 0.945, 340: 0.95},
        ["one_hot:cart", "one_hot:xgboost", "cost:linear"],
    ),
    "mbconv_cifar10:val_accuracy": ("val_accuracy", {100: 0.85}, ["one_hot:xgboost", "cost:linear"]),
    "mbconv_cifar10:test_accuracy": ("test_accuracy", {100: 0.85}, ["one_hot:xgboost", "cost:linear"]),
    "mbconv_cifar10:latency_ms": ("latency_ms", {100: 0.95}, ["one_hot:xgboost", "cost:linear"]),
    "mbconv_cifar10:latency_64_ms": ("latency_64_ms", {100: 0.95}, ["one_hot:xgboost", "cost:linear"]),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=CASES)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--protocol", default="rest")
    parser.add_argument("--out", default="runs/sample_efficiency")
    args = parser.parse_args()
    target, floors, peers = CASES[args.table]
    report = sn.evaluate(
        ["auto", *peers],
        sn.load_benchmark(args.table.partition(":")[0]),
        target=target,
        n_train=list(floors),
        n_repeats=args.repeats,
        protocol=args.protocol,
        out=f"{args.out}/{args.table}-{args.protocol}",
        n_jobs=2,
        progress=True,
    )
    taus = report.frame.pivot_table(index="n_train", columns="predictor", values="kendall_tau", aggfunc=["mean", "std"])
    show(taus.round(3).to_string())
    coverage = report.frame.pivot_table(index="n_train", columns="predictor", values="coverage_90")
    show(f"coverage of 90 % intervals\n{coverage.round(3).to_string()}")
    for n, floor in floors.items():
        show(f"n = {n}: auto {taus['mean']['auto'][n]:.3f}, asked for {floor}")
