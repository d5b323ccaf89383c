"""The supernet against its extracted subnets, OFA's kernel transformation written as loops, and torch's own layers."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from surronas.datasets.images import load_images
from surronas.exceptions import InvalidInputError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.network import SuperNet

SPACE = MBConv(
    [
        Stage(fused=True, channels=16, stride=2, depths=(1, 2), kernels=(3, 5), expands=(1, 2)),
        Stage(fused=False, channels=24, stride=2, depths=(1, 2), kernels=(3, 5, 7), expands=(2, 3)),
    ],
    resolutions=(8, 16),
    widths=(0.5, 1.0),
    stem=16,
    features=32,
)
KERNELS = {f"stage{s}_block{b}_kernel": SPACE.kernels()[f"stage{s}_block{b}"] for s, b in SPACE.places}


def genotypes(n=12):
    """Random ones, the extremes, and the largest with each kernel in each block."""
    largest = SPACE.largest()
    rows = [SPACE.smallest(), largest, *SPACE.sample(n, random_state=0)]
    for name, sides in KERNELS.items():
        for code in range(len(sides)):
            x = largest.copy()
            x[SPACE.gene_names.index(name)] = code
            rows.append(x)
    return np.stack(rows)


def perturbed(supernet, seed=0):
    """As after a training: no identity matrices, no batch norms of mean 0 and variance 1."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in supernet.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    for part in supernet.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(torch.randn(part.num_features, generator=generator))
            part.running_var.copy_(0.5 + torch.rand(part.num_features, generator=generator))
    return supernet


@pytest.fixture
def supernet():
    torch.manual_seed(0)
    return perturbed(SuperNet(SPACE, num_classes=5))


def pixels(n=6, side=16, channels=3, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, channels, side, side), dtype=np.uint8))


def state(module):
    return {name: part.clone() for name, part in module.state_dict().items()}


def assert_same(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_an_extracted_subnet_gives_the_supernets_outputs(supernet, training):
    supernet.train(training)
    for x in genotypes():
        images = supernet.inputs(pixels(), x)
        network = supernet.extract(x)
        assert network.training == training
        torch.testing.assert_close(network(images), supernet(images, x), rtol=0, atol=1e-5)


def test_an_extracted_subnet_computes_in_bfloat16_too(supernet):
    for x in genotypes(4):
        images = supernet.inputs(pixels(), x, torch.bfloat16)
        with torch.no_grad():
            assert_same(supernet.extract(x)(images), supernet(images, x))


def test_extraction_copies_and_draws_no_random_numbers(supernet):
    before, random = state(supernet), torch.get_rng_state()
    for x in (SPACE.largest(), SPACE.smallest()):
        network = supernet.extract(x)
        with torch.no_grad():
            for part in (*network.parameters(), *network.buffers()):
                assert part.is_contiguous()
                part.add_(1)
        assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in network.parameters())
    assert_same(state(supernet), before)
    assert_same(torch.get_rng_state(), random)


def slow_smaller_kernel(kernel, matrix):
    """One kernel made smaller as OFA describes it: the centre, flattened row by row, times the learnt matrix."""
    side = int(len(matrix) ** 0.5)
    cut = (len(kernel) - side) // 2
    centre = [float(kernel[cut + i][cut + j]) for i in range(side) for j in range(side)]
    small = [sum(centre[k] * float(matrix[k][column]) for k in range(side**2)) for column in range(side**2)]
    return torch.tensor(small).reshape(side, side)


@pytest.mark.parametrize("block", ["stage2_block1", "stage2_block2"])
def test_kernels_are_transformed_size_by_size(supernet, block):
    whole = supernet.network.blocks[block].depthwise.conv.weight.detach()
    x = SPACE.largest()
    gene = SPACE.gene_names.index(f"{block}_kernel")
    expected = [kernel[0] for kernel in whole]
    for code, side in ((2, 7), (1, 5), (0, 3)):
        if side < 7:
            matrix = supernet.kernels[f"{block}_to{side}"].detach()
            expected = [slow_smaller_kernel(kernel, matrix) for kernel in expected]
        x[gene] = code
        own = supernet.extract(x).blocks[block].depthwise.conv.weight.detach()
        torch.testing.assert_close(own[:, 0], torch.stack(list(expected)), rtol=1e-4, atol=1e-5)


