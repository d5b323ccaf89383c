"""What MetaD2A is worth on data sets whose classes meta-training never saw.

Tasks: `--tasks` draws each of kept-out CIFAR-10 classes, kept-out Fashion-MNIST classes, digits and sign digits.
These pools are for this measurement alone; nothing may be chosen by it. Seeds 0 to 2 were looked at once, before the
meta-database had zoomed, black and white and edge views. Accuracies are the supernet's with a closed-form head,
recalibrated on the task's own training images. What is reported is of test images, what is chosen is chosen by
validation images. Everything that looks at images does so with `--draws` draws of them.

1. Generator: valid and different of 500; held-out architectures reconstructed (`meta_generator.py` has nasbench201).
   Whether proposals depend on the data set: gene frequencies of the proposals of each data set and draw; the mean
   distance between data sets less that within them, against 2,000 permutations of the labels.
2. Predictor: Spearman with test accuracy over random architectures, no label of the task; beside multiply-adds, the
   mean of the meta-training tasks, the nearest of them, and a surrogate that learns from the probes alone: how well the
   subnets that give the images' features tell the training images, each left out in turn. Then Kendall's tau with ten
   labels, with and without.
3. Proposals within a budget: the first, and the best of ten by validation, beside the best of 30 and of 100 random.
5. Seconds of a proposal.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from meta_generator import three_figures
from scipy.stats import kendalltau, spearmanr

import surronas as sn
from surronas.journal import Journal
from surronas.meta import MetaD2A, MetaDatabase, draw_task, image_features, nearest_tasks
from surronas.meta.features import N_KEPT, probes
from surronas.meta.tasks import Task
from surronas.spaces.base import IntArray
from surronas.supernet import SupernetEvaluator

POOLS = ("cifar10", "fashion_mnist", "digits", "sign_digits")
TARGETS = ("val_accuracy", "test_accuracy")
BUDGET = 25e6
N_RANDOM, N_CHEAP, N_PROPOSED, N_LABELS = 60, 100, 10, 10


def measure_task(model: MetaD2A, database: MetaDatabase, task: Task, seeds: range, n_jobs: int) -> dict[str, Any]:
    """All that is measured on one task, JSON-able. No two tasks share a seed: a seed alone makes proposals alike."""
    images, space = task.images(), model.space
    evaluator = SupernetEvaluator(model.supernet, images, targets=TARGETS, head="ridge", n_jobs=n_jobs)
    random = space.canonical(space.sample(N_RANDOM, random_state=task.seed))
    cheap = space.canonical(space.sample(20 * N_CHEAP, random_state=task.seed + 1))
    cheap = cheap[space.cost(cheap)["madds"].to_numpy() <= BUDGET][:N_CHEAP]
    proposals, seconds, predicted = [], [], []
    for seed in seeds:
        began = time.perf_counter()
        frame = model.propose(images, N_PROPOSED, max_madds=BUDGET, random_state=seed)
        seconds.append(time.perf_counter() - began)
        proposals.append(space.parse(frame["arch"].tolist()))
        predicted.append(model.predict(random, model.look(images, random_state=seed))["score"].tolist())
    values = evaluator.evaluate(np.concatenate([random, cheap, *proposals]))
    of_random, of_cheap, of_proposed = np.split(values.to_numpy(), [len(random), len(random) + len(cheap)])
    return {
        "name": task.name,
        "n_classes": task.n_classes,
        "random": random.tolist(),
        "random_values": of_random.tolist(),
        "cheap_values": of_cheap.tolist(),
        "proposals": [of_draw.tolist() for of_draw in proposals],
        "proposed_values": of_proposed.tolist(),
        "predicted": predicted,
        "baselines": baselines(model, database, images, random),
        "few_labels": few_labels(model, images, random, of_random[:, 0], of_random[:, 1]),
        "seconds": seconds,
    }


def baselines(model: MetaD2A, database: MetaDatabase, images: Any, archs: IntArray) -> dict[str, list[float]]:
    """Scores of architectures without a label of the task and without the meta predictor."""
    space, frame = model.space, database.frame
    by_task = frame.groupby("task")["val_accuracy"]
    z = ((frame["val_accuracy"] - by_task.transform("mean")) / by_task.transform("std").clip(lower=1e-3)).to_numpy()
    known = np.isfinite(z)
    _, rows, group = np.unique(space.key(database.X[known]), return_index=True, return_inverse=True)
    mean = np.bincount(group.reshape(-1), z[known]) / np.bincount(group.reshape(-1))
    view = "ordinal+one_hot+cost"
    of_all = sn.fit_predictor(
        database.X[known][rows], mean, space=space, encoder=view, predictor=["linear", "xgboost"], random_state=0
    )
    nearest = nearest_tasks(model, database, images, 1)["task"][0]
    own = known & (frame["task"] == nearest).to_numpy()
    of_nearest = sn.fit_predictor(database.X[own], z[own], space=space, random_state=0)
    tried = probes(model.supernet)
    told = np.concatenate(image_features(model.supernet, images, N_KEPT))[:, -len(tried) :].mean(axis=0)
    of_probes = sn.fit_predictor(tried, told, space=space, random_state=0)
    return {
        "multiply-adds": space.cost(archs)["madds"].astype(float).tolist(),
        "mean of meta-training": of_all.predict(archs).tolist(),
        "nearest meta-training task": of_nearest.predict(archs).tolist(),
        "probes alone": of_probes.predict(archs).tolist(),
    }


def few_labels(
    model: MetaD2A, images: Any, archs: IntArray, validation: Any, test: Any, repeats: int = 3
) -> dict[str, list[float]]:
    """Kendall's tau on the rest, from the validation accuracies of ten architectures."""
    found: dict[str, list[float]] = {"with the source": [], "without": []}
    for repeat in range(repeats):
        order = np.random.RandomState(repeat).permutation(len(archs))
        few, rest = order[:N_LABELS], order[N_LABELS:]
        for name, options in (("with the source", {"source": model, "images": images}), ("without", {})):
            fitted = sn.fit_predictor(archs[few], validation[few], space=model.space, random_state=repeat, **options)
            found[name].append(float(kendalltau(fitted.predict(archs[rest]), test[rest]).statistic))
    return found


