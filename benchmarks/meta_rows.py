"""What the meta performance predictor learns of MetaD2A's published rows, with a task's classes in place of its images.

A row is a cell of NAS-Bench-201, 20 of 600 ImageNet classes, and the accuracy of one on the other. Their images are
not published, so an image of a class is the class's number, one-hot: the set encoder learns a vector of each class and
pools them as it does prototypes; graph encoder and predictor are the package's. The loss is the squared error of the
accuracy, as in the paper, since most tasks have a single row. The file's second part, the last tenth, is on another
scale: it is not learnt, only predicted.

For each seed a fifth of the tasks is held out whole ("new tasks"), and one row of each other task that has several
("other cells": no learnt row of the task has that cell). A tenth of the tasks stops the fitting early. The networks'
width and the number of steps were chosen by that tenth, of a seed that is not reported.

- task's rows: the mean of the task's own learnt rows; known for other cells only.
- classes: the task mean that can be known without a row of the task, ridge regression on which classes it has.
- architecture: ridge regression on graph features.
- graph encoder: the meta predictor with all tasks alike.
- both: one ridge regression on classes and graph features.
- meta predictor: graph encoder beside the set encoder of the classes.

Correlations are over all rows of a group; among tasks, of the means of their rows; within tasks, Kendall's tau over
all pairs of rows of one task: what no mean of the task can know.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pages import markdown
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import surronas as sn
from surronas.benchmark.metrics import kendall_tau, spearman
from surronas.journal import Journal
from surronas.meta import MetaPredictor, MetaRecipe
from surronas.meta.fitting import Fitting
from surronas.meta.graphs import graph_code
from surronas.meta.set_encoder import Sets

N_CLASSES = 600
PART = "val_accuracy_second_part"
GROUPS = ("new tasks", "other cells", "new tasks, second part")


def load() -> pd.DataFrame:
    """The rows of the table, an architecture once a task and part."""
    table = sn.load_benchmark("metad2a")
    frame = table.targets[["val_accuracy", PART]].assign(task=table.context["task"].to_numpy())
    frame["row"], frame["cell"] = np.arange(len(frame)), table.space.key(table.archs)
    frame["first"] = frame["val_accuracy"].notna()
    frame["accuracy"] = frame["val_accuracy"].fillna(frame[PART])
    return frame.drop_duplicates(["first", "task", "cell"]).set_index("row")


def split(frame: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    """Numbers of rows: learnt, for early stopping, and the groups that are tested on."""
    rng = np.random.RandomState(seed)
    first = frame[frame["first"]]
    tasks = rng.permutation(first["task"].unique())
    new, stopping, _ = np.split(tasks, [len(tasks) // 5, len(tasks) // 5 + len(tasks) // 10])
    rest = first[~first["task"].isin([*new, *stopping])]
    rest = rest.iloc[rng.permutation(len(rest))]
    others = rest[rest.duplicated("task", keep=False)].drop_duplicates("task")
    learnt = rest.drop(others.index)
    second = frame[~frame["first"] & ~frame["task"].isin([*learnt["task"], *stopping])]
    return {
        "learnt": learnt.index.to_numpy(),
        "stopping": first.index[first["task"].isin(stopping)].to_numpy(),
        "new tasks": first.index[first["task"].isin(new)].to_numpy(),
        "other cells": others.index.to_numpy(),
        "new tasks, second part": second.index.to_numpy(),
    }


def ridge(features: np.ndarray, frame: pd.DataFrame, learnt: np.ndarray) -> tuple[np.ndarray, float]:
    """Predictions of all rows, and the score of leaving one learnt row out, by which the penalty is chosen."""
    rows = frame.index.get_indexer(learnt)
    model = RidgeCV(np.logspace(-2, 5, 29)).fit(features[rows], frame["accuracy"].to_numpy()[rows])
    return model.predict(features), model.best_score_


def baselines(frame: pd.DataFrame, learnt: np.ndarray, cells: np.ndarray, classes: np.ndarray) -> pd.DataFrame:
    """Accuracy of all rows, a column a baseline."""
    has_class = np.eye(N_CLASSES)[classes].sum(axis=1)
    graph_features = sn.get_encoder("graph_features", space=sn.get_space("nasbench201")).fit_transform(cells)
    features = StandardScaler().fit(graph_features[frame.index.get_indexer(learnt)]).transform(graph_features)
    both = (ridge(np.hstack([features, scale * has_class]), frame, learnt) for scale in (1, 3, 10, 30))
    return pd.DataFrame(
        {
            "task's rows": frame["task"].map(frame.loc[learnt].groupby("task")["accuracy"].mean()),
            "classes": ridge(has_class, frame, learnt)[0],
            "architecture": ridge(features, frame, learnt)[0],
            "both": max(both, key=lambda found: found[1])[0],
        },
        index=frame.index,
    )


def fit_predictor(
    frame: pd.DataFrame, rows: dict[str, np.ndarray], cells: np.ndarray, classes: np.ndarray, recipe: MetaRecipe
) -> pd.Series:
    """Accuracy of all rows, by the meta performance predictor; ``classes`` (n, c) are those of each row's task."""
    code = graph_code(sn.get_space("nasbench201"))
    graphs, accuracy = code.write(cells), torch.from_numpy(frame["accuracy"].to_numpy(np.float32))
    torch.manual_seed(recipe.seed)
    model = MetaPredictor(code.n_types, code.n_vertices, N_CLASSES, recipe.hidden)
    learnt, stopping = (frame.index.get_indexer(rows[part]) for part in ("learnt", "stopping"))
    model.location.fill_(accuracy[learnt].mean())
    model.scale.fill_(accuracy[learnt].std())

    def predict(places: np.ndarray) -> Tensor:
        pairs = torch.arange(len(places))
        features = torch.eye(N_CLASSES)[classes[places]][:, :, None]
        sets = Sets(features, torch.ones(features.shape[:3], dtype=torch.bool))
        scores, levels = model(graphs.rows(torch.from_numpy(places)), sets, pairs, pairs)
        return model.location + model.scale * levels[:, 0] + levels[:, 1].exp() * scores

    def loss(step: int) -> Tensor:
        places = np.random.RandomState([recipe.seed, step]).choice(learnt, recipe.graphs, replace=False)
        return ((predict(places) - accuracy[places]) / model.scale).square().mean()

    def score() -> float:
        return spearman(accuracy[stopping], predict(stopping))

    Fitting(model, loss, score, recipe.predictor_steps, recipe.predictor_learning_rate, recipe).run(None, {})
    with torch.no_grad():
        parts = [predict(part) for part in np.array_split(np.arange(len(frame)), 20)]
    return pd.Series(torch.cat(parts).numpy().astype(float), index=frame.index)