def test_dense_kernels_are_transformed_too(supernet):
    x = SPACE.largest()
    x[SPACE.gene_names.index("stage1_block1_kernel")] = 0
    whole = supernet.network.blocks["stage1_block1"].expand.conv.weight.detach()
    matrix = supernet.kernels["stage1_block1_to3"].detach()
    own = supernet.extract(x).blocks["stage1_block1"].expand.conv.weight.detach()
    for c_out, c_in in ((0, 0), (31, 15), (7, 9)):
        expected = slow_smaller_kernel(whole[c_out, c_in], matrix)
        torch.testing.assert_close(own[c_out, c_in], expected, rtol=1e-4, atol=1e-5)


def test_identity_matrices_keep_the_centre():
    supernet = SuperNet(SPACE, 5)
    x = SPACE.largest()
    x[SPACE.gene_names.index("stage2_block1_kernel")] = 0
    own = supernet.extract(x).blocks["stage2_block1"].depthwise.conv.weight
    whole = supernet.network.blocks["stage2_block1"].depthwise.conv.weight
    torch.testing.assert_close(own, whole[:, :, 2:5, 2:5])


def test_subnets_share_memory_with_the_supernet(supernet):
    shared = {p.untyped_storage().data_ptr() for p in (*supernet.network.parameters(), *supernet.network.buffers())}
    for x in genotypes(4):
        network = SPACE.build(x, 5)
        for name, part in supernet._parts(network).items():
            transformed = part.ndim == 4 and part.shape[-1] < supernet.network.get_parameter(name).shape[-1]
            assert transformed or part.untyped_storage().data_ptr() in shared, name


def test_what_changes_in_the_supernet_changes_in_its_subnets(supernet):
    supernet.eval()
    x = SPACE.smallest()
    images = supernet.inputs(pixels(), x)
    with torch.no_grad():
        before = supernet(images, x)
        supernet.network.classifier.bias += 3
        torch.testing.assert_close(supernet(images, x), before + 3)
        supernet.network.stem.conv.weight[8:] += 1  # channels that the narrow subnet does not have
        torch.testing.assert_close(supernet(images, x), before + 3)
        supernet.kernels["stage2_block1_to3"] += 1
        assert (supernet(images, x) - before - 3).abs().max() > 1e-3


def test_gradients_land_in_the_subnets_part_only(supernet):
    supernet.train()
    for x in genotypes(4):
        supernet.zero_grad()
        own = SPACE.build(x, 5)
        supernet(supernet.inputs(pixels(), x), x).square().sum().backward()
        parts = dict(own.named_parameters())
        for name, parameter in supernet.network.named_parameters():
            if name not in parts:
                assert parameter.grad is None, name
                continue
            inside = torch.zeros(parameter.shape, dtype=torch.bool)
            inside[tuple(slice(size) for size in parts[name].shape[:2])] = True
            assert not parameter.grad[~inside].any(), name
            assert parameter.grad[inside].any(), name
        for name, matrix in supernet.kernels.items():
            block, _, side = name.partition("_to")
            sides = [p.shape[-1] for n, p in parts.items() if n.startswith(f"blocks.{block}.") and p.ndim == 4]
            used = max(sides, default=99) <= int(side)
            assert (matrix.grad is not None and bool(matrix.grad.any())) == used, name


