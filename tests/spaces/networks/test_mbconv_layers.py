"""The layers of mbconv: computing in the images' dtype, and the depthwise gradient against float32 autograd."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.spaces.networks.mbconv_layers import BatchNorm2d, Conv2d, ConvNorm


def depthwise(channels, kernel=3, stride=1, side=7, n=4, seed=0):
    """A depthwise layer whose weights are bfloat16 numbers, and such images."""
    torch.manual_seed(seed)
    conv = Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    conv.weight.data = conv.weight.data.bfloat16().float()
    images = torch.randn(n, channels, side, side).bfloat16().to(memory_format=torch.channels_last)
    return conv, images.requires_grad_()


def gradients(output, conv, images, loss):
    return torch.autograd.grad(loss(output), [images, conv.weight])


def reference(conv, images, loss, uses=1):
    """Output and gradients in float32, by torch's own convolution."""
    x, weight = images.detach().float().requires_grad_(), conv.weight.detach().clone().requires_grad_()
    y = x
    for _ in range(uses):
        y = F.conv2d(y, weight, None, conv.stride, conv.padding, groups=conv.groups)
    return y.detach(), torch.autograd.grad(loss(y), [x, weight])


def assert_close(ours, theirs, tolerance=0.02):
    assert ours.shape == theirs.shape
    assert (ours.float() - theirs).norm() < tolerance * theirs.norm()


def weighted(y):
    """Another weight for each element, so that no two channels or places can be mixed up."""
    torch.manual_seed(1)
    return (y * torch.randn(y.shape).bfloat16().to(y.dtype)).sum()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [2, 5, 8, 24, 48])
@pytest.mark.parametrize(("kernel", "side"), [(3, 7), (5, 8), (7, 5), (5, 2)])
def test_depthwise_gradient_is_that_of_float32(stride, channels, kernel, side):
    conv, images = depthwise(channels, kernel, stride, side)
    output = conv(images)
    expected, (of_images, of_weight) = reference(conv, images, weighted)
    ours = gradients(output, conv, images, weighted)
    assert [output.dtype, ours[0].dtype, ours[1].dtype] == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert_close(output, expected)
    assert_close(ours[0], of_images)
    assert_close(ours[1], of_weight)


@pytest.mark.parametrize(
    "loss",
    [
        lambda y: y.sum(),  # the gradient is one number, expanded
        lambda y: weighted(y.transpose(2, 3)),
        lambda y: weighted(y[:, ::2, 1:]),
        lambda y: weighted(y.contiguous()),
    ],
    ids=["expanded", "transposed", "sliced", "contiguous"],
)
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_that_are_not_channels_last(loss, stride):
    conv, images = depthwise(24, stride=stride)
    _, expected = reference(conv, images, loss)
    for ours, theirs in zip(gradients(conv(images), conv, images, loss), expected, strict=True):
        assert_close(ours, theirs)


def test_weights_used_twice_add_their_gradients():
    conv, images = depthwise(16)
    _, expected = reference(conv, images, weighted, uses=2)
    for ours, theirs in zip(gradients(conv(conv(images)), conv, images, weighted), expected, strict=True):
        assert_close(ours, theirs, 0.03)


def test_one_of_the_gradients_alone():
    conv, images = depthwise(16)
    both = gradients(conv(images), conv, images, weighted)
    (of_weight,) = torch.autograd.grad(weighted(conv(images.detach())), [conv.weight])
    conv.weight.requires_grad_(False)
    (of_images,) = torch.autograd.grad(weighted(conv(images)), [images])
    torch.testing.assert_close((of_images, of_weight), both, rtol=0, atol=0)


def test_float32_and_inference_are_torchs_own():
    conv, images = depthwise(24, 5, 2)
    with torch.no_grad():
        expected = F.conv2d(images, conv.weight.bfloat16(), None, conv.stride, conv.padding, groups=24)
        torch.testing.assert_close(conv(images), expected, rtol=0, atol=0)
    x = images.detach().float().requires_grad_()
    expected, of = reference(conv, images, weighted)
    torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(gradients(conv(x), conv, x, weighted), of)


@pytest.mark.parametrize("settings", [{"dilation": 2}, {"bias": True}, {"groups": 4, "out_channels": 8}])
def test_other_convolutions_are_torchs(settings):
    settings = {"in_channels": 4, "out_channels": 4, "kernel_size": 3, **settings}
    ours, theirs = Conv2d(**settings), nn.Conv2d(**settings)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 9, 9)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)
    y = ours(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert_close(y, theirs(x))
    y.sum().backward()


def test_nothing_is_initialised_on_meta():
    before = torch.get_rng_state()
    with torch.device("meta"):
        part = ConvNorm(8, 16, 3, activation=nn.ReLU)
    assert all(tensor.is_meta for tensor in (*part.parameters(), *part.buffers()))
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_weights_begin_as_torchs():
    for ours, theirs in ((Conv2d, nn.Conv2d), (BatchNorm2d, nn.BatchNorm2d)):
        settings = (8, 16, 3) if ours is Conv2d else (8,)
        torch.manual_seed(3)
        expected = theirs(*settings).state_dict()
        torch.manual_seed(3)
        torch.testing.assert_close(dict(ours(*settings).state_dict()), dict(expected), rtol=0, atol=0)
