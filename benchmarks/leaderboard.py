"""`auto`, its candidates and published peers on every table that can be loaded: one leaderboard across spaces.

Train on n = 32, 128 and 256 random architectures, test on the rest; one row an isomorphism class (protocol `unique`).
Of tables above 5,000 rows a random 5,000 take part, the same for everyone. The regret of an entrant is the mean Kendall
tau of the case's best candidate, known only afterwards, minus its own. Peers: features as GRAF publishes them with a
random forest, and with one-hot in XGBoost; MSuNAS's switching in ten folds, its CART of 500 trees in place of 5,000;
one-hot with XGBoost and with a GP. Defaults were chosen on the cases marked "choosing"; promises are read off
"reporting".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pages import markdown
from peers import PEERS, measure_switching
from rich import print as show
from scipy.stats import wilcoxon

import surronas as sn
from surronas.selection import resolve_candidates

MOST_ROWS = 5000
SIZES = (32, 128, 256)

# (table, data set, target): the half it belongs to.
CASES = {
    **{("nasbench201", d, "val_accuracy"): "choosing" for d in ("cifar10", "cifar100", "ImageNet16-120")},
    ("nasbench201", "cifar10", "latency_pixel3_ms"): "choosing",
    ("nasbench201", "cifar10", "latency_gold_6226_ms"): "reporting",
    ("analog_nasbench", None, "baseline_accuracy"): "reporting",
    ("analog_nasbench", None, "analog_accuracy"): "reporting",
    **{("nasbench_graph", d, "val_accuracy"): "choosing" for d in ("pubmed", "computers", "citeseer", "cs")},
    **{("nasbench_graph", d, "val_accuracy"): "reporting" for d in ("cora", "photo", "arxiv", "physics", "proteins")},
    ("nasbench_macro", None, "test_accuracy"): "choosing",
    ("nasbench_mr", None, "cls_50_1000_top1"): "choosing",
    ("nasbench_mr", None, "cls_50_100_top1"): "reporting",
    ("nasbench_mr", None, "cls_10_1000_top1"): "reporting",
    ("nasbench_mr", None, "seg_mIoU"): "choosing",
    ("nasbench_mr", None, "video_top1"): "choosing",
    ("ofa_mbv3", None, "val_accuracy"): "reporting",
    **{("mbconv_cifar10", "cifar10", t): "reporting" for t in ("val_accuracy", "latency_ms", "latency_64_ms")},
    ("nasbench101", None, "val_accuracy"): "reporting",
    ("nasbench301", None, "val_accuracy"): "choosing",
    ("metad2a", None, "val_accuracy"): "reporting",
    ("transnasbench101", None, "class_object_val_accuracy"): "choosing",
    ("transnasbench101", None, "room_layout_val_loss"): "choosing",
    ("transnasbench101", None, "jigsaw_val_accuracy"): "choosing",
    ("transnasbench101", None, "class_scene_val_accuracy"): "reporting",
    ("transnasbench101", None, "segmentsemantic_val_accuracy"): "reporting",
    ("transnasbench101", None, "normal_val_ssim"): "reporting",
    ("transnasbench101", None, "autoencoder_val_ssim"): "reporting",
}


LOOKS = {  # the later above the earlier
    "peer": 'r="4" fill="#ea8a1f" fill-opacity=".6"',
    "candidate": 'r="4" fill="#999" fill-opacity=".6"',
    "auto": 'r="5" fill="#1763b6"',
}


def run_case(name: str, dataset: str | None, target: str, repeats: int, out: Path, jobs: int) -> pd.DataFrame:
    """One row for each entrant and size: mean and standard deviation of tau, coverage of all and of the top."""
    table = sn.load_benchmark(name, dataset=dataset)
    if len(table) > MOST_ROWS:
        table = table.subset(np.sort(np.random.RandomState(0).permutation(len(table))[:MOST_ROWS]))
    singles = [candidate.name for candidate in resolve_candidates("auto", "auto", table.space)]
    folder = out / "_".join(filter(None, (name, dataset, target)))
    report = sn.evaluate(
        list(dict.fromkeys(["auto", *singles, *PEERS])),
        table,
        target,
        list(SIZES),
        repeats,
        0,
        protocol="unique",
        out=folder,
        n_jobs=jobs,
        progress=True,
    )
    peer = measure_switching(table, target, SIZES, repeats, folder / "switching", jobs)
    scores = pd.concat([report.frame, peer], ignore_index=True).groupby(["n_train", "predictor"])
    frame = scores["kendall_tau"].agg(["mean", "std"])
    frame["coverage"] = scores["coverage_90"].mean()
    frame["of the top"] = scores["top_coverage_90"].mean()
    frame["seconds"] = scores["fit_seconds"].mean()
    frame = frame.reset_index()
    frame["kind"] = np.where(frame["predictor"].isin(singles), "candidate", "peer")
    frame.loc[frame["predictor"] == "auto", "kind"] = "auto"
    best = frame[frame["kind"] == "candidate"].groupby("n_train")["mean"].max()
    frame["regret"] = frame["n_train"].map(best) - frame["mean"]
    frame["rank"] = frame.groupby("n_train")["mean"].rank(ascending=False)
    return frame.assign(case=folder.name, space=table.space.name)


def against_auto(frame: pd.DataFrame) -> pd.DataFrame:
    """In the cases of each other entrant: mean rank of `auto`, by how much it leads, and Holm's p of that."""
    ranks = frame.pivot(index="where", columns="predictor", values="rank").drop(columns="auto")
    of_auto = frame[frame["predictor"] == "auto"].set_index("where")["rank"]
    taus = frame.pivot(index="where", columns="predictor", values="mean")
    leads = -taus.drop(columns="auto").sub(taus["auto"], axis=0)
    p = leads.apply(lambda lead: wilcoxon(lead.dropna()).pvalue).sort_values()
    holm = (p * np.arange(len(p), 0, -1)).cummax().clip(upper=1.0)
    there = ranks.notna().apply(lambda entered: of_auto[entered].mean())
    return pd.DataFrame({"auto's rank there": there, "auto leads by": leads.mean(), "p": holm.map("{:.2g}".format)})


