"""Ten labels and other tasks: latency on a new device, accuracy on a new data set.

    python benchmarks/transfer.py help       HELP's setting: ten samples of two devices each, 900 of nine others
    python benchmarks/transfer.py devices    the same of eleven devices in turn, the ten others as sources
    python benchmarks/transfer.py datasets   NAS-Bench-MR and TransNAS-Bench-101 micro, the other tasks as sources
    python benchmarks/transfer.py lookup     sums of block latencies beside those of whole networks, on this machine

Devices are those of NAS-Bench-201 that HELP (Lee et al., 2021) publishes. Source devices have the same 900 random
cells, whatever the seed; the target's ten are drawn from the others. Tested are all cells but these ten: Spearman's
rho, and what `satisfies(..., confidence=0.9)` accepts at the limits that 10, 25, 50, 75 and 90 % of the cells keep. Of
data sets one row an isomorphism class takes part: Kendall's tau, beside that of the same call without a source.

The priors of the predictor `transfer`, and which candidates there are and how they are weighed, were chosen on the
tasks called choosing: the nine devices that are sources in HELP's setting, each played in turn by the eight others;
cls_50_1000, seg and video of NAS-Bench-MR; jigsaw, room_layout and class_object of TransNAS-Bench-101. The other
tasks are reporting. That source tasks are smoothed was decided by a table that showed the other data sets too. The
two devices of HELP's setting had been measured once (.9824, .9926) before the last decisions, which the choosing
tasks took: counts of operations in the models of tasks, `transfer` with and without the other features, a penalty
worth fifty rows.

What is finished is in a journal: whatever ends it, the same command goes on.
"""

from __future__ import annotations

import argparse
import time
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import print as show
from scipy.stats import spearmanr

import surronas as sn
from surronas.journal import Journal
from surronas.transfer import SourceTasks, measure_blocks, measure_latency, suggest_reference_architectures

REPORTING = ("latency_gold_6226_ms", "latency_titan_rtx_256_ms")
SETTINGS = ("cls_50_1000_top1", "cls_50_100_top1", "cls_10_1000_top1", "seg_mIoU", "video_top1")
CHOOSING = {
    *("cls_50_1000_top1", "seg_mIoU", "video_top1"),
    *("jigsaw_val_accuracy", "room_layout_val_loss", "class_object_val_accuracy"),
}
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
N_SOURCE, N_TRIED = 900, 3000  # cells of a source device; cells that satisfies() is asked about

table = cache(sn.load_benchmark)


def devices() -> list[str]:
    cells = table("nasbench201")
    return [name for name in cells.targets if cells.target(str(name)).kind == "latency"]


def tasks_of(name: str) -> list[str]:
    """The targets that are tasks of their own: of NAS-Bench-MR one metric a setting."""
    targets = list(table(name).targets)
    return [target for target in targets if target in SETTINGS or name == "transnasbench101"]


