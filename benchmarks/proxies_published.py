"""Proxies of our own computing beside the published ones, on random architectures of NAS-Bench-201.

Two questions. Do our scores rank architectures as NAS-Bench-Suite-Zero's do (NASLib's code, batches of CIFAR-10)? Do
they correlate with CIFAR-10 accuracy as papers say? Two scores of one definition agree no better than the weights and
images that were drawn let them: so how well published scores agree with themselves is shown beside the first answer, on
architectures whose networks are the same and which were scored each by itself, and how well ours do, on the first
architectures with another seed. What is scored is remembered, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pages import markdown
from rich import print as show
from rich.progress import track

import surronas as sn
from surronas.proxies import Aggregate, get_proxy, list_proxies, score
from surronas.proxies.classes import same_network

# Least Spearman correlation with the published scores that issue 5 asks for.
ASKED = {
    "params": 1.0,
    "flops": 1.0,
    "synflow": 0.99,
    "nwot": 0.95,
    "l2_norm": 0.93,
    **dict.fromkeys(("snip", "fisher", "grad_norm", "jacov", "epe_nas"), 0.80),
    **dict.fromkeys(("grasp", "plain", "zen"), 0.60),
}
DETERMINISTIC = {"params", "madds", "layers", "synflow"}
COUNTED = ["params", "madds", "layers"]  # so cheap that all architectures can be scored

# Spearman correlation with CIFAR-10 accuracy, and where it was published.
SUITE = "the published scores"
PUBLISHED = {
    "params": (0.75, SUITE),
    "madds": (0.80, f"{SUITE}, of flops"),
    "synflow": (0.76, SUITE),
    "jacov": (0.80, "VKDNW"),
    "nwot": (0.76, SUITE),
    "snip": (0.59, SUITE),
    "grasp": (0.51, SUITE),
    "fisher": (0.50, SUITE),
    "l2_norm": (0.72, SUITE),
    "epe_nas": (0.79, SUITE),
    "zen": (0.10, SUITE),
    "zico": (0.80, "ZiCo"),
    "te_nas": (0.72, "AZ-NAS"),
    "gradsign": (0.77, "GradSign"),
    "layers": (0.77, "VKDNW"),
    "az_nas": (0.89, "AZ-NAS"),
    "vkdnw": (0.82, "VKDNW"),
    "vkdnw_agg": (0.92, "VKDNW"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=300, help="architectures")
    parser.add_argument("--again", type=int, default=50, help="of them, scored with another seed too")
    parser.add_argument("--proxies", nargs="+", default=["all"], help="all, or names")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("proxies"), help="folder of what is scored")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write")
    args = parser.parse_args()

    table = sn.load_benchmark("nasbench201", dataset="cifar10")
    listed = np.flatnonzero(table.targets["synflow"].notna())
    rows = np.random.RandomState(args.seed).permutation(listed)[: args.n]
    theirs = table.targets.iloc[rows].reset_index(drop=True).eval("madds = flops")
    proxies = args.proxies[0] if len(args.proxies) == 1 else args.proxies
    images = sn.load_images("cifar10")

    def scored(rows: np.ndarray, seed: int, proxies: str | list[str] = proxies) -> pd.DataFrame:
        frame = score(
            table.archs[rows],
            table.space,
            proxies,
            images,
            batch_size=args.batch_size,
            random_state=seed,
            n_jobs=args.jobs,
            cache=args.cache,
            progress=track,
        )
        frame["flops"] = table.space.cost(table.archs[rows])["flops"].to_numpy()
        return frame

    ours = scored(rows, args.seed)
    again = scored(rows[: args.again], args.seed + 1)
    ranks = compared(ours, again, theirs, twins(table.subset(listed)))
    counted = [name for name in COUNTED if name in ours]
    whole = scored(listed, args.seed, counted) if counted else pd.DataFrame(index=listed)
    whole["accuracy"] = table.targets["val_accuracy"].to_numpy()[listed]
    accuracy = correlated(ours, again, theirs, whole)
    text = report(args, len(listed), ours, ranks, accuracy)
    show(text)
    if args.write:
        args.write.write_text(text)


def twins(table: sn.BenchmarkTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Published scores of two architectures each that are the same network."""
    network = table.space.rank(same_network(table.space, table.space.canonical(table.archs)))
    frame = table.targets.assign(network=network).sample(frac=1.0, random_state=0)
    number = frame.groupby("network").cumcount()
    first, second = (frame[number == i].set_index("network") for i in range(2))
    return first.loc[second.index], second


