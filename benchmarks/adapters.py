"""Evaluations that surrogates save in other libraries' loops: each loop as it is, and with the library's adapter.

A loop as it is gets 200 evaluations. How far it comes, in the mean of the seeds, is the goal; the same loop with
surrogates is run until it is there. Compared are the medians of the seeds: a loop that is there long before its end
gets no credit for what it does afterwards. Where two objectives are minimised, "how far" is the share of the table's
true front's hypervolume; where one is, the share of the way from the worst to the best value of the table. An
architecture counts once, however often a loop asks for it. On a table that does not have all of its space, what a loop
asks for is the nearest architecture of the table.

Every run is a file under --out, and only what is missing is run.

    python benchmarks/adapters.py                         all loops on both tables, five seeds
    python benchmarks/adapters.py nasbench201 --loops pymoo optuna --seeds 2
    python benchmarks/adapters.py --write docs/adapters.md   puts the figures into the page
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from pages import markdown
from rich import print as show
from search_tables import CASES, Judge, table_of

import surronas as sn
from surronas.exceptions import DataNotFoundError
from surronas.search import TableEvaluator
from surronas.search.objectives import resolve_goals
from surronas.search.operators import nearest, vary

N, N_INITIAL, BATCH = 200, 20, 5


class Enough(Exception):
    """The goal is reached, or the evaluations are used up."""


class World:
    """A table whose evaluations are counted, and how far they have come.

    Parameters
    ----------
    name : str
        Of a case in ``search_tables.py``.
    single : bool
        Only its first objective.
    goal : float
        Enough is raised when the share reaches it.
    """

    def __init__(self, name: str, single: bool, goal: float = np.inf, n: int = N) -> None:
        case = CASES[name]
        self.table, self.goal, self.n = table_of(case), goal, n
        self.space, self.evaluator = self.table.space, TableEvaluator(self.table)
        self.objectives = case.objectives[:1] if single else case.objectives
        self.goals = resolve_goals(self.objectives, None, self.evaluator.targets)
        whole = self.space.size is not None and self.space.size == len(self.table)
        self.pool = None if whole else self.evaluator.pool
        self.judge = Judge(self.table, case.objectives) if not single else None
        if single:
            values = self.goals.values(self.evaluator.evaluate(self.evaluator.pool)[self.goals.targets].to_numpy())
            finite = values[np.isfinite(values)]
            self.best, self.worst = finite.min(), finite.max()
        self.found: dict[Any, Any] = {}
        self.curve: list[float] = []

    def known(self, archs: Any) -> Any:
        """The table's architectures that these stand for."""
        C = self.space.canonical(archs)
        return C if self.pool is None else nearest(self.space, self.pool, C, np.random.default_rng(0))

    def measure(self, archs: Any) -> Any:
        """(n, n_genes) genotypes -> (n, m) minimised objectives."""
        C = self.known(archs)
        values = self.goals.values(self.evaluator.evaluate(C)[self.goals.targets].to_numpy())
        for key, value in zip(self.space.key(C).tolist(), values, strict=True):
            if key not in self.found:
                self.found[key] = value
                self.curve.append(self._share())
                if self.curve[-1] >= self.goal or len(self.curve) >= self.n:
                    raise Enough
        return values

    def cost(self, names: list[str]) -> Callable[[Any], dict[str, Any]] | None:
        """The second objective where it is known beforehand, under that of the names."""
        if len(self.objectives) < 2 or self.objectives[1] not in self.evaluator.known:
            return None
        return lambda X: {names[1]: self.evaluator.cost(self.known(X))[self.objectives[1]].to_numpy()}

    def _share(self) -> float:
        values = np.array(list(self.found.values()))
        if self.judge is not None:
            return self.judge._volume(values) / self.judge.whole
        return float((self.worst - values.min()) / (self.worst - self.best))