def keys(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What is to be measured, a cell each."""
    seeds = range(args.repeats)
    if args.what == "datasets":
        pairs = [(name, target) for name in ("nasbench_mr", "transnasbench101") for target in tasks_of(name)]
        return [
            {"table": name, "target": target, "seed": seed, "method": method}
            for (name, target), seed, method in product(pairs, seeds, ("transfer", "none"))
        ]
    targets = REPORTING if args.what == "help" else devices()
    return [{"target": t, "seed": s, "choose": how} for t, s, how in product(targets, seeds, args.choose)]


def of_device(key: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    cells, target, seed = table("nasbench201"), key["target"], key["seed"]
    shuffled = np.random.RandomState(0).permutation(len(cells))
    known, others = shuffled[:N_SOURCE], shuffled[N_SOURCE:]
    left_out = REPORTING if args.what == "help" else (target,)
    source = {name: (cells.archs[known], cells.targets[name].iloc[known]) for name in devices() if name not in left_out}
    if key["choose"] == "random":
        train = np.random.RandomState(seed).permutation(others)[: args.k]
    else:
        place = pd.Series(np.arange(len(cells)), index=cells.space.rank(cells.archs))
        train = place[cells.space.rank(suggest_reference_architectures(cells.space, args.k, seed))].to_numpy()
    test = np.setdiff1d(np.arange(len(cells)), train)
    y, truth = cells.targets[target].iloc[train], cells.targets[target].iloc[test].to_numpy()
    began = time.process_time()
    model = sn.fit_predictor(cells.archs[train], y, space=cells.space, source=source, random_state=seed)
    seconds = time.process_time() - began
    rho = float(spearmanr(model.predict(cells.archs[test]), truth).statistic)
    asked = np.random.RandomState(seed).permutation(len(test))[:N_TRIED]
    accepted, broken = [], []
    for limit in np.quantile(truth, QUANTILES):
        good = model.satisfies(cells.archs[test[asked]], max=float(limit), confidence=0.9)
        accepted.append(int(good.sum()))
        broken.append(int((truth[asked][good] > limit).sum()))
    return {"score": rho, "seconds": seconds, "transfer": share(model), "accepted": accepted, "broken": broken}


@cache
def other_tasks(name: str, target: str) -> SourceTasks:
    """The table's other tasks; of NAS-Bench-MR, whose settings have several metrics each, one of each."""
    one = table(name)
    mapping = {task: (one.archs, one.targets[task]) for task in tasks_of(name) if task != target}
    return SourceTasks(mapping if name == "nasbench_mr" else one, one.space, target)


def of_dataset(key: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    one, target, seed = table(key["table"]), key["target"], key["seed"]
    train, test = one.split(args.k, seed, target=target)
    y = one.targets[target]
    source = other_tasks(key["table"], target) if key["method"] == "transfer" else None
    began = time.process_time()
    model = sn.fit_predictor(one.archs[train], y.iloc[train], space=one.space, source=source, random_state=seed)
    seconds = time.process_time() - began
    tau = float(sn.metrics.kendall_tau(y.iloc[test].to_numpy(), model.predict(one.archs[test])))
    return {"score": tau, "seconds": seconds, "transfer": share(model)}


def share(model: sn.Surrogate) -> float:
    """The weight of candidates that learn from other tasks."""
    record = model.selection_
    return float(record.loc[["prior" in name.split("+") for name in record["encoder"]], "weight"].sum())


def report_devices(frame: pd.DataFrame) -> None:
    for how, its in frame.groupby("choose"):
        scores = its.groupby("target", sort=False)["score"].agg(["mean", "std", "min", "count"])
        counts = its.groupby("target", sort=False)[["accepted", "broken"]].agg(lambda lists: sum(map(np.array, lists)))
        scores["% broken"] = 100 * counts["broken"].map(sum) / counts["accepted"].map(sum)
        scores[["transfer", "seconds"]] = its.groupby("target", sort=False)[["transfer", "seconds"]].mean()
        show(f"[bold]ten cells: {how}[/bold]\n{scores.round(4).to_string()}")
        accepted, broken = (np.sum(counts[name].tolist(), axis=0) for name in ("accepted", "broken"))
        by_limit = ", ".join(f"{100 * b / a:.1f} at {q}" for q, a, b in zip(QUANTILES, accepted, broken, strict=True))
        show(f"mean Spearman {scores['mean'].mean():.4f}; of those accepted break the limit, in %: {by_limit}")


def report_datasets(frame: pd.DataFrame) -> None:
    wide = frame.pivot_table(index=["table", "target", "seed"], columns="method", values="score")
    gain = (wide["transfer"] - wide["none"]).groupby(["table", "target"], sort=False)
    rows = wide.groupby(["table", "target"], sort=False).mean()
    rows[["gain", "its std", "seeds"]] = gain.agg(["mean", "std", "count"])
    rows["half"] = ["choosing" if target in CHOOSING else "reporting" for _, target in rows.index]
    shares = frame[frame["method"] == "transfer"].groupby(["table", "target"], sort=False)["transfer"].mean()
    show(rows.assign(weight=shares).round(3).to_string())
    show(rows.groupby(["table", "half"])[["none", "transfer", "gain"]].mean().round(3).to_string())
    show(rows.groupby("table")[["none", "transfer", "gain"]].mean().round(3).to_string())


def look_up() -> None:
    """What blocks take together, and the network whole: each measured with nothing else running."""
    for name in ("nasbench201", "mbconv"):
        space = sn.get_space(name)
        archs = space.canonical(space.sample(30, random_state=3))
        prices = measure_blocks(space, archs)
        whole = measure_latency([space.build(arch) for arch in archs], (1,))["latency_ms"].to_numpy()
        share = prices.latency(archs) / whole
        rho = spearmanr(share * whole, whole).statistic
        shares = f"{np.median(share):.2f} of the whole ({share.min():.2f} to {share.max():.2f})"
        show(
            f"{name}: 30 networks of {whole.min():.2f} to {whole.max():.2f} ms, {len(prices)} blocks: "
            f"Spearman {rho:.3f}; the sum is {shares}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("help", "devices", "datasets", "lookup"))
    parser.add_argument("--repeats", type=int, default=10, help="seeds")
    parser.add_argument("--k", type=int, default=10, help="labels of the target")
    parser.add_argument("--choose", nargs="+", default=["random"], choices=("random", "suggested"), help="which cells")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"), help="folder of journals")
    args = parser.parse_args()
    if args.what == "lookup":
        look_up()
        return
    journal = Journal(args.out / f"{args.what}.jsonl", {"what": args.what, "k": args.k})
    names = ("table", "target", "seed", "method", "choose")
    done = [{name: cell[name] for name in names if name in cell} for cell in journal.cells]
    for key in keys(args):
        if key not in done:
            journal.append({**key, **(of_dataset if args.what == "datasets" else of_device)(key, args)})
    frame = pd.DataFrame([cell for cell in journal.cells if cell["seed"] < args.repeats])
    (report_datasets if args.what == "datasets" else report_devices)(frame)


if __name__ == "__main__":
    main()
