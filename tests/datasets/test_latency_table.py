"""Look-up tables of block latencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import yaml

from surronas.datasets import latency_table
from surronas.datasets.latency_table import LatencyTable, list_latency_tables, load_latency_table
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasWarning, UnknownNameError
from surronas.spaces import get_space

SPACE = get_space("ofa_mbv3")
I7 = "ofa_mbv3/i7-8700K_lut.yaml"
ARCHS = {1.0: (16, 24, 40, 80, 112, 160, 960, 1280), 1.2: (24, 32, 48, 96, 136, 192, 1152, 1536)}


@pytest.fixture(scope="module")
def table():
    return load_latency_table("i7-8700K")


@pytest.fixture(scope="module")
def entries(shared_data):
    with (shared_data / I7).open() as stream:
        return {name: block["mean"] for name, block in yaml.safe_load(stream).items()}


def looked_up(entries, arch):
    """MSuNAS's way: one network, layer by layer, one key after the other."""
    stem, *stages, expanded, features = ARCHS[arch["w"]]
    r, side = arch["r"], math.ceil(arch["r"] / 2)
    keys = [f"first_conv-input:{r}x{r}x3-output:{side}x{side}x{stem}"]
    shape = f"{side}x{side}x{stem}"
    keys.append(f"MBConv-input:{shape}-output:{shape}-expand:1-kernel:3-stride:1-idskip:1-se:0")
    c_in = stem
    for s, (c_out, squeeze) in enumerate(zip(stages, (0, 1, 0, 1, 1), strict=True)):
        for layer in range(arch["d"][s]):
            stride = 2 if layer == 0 and s != 3 else 1
            after = math.ceil(side / stride)
            kernel, expand = arch["ks"][4 * s + layer], arch["e"][4 * s + layer]
            skip = int(stride == 1 and c_in == c_out)
            keys.append(
                f"MBConv-input:{side}x{side}x{c_in}-output:{after}x{after}x{c_out}"
                f"-expand:{expand}-kernel:{kernel}-stride:{stride}-idskip:{skip}-se:{squeeze}"
            )
            c_in, side = c_out, after
    keys.append(f"final_expand_layer-input:{side}x{side}x{c_in}-output:{side}x{side}x{expanded}")
    keys.append(f"feature_mix_layer-input:1x1x{expanded}-output:1x1x{features}")
    keys.append(f"classifier-input:{features}-output:1000")
    return sum(entries[key] for key in keys)


@pytest.mark.needs_data(I7)
def test_latency_is_the_sum_over_the_blocks(table, entries):
    X = np.vstack([SPACE.sample(40, random_state=0), SPACE.smallest(), SPACE.largest()])
    np.testing.assert_allclose(table.latency(X), [looked_up(entries, arch) for arch in SPACE.to_ofa(X)], rtol=1e-12)


@pytest.mark.needs_data(I7)
def test_the_table_covers_the_whole_space(table):
    """Every resolution with every width; a missing block would warn, and warnings are errors here."""
    X = SPACE.sample(66 * 20, random_state=0)
    X[:, -2], X[:, -1] = np.tile(np.arange(33), 40), np.repeat([0, 1], 660)
    latency = table.latency(X)
    assert (latency > 4).all()
    assert (latency < 60).all()
    assert len(table) == 4050


@pytest.mark.needs_data(I7)
def test_every_form_of_an_architecture(table):
    X = SPACE.sample(5, random_state=0)
    np.testing.assert_array_equal(table.latency(X), table.latency(SPACE.format(X)))
    assert table.latency(X[:0]).shape == (0,)


def test_missing_blocks_are_counted():
    X = SPACE.sample(6, random_state=0)
    X[:, -2] = [0, 0, 0, 0, 5, 5]
    names, _ = SPACE.blocks(X[:4])
    table = LatencyTable("ofa_mbv3", dict.fromkeys(names, 2.0), "mine")
    expected = 2 * (5 + (X[:, :45:9] + 2).sum(axis=1))
    with pytest.warns(SurronasWarning, match="2 of 6 architectures have a block that the latency table mine lacks, "):
        latency = table.latency(X)
    np.testing.assert_array_equal(latency[:4], expected[:4])
    assert np.isnan(latency[4:]).all()
    np.testing.assert_array_equal(table.latency(X[:4]), expected[:4])


def test_other_classifiers_are_other_blocks():
    names, index = SPACE.blocks([SPACE.smallest()], num_classes=10)
    assert "classifier-input:1280-output:10" in names
    assert index.shape == (1, 25)
    assert (index >= 0).sum() == 15


def test_wrong_names_and_spaces():
    assert list_latency_tables() == ["i7-8700K"]
    with pytest.raises(UnknownNameError, match="Unknown latency table 'i7-8700'. Did you mean 'i7-8700K'?"):
        load_latency_table("i7-8700")
    with pytest.raises(InvalidInputError, match="must name its blocks. Got .*nats_size"):
        LatencyTable("nats_size", {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "not a look-up table"),
        ("a: 3", "not a look-up table"),
        ("a: {var: 3}", "not a look-up table"),
        ("a: {mean: fast}", "not a look-up table"),
        ("a: {mean: 1.0}\nb: {mean: -1.0}", "latencies above 0. Got -1.0 for b"),
        ("a: {mean: .nan}", "latencies above 0. Got nan for a"),
        ("a: {mean: !!python/object/apply:os.getcwd []}", "not a look-up table"),
        ("a: {mean", "not a look-up table"),
    ],
)
def test_damaged_and_hostile_files_are_refused(content, message, tmp_path, monkeypatch):
    (tmp_path / "lut.yaml").write_text(content)
    monkeypatch.setattr(latency_table, "find_file", lambda name: tmp_path / "lut.yaml")
    with pytest.raises(InvalidFileError, match=message):
        load_latency_table("i7-8700K")