def compared(
    ours: pd.DataFrame, again: pd.DataFrame, theirs: pd.DataFrame, twins: tuple[pd.DataFrame, pd.DataFrame]
) -> pd.DataFrame:
    """How our scores rank beside those published for the same architectures, and both beside themselves."""
    rows = []
    for name, least in ASKED.items():
        if name not in ours:
            continue
        found = rank_correlation(ours[name], theirs[name])
        rows.append(
            {
                "proxy": name,
                "Spearman": found,
                "Kendall": ours[name].corr(theirs[name], method="kendall"),
                "asked for": least,
                "reached": "yes" if found >= least - 1e-9 else "no",
                "two seeds of ours": rank_correlation(ours[name][: len(again)], again[name]),
                "two published ones": rank_correlation(twins[0][name], twins[1][name]),
            }
        )
    return pd.DataFrame(rows)


def correlated(ours: pd.DataFrame, again: pd.DataFrame, theirs: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation with accuracy; positive means that better scores go with better networks."""
    rows = []
    accuracy = theirs["val_accuracy"]
    for name in (name for name in list_proxies() if name in ours):
        proxy = get_proxy(name)
        sign = 1 if proxy.maximize else -1
        published, source = PUBLISHED.get(name, (np.nan, ""))
        found = sign * rank_correlation(ours[name], accuracy)
        everywhere = sign * rank_correlation(whole[name], whole["accuracy"]) if name in whole else np.nan
        best_known = found if np.isnan(everywhere) else everywhere
        within = abs(best_known - published) <= (0.05 if name in DETERMINISTIC else 0.10)
        rows.append(
            {
                "proxy": name,
                "Spearman": found,
                "Kendall": sign * ours[name].corr(accuracy, method="kendall"),
                "published scores": sign * rank_correlation(theirs[name], accuracy) if name in theirs else np.nan,
                "on all": everywhere,
                "published": published,
                "within": "" if np.isnan(published) else "yes" if within else "no",
                "source": source,
                "two seeds of ours": rank_correlation(ours[name][: len(again)], again[name]),
                "scored": int(ours[name].notna().sum()),
                "seconds": np.nan if isinstance(proxy, Aggregate) else ours.attrs["seconds_of"][name],
            }
        )
    return pd.DataFrame(rows)


def rank_correlation(a: pd.Series[float], b: pd.Series[float]) -> float:
    return float(a.corr(b, method="spearman"))


def report(args: argparse.Namespace, n_listed: int, ours: pd.DataFrame, *tables: pd.DataFrame) -> str:
    ranks, accuracy = (markdown(table) for table in tables)
    info = ours.attrs["info"]
    failures = pd.DataFrame(ours.attrs["failures"], columns=["row", "proxy", "reason"])
    reasons = failures.groupby(["proxy", "reason"]).size().rename("architectures").reset_index()
    return f"""# Zero-cost proxies beside the published ones

Made by `python benchmarks/proxies_published.py --n {args.n} --again {args.again} --batch-size {args.batch_size} --seed
{args.seed}` with surronas {info["surronas"]} and torch {torch.__version__}: {len(ours)} random architectures of the
{n_listed:,} of NAS-Bench-201 for which scores are published. The batch: {info["batch"]["shape"][0]}
{info["batch"]["source"]}; weights as torch initialises them.

## Our scores and the published ones

Rank correlations with NAS-Bench-Suite-Zero's scores, which NASLib made on other batches of CIFAR-10 and other draws of
weights. `flops` is no proxy but what `space.cost` counts by NASLib's rule; `madds`, which is, leaves out what
normalisation, activation and pooling add. No two scores agree better than their draws let them: "two seeds of ours" is
the correlation of our scores with our own from another batch and other weights, on the first {args.again}
architectures; "two published ones" that of published scores with published scores, between architectures that are the
same network and which NASLib scored each by itself.

{ranks}

`plain`: a batch norm makes the loss blind to how long the weights before it are, so that their products with the
gradient sum to nought; what is left is the classifier's, of either sign, and a matter of the draw, for those who
published it as for us.

## Our scores and CIFAR-10 accuracy

Rank correlations with validation accuracy, signed so that positive is as it should be. "published scores": Spearman's
correlation of the scores that are published for these {len(ours)} architectures; "on all": of ours on all {n_listed:,},
where that is cheap; "published": the figure that its source gives for all of the space, Spearman's too. It is to be met
within .05 by what neither weights nor images decide ({", ".join(sorted(DETERMINISTIC))}), within .10 by others, on all
architectures where there is such a figure. Where it is not met, but "published scores" is like ours, the source's is
of other architectures or accuracies. Seconds are of one thread, an architecture; a pass that several share is on the
account of the first that asks for it; {ours.attrs["seconds"]:.1f} in all.

{accuracy}

## What has no score

{markdown(reasons) if len(reasons) else "Nothing."}
"""


if __name__ == "__main__":
    main()
