"""Published ways to fit a surrogate, on the same draws as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits

import surronas as sn
from surronas.benchmark.protocol import Splitter, get_protocol
from surronas.journal import Journal
from surronas.parallel import stream
from surronas.selection import AdaptiveSwitching, Candidate

PEERS = {
    "graph_features:random_forest": "GRAF, random forest",
    "graph_features+one_hot:xgboost": "GRAF and one-hot, XGBoost",
    "one_hot:xgboost": "one-hot, XGBoost",
    "one_hot:gp": "one-hot, GP",
}
SWITCHING = "MSuNAS's switching"


def fit_switching(X: Any, y: Any, space: Any, seed: int, n_trees: int = 5000) -> AdaptiveSwitching:
    """Of an RBF, a GP and CART the one whose tau in ten folds is greatest on average, less its spread (Lu et al.,
    2020, NSGANetV2, arXiv:2007.10396)."""
    predictors = [sn.get_predictor("rbf"), sn.get_predictor("gp"), sn.get_predictor("cart", n_trees=n_trees)]
    pool = [Candidate("one_hot", predictor) for predictor in predictors]
    return AdaptiveSwitching(pool, space, rule="nat", n_folds=10, random_state=seed).fit(X, y)


def measure_switching(
    table: Any, target: str, sizes: tuple[int, ...], repeats: int, out: Path, jobs: int
) -> pd.DataFrame:
    """A row a size and seed, as those of `evaluate` with the protocol `unique`; a journal keeps them.

    CART has a tenth of its trees, for time.
    """
    journal = Journal(out / "journal.jsonl", {"measured": SWITCHING, "rows": len(table), "target": target})
    done = {(cell["n_train"], cell["repeat"]) for cell in journal.cells}
    restricted = get_protocol("unique").restrict(table)
    splitter = Splitter(restricted, target, target, False, 0)
    archs, y = restricted.space.canonical(restricted.archs), restricted.targets[target].to_numpy()

    def run(n: int, repeat: int) -> dict[str, Any]:
        split = splitter.split(n, repeat)
        with threadpool_limits(1):
            model = fit_switching(archs[split.train], y[split.train], restricted.space, split.seed, n_trees=500)
            tau = sn.metrics.kendall_tau(y[split.test], model.predict(archs[split.test]))
        return {"predictor": SWITCHING, "n_train": n, "repeat": repeat, "kendall_tau": tau}

    todo = [(n, repeat) for n in sizes for repeat in range(repeats) if (n, repeat) not in done]
    for cell in stream((delayed(run)(*key) for key in todo), jobs):
        journal.append(cell)
    frame = pd.DataFrame(journal.cells)
    return frame[frame["n_train"].isin(sizes) & (frame["repeat"] < repeats)]