def report_tasks(cells: list[dict[str, Any]]) -> None:
    """Points 2, 3 and 5."""
    ranks, tops, labels = [], [], []
    for cell in cells:
        test = np.array(cell["random_values"])[:, 1]
        found = {name: spearmanr(scores, test).statistic for name, scores in cell["baselines"].items()}
        found["meta predictor"] = np.mean([spearmanr(scores, test).statistic for scores in cell["predicted"]])
        found["validation accuracy"] = spearmanr(np.array(cell["random_values"])[:, 0], test).statistic
        ranks.append({"task": cell["name"], **found})
        labels.append({name: np.mean(taus) for name, taus in cell["few_labels"].items()})
        cheap = np.array(cell["cheap_values"])
        proposed = np.array(cell["proposed_values"])
        ends = np.cumsum([len(of_draw) for of_draw in cell["proposals"]])[:-1]
        by_draw = np.split(proposed, ends)
        tops.append(
            {
                "task": cell["name"],
                "first": np.mean([values[0, 1] for values in by_draw]),
                "best of ten": np.mean([best(values) for values in by_draw]),
                "best of 30 random": np.mean([best(cheap[start : start + 30]) for start in (0, 30, 60)]),
                "best of 100 random": best(cheap),
                "random": cheap[:, 1].mean(),
            }
        )
    for title, rows in (("Spearman with test accuracy, no label", ranks), ("Test accuracy within the budget", tops)):
        frame = pd.DataFrame(rows).set_index("task")
        print(f"\n{title}\n{frame.round(3).to_string()}\nmean\n{frame.mean().round(3).to_string()}")
        print(f"worst\n{frame.min().round(3).to_string()}")
    print(f"\nKendall's tau with {N_LABELS} labels\n{pd.DataFrame(labels).mean().round(3).to_string()}")
    seconds = np.concatenate([cell["seconds"] for cell in cells])
    print(f"\nseconds of a proposal: median {np.median(seconds):.1f}, greatest {seconds.max():.1f}")


def best(values: Any) -> float:
    """Test accuracy of the one with the best validation accuracy."""
    return float(values[np.nanargmax(values[:, 0]), 1])


def differ(cells: list[dict[str, Any]], model: MetaD2A) -> None:
    """Whether proposals of different data sets differ more than those of draws from one."""
    n_choices = max(model.space.n_choices)
    points, owner = [], []
    for number, cell in enumerate(cells):
        for archs in cell["proposals"]:
            points.append((np.array(archs)[:, :, None] == np.arange(n_choices)).mean(axis=0).ravel())
            owner.append(number)
    distances = np.linalg.norm(np.array(points)[:, None] - np.array(points)[None], axis=2)
    apart = ~np.eye(len(points), dtype=bool)

    def statistic(labels: Any) -> float:
        same = labels[:, None] == labels[None]
        return float(distances[~same].mean() - distances[same & apart].mean())

    rng = np.random.RandomState(0)
    observed = statistic(np.array(owner))
    chance = [statistic(rng.permutation(owner)) for _ in range(2000)]
    p = (1 + sum(value >= observed for value in chance)) / 2001
    print(f"proposals of different data sets less those of one: {observed:.3f} apart, p = {p:.4f}")


def report_generator(model: MetaD2A, images: Any) -> None:
    """Point 1 on the model's own space, for one data set."""
    held_out = model.space.canonical(model.space.sample(500, random_state=987_654))
    found = three_figures(model.generator, model.code, model.vectors(model.look(images)), held_out)
    print(f"{model.space.name}: " + ", ".join(f"{name} {share:.1%}" for name, share in found.items()))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mbconv", help="(%(default)s)")
    parser.add_argument("--database", default="mbconv", help="that the model was trained on (%(default)s)")
    parser.add_argument("--tasks", type=int, default=3, help="of each pool (%(default)s)")
    parser.add_argument("--first", type=int, default=3, help="of their seeds (%(default)s)")
    parser.add_argument("--draws", type=int, default=5, help="of images (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--out", type=Path, default=Path("runs/meta_tasks"))
    args = parser.parse_args(argv)
    model, database = MetaD2A.load(args.model), MetaDatabase.load(args.database)
    header = {"model": model.card, "draws": args.draws, "budget": BUDGET}
    journal = Journal(args.out / "journal.jsonl", header)
    done = {(cell["pool"], cell["seed"]) for cell in journal.cells}
    for pool in POOLS:
        for seed in range(args.first, args.first + args.tasks):
            if (pool, seed) in done:
                continue
            task = draw_task(seed, pool, n_train=1000, n_validation=1500, n_test=2000)
            first = args.draws * len(journal.cells)
            measured = measure_task(model, database, task, range(first, first + args.draws), args.jobs)
            journal.append({"pool": pool, "seed": seed, **measured})
            print(f"{pool}: {task.name}")
    report_generator(model, draw_task(0, "digits").images())
    differ(journal.cells, model)
    report_tasks(journal.cells)


if __name__ == "__main__":
    main()
