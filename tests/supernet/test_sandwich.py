from __future__ import annotations

from dataclasses import replace

import numpy as np

from surronas.supernet.sandwich import Sandwich


def test_the_largest_alone_then_all_kinds(tiny):
    subnets = Sandwich(tiny.space, replace(tiny.recipe, n_random=3), warmup_steps=4)
    largest, smallest = tiny.space.largest(), tiny.space.smallest()
    for step in range(10):
        archs = subnets(step)
        assert np.array_equal(archs[0], largest)
        assert len(tiny.space.parse(archs)) == (1 if step < 4 else 5)
        assert step < 4 or np.array_equal(archs[1], smallest)


def test_a_step_always_has_the_same_subnets_and_another_seed_others(tiny):
    def drawn(step, seed=0):
        return np.array(
            Sandwich(tiny.space, replace(tiny.recipe, seed=seed, n_random=8), warmup_steps=0)(step)
        ).tolist()

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert drawn(7) != drawn(7, seed=1)


def test_without_random_subnets_there_are_the_extremes(tiny):
    assert len(Sandwich(tiny.space, replace(tiny.recipe, n_random=0), warmup_steps=0)(5)) == 2