def own(world: World, seed: int, surrogates: bool) -> None:
    """A loop of one's own: regularised evolution, or ``ask_tell``."""
    from surronas.adapters.loop import ask_tell

    names = list(world.objectives)
    targets = dict.fromkeys(names, False)
    if surrogates:
        options = {"n_initial": N_INITIAL, "batch_size": BATCH, "random_state": seed}
        search = ask_tell(world.space, targets, pool=world.pool, cost=world.cost(names), **options)
    else:
        evaluator = sn.search.FunctionEvaluator(world.measure, world.space, targets, pool=world.pool)
        search = sn.search.RegularizedEvolution(evaluator, names, batch_size=BATCH, random_state=seed)
    while True:
        archs = search.ask()
        search.tell(archs, world.measure(archs))


def pymoo(world: World, seed: int, surrogates: bool) -> None:
    """NSGA-II, or the same with ``SurrogateAssistance``."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.callback import Callback
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize

    from surronas.adapters.pymoo import SurrogateAssistance, operators

    class Measured(Problem):  # type: ignore[misc]
        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = world.measure(x.astype(np.int64))

    top = world.space.n_choices - 1
    problem = Measured(n_var=len(top), n_obj=len(world.objectives), xl=0 * top, xu=top, vtype=int)
    algorithm = NSGA2(pop_size=N_INITIAL, n_offsprings=N_INITIAL, **operators(world.space, world.pool))
    cost = world.cost(["f0", "f1"])
    callback = SurrogateAssistance(world.space, pool=world.pool, cost=cost, random_state=seed)
    callback = callback if surrogates else Callback()
    minimize(problem, algorithm, ("n_gen", 10_000), seed=seed, callback=callback)


def optuna(world: World, seed: int, surrogates: bool) -> None:
    """Optuna's TPE, or ``SurrogateSampler``."""
    import optuna as library

    from surronas.adapters.optuna import SurrogateSampler, suggest

    library.logging.set_verbosity(library.logging.ERROR)
    cost = world.cost(["value0", "value1"])
    sampler = SurrogateSampler(world.space, n_initial=N_INITIAL, pool=world.pool, cost=cost, seed=seed)
    study = library.create_study(
        sampler=sampler if surrogates else library.samplers.TPESampler(seed=seed),
        directions=["minimize"] * len(world.objectives),
    )
    study.optimize(lambda trial: tuple(world.measure(suggest(trial, world.space)[None])[0]), n_trials=20 * N)


def syne_tune(world: World, seed: int, surrogates: bool) -> None:
    """Syne Tune's multi-objective regularised evolution, or ``SurrogateSearcher``."""
    from syne_tune.backend.trial_status import Trial
    from syne_tune.optimizer.schedulers.multiobjective import MultiObjectiveRegularizedEvolution
    from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler

    from surronas.adapters.syne_tune import SurrogateSearcher, config_space, from_config

    np.random.seed(seed)
    theirs, names = config_space(world.space), list(world.objectives)
    cost = world.cost(["metric0", "metric1"])
    ours = SurrogateSearcher(world.space, len(names), n_initial=N_INITIAL, pool=world.pool, cost=cost, random_seed=seed)
    evolution = MultiObjectiveRegularizedEvolution(theirs, population_size=50, random_seed=seed)
    scheduler = SingleFidelityScheduler(theirs, metrics=names, searcher=ours if surrogates else evolution)
    for number in range(20 * N):
        config = scheduler.suggest().config
        values = world.measure(from_config(world.space, config)[None])[0]
        scheduler.on_trial_complete(Trial(number, config, None), dict(zip(names, values.tolist(), strict=True)))


