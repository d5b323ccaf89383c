"""``score``: once a class, from a seed of its own, remembered, whatever goes wrong."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from torch import nn

from surronas.datasets.images import load_images
from surronas.exceptions import InvalidInputError, SurronasError, UnknownNameError
from surronas.proxies import Scorer, get_proxy, list_proxies, score
from surronas.proxies.classes import same_network
from surronas.proxies.probe import Probe
from surronas.proxies.registry import Aggregate, Proxy, _proxies
from surronas.spaces import get_space

NB201 = get_space("nasbench201")
TINY = {"network_options": {"channels": 2, "cells": 1}}
RNG = np.random.default_rng(0)
BATCH = RNG.standard_normal((6, 3, 8, 8), dtype=np.float32), np.arange(6) % 3
FEW = ["params", "nwot", "snip", "grasp", "zen"]
CONV, SKIP, NONE, POOL = "nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3"


def cell(*ops):
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*ops)


def tiny(archs, proxies=FEW, images=BATCH, **options):
    return score(archs, "nasbench201", proxies, images, **TINY, **options)


@pytest.fixture
def own(monkeypatch):
    """Registers a proxy for the test."""
    list_proxies()
    monkeypatch.setattr(_proxies, "_parts", dict(_proxies._parts))

    def register(name, measure):
        _proxies.register(name)(Proxy(name, measure))

    return register


def test_a_score_is_the_proxy_of_the_network_that_the_seed_initialises():
    arch = NB201.sample(1, random_state=3)
    representative = same_network(NB201, NB201.canonical(arch))[0]
    frame = tiny(arch, random_state=5)
    seed = int(np.random.SeedSequence([5, *representative.tolist()]).generate_state(1)[0])
    torch.manual_seed(seed)
    network = NB201.build(representative, num_classes=3, resolution=8, channels=2, cells=1)
    probe = Probe(network, *map(torch.tensor, BATCH), seed)
    for name in FEW:
        assert frame.loc[0, name] == pytest.approx(get_proxy(name).measure(probe), rel=1e-5)


def test_isomorphic_architectures_have_exactly_the_same_scores():
    one = cell(CONV, POOL, NONE, NONE, "nor_conv_1x1", SKIP)
    two = cell(POOL, CONV, NONE, NONE, SKIP, "nor_conv_1x1")
    frame = tiny([one, two])
    assert frame.iloc[0].equals(frame.iloc[1])
    assert frame.notna().all(axis=None)


def test_parameters_are_those_of_each_architecture_also_where_isomorphic_ones_differ():
    """Two convolutions of one map, and one that is used twice, are of one class of the benchmark."""
    X = NB201.parse([cell(CONV, CONV, NONE, NONE, CONV, CONV), cell(CONV, NONE, SKIP, NONE, CONV, CONV)])
    assert len(np.unique(NB201.key(X))) == 1
    cost = NB201.cost(X, num_classes=3, channels=2, cells=1)["params"]
    assert cost.nunique() == 2
    assert tiny(X, "params")["params"].tolist() == cost.tolist()


def test_scores_do_not_depend_on_the_other_rows_on_order_on_jobs_or_on_the_state_of_torch():
    X = NB201.sample(5, random_state=0)
    frame = tiny(X)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    pd.testing.assert_frame_equal(tiny(X[::-1])[::-1].reset_index(drop=True), frame, check_exact=True)
    pd.testing.assert_frame_equal(tiny(X[2:3]), frame[2:3].reset_index(drop=True), check_exact=True)
    assert torch.equal(torch.get_rng_state(), before)
    pd.testing.assert_frame_equal(tiny(X, n_jobs=2), frame, check_exact=True)
    with parallel_config(backend="threading", n_jobs=2):
        pd.testing.assert_frame_equal(tiny(X), frame, check_exact=True)
    assert not tiny(X, random_state=1)["snip"].equals(frame["snip"])


@pytest.mark.parametrize("name", Scorer("all").measured)
def test_a_score_does_not_depend_on_what_else_is_asked(name):
    X = NB201.parse([cell(CONV, SKIP, CONV, NONE, CONV, SKIP)])
    everything = tiny(X, "all")
    assert tiny(X, name).loc[0, name] == pytest.approx(everything.loc[0, name], rel=1e-6, nan_ok=True)


def test_aggregates_rank_the_rows_given_and_only_what_was_asked_is_returned():
    aggregate = next(get_proxy(name) for name in list_proxies() if isinstance(get_proxy(name), Aggregate))
    X = NB201.sample(4, random_state=1)
    frame = tiny(X, [aggregate.name, "params"])
    assert list(frame) == [aggregate.name, "params"]
    parts = tiny(X, list(aggregate.parts))
    pd.testing.assert_series_equal(frame[aggregate.name], aggregate.combine(parts))


def test_failures_have_reasons_and_leave_the_others_alone(own):
    def crash(probe):
        raise RuntimeError("no luck\nat all")

    own("crash", crash)
    own("infinite", lambda probe: torch.tensor(float("inf")))
    X = [cell(*[NONE] * 6), cell(*[CONV] * 6)]
    frame = tiny(X, ["params", "crash", "infinite", "nwot"])
    assert frame["params"].notna().all()
    assert frame[["crash", "infinite"]].isna().all(axis=None)
    reasons = {(f["row"], f["proxy"]): f["reason"] for f in frame.attrs["failures"]}
    assert reasons[0, "crash"] == reasons[1, "crash"] == "RuntimeError: no luck at all"
    assert reasons[1, "infinite"] == "the score is inf"
    missing = {(row, name) for row, name in zip(*np.where(frame.isna()), strict=True)}
    assert {(row, list(frame).index(name)) for row, name in reasons} == missing
    json.dumps(frame.attrs, allow_nan=False)


def test_a_network_that_cannot_be_built_stops_nothing(own):
    frame = score(NB201.sample(2, random_state=0), NB201, "params", BATCH, network_options={"depth": 3})
    assert frame["params"].isna().all()
    assert "cannot be built: TypeError" in frame.attrs["failures"][1]["reason"]


def test_an_interrupt_is_no_failure(own):
    def interrupt(probe):
        raise KeyboardInterrupt

    own("interrupted", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tiny(NB201.sample(2, random_state=0), "interrupted")


class Attention(nn.Module):
    """No batch norm, no ReLU, residual."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        normed = self.norm(tokens)
        return self.head(self.drop(tokens + self.mix(normed, normed, normed)[0]).mean(1))