def correlations(frame: pd.DataFrame, predicted: pd.Series, rows: np.ndarray) -> dict[str, float]:
    """Over all rows, among the tasks' means, within tasks; empty where there is nothing to compare."""
    tested = pd.DataFrame({"y": frame["accuracy"], "p": predicted, "task": frame["task"]}).loc[rows]
    found = {"spearman": spearman(tested["y"], tested["p"]), "kendall": kendall_tau(tested["y"], tested["p"])}
    means = tested.groupby("task").mean()
    pairs = tested.merge(tested, on="task", suffixes=("", "_other"))
    order = np.sign((pairs["y"] - pairs["y_other"]) * (pairs["p"] - pairs["p_other"]))[pairs["y"] > pairs["y_other"]]
    if len(means) < len(tested):
        found |= {"among tasks": spearman(means["y"], means["p"]), "within tasks": order.mean(), "pairs": len(order)}
    return {name: float(value) for name, value in found.items()}


def measure(seed: int, recipe: MetaRecipe) -> dict[str, Any]:
    """A cell of the journal: a line a method and group."""
    table, frame = sn.load_benchmark("metad2a"), load()
    cells = table.space.canonical(table.archs[frame.index])
    classes = np.array(table.context["classes"].tolist())[frame.index] - 1
    rows = split(frame, seed)
    recipe = replace(recipe, seed=seed)
    predicted = baselines(frame, rows["learnt"], cells, classes)
    predicted["graph encoder"] = fit_predictor(frame, rows, cells, np.zeros_like(classes[:, :1]), recipe)
    predicted["meta predictor"] = fit_predictor(frame, rows, cells, classes, recipe)
    lines = [
        {
            "group": group,
            "rows": len(rows[group]),
            "method": method,
            **correlations(frame, predicted[method], rows[group]),
        }
        for group in GROUPS
        for method in predicted
        if predicted.loc[rows[group], method].notna().all()
    ]
    of_learnt, of_new = (set(classes[frame.index.get_indexer(rows[part])].ravel()) for part in ("learnt", "new tasks"))
    return {"seed": seed, "learnt": len(rows["learnt"]), "new classes": len(of_new - of_learnt), "lines": lines}


def summary(cells: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over seeds and standard deviations, a row a group and method."""
    lines = pd.DataFrame([line for cell in cells for line in cell["lines"]])
    groups = lines.groupby(["group", "method"], sort=False)
    mean, deviation = groups.mean(), groups.std()
    said = mean.map("{:.3f}".format) + " ± " + deviation.map("{:.3f}".format)
    said = said.where(mean.notna(), "").drop(columns=["rows", "pairs"])
    for column in ("rows", "pairs"):
        said[column] = [str(round(value)) if value == value else "" for value in mean[column]]
    return said.reset_index()


def page(args: argparse.Namespace, cells: list[dict[str, Any]], table: pd.DataFrame) -> str:
    title, rest = __doc__.split("\n\n", 1)
    command = f"--seeds {args.seeds} --steps {args.steps} --hidden {args.hidden}"
    learnt, unseen = np.mean([cell["learnt"] for cell in cells]), max(cell["new classes"] for cell in cells)
    return "\n".join(
        [
            "# MetaD2A's published rows",
            "",
            f"Made by `python benchmarks/meta_rows.py {command}`. {title}",
            "",
            rest.strip(),
            "",
            f"Mean ± standard deviation over {len(cells)} seeds, of {learnt:.0f} learnt rows each.",
            f"Classes of new tasks that no learnt task has: at most {unseen} of {N_CLASSES}.",
            "",
            markdown(table),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="of the predictor, at most (%(default)s)")
    parser.add_argument("--hidden", type=int, default=64, help="width of the networks (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/meta_rows"), help="folder of the journal")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write")
    args = parser.parse_args()
    recipe = MetaRecipe(predictor_steps=args.steps, hidden=args.hidden, patience=6)
    journal = Journal(args.out / "journal.jsonl", asdict(recipe))
    done = {cell["seed"] for cell in journal.cells}
    for seed in sorted(set(range(args.seeds)) - done):
        journal.append(measure(seed, recipe))
    cells = [cell for cell in journal.cells if cell["seed"] < args.seeds]
    table = summary(cells)
    print(table.to_string(index=False))
    if args.write:
        args.write.write_text(page(args, cells, table), encoding="utf-8")


if __name__ == "__main__":
    main()
