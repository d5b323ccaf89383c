"""mbconv against its networks: costs counted in forward passes, names, shapes, specifications, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from surronas.encoders import get_encoder, list_encoders
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.spaces import get_space, space_from_spec
from surronas.spaces.mbconv import MBConv, Stage
from surronas.testing import check_encoder, check_space

FUSED = Stage(fused=True, channels=24, stride=2, depths=(1, 2), kernels=(3,), expands=(1, 3))
BOTTLENECK = Stage(fused=False, channels=32, stride=2, depths=(1, 3), kernels=(3, 5, 7), expands=(2, 3))
SPACES = {
    "default": MBConv(),
    "small": MBConv([FUSED, BOTTLENECK], resolutions=(7, 16), widths=(0.5, 1.0), stem=8, features=16),
    "one_stage": MBConv([Stage(False, 16, 1, (2,), (1, 3), (1, 4))], (9,), (0.75,), stem=16, features=24),
    "strided": MBConv([Stage(True, 8, 1, (1,), (3, 5), (2,)), BOTTLENECK, FUSED], (5, 6), (1, 1.5, 2), 12, 20),
}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def counted(network, in_channels, side):
    """Parameters, multiply-adds and outputs of convolutions, of the network run on one image."""
    madds, activations = [], []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda m, _, y: madds.append(m.weight[0].numel() * y.numel()))
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda m, _, y: activations.append(y.numel()))
    with torch.no_grad():
        network.eval()(torch.zeros(1, in_channels, side, side))
    return sum(p.numel() for p in network.parameters()), sum(madds), sum(activations)


@every_space
@pytest.mark.parametrize("options", [{}, {"num_classes": 2, "in_channels": 1}, {"num_classes": 37, "resolution": 11}])
def test_cost_is_counted_in_the_network(space, options):
    X = np.stack([space.smallest(), space.largest(), *space.sample(8, random_state=0, unique=False)])
    networks = [space.build(x, **options) for x in X]
    in_channels = options.get("in_channels", 3)
    expected = [counted(network, in_channels, network.resolution) for network in networks]
    cost = space.cost(X, **options)
    assert cost.to_numpy().tolist() == [list(row) for row in expected]
    assert (cost.dtypes == np.int64).all()


def test_cost_grows_with_every_gene():
    space = SPACES["default"]
    for x in space.sample(20, random_state=1):
        for i in np.flatnonzero(space.active(x[None])[0] & (x < space.n_choices - 1)):
            larger = x.copy()
            larger[i] += 1
            less, more = space.cost([x, larger])["madds"]
            assert less < more, space.gene_names[i]


@every_space
def test_conformance(space):
    check_space(space, n=50)


@every_space
def test_a_space_is_restored_from_its_description(space):
    again = space_from_spec(json.loads(json.dumps(space.to_spec())))
    assert again == space
    assert (again.stages, again.resolutions, again.widths) == (space.stages, space.resolutions, space.widths)
    others = [other for other in SPACES.values() if other is not space]
    assert all(again != other for other in others)


def test_spaces_with_the_same_genes_differ_by_their_parameters():
    genes = {"resolutions": (8, 16), "widths": (0.5, 1.0)}
    assert MBConv([FUSED], **genes).genes == MBConv([FUSED], **genes, features=8).genes
    assert MBConv([FUSED], **genes) != MBConv([FUSED], **genes, features=8)
    assert MBConv([FUSED], **genes) == MBConv([FUSED], np.array([8, 16]), np.array([0.5, 1.0]), np.int64(24))


def test_a_bare_name_is_the_default_space():
    assert space_from_spec({"name": "mbconv"}) == get_space("mbconv") == MBConv()


@pytest.mark.parametrize(
    "parameters",
    [
        3,
        {"stages": []},
        {"stages": [{"fused": True}]},
        {"stages": [{"fused": True, "channels": 8, "stride": 1, "colour": 3}]},
        {"widths": [1.0, 0.5]},
        {"depth": 3},
    ],
)
def test_bad_parameters_in_a_description_are_an_invalid_file(parameters):
    with pytest.raises(InvalidFileError, match="Not the description of a search space"):
        space_from_spec({"name": "mbconv", "parameters": parameters})
    with pytest.raises(UnknownNameError):
        space_from_spec({"name": "mbconf", "parameters": parameters})


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"stages": []}, r"'stages' parameter of MBConv must be one or more Stages. Got \[\]"),
        ({"stages": [(True, 8, 1)]}, "'stages' parameter of MBConv must be one or more Stages"),
        ({"resolutions": ()}, "'resolutions' parameter of MBConv must be positive ints in ascending order"),
        ({"resolutions": (32, 16)}, r"'resolutions' .* ascending order. Got \(32, 16\)"),
        ({"resolutions": (16, 16)}, "'resolutions' .* ascending"),
        ({"resolutions": (0, 16)}, "'resolutions' .* positive"),
        ({"resolutions": (16.0, 32.0)}, "'resolutions' .* ints"),
        ({"resolutions": "32"}, "'resolutions' .* ints"),
        ({"widths": (1.0, 0.5)}, "'widths' parameter of MBConv must be positive numbers in ascending order"),
        ({"widths": (-0.5, 0.5)}, "'widths' .* positive"),
        ({"widths": (0.5, float("nan"))}, "'widths' .* ascending"),
        ({"widths": (0.5, float("inf"))}, "'widths' .* ascending"),
        ({"stages": 3 * [FUSED], "resolutions": (4, 16)}, "must leave stage 3 more than one pixel to halve. Got 4"),
        ({"stem": 0}, "'stem' parameter of MBConv must be a positive int. Got 0"),
        ({"stem": True}, "'stem' .* positive int. Got True"),
        ({"features": 2.5}, "'features' .* positive int. Got 2.5"),
    ],
)
def test_bad_parameters_of_the_space(parameters, why):
    with pytest.raises(InvalidInputError, match=why):
        MBConv(**{"stages": [FUSED], "resolutions": (8, 16), **parameters})


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"fused": "yes"}, "'fused' parameter of a Stage must be a bool. Got 'yes'"),
        ({"channels": -8}, "'channels' parameter of a Stage must be a positive int. Got -8"),
        ({"stride": 3}, "'stride' parameter of a Stage must be 1 or 2. Got 3"),
        ({"depths": (0, 1)}, "'depths' parameter of a Stage must be positive ints in ascending order"),
        ({"depths": ()}, "'depths' .* positive ints"),
        ({"kernels": (5, 3)}, "'kernels' .* ascending"),
        ({"kernels": (3, 4)}, r"'kernels' parameter of a Stage must be odd. Got \(3, 4\)"),
        ({"expands": (1.5, 2)}, "'expands' .* ints"),
    ],
)
def test_bad_parameters_of_a_stage(parameters, why):
    with pytest.raises(InvalidInputError, match=why):
        Stage(**{"fused": True, "channels": 8, "stride": 1, **parameters})


def test_a_space_without_choices_is_none():
    with pytest.raises(InvalidInputError, match="at least one gene"):
        MBConv([Stage(True, 8, 1, (1,), (3,), (2,))], (16,), (1.0,))


@pytest.mark.parametrize("options", [{"num_classes": 0}, {"in_channels": -1}, {"resolution": 0}, {"resolution": 8.5}])
def test_bad_network_options(options):
    (name,) = options
    space = SPACES["small"]
    with pytest.raises(InvalidInputError, match=f"'{name}' .* must be a positive int"):
        space.cost([space.smallest()], **options)
    with pytest.raises(InvalidInputError, match=f"'{name}' .* must be a positive int"):
        space.build(space.smallest(), **options)


def test_images_too_small_for_the_stages():
    space = SPACES["small"]
    assert space.build(space.largest(), resolution=3).resolution == 3
    with pytest.raises(InvalidInputError, match="must leave stage 2 more than one pixel to halve. Got 2"):
        space.build(space.largest(), resolution=2)


def test_build_names_what_is_no_architecture():
    with pytest.raises(InvalidInputError, match="Row 0 does not parse: 12 genes were expected, 3 came"):
        SPACES["small"].build([0, 1, 0])


@every_space
def test_networks_give_float32_logits_of_the_features(space):
    torch.manual_seed(0)
    for x in space.sample(4, random_state=2, unique=False):
        network = space.build(x, num_classes=7, in_channels=1).eval()
        images = torch.randn(3, 1, network.resolution, network.resolution)
        with torch.no_grad():
            logits, features = network(images), network.embed(images)
            assert logits.shape == (3, 7)
            torch.testing.assert_close(network.classifier(features), logits)
            low = network(images.bfloat16())
        assert low.dtype == logits.dtype == torch.float32
        assert (low - logits).norm() < 0.05 * logits.norm()


def test_networks_are_reproducible_by_torchs_seed():
    space = SPACES["small"]
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        states.append(dict(space.build(space.largest()).state_dict()))
    torch.testing.assert_close(*states, rtol=0, atol=0)


@every_space
def test_a_smaller_networks_parts_are_leading_parts(space):
    largest = space.build(space.largest()).state_dict()
    for x in space.sample(6, random_state=3, unique=False):
        for name, part in space.build(x).state_dict().items():
            assert all(small <= large for small, large in zip(part.shape, largest[name].shape, strict=True)), name


def test_depth_width_and_resolution_are_what_the_genes_say():
    space = SPACES["small"]
    arch = {"resolution": 7, "width": 0.5, "stage1_depth": 2, "stage2_depth": 1, "stage2_block1_kernel": 7}
    arch |= {"stage1_block1_expand": 3, "stage1_block2_expand": 1, "stage2_block1_expand": 2}
    network = space.build(arch)
    assert network.resolution == 7
    assert list(network.blocks) == ["stage1_block1", "stage1_block2", "stage2_block1"]
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters() if p.ndim == 4}
    assert list(shapes.values()) == [
        *[(8, 3, 3, 3), (24, 8, 3, 3), (16, 24, 1, 1)],  # 24 and 32 channels at half the width: 12 is rounded up
        *[(16, 16, 3, 3), (16, 16, 1, 1)],
        *[(32, 16, 1, 1), (32, 1, 7, 7), (16, 32, 1, 1)],
        (8, 16, 1, 1),
    ]
    assert space.build(arch, resolution=12).resolution == 12


def test_shapes_follow_a_forward_pass():
    space = SPACES["strided"]
    for x in space.sample(6, random_state=4, unique=False):
        network, at = space.build(x).eval(), space.shapes([x])
        sides = {}
        for name, block in network.blocks.items():
            block.register_forward_hook(
                lambda _, i, o, name=name, into=sides: into.update({name: (*i[0].shape[1:3], *o.shape[1:3])})
            )
        with torch.no_grad():
            network(torch.zeros(2, 3, network.resolution, network.resolution))
        expected = {
            f"stage{stage}_block{block}": (at.c_in[0, j], at.side_in[0, j], at.c_out[0, j], at.side_out[0, j])
            for j, (stage, block) in enumerate(space.places)
            if at.kept[0, j]
        }
        assert sides == expected


@pytest.mark.parametrize("name", [name for name in list_encoders() if name != "path"])
def test_encoders_keep_their_contract_on_spaces_of_ones_own(name):
    check_encoder(get_encoder(name), spaces=[SPACES["small"], SPACES["strided"]])


def test_graphs_tell_architectures_apart():
    space = SPACES["default"]
    X = space.canonical(space.sample(300, random_state=0))
    F = get_encoder("graph", space=space).fit_transform(X)
    assert len(np.unique(F, axis=0)) == len(np.unique(space.key(X))) == 300


def test_graph_is_the_chain_of_settings_and_blocks():
    space = SPACES["small"]
    arch = {"resolution": 16, "width": 0.5, "stage1_depth": 1, "stage1_block1_expand": 3, "stage2_depth": 1}
    graph = space.graph(space.parse([{**arch, "stage2_block1_kernel": 5, "stage2_block1_expand": 2}]))
    ops = [graph.op_names[op] for op in graph.ops[0] if op >= 0]
    assert ops == ["resolution=16", "width=0.5", "fused3_k3", "mb2_k5"]
    assert graph.adjacency.sum() == len(ops) + 1
