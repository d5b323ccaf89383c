"""How long the main job takes, each step beside a peer in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import gpytorch
import numpy as np
import torch
from peers import fit_switching
from rich.console import Console
from rich.table import Table

import surronas as sn


def seconds(run: Callable[[], Any], repeats: int = 5) -> float:
    """Median wall time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def features_one_by_one(graph: Any) -> list[list[float]]:
    """The same path features by walking every path of every architecture, as published code does."""
    k, v = len(graph.op_names), graph.adjacency.shape[1]
    sets = [set(chosen) for size in range(1, k + 1) for chosen in combinations(range(k), size)]
    rows = []
    for adjacency, ops in zip(graph.adjacency, graph.ops, strict=True):
        ops = np.broadcast_to(ops, (v, v))  # an operation on a node is that of every edge into it
        paths, growing = [], [(0, [])]
        while growing:
            node, spelled = growing.pop()
            if node == v - 1:
                paths.append(spelled)
            growing += [
                (int(j), [*spelled, *ops[node, [j]][ops[node, [j]] >= 0]]) for j in np.flatnonzero(adjacency[node])
            ]
        row: list[float] = []
        for chosen in sets:
            row.append(min((len(path) for path in paths if set(path) <= chosen), default=v))
            row.append(max((sum(op in chosen for op in path) for path in paths), default=-1))
        rows.append(row)
    return rows


class PlainGP(gpytorch.models.ExactGP):  # type: ignore[misc]
    def __init__(self, X: torch.Tensor, y: torch.Tensor, likelihood: Any) -> None:
        super().__init__(X, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=1.5))

    def forward(self, X: torch.Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(X), self.covar_module(X))


def fit_plain_gp(F: np.ndarray, y: np.ndarray, steps: int = 60) -> None:
    """gpytorch's tutorial loop: 60 steps of Adam."""
    X, z = torch.from_numpy(F), torch.from_numpy(y)
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
    model = PlainGP(X, z, likelihood).double()
    loss = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        (-loss(model(X), z)).backward()
        optimiser.step()


def switching() -> tuple[dict[str, float], dict[str, float]]:
    """Seconds and tau of `auto` and of MSuNAS's switching: OFA-MobileNetV3, 340 labels, tested on the others."""
    table = sn.load_benchmark("ofa_mbv3")
    train, test = table.split(n_train=340, random_state=0)
    X, y = table.space.canonical(table.archs), table.targets["val_accuracy"].to_numpy()
    took, taus = {}, {}
    for name, fit in (
        ("auto", lambda: sn.fit_predictor(X[train], y[train], space=table.space, random_state=0)),
        ("MSuNAS", lambda: fit_switching(X[train], y[train], table.space, 0)),
    ):
        start = time.perf_counter()
        predicted = fit().predict(X[test])
        took[name] = time.perf_counter() - start
        taus[name] = sn.metrics.kendall_tau(y[test], predicted)
    return took, taus


if __name__ == "__main__":
    table = sn.load_benchmark("analog_nasbench")
    space, y = table.space, table.targets["baseline_accuracy"].to_numpy()
    everything = space.canonical(table.archs)
    train, _ = table.split(n_train=100, random_state=0, unique=True)
    encoder = sn.get_encoder("graph_features", space=space)
    F = encoder.fit_transform(everything)
    z = (y[train] - y[train].mean()) / y[train].std()

    features = seconds(lambda: sn.get_encoder("graph_features", space=space).fit(everything).transform(everything))
    some = space.graph(everything[:1000], on=None)
    one_by_one = seconds(lambda: features_one_by_one(some), 3) * len(everything) / 1000
    gp = seconds(lambda: sn.get_predictor("gp").fit(F[train], z))
    plain = seconds(lambda: fit_plain_gp(F[train], z))
    fit = seconds(lambda: sn.fit_predictor(table.archs[train], y[train], space=space, random_state=0), 3)
    model = sn.fit_predictor(table.archs[train], y[train], space=space, random_state=0)
    predict = seconds(lambda: model.predict(table.archs))
    pool = (F[train], z, F)
    forest = seconds(lambda: sn.get_predictor("random_forest", random_state=0).fit(*pool[:2]).predict(pool[2]), 3)

    cells = sn.get_space("nasbench101")
    drawn = cells.sample(50_000, random_state=0, unique=False)
    cell_features = seconds(
        lambda: sn.get_encoder("graph_features", space=cells).fit_transform(cells.canonical(drawn)), 3
    )
    few = cells.graph(drawn[:1000], on=None)
    cells_one_by_one = seconds(lambda: features_one_by_one(few), 3) * len(drawn) / 1000
    X = np.random.RandomState(0).randint(0, 5, size=(100_000, space.n_genes))
    keys = seconds(lambda: (space.canonical(X), space.key(X)))
    answers, radix = np.arange(space.size), 5 ** np.arange(space.n_genes)
    look_up = seconds(lambda: answers[X @ radix])

    thousand, _ = table.split(n_train=1000, random_state=0, unique=True)
    start = time.perf_counter()
    larger = sn.fit_predictor(table.archs[thousand], y[thousand], space=space, random_state=0, n_jobs=2)
    fit_thousand = time.perf_counter() - start
    predict_from_thousand = seconds(lambda: larger.predict(table.archs), 3)
    took, taus = switching()

    shown = Table("step", "seconds", "asked for", "peer", "its seconds", "ratio")
    for step, ours, asked, peer, its in (
        ("graph features of 15,625", features, "< 0.5", "walking each path (1,000, scaled)", one_by_one),
        (
            "graph features of 50,000 nasbench101",
            cell_features,
            "< 10",
            "walking each path (1,000, scaled)",
            cells_one_by_one,
        ),
        ("canonical and key of 100,000 nasbench201", keys, "< 1", "bare numpy: one look-up a row", look_up),
        ("GP fit at n = 100", gp, "", "gpytorch ExactGP, 60 Adam steps", plain),
        ("auto at n = 100", fit, "< 15", "", None),
        ("auto predicts 15,625", predict, "< 1", "random forest, fit and predict", forest),
        ("auto at n = 1,000", fit_thousand, "< 60", "", None),
        ("auto predicts 15,625 from n = 1,000", predict_from_thousand, "< 0.31", "", None),
        (
            "auto on OFA-MobileNetV3 at n = 340, the others predicted",
            took["auto"],
            "10x",
            "MSuNAS's switching, 5,000 trees, ten folds",
            took["MSuNAS"],
        ),
    ):
        shown.add_row(
            step,
            f"{ours:.3f}",
            asked,
            peer,
            "" if its is None else f"{its:.3f}",
            "" if its is None else f"{its / ours:.2g}x",
        )
    Console().print(shown)
    print("tau on OFA-MobileNetV3: " + ", ".join(f"{name} {tau:.3f}" for name, tau in taus.items()))