def test_gradients_are_those_of_the_extracted_subnet(supernet):
    supernet.train()
    x = SPACE.largest()
    images = supernet.inputs(pixels(), x)
    network = supernet.extract(x)
    supernet(images, x).square().sum().backward()
    network(images).square().sum().backward()
    for (name, shared), own in zip(supernet.network.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(shared.grad, own.grad, rtol=1e-4, atol=1e-4, msg=name)


def test_a_forward_pass_leaves_weights_and_statistics_alone(supernet):
    before = state(supernet)
    for training in (True, False):
        supernet.train(training)
        for x in genotypes(3):
            supernet(supernet.inputs(pixels(), x), x).sum().backward()
    assert_same(state(supernet), before)


def test_inputs_are_resized_and_normalised_images():
    data = load_images("digits").to_rgb().resize(16).subset(sizes={"train": 32, "validation": 8, "test": 8})
    tinted = replace(data, images=np.ascontiguousarray(data.images // np.array([1, 2, 3], dtype=np.uint8)))
    supernet = SuperNet(SPACE, 10, normalization=tinted.normalization)
    raw = torch.from_numpy(tinted.split("test")[0]).permute(0, 3, 1, 2)
    for x, side in ((SPACE.smallest(), 8), (SPACE.largest(), 16)):
        expected, _ = tinted.resize(side).tensors("test", tinted.normalization)
        ours = supernet.inputs(raw, x)
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
        assert ours.is_contiguous(memory_format=torch.channels_last)
        assert supernet.inputs(raw, x, torch.bfloat16).dtype == torch.bfloat16


def test_without_normalisation_pixels_are_0_to_1():
    supernet = SuperNet(SPACE, 5)
    torch.testing.assert_close(supernet.inputs(pixels(), SPACE.largest()), pixels() / 255)


def test_initial_weights_are_those_of_torchs_layers_in_order():
    torch.manual_seed(7)
    network = SuperNet(SPACE, 5).network
    torch.manual_seed(7)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            settings = (part.in_channels, part.out_channels, part.kernel_size)
            assert_same(part.weight.data, nn.Conv2d(*settings, groups=part.groups, bias=False).weight.data)
        if isinstance(part, nn.Linear):
            assert_same(part.weight.data, nn.Linear(part.in_features, part.out_features).weight.data)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda supernet: pickle.loads(pickle.dumps(supernet))])
def test_a_used_supernet_can_be_copied(supernet, copied):
    supernet.eval()
    x = SPACE.smallest()
    images = supernet.inputs(pixels(), x)
    logits = supernet(images, x)
    twin = copied(supernet)
    assert_same(twin(images, x), logits)
    with torch.no_grad():
        twin.network.classifier.bias += 1
    assert_same(supernet(images, x), logits)


def test_grey_images():
    supernet = SuperNet(SPACE, 5, in_channels=1)
    for x in genotypes(2)[:4]:
        assert supernet(supernet.inputs(pixels(channels=1), x), x).shape == (6, 5)


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (torch.zeros(2, 3, 8, 8), r"float32 of shape \(2, 3, 8, 8\)"),
        (torch.zeros(2, 1, 16, 16), r"float32 of shape \(2, 1, 16, 16\)"),
        (torch.zeros(3, 16, 16), r"float32 of shape \(3, 16, 16\)"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), "uint8 of shape"),
    ],
)
def test_images_of_another_shape_or_type(supernet, images, got):
    with pytest.raises(InvalidInputError, match=rf"must be float of shape \(n, 3, 16, 16\) .*'inputs'.* Got {got}"):
        supernet(images, SPACE.largest())


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 16, 16), pixels(channels=1), pixels()[0]], ids=["float", "grey", "one image"]
)
def test_inputs_of_another_shape_or_type(supernet, images):
    with pytest.raises(InvalidInputError, match=r"'images' parameter of inputs must be uint8 of shape \(n, 3, h, w\)"):
        supernet.inputs(images, SPACE.largest())


@pytest.mark.parametrize(
    ("x", "why"),
    [
        ([0, 1, 0], f"{SPACE.n_genes} genes were expected, 3 came"),
        ([9] * SPACE.n_genes, "from 0 to 1 for gene 'resolution'"),
        (SPACE.largest()[None], "does not parse"),
        ("width=3", "does not parse"),
    ],
    ids=["short", "out of range", "a batch", "text"],
)
def test_what_is_no_architecture(supernet, x, why):
    images = supernet.inputs(pixels(), SPACE.largest())
    for use in (lambda: supernet(images, x), lambda: supernet.extract(x), lambda: supernet.inputs(pixels(), x)):
        with pytest.raises(InvalidInputError, match=why):
            use()


def test_architectures_in_other_forms(supernet):
    x = SPACE.sample(1, random_state=4)[0]
    images = supernet.inputs(pixels(), x)
    (text,) = SPACE.format([x])
    for other in (x.tolist(), torch.from_numpy(x).tolist(), text):
        assert_same(supernet(images, other), supernet(images, x))


@pytest.mark.parametrize("gene", ["width", "stage1_depth", "stage2_block1_kernel", "stage2_block1_expand"])
def test_an_architecture_beyond_the_largest_is_refused(gene):
    largest = SPACE.largest()
    largest[SPACE.gene_names.index(gene)] = 0
    single = SuperNet(SPACE, 5, largest=largest)
    assert single(single.inputs(pixels(), largest), largest).shape == (6, 5)
    for use in (single.extract, lambda x: single(single.inputs(pixels(), x), x)):
        with pytest.raises(InvalidInputError, match="'x' parameter must be an architecture within the supernet's larg"):
            use(SPACE.largest())


def test_a_normalisation_of_other_channels():
    with pytest.raises(InvalidInputError, match="'normalization' .* a mean for each of 1 channels. Got 3"):
        SuperNet(SPACE, 5, in_channels=1, normalization=(torch.zeros(3), torch.ones(3)))
