"""Meta-training on a made-up database whose rule is known: what good architectures are depends on the images."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import surronas as sn
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasWarning, UnknownNameError
from surronas.io import alone_in
from surronas.meta import training
from surronas.meta.database import Episode, MetaDatabase
from surronas.meta.lessons import Lessons
from surronas.meta.metad2a import MetaD2A
from surronas.meta.recipe import MetaRecipe
from surronas.meta.tasks import Task
from surronas.meta.training import fit_meta_predictor, good_architectures, rank_loss, train_metad2a
from surronas.meta.variation import Variation
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.network import SuperNet

SPACE = MBConv(
    [Stage(False, 16, 2, (1, 2, 3), (3, 5), (1, 2, 3))], resolutions=(8, 12, 16), widths=(0.5, 1.0), stem=8, features=16
)
RECIPE = MetaRecipe(
    predictor_steps=120,
    generator_steps=240,
    predictor_learning_rate=6e-3,
    generator_learning_rate=6e-3,
    views=3,
    graphs=24,
    hidden=24,
    latent=8,
    every=40,
)


def made_up(n_views: int = 6, n_archs: int = 30) -> MetaDatabase:
    """Two tasks a view. In views of inverted images accuracy grows with resolution, else it falls; depth helps."""
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(10)))
    views = [Task({"digits": names}, Variation(invert=bool(v % 2)), 60, 20, 0, v) for v in range(n_views)]
    tasks = [Episode(v, classes) for v in range(n_views) for classes in ((0, 1, 2), (3, 4, 5, 6))]
    archs, frames = [], []
    genes = SPACE.gene_names
    for number, task in enumerate(tasks):
        X = SPACE.canonical(SPACE.sample(n_archs, random_state=task.view))
        sign = 1 if task.view % 2 else -1
        accuracy = 80 + 3 * sign * X[:, genes.index("resolution")] + 0.5 * X[:, genes.index("stage1_depth")]
        noise = rng.normal(0, 0.3, (2, n_archs))
        archs.append(X)
        frames.append(
            pd.DataFrame(
                {"task": number, "val_accuracy": accuracy + noise.mean(0), "half_difference": noise[0] - noise[1]}
            )
        )
    X = np.concatenate(archs)
    frame = pd.concat([pd.concat(frames, ignore_index=True), SPACE.cost(X)[["params", "madds"]]], axis=1)
    frame.loc[3, "val_accuracy"] = np.nan
    return MetaDatabase(SPACE, views, tasks, X, frame, {"weights": "made up"})


@pytest.fixture(scope="module")
def database():
    return made_up()


@pytest.fixture(scope="module")
def supernet():
    torch.manual_seed(0)
    return SuperNet(SPACE, 10).eval()


@pytest.fixture
def lessons(database):
    """With features that tell the two kinds of task apart."""
    rng = np.random.default_rng(1)
    features = []
    for task in database.tasks:
        shift = 1.5 if task.view % 2 else -1.5
        features.append([rng.standard_normal((12, 6)).astype(np.float32) + shift for _ in task.classes])
    return Lessons.of(database, features)


@pytest.fixture(scope="module")
def trained(database, supernet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return train_metad2a(database, supernet, folder, recipe=RECIPE), folder


def test_lessons_are_the_databases(database, lessons):
    row = 17
    own = database.frame["task"] == 0
    accuracy = database.frame["val_accuracy"]
    assert len(lessons.z) == len(database) - 1  # one has failed
    assert (lessons.archs[lessons.arch[row - 1]] == database.X[row]).all()
    expected = (accuracy[row] - accuracy[own].mean()) / accuracy[own].std(ddof=0)
    assert lessons.z[row - 1] == pytest.approx(expected, rel=1e-5)
    assert lessons.kept_out.tolist() == [10, 11]
    assert lessons.learnt.tolist() == list(range(10))
    halves = database.reliability()
    assert lessons.weights[1] / lessons.weights[2] == pytest.approx(
        (halves[1] / (1 + halves[1])) / (halves[2] / (1 + halves[2])), rel=1e-4
    )
    drawn = lessons.draw_tasks(2, np.random.RandomState(0))
    assert len(drawn) == 4
    assert len(set(lessons.view[drawn])) == 2
    assert lessons.agreement(lessons.kept_out, torch.from_numpy(lessons.z[lessons.rows(lessons.kept_out)])) == 1.0


def test_the_predictor_learns_what_depends_on_the_task(lessons):
    model, fitting = fit_meta_predictor(SPACE, lessons, RECIPE)
    assert max(score for *_, score in fitting.record) > 0.9
    good = good_architectures(SPACE, model, lessons, seed=0)
    resolution = good.archs[good.rows][:, :, SPACE.gene_names.index("resolution")].mean(axis=1)
    assert resolution[lessons.view % 2 == 1].min() > resolution[lessons.view % 2 == 0].max()
    madds = SPACE.cost(good.archs)["madds"].to_numpy()[good.rows]
    assert (madds.min(axis=1) < np.median(madds)).all()  # there are good ones at every price
    assert (madds.max(axis=1) > np.median(madds)).all()


def test_ranks_are_lost_by_pairs():
    scores, z = torch.randn(7), torch.tensor([0.0, 1, 1, 5, 2, 0, 3])
    group, weights = torch.tensor([0, 0, 0, 0, 1, 1, 1]), torch.tensor([2.0, 0.5])
    total = among = 0.0
    for i in range(7):
        for j in range(7):
            if group[i] == group[j] and z[i] > z[j]:
                w = float(weights[group[i]] * (z[i] - z[j]))
                total += w * float(torch.log1p(torch.exp(scores[j] - scores[i])))
                among += w
    assert float(rank_loss(scores, z, group, weights)) == pytest.approx(total / among, rel=1e-5)


def test_a_stopped_training_ends_as_one_that_was_not(trained, database, supernet, tmp_path, monkeypatch):
    """Stopped in the predictor, then in the generator."""
    whole, _ = trained
    monkeypatch.setattr("surronas.meta.fitting._SECONDS", 0.0)
    advance = training.Fitting._advance
    for n_steps, step in ((RECIPE.predictor_steps, 80), (RECIPE.generator_steps, 40)):

        def stopped(fitting, where=(n_steps, step)):
            if (fitting.n_steps, fitting.step) == where:
                raise KeyboardInterrupt
            advance(fitting)

        with monkeypatch.context() as patch:
            patch.setattr(training.Fitting, "_advance", stopped)
            with pytest.raises(KeyboardInterrupt):
                train_metad2a(database, supernet, tmp_path, recipe=RECIPE)
    again = train_metad2a(database, supernet, tmp_path, recipe=RECIPE)
    for one, other in ((whole.predictor, again.predictor), (whole.generator, again.generator)):
        parts = other.state_dict()
        assert all(torch.equal(part, parts[name]) for name, part in one.state_dict().items())
    with pytest.raises(InvalidInputError, match="seed"):
        train_metad2a(database, supernet, tmp_path, recipe=replace(RECIPE, seed=1))
    (tmp_path / "predictor.pt").write_bytes(b"nothing")
    with pytest.raises(InvalidFileError, match="damaged"):
        train_metad2a(database, supernet, tmp_path, recipe=RECIPE)


def test_the_file_is_loaded_with_its_supernet_only(trained, supernet, tmp_path):
    model, folder = trained
    path = folder / "metad2a.safetensors"
    again = MetaD2A.load(path, supernet)
    images = sn.load_images("digits")
    archs = SPACE.sample(5, random_state=3)
    pd.testing.assert_frame_equal(again.predict(archs, images), model.predict(archs, images))
    assert again.card["database"]["weights"] == "made up"
    weights = sum(part.numel() for network in (model.predictor, model.generator) for part in network.parameters())
    assert path.stat().st_size < 2.5 * weights + 20_000  # stored in float16
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    with pytest.raises(InvalidFileError, match="names no supernet"):
        MetaD2A.load(path)
    torch.manual_seed(1)
    with pytest.raises(InvalidInputError, match="other weights"):
        MetaD2A.load(path, SuperNet(SPACE, 10))
    with pytest.raises(UnknownNameError, match="trained MetaD2A"):
        MetaD2A.load("mbcon")
    (tmp_path / "again.safetensors").write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InvalidFileError, match="no whole MetaD2A"):
        MetaD2A.load(tmp_path / "again.safetensors", supernet)


def test_proposals_are_valid_different_within_bounds_and_best_first(trained):
    model, _ = trained
    images = sn.load_images("digits")
    bound = int(np.median(SPACE.cost(SPACE.sample(200, random_state=0))["madds"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SurronasWarning)
        frame = model.propose(images, n=12, max_madds=bound)
        same = model.propose(images, n=12, max_madds=bound)
    pd.testing.assert_frame_equal(frame, same)
    X = SPACE.parse(frame["arch"].tolist())
    assert len(np.unique(SPACE.key(X))) == len(frame) == 12
    assert (SPACE.cost(X)["madds"].to_numpy() == frame["madds"].to_numpy()).all()
    assert frame["madds"].max() <= bound
    assert frame["score"].is_monotonic_decreasing
    assert frame.attrs["generated"] >= frame.attrs["valid"] >= frame.attrs["different"] > 0
    again = model.predict(frame["arch"].tolist(), images)
    np.testing.assert_allclose(again["predicted_accuracy"], frame["predicted_accuracy"], rtol=1e-5)


def test_tight_bounds_are_kept_or_refused(trained):
    model, _ = trained
    images = sn.load_images("digits")
    least = int(SPACE.cost(SPACE.smallest()[None])["madds"][0])
    few = SPACE.cost(SPACE.canonical(SPACE.neighbours(SPACE.smallest())))["madds"].min()
    frame = model.propose(images, n=2, max_madds=max(few, least))
    assert len(frame) == 2
    assert frame["madds"].max() <= max(few, least)
    with pytest.raises(InvalidInputError, match="max_madds"):
        model.propose(images, n=2, max_madds=least - 1)
    with pytest.raises(InvalidInputError, match="positive int"):
        model.propose(images, n=0)


def test_a_design_has_the_ends_and_the_front_between(trained):
    model, _ = trained
    images = sn.load_images("digits")
    X = model.design(images, 8)
    assert len(X) == len(SPACE.unique(X)) == 8
    keys = SPACE.key(X)
    assert SPACE.key(SPACE.smallest()[None])[0] in keys
    assert SPACE.key(SPACE.largest()[None])[0] in keys
    madds = SPACE.cost(X)["madds"]
    assert ((madds > madds.min()) & (madds < madds.max())).sum() >= 5


def test_one_view_is_too_few(database):
    one = database.frame["task"] < 2
    single = MetaDatabase(SPACE, database.views[:1], database.tasks[:2], database.X[one], database.frame[one], {})
    with pytest.raises(InvalidInputError, match="two views"):
        Lessons.of(single, [])


def test_a_folder_at_work_is_left_alone(database, supernet, tmp_path):
    with alone_in(tmp_path), pytest.raises(InvalidInputError, match="Another process is at work"):
        train_metad2a(database, supernet, tmp_path, recipe=RECIPE)