def botorch(world: World, seed: int, surrogates: bool, own_model: bool = False) -> None:
    """Architectures at random, or where ``SurrogateModel`` gives BoTorch's acquisition function most.

    With ``own_model``, the loop without surrogates has BoTorch's own Gaussian process on one-hot genes: not a loop
    without a surrogate, but a peer of ours.
    """
    import torch
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf_discrete
    from gpytorch.mlls import ExactMarginalLogLikelihood

    from surronas.adapters.botorch import SurrogateModel, choices

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = choices(world.space, world.pool).numpy().astype(np.int64)
    encoder = sn.get_encoder("one_hot", space=world.space).fit(pool)
    archs = pool[rng.permutation(len(pool))[:N_INITIAL]]
    y = -world.measure(archs)[:, 0]

    def gaining_most(model: Any, X: Any, avoid: Any) -> list[int]:
        gain = qLogExpectedImprovement(model, best_f=float(y.max()))
        best, _ = optimize_acqf_discrete(gain, q=BATCH, choices=X, unique=True, X_avoid=avoid, max_batch_size=512)
        return [int((X == row).all(dim=1).nonzero()[0, 0]) for row in best]

    while True:
        drawn = pool[rng.permutation(len(pool))[:2000]]
        if surrogates:
            surrogate = sn.fit_predictor(archs, y, space=world.space, predictor="gp", random_state=seed)
            X = choices(world.space, drawn)
            forms = X.numpy().astype(np.int64)
            chosen = forms[gaining_most(SurrogateModel(surrogate), X, choices(world.space, archs))]
        elif own_model:
            X, avoid = (torch.from_numpy(encoder.transform(part)) for part in (drawn, archs))
            model = SingleTaskGP(avoid, torch.from_numpy(y)[:, None])
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            chosen = drawn[gaining_most(model, X, avoid)]
        else:
            chosen = drawn[:BATCH]
        archs, y = np.concatenate([archs, chosen]), np.concatenate([y, -world.measure(chosen)[:, 0]])


def naslib(world: World, seed: int, surrogates: bool) -> None:
    """Evolution by mutants of the best ten, all of them or those that ``SurrogatePredictor`` ranks first.

    As NASLib's NPENAS does it, with architectures by their hashes where the space has NASLib's.
    """
    from surronas.adapters.naslib import SurrogatePredictor

    rng = np.random.default_rng(seed)
    write = getattr(world.space, "to_naslib", np.asarray)
    archs = world.known(world.space.sample(N_INITIAL, seed))
    y = world.measure(archs)[:, 0]
    while True:
        parents = archs[np.argsort(y, kind="stable")[:10]]
        mutants = world.known(vary(world.space, parents[rng.integers(10, size=200)], rng))
        mutants = world.space.unique(mutants)
        mutants = mutants[~np.isin(world.space.key(mutants), world.space.key(archs))]
        mutants = mutants if len(mutants) else world.known(world.space.sample(BATCH, int(rng.integers(2**31))))
        if surrogates:
            predictor = SurrogatePredictor(space=world.space, random_state=seed)
            predictor.fit([tuple(x) for x in write(archs).tolist()], y)
            mutants = mutants[np.argsort(predictor.query([tuple(x) for x in write(mutants).tolist()]))]
        archs, y = (
            np.concatenate([archs, mutants[:BATCH]]),
            np.concatenate([y, world.measure(mutants[:BATCH])[:, 0]]),
        )


def sklearn(world: World, seed: int, surrogates: bool) -> None:
    """Random architectures, all of them or those that a pipeline of an encoder and a predictor ranks first."""
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(seed)
    archs = world.known(world.space.sample(N_INITIAL, seed))
    y = world.measure(archs)[:, 0]
    view = "graph_features" if world.space.has_graph and world.table.name == "nasbench201" else "ordinal"
    pipeline = make_pipeline(sn.get_encoder(view, space=world.space), sn.get_predictor("gp"))
    while True:
        drawn = world.space.unique(world.known(world.space.sample(1000, int(rng.integers(2**31)))))
        drawn = drawn[~np.isin(world.space.key(drawn), world.space.key(archs))]
        if surrogates:
            drawn = drawn[np.argsort(pipeline.fit(archs, y).predict(drawn))]
        archs, y = np.concatenate([archs, drawn[:BATCH]]), np.concatenate([y, world.measure(drawn[:BATCH])[:, 0]])