def test_networks_of_ones_own_are_scored_on_copies():
    torch.manual_seed(0)
    networks = [Attention().eval(), nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(192, 3)).eval()]
    before = [{key: part.clone() for key, part in network.state_dict().items()} for network in networks]
    frame = score(networks, None, "all", BATCH)
    assert frame["params"].tolist() == [sum(part.numel() for part in network.parameters()) for network in networks]
    assert frame.loc[0, "snip"] > 0
    reasons = {(f["row"], f["proxy"]): f["reason"] for f in frame.attrs["failures"]}
    assert reasons[1, "nwot"] == "the network has no activation of ReLU's family"
    assert len(reasons) == frame.isna().sum().sum()
    for network, kept in zip(networks, before, strict=True):
        assert not any(part.training for part in network.modules())
        assert all(torch.equal(part, kept[key]) for key, part in network.state_dict().items())
    alone = score(networks[:1], proxies="snip", images=BATCH)
    assert alone.loc[0, "snip"] == frame.loc[0, "snip"], "a dropout draws the same whoever asks"


# -- batches --------------------------------------------------------------------------------------


def test_images_are_drawn_stratified_by_seed_and_normalised():
    digits = load_images("digits")
    scorer = Scorer("params", digits, batch_size=20, random_state=1)
    assert scorer.batch.images.shape == (20, 1, 8, 8)
    assert np.bincount(scorer.batch.labels, minlength=10).tolist() == [2] * 10
    train = digits.tensors("train")[0].numpy()
    assert all((train == image).all(axis=(1, 2, 3)).any() for image in scorer.batch.images)
    again, other = Scorer("params", digits, batch_size=20, random_state=1), Scorer("params", digits, batch_size=20)
    assert scorer.batch.info == again.batch.info
    assert scorer.batch.info["sha256"] != other.batch.info["sha256"]
    frame = scorer.score(NB201.sample(1, random_state=0), NB201)
    expected = NB201.cost(NB201.sample(1, random_state=0), num_classes=10)["params"][0] - 2 * 9 * 16
    assert frame.loc[0, "params"] == expected, "one channel instead of three"
    assert frame.attrs["info"]["batch"]["source"] == "training images of digits, drawn by seed 1"


