"""Meta-training: the performance predictor on a meta-database, then the generator on what the predictor thinks good."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from surronas.io import alone_in, remove_unfinished
from surronas.meta.database import MetaDatabase
from surronas.meta.fitting import Fitting
from surronas.meta.generator import GraphGenerator
from surronas.meta.graphs import GraphCode, Graphs, graph_code
from surronas.meta.lessons import Lessons
from surronas.meta.metad2a import MetaD2A
from surronas.meta.predictor import MetaPredictor
from surronas.meta.recipe import MetaRecipe
from surronas.meta.set_encoder import Sets
from surronas.meta.task_features import task_features
from surronas.parallel import check_n_jobs
from surronas.spaces.base import IntArray, SearchSpace
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import fingerprint
from surronas.threads import single_thread

__all__ = ["fit_generator", "fit_meta_predictor", "train_metad2a"]

PREDICTOR, GENERATOR, FEATURES, RESULT = "predictor.pt", "generator.pt", "features", "metad2a.safetensors"

_LEVEL = 0.1  # weight of the tasks' levels beside that of the architectures' scores
_POOL, _BRACKETS, _GOOD = 4096, 16, 0.1
_RISE = 0.3  # share of the generator's steps over which beta rises from 0: first it learns to say all, then briefly
_LOOKS = 5  # whose mean is a task's vector


def train_metad2a(
    database: MetaDatabase,
    supernet: SuperNet,
    folder: str | os.PathLike[str],
    *,
    recipe: MetaRecipe | None = None,
    name: str = "",
    n_jobs: int | None = None,
    progress: bool = False,
    command: str = "",
) -> MetaD2A:
    """Train a MetaD2A, or go on with its training.

    The folder gets the image features of each view's tasks, a checkpoint of each of the two fittings about every
    minute, and at the end ``metad2a.safetensors``, which ``MetaD2A.load`` reads. The same call goes on where it
    stopped, and ends with the weights that it would have without the stop, bit for bit, on the same machine.

    One view in ten is kept out for early stopping; no task of meta-testing is ever looked at.

    Parameters
    ----------
    database : MetaDatabase
    supernet : SuperNet
        Whose subnets give the images' features: the one that the database was measured with.
    folder : path-like
    recipe : MetaRecipe, optional
    name : str
        Of the supernet, as ``load_pretrained`` knows it; written into the file.
    n_jobs : int, optional
        Views whose image features are computed at a time; the two fittings have one thread. The result is the same.
    progress : bool, default=False
    command : str, optional
        Noted in the card.

    Returns
    -------
    MetaD2A

    Raises
    ------
    InvalidInputError
        When the folder holds another training, or another process is at work in it, or the database has one view only.
    InvalidFileError
        When a checkpoint is damaged.
    """
    check_n_jobs(n_jobs)
    recipe, folder = recipe or MetaRecipe(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        return _train(database, supernet, folder, recipe, name, n_jobs, progress, command)


def _train(
    database: MetaDatabase,
    supernet: SuperNet,
    folder: Path,
    recipe: MetaRecipe,
    name: str,
    n_jobs: int | None,
    progress: bool,
    command: str,
) -> MetaD2A:
    for file in (PREDICTOR, GENERATOR, RESULT):
        remove_unfinished(folder / file)
    origin = {"database": _fingerprint(database), "supernet": fingerprint(supernet)}
    lessons = Lessons.of(database, task_features(database, supernet, folder / FEATURES, origin, n_jobs, progress))
    identity = {**asdict(recipe), **origin}
    predictor, of_predictor = fit_meta_predictor(
        database.space, lessons, recipe, folder / PREDICTOR, identity, progress
    )
    good = good_architectures(database.space, predictor, lessons, recipe.seed)
    generator, of_generator = fit_generator(
        graph_code(database.space), good, lessons, predictor.sets, recipe, folder / GENERATOR, identity, progress
    )
    card = {
        "database": {**database.info, "rows": len(database), "tasks": len(database.tasks)},
        "recipe": asdict(recipe),
        "predictor": {"steps": of_predictor.record[-1][0], "kept_out_spearman": _best(of_predictor)},
        "generator": {"steps": of_generator.record[-1][0], "kept_out_loss": -_best(of_generator)},
        "command": command,
    }
    for network in (predictor, generator):
        network.half().float()  # what the file holds
    vectors = task_vectors(predictor, lessons, recipe.seed).half().float()
    model = MetaD2A(database.space, supernet, predictor, generator, {"supernet": name, **card}, vectors)
    model.save(folder / RESULT)
    return model


def fit_meta_predictor(
    space: SearchSpace,
    lessons: Lessons,
    recipe: MetaRecipe,
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> tuple[MetaPredictor, Fitting]:
    """A meta predictor, chosen by its rank correlation on kept-out tasks.

    The loss is the squared error of the scores, and for each pair of architectures of a task, by how far they are
    apart, the logistic loss of their order; tasks count as far as their accuracies can be believed.
    """
    code = graph_code(space)
    torch.manual_seed(recipe.seed)
    n_features = lessons.features[0][0].shape[1]
    model = MetaPredictor(code.n_types, code.n_vertices, n_features, recipe.hidden)
    mean, deviation = lessons.levels.T
    model.location.fill_(float(mean[lessons.learnt].mean()))
    model.scale.fill_(max(float(mean[lessons.learnt].std()), 1e-3))
    aims = torch.from_numpy(np.column_stack([(mean - model.location.item()) / model.scale.item(), np.log(deviation)]))
    weights = torch.from_numpy(lessons.weights)

    def batch(tasks: IntArray, rng: np.random.RandomState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scores and levels of tasks; the rows, and the place of each row's task in ``tasks``."""
        rows = lessons.rows(tasks)
        archs, of_graph = np.unique(lessons.arch[rows], return_inverse=True)
        of_set = torch.from_numpy(np.searchsorted(tasks, lessons.task[rows]))
        graphs = lessons.graphs.rows(torch.from_numpy(archs))
        scores, found = model(graphs, lessons.sets(tasks, rng), torch.from_numpy(of_graph.reshape(-1)), of_set)
        return scores, found, torch.from_numpy(rows), of_set

    def loss(step: int) -> Tensor:
        rng = np.random.RandomState([recipe.seed, step])
        tasks = lessons.draw_tasks(recipe.views, rng)
        scores, found, rows, of_set = batch(tasks, rng)
        z, believed = torch.from_numpy(lessons.z)[rows], weights[tasks]
        squares = (believed[of_set] * (scores - z).square()).mean()
        level = F.smooth_l1_loss(found, aims[tasks].float())
        return squares + rank_loss(scores, z, of_set, believed) + _LEVEL * level

    def score() -> float:
        predicted, *_ = batch(lessons.kept_out, np.random.RandomState(recipe.seed))
        return lessons.agreement(lessons.kept_out, predicted)

    fitting = Fitting(model, loss, score, recipe.predictor_steps, recipe.predictor_learning_rate, recipe)
    fitting.run(checkpoint, identity or {}, "predictor", progress)
    return model, fitting


