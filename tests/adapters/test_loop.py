from __future__ import annotations

import numpy as np

from surronas.adapters.loop import ask_tell
from surronas.search import NAT, TableEvaluator


def test_a_loop_of_ones_own_does_what_the_search_does(table):
    search = ask_tell(
        table.space,
        {"val_accuracy": True, "latency_ms": False},
        pool=table.archs,
        n_initial=6,
        batch_size=3,
        predictor="linear",
    )
    whole = NAT(table, ("val_accuracy", "latency_ms"), n_initial=6, batch_size=3, predictor="linear")
    for other in (search, whole):
        for _ in range(3):
            archs = other.ask()
            other.tell(archs, TableEvaluator(table).evaluate(archs))
    assert len(search.archive_) == 12
    assert (search.archive_.archs[6:] == whole.archive_.archs[6:]).all()


def test_what_is_known_is_not_predicted(table):
    def latency(archs):
        return {"latency_ms": 1.0 * archs.sum(axis=1)}

    search = ask_tell(
        table.space, {"val_accuracy": True, "latency_ms": False}, cost=latency, n_initial=4, predictor="linear"
    )
    archs = search.ask()
    search.tell(archs, {"val_accuracy": np.arange(4.0), "latency_ms": latency(archs)["latency_ms"]})
    search.ask(2)
    assert list(search.decisions_[-1]["surrogates"]) == ["val_accuracy"]