def test_the_first_images_are_of_several_classes_though_the_file_holds_one_after_the_other():
    digits = load_images("digits")
    order = np.argsort(digits.labels, kind="stable")
    of_old = np.empty_like(order)
    of_old[order] = np.arange(len(order))
    indices = {name: np.sort(of_old[rows]) for name, rows in digits.indices.items()}
    ordered = dataclasses.replace(digits, images=digits.images[order], labels=digits.labels[order], indices=indices)
    labels = Scorer("params", ordered, batch_size=60).batch.labels
    assert np.bincount(labels, minlength=10).tolist() == [6] * 10
    assert len(set(labels[:16])) > 5


def test_without_images_there_is_noise():
    frame = score(["8:8:8:8:8"], "nats_size", "params", batch_size=4)
    info = frame.attrs["info"]["batch"]
    assert (info["shape"], info["n_classes"]) == ([4, 3, 32, 32], 10)
    noise = Scorer("params").batch
    assert abs(noise.images.mean()) < 0.01
    assert abs(noise.images.std() - 1) < 0.01
    assert set(noise.labels) == set(range(10))


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ((BATCH[0][0], BATCH[1]), "finite floats of shape"),
        ((BATCH[0][:1], BATCH[1][:1]), "at least two"),
        ((BATCH[0].astype(np.uint8), BATCH[1]), "normalised images, finite floats .* Got uint8"),
        ((BATCH[0] * np.nan, BATCH[1]), "finite"),
        ((BATCH[0], BATCH[1][:5]), "6 ints, one an image"),
        ((BATCH[0], BATCH[1] + 0.5), "6 ints"),
        ((BATCH[0], BATCH[1] - 1), "Got -1 in row 0"),
        ("cifar10", "must be ImageData, a pair"),
        ((BATCH[0][:, :, :6], BATCH[1]), "must be square .* Got 6x8"),
    ],
)
def test_bad_images_are_refused(images, text):
    with pytest.raises(InvalidInputError, match=text):
        tiny(NB201.sample(1, random_state=0), images=images)


def test_bad_parameters_are_refused():
    X = NB201.sample(1, random_state=0)
    with pytest.raises(UnknownNameError, match="Unknown proxy 'nwott'. Did you mean 'nwot'"):
        tiny(X, ["nwott"])
    for none in ([], ["nwot", "nwot"], None):
        with pytest.raises(InvalidInputError, match="The 'proxies' parameter must be 'all', 'cheap', or different"):
            tiny(X, none)
    with pytest.raises(InvalidInputError, match="'batch_size' parameter must be an int of at least 2. Got 1"):
        tiny(X, batch_size=1)
    with pytest.raises(InvalidInputError, match="'batch_size' parameter must be a number of images from 0 to 1294"):
        tiny(X, images=load_images("digits"), batch_size=5000)
    with pytest.raises(InvalidInputError, match="'random_state' parameter must be an int"):
        tiny(X, random_state=None)
    with pytest.raises(InvalidInputError, match="'n_jobs'"):
        tiny(X, n_jobs=0)
    with pytest.raises(InvalidInputError, match="Row 1 does not parse"):
        tiny([cell(*[CONV] * 6), "what"])
    with pytest.raises(SurronasError, match="The space 'nasbench_graph' defines no networks to score"):
        score(get_space("nasbench_graph").sample(1, random_state=0), "nasbench_graph")
    with pytest.raises(InvalidInputError, match="must be a list of torch.nn.Module .* Got a str in row 0"):
        score([cell(*[CONV] * 6)])


# -- the cache ------------------------------------------------------------------------------------


def counted(calls):
    def progress(networks, total):
        calls.append(total)
        return networks

    return progress