def summary(frame: pd.DataFrame, repeats: int) -> str:
    """The leaderboard, the promises and every case, as Markdown."""
    frame = frame.assign(where=frame["case"] + " " + frame["n_train"].astype(str))
    board = frame.groupby("predictor").agg(
        cases=("where", "size"), mean_rank=("rank", "mean"), mean_regret=("regret", "mean"), worst=("regret", "max"),
        seconds=("seconds", "mean"),
    )  # fmt: skip
    board = board.join(against_auto(frame)).sort_values("mean_rank")
    board = board.rename(columns={"worst": "worst_regret", "seconds": "fit_seconds"})
    auto = frame[frame["predictor"] == "auto"]
    singles = frame[frame["kind"] == "candidate"]
    best = singles.loc[singles.groupby(["case", "n_train"])["mean"].idxmax()]
    best = best.set_index(["case", "n_train"])[["predictor", "mean"]].set_axis(["best candidate", "its tau"], axis=1)
    cases = auto.set_index(["case", "n_train"])[["half", "mean", "std", "coverage", "of the top", "regret"]].join(best)
    cases = cases.rename(columns={"mean": "auto tau"}).reset_index().rename(columns={"n_train": "n"})
    promises = [
        f"- {half}: mean rank of auto {its['rank'].mean():.2f}; "
        f"mean regret {its['regret'].mean():+.4f}, worst {its['regret'].max():+.4f} "
        f"({its['where'][its['regret'].idxmax()]}); coverage of 90 % intervals {its['coverage'].mean():.3f} "
        f"({its['coverage'].min():.3f} to {its['coverage'].max():.3f}), of the predicted top 5 % "
        f"{its['of the top'].mean():.3f} ({its['of the top'].min():.3f} to {its['of the top'].max():.3f}); "
        f"{its['case'].nunique()} tables, {its['space'].nunique()} spaces"
        for half, its in auto.groupby("half")
    ]
    return "\n".join(
        [
            "# Leaderboard",
            "",
            (
                f"Measured with surronas {sn.__version__}, {repeats} seeds, by "
                f"`python benchmarks/leaderboard.py --repeats {repeats}`. {' '.join((__doc__ or '').split())}"
            ),
            "",
            "## Promises (asked for on reporting: mean regret at most 0.01, worst at most 0.06)",
            "",
            *promises,
            "",
            "![How far behind the best candidate everyone is](leaderboard.svg)",
            "",
            "Blue: `auto`; grey: its candidates, each by itself; orange: peers. At the left edge: all farther behind.",
            "",
            "## Means over the cases",
            "",
            (
                "Ranks are among all entrants of a case and size, the lower the better. Candidates differ by space: an "
                "entrant's mean rank is to be held against `auto's rank there`, in the same cases. `auto leads by` and "
                "`p`: mean τ less the entrant's over these, by size, and Wilcoxon's signed-rank test of the "
                "differences, two-sided, after Holm; data sets of one space are not independent. Peers of which a "
                "candidate is the same are candidates here."
            ),
            "",
            markdown(board.reset_index().replace({"predictor": PEERS})),
            "",
            "## Every case",
            "",
            markdown(cases),
            "",
        ]
    )