LOOPS: dict[str, tuple[Callable[[World, int, bool], None], bool]] = {
    "loop": (own, False),
    "pymoo": (pymoo, False),
    "optuna": (optuna, False),
    "syne_tune": (syne_tune, False),
    "botorch": (botorch, True),
    "botorch_gp": (partial(botorch, own_model=True), True),
    "naslib": (naslib, True),
    "sklearn": (sklearn, True),
}
"""The loop, and whether it has one objective."""


def run_one(case: str, loop: str, surrogates: bool, seed: int, goal: float, n: int, out: Path) -> list[float]:
    """The share after each evaluation; kept in a file."""
    file = out / case / f"{loop}_{'with' if surrogates else 'without'}_{seed}.json"
    if file.is_file():
        kept = json.loads(file.read_text())
        if kept["goal"] == (goal if surrogates else None) and kept["n"] == n:
            return list(kept["curve"])
    run, single = LOOPS[loop]
    world = World(case, single, goal if surrogates else np.inf, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Enough):
            run(world, seed, surrogates)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"goal": goal if surrogates else None, "n": n, "curve": world.curve}))
    return world.curve


def compare(case: str, loop: str, seeds: int, n: int, n_jobs: int, out: Path) -> dict[str, Any]:
    """A row of the table."""
    run = partial(run_one, case, loop, n=n, out=out)
    parallel = Parallel(n_jobs=n_jobs)
    plain = parallel(delayed(run)(False, seed, goal=np.inf) for seed in range(seeds))
    goal = float(np.mean([curve[-1] for curve in plain]))
    helped = parallel(delayed(run)(True, seed, goal=goal) for seed in range(seeds))
    when = sorted(len(curve) if curve[-1] >= goal else n + 1 for curve in helped)
    median = float(np.median(when))
    alone = float(np.median([next((i + 1 for i, share in enumerate(c) if share >= goal), n + 1) for c in plain]))
    return {
        "case": case,
        "loop": loop,
        "goal": round(goal, 4),
        "without": n if alone > n else f"{alone:g}",
        "with surrogates": "more" if median > n else f"{median:g}",
        "saved": "none" if median > n else f"{1 - median / min(alone, n):.0%}",
        "seeds": ", ".join("more" if w > n else str(w) for w in when),
    }


def write(page: Path, rows: pd.DataFrame, seeds: int) -> None:
    """The figures between the page's markers: the whole table, and each loop's rows in a sentence."""
    text = page.read_text(encoding="utf-8")
    parts = {"all": markdown(rows, 4)}
    for loop, of in rows.groupby("loop"):
        said = "; ".join(f"on {row['case']} {row['with surrogates']} of {row['without']}" for _, row in of.iterrows())
        parts[str(loop)] = f"Evaluations to where the loop without surrogates ends, medians of {seeds} seeds: {said}."
    for name, part in parts.items():
        marked = rf"(<!-- FIGURES {name} -->\n).*?(<!-- /FIGURES -->)"
        text = re.sub(marked, lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["nasbench201", "mbconv_cifar10"], metavar="case")
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n", type=int, default=N, help="evaluations of a loop without surrogates")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/adapters"))
    parser.add_argument("--write", type=Path, metavar="PAGE")
    args = parser.parse_args()
    rows = []
    for case in args.cases:
        try:
            table_of(CASES[case])
        except DataNotFoundError as error:
            show(f"[bold]{case}[/bold] is skipped: {error}")
            continue
        for loop in args.loops:
            rows.append(compare(case, loop, args.seeds, args.n, args.n_jobs, args.out))
            print(" | ".join(f"{name}: {value}" for name, value in rows[-1].items()), flush=True)
    if args.write and rows:
        write(args.write, pd.DataFrame(rows), args.seeds)