def test_the_cache_knows_what_was_scored_and_computes_only_what_is_missing(tmp_path):
    X, calls = NB201.sample(3, random_state=0), []
    options = {"cache": tmp_path, "progress": counted(calls)}
    first = tiny(X[:2], ["params", "nwot"], **options)
    again = tiny(X[:2], ["nwot", "params"], **options)
    pd.testing.assert_frame_equal(again[["params", "nwot"]], first, check_exact=True)
    assert again.attrs["seconds"] == first.attrs["seconds"]
    assert calls == [2]
    more = tiny(X, ["params", "nwot", "snip"], **options)
    assert calls == [2, 3]
    pd.testing.assert_frame_equal(more, tiny(X, ["params", "nwot", "snip"]), check_exact=True)
    (file,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    assert sorted(len(line["scores"]) for line in lines) == [1, 1, 2, 2, 3], "two lacked snip, one all"
    assert calls == [2, 3]


def test_failures_are_remembered_too(tmp_path):
    calls = []
    options = {"cache": tmp_path, "progress": counted(calls)}
    first = score([cell(*[NONE] * 6)], "nasbench201", "jacov", BATCH, **TINY, **options)
    assert len(first.attrs["failures"]) == 1
    assert score([cell(*[NONE] * 6)], "nasbench201", "jacov", BATCH, **TINY, **options).attrs == first.attrs
    assert calls == [1]


def test_another_seed_batch_network_or_space_is_another_file(tmp_path):
    X = NB201.sample(1, random_state=0)
    other = BATCH[0] + 1, BATCH[1]
    for number, options in enumerate(
        [{}, {"random_state": 1}, {"images": other}, {"images": (BATCH[0], (BATCH[1] + 1) % 3)}, {}], start=1
    ):
        tiny(X, "params", cache=tmp_path, **options)
        assert len(list(tmp_path.iterdir())) == min(number, 4)
    score(X, NB201, "params", BATCH, cache=tmp_path, network_options={"channels": 4, "cells": 1})
    score(["8:8:8:8:8"], "nats_size", "params", BATCH, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_scorer_never_scores_a_class_twice():
    scorer, calls = Scorer(["params", "nwot"], BATCH, **TINY), []
    X = NB201.sample(3, random_state=0)
    first = scorer.score(X[:2], NB201, progress=counted(calls))
    second = scorer.score(X, NB201, progress=counted(calls))
    assert calls == [2, 1]
    pd.testing.assert_frame_equal(second[:2], first, check_exact=True)
    assert scorer.mean_seconds(NB201) == pytest.approx(second.attrs["seconds"])


def test_a_scorer_from_its_state_scores_the_same():
    scorer = Scorer(FEW, BATCH, random_state=3, **TINY)
    state, arrays = scorer.to_state()
    again = Scorer.from_state(json.loads(json.dumps(state)), arrays)
    X = NB201.sample(1, random_state=0)
    one, two = scorer.score(X, NB201), again.score(X, NB201)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert one.attrs["info"] == two.attrs["info"]


RUN = """
import sys
import numpy as np
from surronas.proxies import score
from surronas.spaces import get_space

def told(networks, total):
    for measured in networks:
        print("measured", flush=True)
        yield measured

batch = np.load(sys.argv[1])
X = get_space("nasbench201").sample(200, random_state=0)
score(X, "nasbench201", ["params", "snip"], (batch["images"], batch["labels"]), cache=sys.argv[2], progress=told,
      network_options={"channels": 2, "cells": 1})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_run_loses_one_architecture_at_most(tmp_path):
    np.savez(tmp_path / "batch.npz", images=BATCH[0], labels=BATCH[1])
    command = [sys.executable, "-c", RUN, tmp_path / "batch.npz", tmp_path / "cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        told = [run.stdout.readline() for _ in range(4)]
        run.send_signal(signal.SIGKILL)
        told += run.stdout.readlines()
    assert set(told) == {"measured\n"}
    (file,) = (tmp_path / "cache").iterdir()
    known = [json.loads(line)["arch"] for line in file.read_bytes().split(b"\n")[1:-1]]
    assert len(told) - 1 <= len(known) <= len(told) < 200
    calls = []
    frame = tiny(known, ["params", "snip"], cache=tmp_path / "cache", progress=counted(calls))
    assert calls == []
    pd.testing.assert_frame_equal(frame, tiny(known, ["params", "snip"]), check_exact=True)
