"""A look-up table of this machine has a price for every block, and adds them up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.spaces import get_space
from surronas.spaces.mbconv import MBConv, Stage
from surronas.transfer import lookup, measure_blocks

TINY = MBConv(
    [Stage(True, 16, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 1, (1,), (3, 5), (2,))],
    resolutions=(8, 12),
    widths=(1.0,),
    stem=8,
    features=16,
)
QUICK = {"n_rounds": 1, "min_seconds": 0.0}


def test_every_architecture_has_a_price():
    table = measure_blocks(TINY, **QUICK)
    everyone = TINY.enumerate()
    assert sorted(table.milliseconds) == sorted(TINY.blocks(everyone)[0])
    assert all(price > 0 for price in table.milliseconds.values())
    latency = table.latency(everyone)
    names, index = TINY.blocks(everyone[:1])
    assert latency[0] == pytest.approx(sum(table.milliseconds[names[place]] for place in index[0] if place >= 0))
    assert np.isfinite(latency).all()


def test_blocks_are_measured_for_what_they_read(monkeypatch):
    """By the number of values that a block reads: what is asked of the clock is all that is faked."""

    def measure(networks, batch_sizes, image_shapes, **options):
        assert options == {"n_threads": 2}
        assert len(networks) == len(image_shapes)
        return pd.DataFrame({f"latency_{batch_sizes[0]}_ms": [float(np.prod(shape)) for shape in image_shapes]})

    monkeypatch.setattr(lookup, "measure_latency", measure)
    space = get_space("nasbench201")
    convolutions = space.parse(["|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"])
    table = measure_blocks(space, convolutions, batch_size=8, network_options={"cells": 2, "channels": 4}, n_threads=2)
    stem, head = 3 * 32**2, 16 * 8**2
    reductions = 4 * 32**2 + 8 * 16**2
    inner = 2 * 2 * (4 * 32**2 + 8 * 16**2 + 16 * 8**2)
    ours = table.latency(convolutions, cells=2, channels=4)
    assert ours == pytest.approx([stem + head + reductions + inner])
    with pytest.warns(SurronasWarning, match="have a block that the latency table of this machine lacks"):
        table.latency(np.full((1, 6), 4), cells=2, channels=4)


def test_a_space_that_builds_no_blocks_is_refused():
    with pytest.raises(InvalidInputError, match="measure_blocks must be one that builds its blocks"):
        measure_blocks("ofa_mbv3")
