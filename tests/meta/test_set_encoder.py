"""Sets: what does not matter does not matter, what does does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.meta.set_encoder import SetEncoder, Sets


@pytest.fixture
def encoder():
    return SetEncoder(n_features=7, hidden=16, heads=4).double().eval()


def draw(rng, counts):
    return [rng.standard_normal((m, 7)) for m in counts]


def sets_of(*sets):
    features, present = Sets.of(sets)
    return Sets(features.double(), present)


@torch.no_grad()
def test_order_of_images_and_of_classes_does_not_matter(encoder):
    rng = np.random.default_rng(0)
    classes = draw(rng, (5, 3, 4))
    shuffled = [classes[k][rng.permutation(len(classes[k]))] for k in (2, 0, 1)]
    one, other = encoder(sets_of(classes, shuffled))
    np.testing.assert_allclose(one, other, atol=1e-12)


@torch.no_grad()
def test_a_set_does_not_depend_on_those_beside_it(encoder):
    """Padding, of images and of classes, changes nothing."""
    rng = np.random.default_rng(0)
    small, large = draw(rng, (2, 3)), draw(rng, (6, 1, 4, 4, 5))
    together = encoder(sets_of(small, large))
    np.testing.assert_allclose(together[0], encoder(sets_of(small))[0], atol=1e-12)
    np.testing.assert_allclose(together[1], encoder(sets_of(large))[0], atol=1e-12)


@torch.no_grad()
def test_images_and_their_classes_matter(encoder):
    rng = np.random.default_rng(0)
    classes = draw(rng, (4, 4))
    moved = [np.concatenate([classes[0][:3], classes[1][:1]]), np.concatenate([classes[1][1:], classes[0][3:]])]
    changed = [classes[0] + 0.1, classes[1]]
    vectors = encoder(sets_of(classes, moved, changed))
    assert torch.cdist(vectors, vectors)[0, 1:].min() > 1e-3


@torch.no_grad()
def test_one_pooling_is_the_attention_that_it_says(encoder):
    """The last block of a class's pooling, with softmax and heads written out."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((1, 5, 16)))
    block = encoder.images.blocks[2]
    query = encoder.images.seed
    weights, biases = block.attend.in_proj_weight.split(16), block.attend.in_proj_bias.split(16)
    q, k, v = (x @ w.T + b for x, w, b in zip((query, images, images), weights, biases, strict=True))
    heads = []
    for part in range(4):
        columns = slice(4 * part, 4 * part + 4)
        scores = (q[0, :, columns] @ k[0, :, columns].T / 4**0.5).softmax(1)
        heads.append(scores @ v[0, :, columns])
    found = block.after_attention(query[0] + block.attend.out_proj(torch.cat(heads, 1)))
    expected = block.after_forward(found + torch.relu(block.feed_forward[0](found)))
    present = torch.ones(1, 5, dtype=torch.bool)
    np.testing.assert_allclose(block(query, images, present)[0], expected, atol=1e-12)


def test_padded_sets_say_what_is_there():
    features, present = Sets.of([[np.ones((2, 3)), np.ones((1, 3))], [np.full((3, 3), 2.0)]])
    assert features.shape == (2, 2, 3, 3)
    assert present.tolist() == [[[True, True, False], [True, False, False]], [[True] * 3, [False] * 3]]
    assert features.sum() == 3 * 3 + 3 * 3 * 2


def test_gradients_reach_every_weight(encoder):
    rng = np.random.default_rng(0)
    encoder(sets_of(draw(rng, (3, 3)), draw(rng, (2, 2, 2)))).square().sum().backward()
    for weight in encoder.parameters():
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