def rank_loss(scores: Tensor, z: Tensor, group: Tensor, weights: Tensor) -> Tensor:
    """Logistic loss of the order of every two of a group, weighted by their distance in z and by the group's weight.

    Parameters
    ----------
    scores, z : (p,) float
    group : (p,) int64
        From 0 to g - 1.
    weights : (g,) float
    """
    total, among = scores.new_zeros(()), scores.new_zeros(())
    for number, weight in enumerate(weights):
        own = group == number
        apart = z[own][:, None] - z[own][None, :]
        better = weight * apart.clamp(min=0)
        total = total + (better * F.softplus(scores[own][None, :] - scores[own][:, None])).sum()
        among = among + better.sum()
    return total / among.clamp(min=1e-12)


@torch.no_grad()
def task_vectors(predictor: MetaPredictor, lessons: Lessons, seed: int) -> Tensor:
    """(t, hidden) float32: of each task the mean over looks at its images."""
    rng = np.random.RandomState(seed)
    with single_thread():
        parts = [
            torch.stack([predictor.sets(lessons.sets(part, rng)) for _ in range(_LOOKS)]).mean(dim=0)
            for part in _portions(len(lessons.view))
        ]
    return torch.cat(parts)


def _portions(n: int) -> list[IntArray]:
    return [part for part in np.array_split(np.arange(n), 16) if len(part)]


