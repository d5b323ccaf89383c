import pytest
import torch

from surronas.supernet.muon import Muon


def moved(shape, steps=5, dtype=torch.float32, **group):
    """A parameter after some steps by the same gradients, and what each other optimizer made of it."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    gradients = torch.randn((steps, *shape), generator=generator)

    def by(optimizer, part):
        for gradient in gradients:
            part.grad = gradient.reshape(part.shape).clone()
            optimizer.step()
        return part.detach().reshape(shape)

    own = torch.nn.Parameter(start.clone())
    return by(Muon([{"params": [own], **group}], 0.9, dtype), own), start, by


@pytest.mark.parametrize("shape", [(12, 3, 3, 3), (40, 6, 1, 1), (16, 16, 1, 1)])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 2e-3), (torch.bfloat16, 4e-3)])
def test_matrices_move_as_torch_s_muon_moves_them(shape, dtype, atol):
    """Torch's orthogonalises in bfloat16 only, hence the tolerance; a step is .02."""
    own, start, by = moved(shape, dtype=dtype, lr=0.02, weight_decay=0.1, orthogonal=True)
    theirs = torch.nn.Parameter(start.flatten(1).clone())
    wanted = by(torch.optim.Muon([theirs], lr=0.02, momentum=0.9, weight_decay=0.1), theirs)
    torch.testing.assert_close(own, wanted, rtol=0, atol=atol)
    assert (own - start).abs().max() > 5 * atol


def test_all_else_moves_by_sgd():
    own, start, by = moved((7,), lr=0.1, weight_decay=0.0, orthogonal=False)
    theirs = torch.nn.Parameter(start.clone())
    torch.testing.assert_close(own, by(torch.optim.SGD([theirs], lr=0.1, momentum=0.9, nesterov=True), theirs))


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (8, 8)])
def test_a_step_is_as_long_in_all_directions(shape):
    """Of a gradient whose directions differ thirtyfold; a tall matrix takes longer ones."""
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=torch.Generator().manual_seed(1)), full_matrices=False)
    part = torch.nn.Parameter(torch.zeros(shape))
    part.grad = u @ torch.diag(torch.logspace(0, -1.5, 8)) @ v
    Muon([{"params": [part], "lr": 1.0, "weight_decay": 0.0, "orthogonal": True}], 0.9).step()
    lengths = torch.linalg.svdvals(part.detach()) / max(1, shape[0] / shape[1]) ** 0.5
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3


def test_rows_and_columns_without_gradient_stay():
    """What no subnet of a step used, in a matrix of which some used the rest."""
    part = torch.nn.Parameter(torch.ones(10, 6, 3, 3))
    part.grad = torch.zeros_like(part)
    part.grad[:5, :4] = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(2))
    Muon([{"params": [part], "lr": 0.1, "weight_decay": 0.0, "orthogonal": True}], 0.9).step()
    changed = (part != 1).flatten(2).all(2)
    assert changed[:5, :4].all()
    assert not changed[5:].any()
    assert not changed[:, 4:].any()
    part.grad.zero_()  # nothing to orthogonalise
    Muon([{"params": [part], "lr": 0.1, "weight_decay": 0.0, "orthogonal": True}], 0.9).step()
    assert part.isfinite().all()
    part.grad = None
    before = part.detach().clone()
    Muon([{"params": [part], "lr": 0.1, "weight_decay": 0.5, "orthogonal": True}], 0.9).step()
    assert torch.equal(part, before)
