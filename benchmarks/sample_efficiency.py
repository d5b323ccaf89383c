"""Kendall's tau of `auto` by the number of training architectures; no image, and zero-cost proxies only where said.

Train on n random architectures, test on the rest of the table (of `nasbench201`, on all of it); ten seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prior import published
from rich import print as show

import surronas as sn


@dataclass(frozen=True)
class Case:
    """What is learnt and tested, tau asked for by n, and peers; the table is the case's name up to a colon.

    ``regret``: what the best of the predicted top ten may lose to the best of all that are tested, as asked for.
    ``proxies``: whether `auto` and the untrained aggregate get the published scores of nwot, synflow, jacov, params and
    epe_nas, which 15,284 of NAS-Bench-201's architectures have by their canonical form.
    """

    target: str
    floors: Mapping[int, float | None]
    peers: Sequence[str]
    test_target: str | None = None
    protocol: str = "rest"
    dataset: str | None = None
    regret: float | None = None
    proxies: bool = False


GRAF = "graph_features+one_hot:xgboost"
SUBNETS = ("one_hot:xgboost", "cost:linear")
CASES = {
    "analog_nasbench": Case(
        "baseline_accuracy",
        {16: 0.61, 32: 0.70, 64: 0.78, 128: 0.83},
        ("one_hot:xgboost", "graph_features:random_forest"),
    ),
    "ofa_mbv3": Case(
        "val_accuracy",
        {50: 0.915, 100: 0.93, 200: 0.945, 340: 0.95},
        ("one_hot:cart", "one_hot:xgboost", "cost:linear"),
    ),
    # P1: as PINAT, TNASP and HyperNAS report, training architectures are tested on too, by another target.
    "nasbench201": Case(
        "val_accuracy",
        {78: 0.84, 156: 0.865, 469: 0.885, 1563: 0.895},
        ("one_hot:xgboost", GRAF),
        "test_accuracy",
        "all",
    ),
    "nasbench201:proxies": Case(
        "val_accuracy",
        {78: 0.84, 156: 0.865, 469: 0.885, 1563: 0.895},
        ("graph_features+zero_cost:xgboost", "aggregate:linear"),
        "test_accuracy",
        "all",
        proxies=True,
    ),
    **{
        f"nasbench201:{name}": Case("val_accuracy", {100: None}, ("one_hot:xgboost", GRAF), None, "all", name, 0.15)
        for name in ("cifar10", "cifar100", "ImageNet16-120")
    },
    "mbconv_cifar10:val_accuracy": Case("val_accuracy", {100: 0.85}, SUBNETS),
    "mbconv_cifar10:test_accuracy": Case("test_accuracy", {100: 0.85}, SUBNETS),
    "mbconv_cifar10:latency_ms": Case("latency_ms", {100: 0.95}, SUBNETS),
    "mbconv_cifar10:latency_64_ms": Case("latency_64_ms", {100: 0.95}, SUBNETS),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=CASES)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--protocol", help="the table's usual one by default")
    parser.add_argument("--out", default="runs/sample_efficiency")
    args = parser.parse_args()
    case = CASES[args.table]
    protocol = args.protocol or case.protocol
    report = sn.evaluate(
        ["auto", *case.peers],
        sn.load_benchmark(args.table.partition(":")[0], dataset=case.dataset),
        target=case.target,
        test_target=case.test_target,
        n_train=list(case.floors),
        n_repeats=args.repeats,
        protocol=protocol,
        proxies=published()[1] if case.proxies else None,
        out=f"{args.out}/{args.table}-{protocol}",
        n_jobs=2,
        progress=True,
    )
    taus = report.frame.pivot_table(index="n_train", columns="predictor", values="kendall_tau", aggfunc=["mean", "std"])
    show(taus.round(3).to_string())
    if case.test_target is None:  # an interval promises to hold what was trained on
        coverage = report.frame.pivot_table(index="n_train", columns="predictor", values="coverage_90")
        show(f"coverage of 90 % intervals\n{coverage.round(3).to_string()}")
    if case.regret is not None:
        regrets = report.frame.groupby(["n_train", "predictor"])["top_10_regret"].agg(["mean", "std", "max"])
        show(f"regret of the top ten, asked for {case.regret}\n{regrets.round(3).to_string()}")
    for n, floor in case.floors.items():
        if floor is not None:
            show(f"n = {n}: auto {taus['mean']['auto'][n]:.3f}, asked for {floor}")
