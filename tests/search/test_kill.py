"""SIGKILL at any moment of a run, then the same call again, changes nothing of what comes out."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from surronas.search import NAT, SupernetAdaptation
from surronas.supernet.recipe import ADAPTATION
from surronas.supernet.weights import fingerprint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")

KILLS = 3
RECIPE = replace(ADAPTATION, epochs=4, batch_size=32, bfloat16=False)  # 16 steps
EVOLVED = {"predictor": "linear", "encoder": "one_hot", "candidates": "nsga2", "population": 8, "generations": 2}


@pytest.fixture(scope="module")
def context():
    """Of processes that are forked off one that has imported everything, and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["surronas.search", "surronas.supernet", "surronas.predictors.linear"])
    return context


@pytest.fixture
def on_table(table):
    return lambda: NAT(table, ["error", "madds", "latency_ms"], n_initial=8, batch_size=4, **EVOLVED)


@pytest.fixture
def adapting(subnets, digits):
    """Its supernet learns on between batches: the versions of the weights must come back too."""

    def make():
        adaptation = SupernetAdaptation(digits, RECIPE, steps=4, every=4, n_probes=4, tolerance=0.1)
        return NAT(subnets, n_initial=8, batch_size=4, adapt=adaptation, **EVOLVED)

    return make


def lines_of(folder):
    path = folder / "journal.jsonl"
    return path.read_bytes().splitlines() if path.exists() else []


def without_times(part):
    return part.drop(columns="seconds") if isinstance(part, pd.DataFrame) else {**part, "seconds": None}


@pytest.mark.parametrize(("kind", "n"), [("on_table", 28), ("adapting", 20)])
def test_killed_at_random_moments_and_resumed_it_ends_the_same(kind, n, context, tmp_path, request):
    make, killed = request.getfixturevalue(kind), tmp_path / "killed"
    searches = [make(), make()]
    began = time.perf_counter()
    whole = searches[0].run(tmp_path / "whole", n_evaluations=n)
    lines = lines_of(tmp_path / "whole")
    pace = (time.perf_counter() - began) / len(lines)

    rng = np.random.default_rng(0)
    for line in np.sort(rng.choice(np.arange(1, len(lines) - 4), KILLS, replace=False)):
        process = context.Process(target=make().run, args=(killed, n))
        process.start()
        while process.is_alive() and len(lines_of(killed)) < line:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, pace))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    again = searches[1].run(killed, n_evaluations=n)

    journals = [[without_times(json.loads(line)) for line in part] for part in (lines, lines_of(killed))]
    assert journals[0] == journals[1]
    for one, other in ((whole.archive, again.archive), (whole.front, again.front)):
        np.testing.assert_array_equal(one.archs, other.archs)
        for a, b in ((one.records, other.records), (one.replaced, other.replaced)):
            pd.testing.assert_frame_equal(without_times(a), without_times(b), check_exact=True)
    if kind == "adapting":
        assert len(whole.archive.replaced)
        assert whole.archive.version.max() == 4
        assert len({fingerprint(search.evaluator_.supernet) for search in searches}) == 1
    assert len({tuple(sorted(path.name for path in tmp_path.glob(f"{name}/*"))) for name in ("whole", "killed")}) == 1