def picture(frame: pd.DataFrame) -> str:
    """Each case a line: how far behind the best candidate everyone is; grey candidates, orange peers, blue `auto`."""
    low, high, step, left, width, row = -0.25, 0.05, 0.05, 330, 300, 20
    cases = frame.sort_values(["half", "case"], ascending=[False, True])[["half", "case"]].drop_duplicates()
    lines = {
        case: 60 + row * (i + (half == "choosing")) for i, (half, case) in enumerate(cases.itertuples(index=False))
    }
    height, right = max(lines.values()) + 50, left + len(SIZES) * (width + 50) - 20
    parts = [f'<rect width="{right}" height="{height}" fill="#fff"/>']

    def text(x: float, y: float, words: str, anchor: str = "middle", style: str = "") -> None:
        parts.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {style}>{words}</text>')

    for half, its in cases.groupby("half"):
        text(8, min(lines[case] for case in its["case"]) - row + 6, str(half), "start", 'font-weight="bold"')
    for case, y in lines.items():
        text(left - 8, y + 4, case, "end")
    for k, size in enumerate(SIZES):
        x0 = left + k * (width + 50)
        text(x0 + width / 2, 18, f"n = {size}: τ minus that of the best candidate", style='font-weight="bold"')
        for value in np.arange(low, high + step / 2, step):
            x = x0 + width * (value - low) / (high - low)
            colour = "#888" if abs(value) < 1e-9 else "#e4e4e4"
            parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="30" y2="{height - 34}" stroke="{colour}"/>')
            text(x, height - 16, f"{value:.2f}" if abs(value) > 1e-9 else "0")
        for kind, look in LOOKS.items():
            here = frame[(frame["n_train"] == size) & (frame["kind"] == kind)]
            for case, regret in here[["case", "regret"]].itertuples(index=False):
                x = x0 + width * (max(-regret, low) - low) / (high - low)
                parts.append(f'<circle cx="{x:.1f}" cy="{lines[case]}" {look}/>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {height}"'
    return f'{head} font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--half", choices=("choosing", "reporting"))
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/leaderboard"))
    parser.add_argument("--write", type=Path, help="a Markdown file for the result")
    args = parser.parse_args()
    chosen = {
        case: half
        for case, half in CASES.items()
        if args.half in (None, half) and args.only in "_".join(filter(None, case))
    }
    left_out = set(sn.list_benchmarks()) - {name for name, *_ in CASES}
    if left_out:
        parser.error(f"tables that no case has: {', '.join(sorted(left_out))}")
    frames = [run_case(*case, args.repeats, args.out, args.jobs).assign(half=half) for case, half in chosen.items()]
    frame = pd.concat(frames, ignore_index=True)
    text = summary(frame, args.repeats)
    show(text)
    if args.write:
        args.write.write_text(text, encoding="utf-8")
        args.write.with_suffix(".svg").write_text(picture(frame), encoding="utf-8")