class Good(NamedTuple):
    """Architectures (n, n_genes), and of each of t tasks the rows (t, m) of those that are good on it."""

    archs: IntArray
    rows: IntArray


def good_architectures(space: SearchSpace, predictor: MetaPredictor, lessons: Lessons, seed: int) -> Good:
    """For each task the tenth of 4,096 random architectures that the predictor ranks first among those of like cost.

    "Like cost" are sixteen brackets of multiply-adds, so that the generator learns what is good at every budget.
    MetaD2A takes the best of ten random subnets of each task by their measured accuracy, whose noise it learns.
    """
    pool = space.canonical(space.sample(_POOL, random_state=seed, unique=False))
    pool = pool[np.argsort(space.cost(pool)["madds"].to_numpy(), kind="stable")]
    graphs = graph_code(space).write(pool)
    rng = np.random.RandomState(seed)
    with single_thread():
        parts = [
            predictor.predict(graphs, lessons.sets(part, rng), scores=True) for part in _portions(len(lessons.view))
        ]
    table = torch.cat(parts, dim=1).numpy()
    rows = []
    for bracket in np.array_split(np.arange(len(pool)), _BRACKETS):
        best = np.argsort(-table[bracket], axis=0)[: max(1, round(_GOOD * len(bracket)))]
        rows.append(bracket[best])
    return Good(pool, np.concatenate(rows).T)


def fit_generator(
    code: GraphCode,
    good: Good,
    lessons: Lessons,
    encode: Callable[[Sets], Tensor],
    recipe: MetaRecipe,
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> tuple[GraphGenerator, Fitting]:
    """A generator, chosen by its loss on the kept-out tasks' good architectures.

    ``encode`` makes the vectors of sets of images, (t, recipe.hidden); it is not trained.

    Of each step's graphs half are good ones of random tasks. The other half are random architectures, only to be
    reconstructed: there are more of those than can be measured, and they teach which graphs are architectures.
    """
    torch.manual_seed(recipe.seed)
    model = GraphGenerator(code.n_types, code.n_vertices, recipe.latent, recipe.hidden)
    graphs = code.write(good.archs)
    n_tasks = max(2, recipe.graphs // 8)

    def batch(tasks: IntArray, n: int, rng: np.random.RandomState) -> tuple[Graphs, Tensor, Tensor]:
        of_set = rng.randint(len(tasks), size=n)
        chosen = good.rows[tasks[of_set], rng.randint(good.rows.shape[1], size=n)]
        with torch.no_grad():
            of_sets = encode(lessons.sets(tasks, rng))
        return graphs.rows(torch.from_numpy(chosen)), of_sets, torch.from_numpy(of_set)

    def loss(step: int) -> Tensor:
        rng = np.random.RandomState([recipe.seed, step])
        own, of_sets, of_set = batch(rng.permutation(lessons.learnt)[:n_tasks], recipe.graphs, rng)
        other = code.write(code.space.sample(recipe.graphs, random_state=rng, unique=False))
        both = Graphs(*(torch.cat(pair) for pair in zip(own, other, strict=True)))
        risen = min(1.0, step / (_RISE * recipe.generator_steps))
        beta = torch.tensor([risen * recipe.beta, 0.0]).repeat_interleave(recipe.graphs)
        generator = torch.Generator().manual_seed(int(rng.randint(2**31)))
        return model.loss(both, of_sets, of_set.repeat(2), generator, beta)

    def score() -> float:
        rng = np.random.RandomState(recipe.seed)
        held_out, of_sets, of_set = batch(lessons.kept_out, 4 * recipe.graphs, rng)
        return -float(model.loss(held_out, of_sets, of_set, torch.Generator().manual_seed(recipe.seed), recipe.beta))

    fitting = Fitting(model, loss, score, recipe.generator_steps, recipe.generator_learning_rate, recipe)
    fitting.run(checkpoint, identity or {}, "generator", progress)
    return model, fitting


def _fingerprint(database: MetaDatabase) -> str:
    digest = hashlib.sha256(repr([*database.tasks, *database.views]).encode())
    for part in (database.X, database.frame["task"], database.frame["val_accuracy"], database.frame["half_difference"]):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _best(fitting: Fitting) -> float:
    return round(max(score for *_, score in fitting.record), 4)
